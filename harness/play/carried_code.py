"""The user's own modules and files, as they travel to the other machines of a cluster.

So no machine but the one where the run was started needs them; simulators and packages have to be
installed everywhere. Independent of Ray.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from harness.records.code_versions import local_files
from harness.records.identity import AgentSpec
from harness.records.plan import Plan
from harness.records.registry import load

__all__ = ["CarriedCode", "carry", "moved"]

MOST_BYTES = 2_000_000_000
"""Of all files that travel."""
MOST_FILES = 100_000
"""Of one argument."""


@dataclass(frozen=True)
class CarriedCode:
    """Contents of files, by their paths below the folder in which they are written down."""

    modules: Mapping[str, bytes] = field(default_factory=dict)
    """Path from where the module is imported -> content."""
    arguments: Mapping[str, str] = field(default_factory=dict)
    """Argument of the agent -> the path below `files` of the file or folder that it names."""
    files: Mapping[str, bytes] = field(default_factory=dict)

    def unpack(self, folder: Path) -> tuple[str, Mapping[str, str]]:
        """Write everything below `folder`.

        Returns the folder to import from, and argument -> path of what the agent's argument names.
        """
        for place, contents in (("modules", self.modules), ("files", self.files)):
            (folder / place).mkdir(parents=True)
            for name, content in contents.items():
                path = folder / place / _inside(name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
        moved = {name: str(folder / "files" / _inside(p)) for name, p in self.arguments.items()}
        for named in moved.values():
            if not os.path.exists(named):
                os.makedirs(named)  # an empty folder
        return str(folder / "modules"), moved


def _inside(name: str) -> str:
    """The path as it is. Raises ValueError if it leads out of the folder it is to be in."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{name!r} leads out of its folder")
    return name


def carry(spec: AgentSpec, plan: Plan, say: Callable[[str], None]) -> CarriedCode:
    """What the agent and the tasks of the plan need that no package has.

    That is the modules of the user's own with those that they import, and the files and folders
    that arguments of the agent name. What is too much to travel is told by `say`, and left out.
    """
    modules = {name: path.read_bytes() for name, path in _modules(spec, plan)}
    arguments: dict[str, str] = {}
    files: dict[str, bytes] = {}
    room = MOST_BYTES
    for number, (argument, named) in enumerate(sorted(spec.named().items())):
        found = list(itertools.islice(_files_of(Path(named)), MOST_FILES + 1))
        size = sum(path.stat().st_size for path in found)
        if size > room or len(found) > MOST_FILES:
            say(
                f"--agent-arg {argument}={named} is too much to send to other machines (more than "
                f"{room / 1e9:g} GB or {MOST_FILES} files): it must be there under the same path"
            )
            continue
        room -= size
        arguments[argument] = below = f"{number}/{Path(named).name or 'root'}"
        for path in found:
            inside = path.relative_to(named).as_posix()
            files[below if inside == "." else f"{below}/{inside}"] = path.read_bytes()
    return CarriedCode(modules, arguments, files)


def moved(spec: AgentSpec, arguments: Mapping[str, str]) -> AgentSpec:
    """The agent with the paths that its arguments name replaced by these."""
    return dataclasses.replace(spec, args={**spec.args, **arguments}) if arguments else spec


def _modules(spec: AgentSpec, plan: Plan) -> Iterator[tuple[str, Path]]:
    names = [spec.entry.partition(":")[0]]
    for item in plan.items:
        names.append(item.task.adapter.partition(":")[0])
        names.extend(load(item.task.adapter).modules(item.task))
    for name in dict.fromkeys(names):
        yield from local_files(name).items()


def _files_of(root: Path) -> Iterator[Path]:
    yield from (path for path in root.rglob("*") if path.is_file()) if root.is_dir() else [root]

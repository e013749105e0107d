"""Who played, and on what: the fingerprint of an agent, and the machine of a run.

The fingerprint decides whether a run directory may go on with the same command. It covers what can
change an agent's answers: its entry, arguments, source with the local modules that it imports, and
the files that it declares or that an argument names. Sources of harness.core are left out, so that
runs outlive a new version of bench.
"""

from __future__ import annotations

import inspect
import json
import os
import platform
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core import Agent, Brief, Missing, UserError
from harness.core.errors import describe
from harness.records.code_versions import local_files
from harness.records.contents import Contents, exists, sources
from harness.records.declared import check_agent_class, check_reading, declared
from harness.records.linear_algebra import kernels
from harness.records.registry import load

__all__ = ["UNNAMED", "AgentSpec", "machine", "source_commit"]

UNNAMED = "unnamed"
"""The fingerprint of an agent that nobody can build again: a live object or a function."""


@dataclass(frozen=True)
class AgentSpec:
    """An agent by its entry and arguments, from which every worker builds its own instance."""

    name: str
    entry: str
    """`module:Class`."""
    args: Mapping[str, Any]
    """JSON values for the constructor; another one raises UserError."""

    def __post_init__(self) -> None:
        for name, value in dict(self.args).items():
            try:
                json.dumps({name: value}, allow_nan=False)
            except (TypeError, ValueError, RecursionError) as fault:
                raise UserError(
                    f"the agent {self.name}: its argument {name} cannot be written down: {fault}; "
                    "give finite numbers, texts, booleans, None, or lists and tables of these"
                ) from None

    def kind(self) -> type[Agent]:
        """The class. Raises UserError if it is no Agent or does not take these arguments."""
        kind = load(self.entry)
        if not (inspect.isclass(kind) and issubclass(kind, Agent)):
            raise UserError(
                f"{self.entry} is no agent: write "
                f"`class {self.entry.rpartition(':')[2]}(harness.core.Agent)`; see docs/agents.md"
            )
        if inspect.isabstract(kind):
            raise UserError(
                f"{self.entry} is abstract: it lacks {', '.join(sorted(kind.__abstractmethods__))}"
            )
        check_agent_class(kind, self.entry)
        try:
            inspect.signature(kind).bind(**self.args)
        except TypeError as fault:
            raise UserError(
                f"{self.entry} takes other arguments: {fault}. It is "
                f"{kind.__name__}{inspect.signature(kind)}; use --agent-arg k=v"
            ) from None
        return kind

    def declared(self) -> tuple[tuple[str, ...], int]:
        """(reads, history) as the class declares them for these arguments. Raises UserError."""
        return declared(self.kind(), self.entry, self.args)

    def trained_on(self) -> str:
        """Where it says what it was trained on (Agent.trained_on); empty: it does not."""
        try:
            found = self.kind().trained_on(self.args)
        except (UserError, KeyboardInterrupt):
            raise
        except BaseException as fault:
            raise UserError(f"{self.entry}.trained_on failed: {describe(fault)}") from fault
        if not isinstance(found, str):
            raise UserError(f"{self.entry}.trained_on returns a path as a text, got {found!r:.80}")
        return found

    def unfit(self, brief: Brief) -> Missing | None:
        """Why the agent cannot play with this body (Agent.unfit), or None."""
        return self.kind().unfit(self.args, brief)

    def build(self) -> Agent:
        """The agent. Raises UserError with the cause when its constructor fails."""
        agent = self.of_class(self.kind(), self.entry, self.args)
        check_reading(f"{self.entry}, once it is built,", agent.reads, agent.history)
        return agent

    @staticmethod
    def of_class(kind: type[Agent], entry: str, args: Mapping[str, Any]) -> Agent:
        """An agent of this class. Raises UserError with the cause when its constructor fails."""
        try:
            return kind(**args)
        except (UserError, KeyboardInterrupt):
            raise
        except BaseException as fault:
            raise UserError(
                f"the agent {entry} cannot be built: {type(fault).__name__}: {fault}"
            ) from fault

    def fingerprint(self, later: Collection[str] = ()) -> str:
        """16 hexadecimal digits over entry, arguments, source, declared files and named files.

        The source is that of the class and of each class that it inherits from: all Python files
        of its folder if that is a package, else the file of its module. Named files are those
        whose path is an argument, but not an output, nor in `later`: see `written_since`.
        """
        kind = self.kind()
        return self.contents(kind, kind.files, later).hexdigest()

    def contents(
        self, kind: type[Agent], files: Sequence[str], later: Collection[str] = ()
    ) -> Contents:
        """What the fingerprint of an agent of this class covers, which comes with these files."""
        identity = [self.entry, self.identity(kind)]
        contents = Contents(json.dumps(identity, sort_keys=True).encode())
        own = list(sources(kind))
        for file in own:
            contents.add_source(file)
        for name, file in _imported(kind).items():
            if file not in own:
                contents.add_source(file, name)
        for name in files:
            if not os.path.exists(name):
                raise UserError(
                    f"{self.entry} declares the file {name}, which is missing: install its package "
                    "again"
                )
            remedy = "declare the files that it needs"
            contents.add(f"files/{Path(name).name}", Path(name), remedy)
        for argument, value in self.named().items():
            if argument not in later:
                remedy = f"name the file that is meant, or declare outputs = ({argument!r},)"
                contents.add(f"{argument}={value}", Path(value), remedy)
        return contents

    def identity(self, kind: type[Agent]) -> dict[str, Any]:
        """What stands for the arguments in the fingerprint (Agent.identity). Raises UserError."""
        try:
            found = dict(kind.identity(self.args))
            json.dumps(found)
        except (UserError, KeyboardInterrupt):
            raise
        except BaseException as fault:
            raise UserError(f"{self.entry}.identity failed: {describe(fault)}") from fault
        return found

    def named(self) -> dict[str, str]:
        """The arguments that name a file or a folder which exists now and is no output.

        Those that nobody gave have their default values.
        """
        kind = self.kind()
        parameters = inspect.signature(kind).parameters.values()
        values = {each.name: each.default for each in parameters} | dict(self.args)
        return {
            name: value
            for name, value in values.items()
            if name not in kind.outputs and exists(value)
        }

    def written_since(self, begun: Mapping[str, Any]) -> list[str]:
        """The arguments that name something which was absent or empty when a run began.

        `begun`: what run.json says of the agent. Whatever is there now was written since, by the
        agent itself as a rule, so it is left out of the fingerprint.
        """
        files = begun.get("files")
        if not isinstance(files, Mapping) or begun.get("args") != dict(self.args):
            return []
        known = {name.partition("=")[0] for name in map(str, files)}
        return [name for name in self.named() if name not in known]

    def to_json(self, begun: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What run.json says of the agent. `begun`: what it says already, of a run that goes on."""
        kind = self.kind()
        reads, history = self.declared()
        later = [] if begun is None else self.written_since(begun)
        contents = self.contents(kind, kind.files, later)
        identity = self.identity(kind)
        return {
            "name": self.name,
            "entry": self.entry,
            "args": dict(self.args),
            **({"identity": identity} if identity != dict(self.args) else {}),
            "reads": list(reads),
            "history": history,
            "privileged": "expert" in reads,
            "served": kind.served or kind.gpus > 0,
            "fingerprint": contents.hexdigest(),
            "files": contents.files,
        }


def _imported(kind: type) -> dict[str, Path]:
    """Name -> file of the local modules that hold this class and its ancestors, or are imported."""
    found: dict[str, Path] = {}
    for ancestor in kind.__mro__:
        found |= local_files(ancestor.__module__)
    return found


def machine() -> dict[str, Any]:
    """The machine: enough to understand a difference, nothing that identifies a person."""
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "linear algebra": kernels(),
    }


def source_commit(folder: Path) -> str | None:
    """The commit of the checkout in `folder`, with `-dirty` if it has changes; None without one."""
    # --no-optional-locks: a run that is killed must not leave a lock file in the checkout.
    command = [
        "git",
        "--no-optional-locks",
        "-C",
        str(folder),
        "describe",
        "--always",
        "--dirty",
        "--abbrev=12",
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None

"""Which adapters, and whether the agent, live in another interpreter.

The user says so under `[interpreters]` in bench.toml, or with `--interpreter NAME=PATH`. The file
lies in the current folder or in that of the checkout, which the first one overrides; the
environment variable BENCH_TOML names another one in the place of the checkout's. NAME is a family
of `bench list adapters`, the user's own `module` or `module:Class`, `agent`, or a kind of agents
such as `lerobot`. Another environment variable carries the choice to Ray workers.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.core import UserError
from harness.core.errors import suggest
from harness.records.toml_files import read_toml

__all__ = [
    "VARIABLE", "carried", "configure", "configured", "interpreter_of", "interpreter_of_agent",
    "interpreters", "name_families",
]  # fmt: skip

log = logging.getLogger("bench")
FILE = "bench.toml"
CHECKOUT = Path(__file__).resolve().parents[2]
"""The folder of this project's sources; of an installed wheel, one without a pyproject.toml."""
NAMED = "BENCH_TOML"
VARIABLE = "BENCH_INTERPRETERS"
AGENT = "agent"
"""The name that stands for whatever `--agent` names."""
_families: dict[str, str] = {}
_kinds: set[str] = set()


def name_families(table: Mapping[str, str], kinds: Iterable[str] = ()) -> None:
    """Set the table of families, name -> `module:Class`, and the kinds of agents.

    harness.cli calls this: the rooms below it must not know the package `adapters`.
    """
    _families.clear()
    _families.update(table)
    _kinds.clear()
    _kinds.update(kinds)


def interpreters() -> dict[str, str]:
    """Name -> path of a Python. Raises UserError if a bench.toml cannot be read."""
    carried_here = os.environ.get(VARIABLE)
    return _from_files() if carried_here is None else dict(json.loads(carried_here))


def _from_files() -> dict[str, str]:
    if named := os.environ.get(NAMED):
        base = _from_file(Path(named), optional=False)
    else:
        base = _from_file(CHECKOUT / FILE) if (CHECKOUT / "pyproject.toml").is_file() else {}
    # A run directory may be a stranger's, and so may the programs that a file in it names.
    here = {} if os.path.lexists("run.json") else _from_file(Path(FILE))
    return {**base, **here}


def carried() -> dict[str, str]:
    """The environment variable that tells a worker of this run its interpreters.

    Families are replaced by their adapters, since a worker does not know the families.
    """
    resolved = {_families.get(name, name): path for name, path in interpreters().items()}
    return {VARIABLE: json.dumps(resolved, sort_keys=True)}


def configure(options: Iterable[str]) -> None:
    """Apply `NAME=PATH` options, which override bench.toml.

    Raises UserError on an unknown name, or a path that is not a program.
    """
    found = _from_files()
    for option in options:
        name, equals, path = option.partition("=")
        if not equals or not name or not path:
            raise UserError(
                f"--interpreter {option!r}: write NAME=PATH, for example procgen=/path/to/python"
            )
        _check_name(name, f"--interpreter {option}")
        program = shutil.which(os.path.expanduser(path))
        if program is None:
            raise UserError(f"--interpreter {option}: there is no program {path}")
        found[name] = os.path.abspath(program)
    os.environ[VARIABLE] = json.dumps(found, sort_keys=True)


@contextlib.contextmanager
def configured(options: Iterable[str]) -> Iterator[None]:
    """As `configure`, for as long as the block runs: a file that changes meanwhile changes nothing.

    Without options, what an outer block has chosen stays.
    """
    before = os.environ.get(VARIABLE)
    options = tuple(options)
    if options or before is None:
        configure(options)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(VARIABLE, None)
        else:
            os.environ[VARIABLE] = before


def interpreter_of(entry: str) -> str | None:
    """The path of the Python in which this adapter lives; None: this one.

    An adapter that is not named itself lives where another adapter of its module lives.
    """
    named = interpreters()
    if not named:
        return None
    module = entry.partition(":")[0]
    entries = {name: _families.get(name, name) for name in named}
    exact = [name for name in named if entries[name] == entry]
    same_module = [name for name in named if entries[name].partition(":")[0] == module]
    return next((named[name] for name in (*exact, *same_module)), None)


def interpreter_of_agent(name: str) -> str | None:
    """The path of the Python in which the agent of this name lives; None: this one."""
    named = interpreters()
    return named.get(AGENT) or named.get(name.partition(":")[0])


def _from_file(file: Path, optional: bool = True) -> dict[str, str]:
    content = read_toml(file, optional=optional)
    table: Any = content.get("interpreters", {})
    if not isinstance(table, dict) or not all(isinstance(path, str) for path in table.values()):
        raise UserError(f'{file}: [interpreters] must hold lines like habitat = "/path/to/python"')
    for name in table:
        _check_name(name, str(file))
    return {
        name: os.path.abspath(file.parent / os.path.expanduser(path))
        for name, path in table.items()
    }


def _check_name(name: str, where: str) -> None:
    """Raises UserError on an unknown family; without a table of families, every name passes."""
    if name in _families or name in _kinds or name == AGENT or ":" in name or "." in name:
        return
    if not _families:
        _warn_of_unknown_family(name, where)
        return
    guess = (
        suggest(name, _families)
        or "`bench list adapters` shows them, and module:Class names your own"
    )
    raise UserError(f"{where}: there is no family {name!r}; {guess}")


@functools.cache
def _warn_of_unknown_family(name: str, where: str) -> None:
    """Once for each name: this process was never told what the families are."""
    log.warning(
        "%s names the family %r; only the bench command and `import bench` know families, so it "
        "is not used here. Name module:Class instead",
        where,
        name,
    )

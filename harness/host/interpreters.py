"""Which adapters live in another interpreter: `[interpreters]` in bench.toml, `--interpreter NAME=PATH`.

NAME is a family of `bench list adapters`, or a module or module:Class of the user's own. The environment variable carries the choice to Ray's
workers.
"""

from __future__ import annotations

import difflib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.core import UserError
from harness.records.toml_files import read_toml

__all__ = [
    "VARIABLE", "carried", "configure", "interpreter_of", "interpreters", "name_families",
]  # fmt: skip

FILE = "bench.toml"
VARIABLE = "BENCH_INTERPRETERS"
_families: dict[str, str] = {}


def name_families(table: Mapping[str, str]) -> None:
    """Say which names stand for which adapters. harness.cli does this; nothing below knows them."""
    _families.clear()
    _families.update(table)


def interpreters() -> dict[str, str]:
    """NAME -> path of a Python. Raises UserError when bench.toml, in the current directory, cannot be read."""
    carried_here = os.environ.get(VARIABLE)
    if carried_here is not None:
        return dict(json.loads(carried_here))
    return _from_file(Path(FILE))


def carried() -> dict[str, str]:
    """The environment variable with which a worker of this run knows its interpreters.

    Names of families are resolved to their adapters: a worker knows no families.
    """
    resolved = {_families.get(name, name): path for name, path in interpreters().items()}
    return {VARIABLE: json.dumps(resolved, sort_keys=True)}


def configure(options: Iterable[str]) -> None:
    """Take `NAME=PATH` from the command line, over bench.toml. Raises UserError on an unknown name or a path that is no program."""
    found = _from_file(Path(FILE))
    for option in options:
        name, equals, path = option.partition("=")
        if not equals or not name or not path:
            raise UserError(
                f"--interpreter {option!r}: write NAME=PATH, for example procgen=/path/to/python"
            )
        _known(name, f"--interpreter {option}")
        program = shutil.which(os.path.expanduser(path))
        if program is None:
            raise UserError(f"--interpreter {option}: there is no program {path}")
        found[name] = os.path.abspath(program)
    os.environ[VARIABLE] = json.dumps(found, sort_keys=True)


def interpreter_of(entry: str) -> str | None:
    """The Python that this adapter lives in, or None where it is this one. Another adapter of the same module lives there too."""
    named = interpreters()
    if not named:
        return None
    module = entry.partition(":")[0]
    entries = {name: _families.get(name, name) for name in named}
    exact = [name for name in named if entries[name] == entry]
    beside = [name for name in named if entries[name].partition(":")[0] == module]
    return next((named[name] for name in (*exact, *beside)), None)


def _from_file(file: Path) -> dict[str, str]:
    content = read_toml(file, optional=True)
    table: Any = content.get("interpreters", {})
    if not isinstance(table, dict) or not all(isinstance(path, str) for path in table.values()):
        raise UserError(f'{file}: [interpreters] holds lines like habitat = "/path/to/python"')
    for name in table:
        _known(name, str(file))
    return {name: os.path.abspath(os.path.expanduser(path)) for name, path in table.items()}


def _known(name: str, where: str) -> None:
    table = _families
    # Where nobody named the families (harness.testing in a user's own tests), any name may be one.
    if not table or name in table or ":" in name or "." in name:
        return
    close = difflib.get_close_matches(name.lower(), table, n=2)
    guess = (
        f"; did you mean {' or '.join(close)}?"
        if close
        else "; `bench list adapters` shows them, and module:Class names your own"
    )
    raise UserError(f"{where}: there is no family {name!r}{guess}")

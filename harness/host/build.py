"""`bench doctor --fix NAME`: makes an interpreter for a family of adapters, or a kind of agents.

That is a virtual environment under .bench/interpreters/ with their packages, or a conda environment
where no Python package registry has the simulator, and its line in bench.toml.
"""

from __future__ import annotations

import fcntl
import glob
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.core import UserError
from harness.core.errors import suggest
from harness.host.conda import conda_environment, conda_file
from harness.host.hosted import end_probes, hosted
from harness.host.interpreters import FILE
from harness.records.registry import load

__all__ = ["Recipe", "fix", "fix_agent"]

FOLDER = Path(".bench") / "interpreters"
NEEDED = ("numpy", "msgpack")
"""What the child's side of the protocol imports."""


def fix(
    name: str, families: Mapping[str, str], say: Callable[[str], None], more: Sequence[str] = ()
) -> str:
    """Build the interpreter of a family; returns one line that describes it.

    `families`: name -> `module:Class` of an adapter; `say` prints progress. `more`: what else is
    installed there, as pip names it, such as the packages behind `gym:`. Takes minutes, and needs a
    network. Raises UserError if there is nothing to build, or the result does not work.
    """
    if name not in families:
        guess = suggest(name, families) or f"there are {', '.join(families)}"
        raise UserError(f"--fix {name}: there is no such family; {guess}")
    entry = families[name]
    kind = load(entry)
    requirements = kind.requirements or (() if kind.guide else kind.packages)
    file = conda_file(kind)
    if file is not None:
        installs = [*kind.conda_installs, *more]
        there = conda_environment(name, file, FOLDER / name, installs, say)
    elif requirements:
        wanted = list(dict.fromkeys([*requirements, *more, *NEEDED]))
        there = _environment(name, kind.pythons, [wanted], say)
    else:
        raise UserError(
            f"--fix {name}: pip cannot install it"
            + (f". Do this instead: {kind.guide}" if kind.guide else "")
        )
    form = hosted(kind, entry, os.path.abspath(there))
    missing = form.missing()
    if missing is not None:
        raise UserError(
            f"--fix {name}: built, but it does not work: {missing.reason}; {missing.remedy}"
        )
    versions = ", ".join(f"{package} {version}" for package, version in form.versions().items())
    text = f"{name}: {versions} in {form.interpreter()}"
    end_probes()
    write_line(Path(FILE), name, str(there))
    return text


@dataclass(frozen=True)
class Recipe:
    """How an interpreter for a kind of agents is made."""

    pythons: tuple[str, ...]
    """Versions of Python that it may have, the best first."""
    installs: tuple[tuple[str, ...], ...]
    """The arguments of `pip install`, one call after the other."""
    proof: tuple[str, ...]
    """Modules that must be importable there."""


def fix_agent(name: str, recipe: Recipe, say: Callable[[str], None]) -> str:
    """Build the interpreter of a kind of agents; as `fix` does for a family."""
    there = _environment(name, recipe.pythons, [*recipe.installs, NEEDED], say)
    script = f"import {', '.join(recipe.proof)}"
    _run([str(there), "-I", "-c", script], f"--fix {name}: built, but it does not work")
    write_line(Path(FILE), name, str(there))
    return f"{name}: {os.path.abspath(there)}"


def _environment(
    name: str,
    pythons: Sequence[str],
    installs: Sequence[Sequence[str]],
    say: Callable[[str], None],
) -> Path:
    """Make a virtual environment with these packages; returns its Python. Raises UserError."""
    python = _python(name, pythons)
    folder = FOLDER / name
    say(f"{python} -m venv {folder}")
    _run(
        [python, "-m", "venv", "--clear", str(folder)],
        f"--fix {name}: making a virtual environment with {python} failed",
    )
    there = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    for wanted in installs:
        say(f"{there} -m pip install {' '.join(wanted)}")
        _run(
            [str(there), "-m", "pip", "install", "--quiet", *wanted],
            f"--fix {name}: installing {', '.join(wanted)} failed",
        )
    return there


def write_line(file: Path, name: str, path: str) -> None:
    """Set `NAME = "PATH"` under [interpreters]; the rest of the file stays as it is.

    Several processes may do so at the same time.
    """
    with file.open("a+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        held.seek(0)
        lines = _with_line(held.read().splitlines(), name, f'{name} = "{path}"')
        held.truncate(0)
        held.write("\n".join(lines) + "\n")


def _with_line(lines: list[str], name: str, line: str) -> list[str]:
    try:
        begin = next(
            number for number, text in enumerate(lines) if text.strip() == "[interpreters]"
        )
    except StopIteration:
        lines += ["", "[interpreters]"] if lines else ["[interpreters]"]
        begin = len(lines) - 1
    end = next(
        (
            number
            for number in range(begin + 1, len(lines))
            if lines[number].lstrip().startswith("[")
        ),
        len(lines),
    )
    old = [
        number
        for number in range(begin + 1, end)
        if re.match(rf"\s*[\"']?{re.escape(name)}[\"']?\s*=", lines[number])
    ]
    if old:
        lines[old[0]] = line
    else:
        lines.insert(begin + 1, line)
    return lines


def _python(name: str, versions: Sequence[str]) -> str:
    """The path of a Python of the first of these versions that is installed.

    Without versions, one like this interpreter. Raises UserError if there is none.
    """
    ours = ".".join(map(str, sys.version_info[:2]))
    for version in versions or (ours,):
        for candidate in _candidates(version, ours):
            script = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"
            said = subprocess.run(
                [candidate, "-I", "-c", script], capture_output=True, text=True, check=False
            )
            if said.stdout.strip() == version:
                return candidate
    raise UserError(
        f"--fix {name}: needs Python {', '.join(versions or (ours,))} with venv, and none is on "
        "PATH: install one of them"
    )


def _candidates(version: str, ours: str) -> Iterator[str]:
    if version == ours:
        yield sys.executable
    found = shutil.which(f"python{version}")
    if found is not None:
        yield found
    yield from sorted(
        glob.glob(os.path.expanduser(f"~/.pyenv/versions/{version}.*/bin/python")), reverse=True
    )


def _run(command: Sequence[str], failed: str) -> None:
    """Run a command. If it fails, raises UserError: `failed`, then its last two lines of output."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as fault:
        raise UserError(f"{failed}: {fault}") from None
    if done.returncode:
        said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        raise UserError(f"{failed}: {' '.join(said[-2:])[:400]}")

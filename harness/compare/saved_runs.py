"""Finds a run: in a folder, a zip archive (as CI systems keep artefacts), or at a URL of either.

A run can be saved under a name, and is then found by it.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from harness.compare.pairs import ScoredRun, read_scored_run
from harness.core import UserError
from harness.core.errors import suggest
from harness.play.text_table import text_table

__all__ = ["REGISTRY", "open_run", "save_base", "saved_runs_table"]

REGISTRY = Path("runs") / "baselines.json"
"""The saved names, relative to the folder where bench is called."""
FILES = ("run.json", "episodes.jsonl")
MAX_BYTES = 4 << 30
"""Of a fetched file: an archive may unpack to more than it says."""


@contextlib.contextmanager
def open_run(text: str, registry: Path = REGISTRY) -> Iterator[ScoredRun]:
    """The run that `text` names: a path, a URL or a saved name, where a run directory comes first.

    What was fetched is deleted afterwards. Raises UserError with the remedy.
    """
    saved = _read_registry(registry)
    location = text
    if text in saved and not (Path(text) / "run.json").exists():
        location = saved[text]["run"]
    elif not _is_location(text):
        guess = suggest(text, saved) or "`bench baseline list` shows the saved names"
        raise UserError(
            f"there is no base {text!r}: neither a run directory, nor an archive, nor a URL, nor "
            f"a saved name; {guess}"
        )
    with tempfile.TemporaryDirectory(prefix="bench-base-") as folder:
        yield read_scored_run(_local_copy(location, Path(folder)), text)


def _is_location(text: str) -> bool:
    return "://" in text or Path(text).exists()


def _local_copy(location: str, folder: Path) -> Path:
    """A directory with run.json and episodes.jsonl: `location` itself, or `folder` with copies."""
    if "://" not in location:
        path = Path(location)
        return _unzip(path, folder) if path.is_file() else path
    if location.endswith(".zip"):
        _fetch(location, folder / "base.zip")
        return _unzip(folder / "base.zip", folder)
    for name in FILES:
        _fetch(f"{location.rstrip('/')}/{name}", folder / name)
    return folder


def _fetch(url: str, file: Path) -> None:
    try:
        import fsspec
    except ImportError:
        raise UserError(
            f"reading {url} needs the package fsspec: pip install 'generalist-bench[remote]'"
        ) from None
    try:
        with fsspec.open(url, "rb") as source, file.open("wb") as target:
            _copy(source, target, url)
    except ImportError as lacking:
        raise UserError(f"reading {url} needs another package: {lacking}") from None
    except UserError:
        raise
    except FileNotFoundError:
        raise UserError(
            f"there is no {url}: name the run directory, in which run.json and episodes.jsonl lie"
        ) from None
    except Exception as fault:  # every file system of fsspec raises errors of its own
        raise UserError(f"{url} cannot be read: {type(fault).__name__}: {fault}") from None


def _unzip(archive: Path, folder: Path) -> Path:
    """Unpacks the two files that are needed, into `folder`.

    They get fixed names: an archive is a stranger's, and its paths could lead outside of `folder`.
    """
    try:
        with zipfile.ZipFile(archive) as content:
            runs = [
                name.removesuffix("run.json")
                for name in content.namelist()
                if re.search(r"(^|/)run\.json$", name)
            ]
            if len(runs) != 1:
                raise UserError(
                    f"{archive.name} holds {len(runs) or 'no'} runs; "
                    "a base is an archive of one run directory"
                )
            for name in FILES:
                with content.open(runs[0] + name) as source, (folder / name).open("wb") as target:
                    _copy(source, target, archive.name)
    except KeyError as lacking:
        raise UserError(f"{archive.name} is no whole run directory: {lacking}") from None
    except (zipfile.BadZipFile, OSError, RuntimeError) as fault:
        raise UserError(
            f"{archive} is neither a run directory nor a zip archive of one: {fault}"
        ) from None
    return folder


def _copy(source: IO[bytes], target: IO[bytes], name: str) -> None:
    left = MAX_BYTES
    while block := source.read(1 << 20):
        left -= len(block)
        if left < 0:
            raise UserError(f"{name} is larger than {MAX_BYTES >> 30} GiB: no run of bench is")
        target.write(block)


def save_base(name: str, location: str, registry: Path = REGISTRY) -> ScoredRun:
    """Save a name for the run at `location`; an earlier run of that name is replaced.

    Raises UserError for a name that could be a path, or a run in which a case lacks a score.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise UserError(
            f"the name {name!r} has characters that a path may have: "
            "use letters, digits, dots, dashes and underscores"
        )
    if not _is_location(location):
        raise UserError(
            f"there is no run at {location}: name a run directory, an archive of one, or a URL"
        )
    with open_run(location, registry) as side:
        lacking = side.missing()
        if lacking:
            raise UserError(
                f"{location} is no base yet: {len(lacking)} of its cases have no score; "
                "finish it with the command in its run.json"
            )
        saved = _read_registry(registry)
        saved[name] = {
            "run": location if "://" in location else str(Path(location)),
            "agent": side.run["agent"].get("name", side.run["agent"]["entry"]),
            "plan": side.run["plan"]["hash"],
            "tasks": len(side.plan.items),
            "cases": len(side.values),
            "saved": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        }
        registry.parent.mkdir(parents=True, exist_ok=True)
        fresh = registry.with_suffix(".new")
        fresh.write_text(json.dumps(saved, indent=1) + "\n")
        shutil.move(fresh, registry)
        return side


def saved_runs_table(registry: Path = REGISTRY) -> str:
    """The saved names and their runs, as text for a terminal."""
    saved = _read_registry(registry)
    columns = ("run", "agent", "tasks", "cases", "plan", "saved")
    rows = [
        [name, *(entry.get(column, "") for column in columns)]
        for name, entry in sorted(saved.items())
    ]
    return (
        text_table(["base", *columns], rows)
        if rows
        else "no base is saved; `bench baseline save NAME RUN` saves one"
    )


def _read_registry(registry: Path) -> dict[str, Any]:
    try:
        saved = json.loads(registry.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as fault:
        raise UserError(
            f"{registry} cannot be read: {fault}. Remove it, and save the bases again"
        ) from None
    if not isinstance(saved, dict) or not all(
        isinstance(entry, dict) and isinstance(entry.get("run"), str) for entry in saved.values()
    ):
        raise UserError(
            f"{registry} does not hold saved bases. Remove it, and save the bases again"
        )
    return saved

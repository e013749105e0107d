"""Where a base run is: a folder, a zip archive as CI systems keep artefacts, any fsspec URL of either, or a name that was saved for one of them."""

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

__all__ = ["REGISTRY", "open_run", "list_bases", "save_base"]

REGISTRY = Path("runs") / "baselines.json"
"""Names of bases; in the folder where bench is called."""
FILES = ("run.json", "episodes.jsonl")
MOST = 4 << 30
"""Bytes of a fetched file at most: an archive may unpack to more than it says."""


@contextlib.contextmanager
def open_run(text: str, registry: Path = REGISTRY) -> Iterator[ScoredRun]:
    """The run that `text` names. What is fetched is gone afterwards. Raises UserError with the remedy."""
    saved = _read(registry)
    place = text
    if text in saved and not (Path(text) / "run.json").exists():
        place = saved[text]["run"]
    elif not _looks_like_a_place(text):
        guess = suggest(text, saved) or "`bench baseline list` shows the saved names"
        raise UserError(
            f"there is no base {text!r}: neither a run directory, nor an archive, nor a URL, nor a saved name; {guess}"
        )
    with tempfile.TemporaryDirectory(prefix="bench-base-") as folder:
        yield read_scored_run(_local(place, Path(folder)), text)


def _looks_like_a_place(text: str) -> bool:
    return "://" in text or Path(text).exists()


def _local(place: str, folder: Path) -> Path:
    """A directory with run.json and episodes.jsonl; into `folder` where they must be fetched."""
    if "://" in place:
        if place.endswith(".zip"):
            _fetch(place, folder / "base.zip")
            return _unzip(folder / "base.zip", folder)
        for name in FILES:
            _fetch(f"{place.rstrip('/')}/{name}", folder / name)
        return folder
    return _unzip(Path(place), folder) if Path(place).is_file() else Path(place)


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
    except Exception as fault:  # every file system has its own
        raise UserError(f"{url} cannot be read: {type(fault).__name__}: {fault}") from None


def _unzip(archive: Path, folder: Path) -> Path:
    """Only the two files that are needed, under names of ours: an archive is data, its paths are not followed."""
    try:
        with zipfile.ZipFile(archive) as content:
            runs = [
                name.removesuffix("run.json")
                for name in content.namelist()
                if re.search(r"(^|/)run\.json$", name)
            ]
            if len(runs) != 1:
                raise UserError(
                    f"{archive.name} holds {len(runs) or 'no'} runs; a base is an archive of one run directory"
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
    left = MOST
    while block := source.read(1 << 20):
        left -= len(block)
        if left < 0:
            raise UserError(f"{name} is larger than {MOST >> 30} GiB: that is no run of ours")
        target.write(block)


def save_base(name: str, place: str, registry: Path = REGISTRY) -> ScoredRun:
    """Call the run at `place` by a name. Raises UserError for a name that looks like a place, or a run in which a case lacks a score."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise UserError(
            f"the name {name!r} has characters that a path may have: use letters, digits, dots, dashes and underscores"
        )
    if not _looks_like_a_place(place):
        raise UserError(
            f"there is no run at {place}: name a run directory, an archive of one, or a URL"
        )
    with open_run(place, registry) as side:
        lacking = side.missing()
        if lacking:
            raise UserError(
                f"{place} is no base yet: {len(lacking)} of its cases have no score; finish it with the command in its run.json"
            )
        saved = _read(registry)
        absolute = place if "://" in place else str(Path(place))
        saved[name] = {
            "run": absolute,
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


def list_bases(registry: Path = REGISTRY) -> str:
    """A table of the saved names."""
    from tabulate import tabulate

    saved = _read(registry)
    columns = ("run", "agent", "tasks", "cases", "plan", "saved")
    rows = [
        [name, *(entry.get(column, "") for column in columns)]
        for name, entry in sorted(saved.items())
    ]
    return (
        tabulate(rows, ["base", *columns], disable_numparse=True)
        if rows
        else "no base is saved; `bench baseline save NAME RUN` saves one"
    )


def _read(registry: Path) -> dict[str, Any]:
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
            f"{registry} holds something else than saved bases. Remove it, and save the bases again"
        )
    return saved

"""The files of a run from where it lies: a folder, a zip archive, or a URL of either.

Whoever made an archive or answers at a URL is a stranger: sizes and counts are bounded before
anything is unpacked, and only a few files are taken, under names of our own.
"""

from __future__ import annotations

import io
import re
import stat
import zipfile
import zlib
from pathlib import Path
from typing import IO, BinaryIO

from harness.core import UserError
from harness.records.object_store import LOCAL, ObjectStore, is_url
from harness.records.results import MOST_LINE
from harness.records.run_file import MOST_RUN_BYTES
from harness.records.run_mirror import write_pieces
from harness.records.run_pieces import PARTS, pieces_of
from harness.records.safe_files import open_regular

__all__ = ["is_location", "is_url", "local_copy"]

FILES = ("run.json", "episodes.jsonl")
STAGES = "stages.jsonl"
"""Taken from an archive that has it: what a replay found of the failures."""
MOST_BYTES = 16 << 30
"""Of an archive, and of episodes.jsonl: ten million episodes take a third of it."""
MOST_DIRECTORY = 8 << 20
"""Bytes of the list of files in an archive: 80,000 files."""
MOST_RATIO = 100
"""How much larger a file may be than in the archive. Episodes become ten times smaller."""
UNLISTED = ("http://", "https://")
"""What lists nothing: a run lies there as a directory does, not in pieces."""
ENCRYPTED = 1


def is_location(text: str) -> bool:
    """Whether this is a URL, or a path at which something lies."""
    if "://" in text:
        return True
    try:
        return Path(text).exists()
    except (OSError, ValueError):
        return False  # too long for a path, or it has a zero byte


def local_copy(location: str, folder: Path) -> Path:
    """A directory with run.json and episodes.jsonl: `location` itself, or `folder` with copies.

    Raises UserError with the remedy.
    """
    if not is_url(location):
        path = Path(location.partition("://")[2] if location.startswith(LOCAL) else location)
        if not is_location(str(path)):
            raise UserError(
                f"there is no {location[:300]}: name the run directory, in which run.json and "
                "episodes.jsonl lie"
            )
        return path if path.is_dir() else _unzip(path, folder)
    if location.endswith(".zip"):
        _fetch(location, folder / "base.zip")
        return _unzip(folder / "base.zip", folder)
    below = location.rstrip("/")
    _fetch(f"{below}/run.json", folder / "run.json")
    if not _fetch_pieces(below, folder):
        _fetch(f"{below}/episodes.jsonl", folder / "episodes.jsonl")
    return folder


def _fetch_pieces(location: str, folder: Path) -> bool:
    """Put episodes.jsonl together from its pieces; False if it does not lie in pieces there."""
    if location.startswith(UNLISTED):
        return False
    store = ObjectStore(location)
    pieces = pieces_of(store.sizes(PARTS)).get("episodes.jsonl")
    if pieces:
        write_pieces(store, pieces, folder / "episodes.jsonl", MOST_BYTES)
    return bool(pieces)


def _fetch(url: str, file: Path) -> None:
    try:
        import fsspec
    except ImportError:
        raise UserError(
            f"reading {url} needs the package fsspec: pip install 'generalist-bench[remote]'"
        ) from None
    try:
        with fsspec.open(url, "rb") as source, file.open("wb") as target:
            _copy(source, target, file.name, url)
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


class _Bounded(io.BufferedReader):
    """A file of which no single read is large: zipfile reads the list of all files at once."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > MOST_DIRECTORY:
            raise zipfile.BadZipFile("it lists more files than a run has")
        return super().read(size)


def _unzip(archive: Path, folder: Path) -> Path:
    """Unpacks the files that are needed, into `folder`."""
    try:
        opened = open_regular(archive, MOST_BYTES)
        with (
            opened,
            _Bounded(io.FileIO(opened.fileno(), closefd=False)) as bounded,
            zipfile.ZipFile(bounded) as content,
        ):
            prefix = _run_in(content, archive.name)
            told = prefix + STAGES in content.namelist()
            for name in (*FILES, *([STAGES] if told else [])):
                info = _member(content, prefix + name, archive.name)
                with content.open(info) as source, (folder / name).open("wb") as target:
                    _copy(source, target, name, archive.name)
    except (
        zipfile.BadZipFile,
        OSError,
        RuntimeError,
        NotImplementedError,
        EOFError,
        ValueError,
        zlib.error,
    ) as fault:
        raise UserError(
            f"{archive} is neither a run directory nor a zip archive of one: {fault}"
        ) from None
    return folder


def _run_in(content: zipfile.ZipFile, archive: str) -> str:
    """The folder in the archive in which run.json lies, with a slash; empty at the top."""
    runs = [
        name.removesuffix("run.json")
        for name in content.namelist()
        if re.search(r"(^|/)run\.json$", name)
    ]
    if len(set(runs)) != 1:
        raise UserError(
            f"{archive} holds {len(set(runs)) or 'no'} runs; a base is an archive of one run "
            "directory"
        )
    return runs[0]


def _member(content: zipfile.ZipFile, name: str, archive: str) -> zipfile.ZipInfo:
    """The file of this name, if it may be unpacked."""
    found = [info for info in content.infolist() if info.filename == name]
    if not found:
        raise UserError(f"{archive} is no whole run directory: it has no {name[:200]}")
    if len(found) > 1:
        raise UserError(f"{archive} holds {name[:200]} {len(found)} times: it is not unpacked")
    (info,) = found
    most = MOST_RUN_BYTES if name.endswith("run.json") else MOST_BYTES
    mode = info.external_attr >> 16
    wrong = (
        "is no regular file"
        if info.is_dir() or (stat.S_IFMT(mode) and not stat.S_ISREG(mode))
        else "is encrypted"
        if info.flag_bits & ENCRYPTED
        else "is compressed in another way than deflate"
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        else f"is larger than {most >> 20} MiB"
        if info.file_size > most
        else f"unpacks to more than {MOST_RATIO} times its size"
        if info.file_size > MOST_RATIO * info.compress_size + (1 << 20)
        else ""
    )
    if wrong:
        raise UserError(f"{archive}: {name[:200]} {wrong}: it is not unpacked")
    return info


def _copy(source: IO[bytes], target: BinaryIO, name: str, where: str) -> None:
    """Copy a file of this name, as long as it can be one of bench."""
    left = MOST_RUN_BYTES if name == "run.json" else MOST_BYTES
    line = 0
    while block := source.read(1 << 20):
        left -= len(block)
        if left < 0:
            raise UserError(f"{name} of {where} is larger than any run of bench")
        if name in ("episodes.jsonl", STAGES):
            last = block.rfind(b"\n")
            line = line + len(block) if last < 0 else len(block) - last - 1
            if line > 2 * MOST_LINE:
                raise UserError(f"{name} of {where} has a line of more than {MOST_LINE >> 20} MiB")
        target.write(block)

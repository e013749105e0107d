"""Compressed files of an entry: xz, bounded in memory and in what they unpack to."""

from __future__ import annotations

import hashlib
import itertools
import lzma
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from harness.core import UserError
from harness.records.safe_files import open_inside
from leaderboards.submissions.entry import MOST_PACKED, MOST_UNPACKED, PackedFile

__all__ = ["pack", "unpack"]

BLOCK = 1 << 20
MEMORY = 64 << 20
"""Bytes that a decoder may take. What `pack` writes takes 9 MiB."""


def pack(
    kind: str, name: str, blocks: Iterable[bytes], target: Path, url: str | None
) -> PackedFile:
    """Compress blocks into a new file. Equal blocks give equal bytes.

    Raises UserError if it is larger than an entry may hold.
    """
    packer = lzma.LZMACompressor(lzma.FORMAT_XZ, check=lzma.CHECK_CRC64, preset=6)
    unpacked = packed = 0
    sum_ = hashlib.sha256()
    with target.open("xb") as file:
        for block in itertools.chain(blocks, (None,)):
            data = packer.flush() if block is None else packer.compress(block)
            unpacked += len(block or b"")
            packed += len(data)
            if unpacked > MOST_UNPACKED[kind] or packed > MOST_PACKED[kind]:
                raise UserError(
                    f"the {kind} of this run are larger than an entry may hold "
                    f"({MOST_UNPACKED[kind] >> 20} MiB, compressed {MOST_PACKED[kind] >> 20} MiB): "
                    "submit fewer episodes"
                )
            sum_.update(data)
            file.write(data)
    return PackedFile(
        name=name, bytes=packed, unpacked_bytes=unpacked, sha256=sum_.hexdigest(), url=url
    )


def unpack(folder: Path, file: PackedFile, target: Path, most_lines: int | None = None) -> None:
    """Unpack a file that lies in `folder` into `target`, as far as its own bounds go.

    `most_lines`: of a file of lines, how many it may have.

    Raises UserError if it is not there, is another file than entry.json names, or unpacks to
    anything else than entry.json says.
    """
    _check_sum(folder, file)
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MEMORY)
    total = lines = 0
    try:
        with _open(folder, file) as source, target.open("xb") as out:
            while not unpacker.eof:
                block = source.read(BLOCK) if unpacker.needs_input else b""
                if unpacker.needs_input and not block:
                    raise UserError(f"{file.name} is cut off")
                data = unpacker.decompress(block, BLOCK)
                total += len(data)
                lines += data.count(b"\n")
                if total > file.unpacked_bytes:
                    raise UserError(
                        f"{file.name} unpacks to more than the {file.unpacked_bytes} bytes that "
                        "entry.json says: it is not unpacked further"
                    )
                if most_lines is not None and lines > most_lines:
                    raise UserError(
                        f"{file.name} has more lines than the {most_lines} cases of the plan: "
                        "repeated or foreign cases"
                    )
                out.write(data)
            if unpacker.unused_data or source.read(1):
                raise UserError(f"{file.name} goes on behind its end")
    except lzma.LZMAError as damaged:
        raise UserError(f"{file.name} cannot be unpacked: {damaged}") from None
    if total != file.unpacked_bytes:
        raise UserError(
            f"{file.name} unpacks to {total} bytes; entry.json says {file.unpacked_bytes}"
        )


def _open(folder: Path, file: PackedFile) -> BinaryIO:
    try:
        return open_inside(folder, file.name, file.bytes)
    except FileNotFoundError:
        raise UserError(f"it lacks the file {file.name}") from None


def _check_sum(folder: Path, file: PackedFile) -> None:
    sum_ = hashlib.sha256()
    size = 0
    with _open(folder, file) as source:
        # Not beyond the size: a file that somebody is writing to may grow for ever.
        while size <= file.bytes and (block := source.read(BLOCK)):
            size += len(block)
            sum_.update(block)
    if size != file.bytes or sum_.hexdigest() != file.sha256:
        raise UserError(f"{file.name} is not the file whose SHA-256 entry.json names")

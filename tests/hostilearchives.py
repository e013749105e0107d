"""Archives and saved names as somebody might make them who means harm; see hostile.py."""

from __future__ import annotations

import json
import os
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hostile import make_socket

Make = Callable[[Path, Path], Any]
"""Makes a file from a valid run."""


def _zip(fill: Callable[[zipfile.ZipFile, Path], Any]) -> Make:
    def make(good: Path, file: Path) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            fill(archive, good)

    return make


def _both(archive: zipfile.ZipFile, good: Path, prefix: str = "run/") -> None:
    for name in ("run.json", "episodes.jsonl"):
        archive.write(good / name, prefix + name)


def _info(name: str, mode: int = 0o100644, kind: int = zipfile.ZIP_DEFLATED) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr, info.compress_type = mode << 16, kind
    return info


def _linked(archive: zipfile.ZipFile, good: Path) -> None:
    archive.write(good / "run.json", "run/run.json")
    archive.writestr(_info("run/episodes.jsonl", 0o120777), "/etc/passwd")


def _doubled(archive: zipfile.ZipFile, good: Path) -> None:
    _both(archive, good)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive.write(good / "run.json", "run/run.json")


def _zipped(name: str, content: Callable[[], bytes], kind: int = zipfile.ZIP_DEFLATED) -> Any:
    def fill(archive: zipfile.ZipFile, good: Path) -> None:
        for each in ("run.json", "episodes.jsonl"):
            text = content() if each == name else (good / each).read_bytes()
            archive.writestr(_info(f"run/{each}", kind=kind), text)

    return _zip(fill)


def _lying(good: Path, file: Path) -> None:
    """It says that its files are small."""
    _zipped("episodes.jsonl", lambda: bytes(200_000_000))(good, file)
    raw = bytearray(file.read_bytes())
    at = raw.rfind(b"PK\x01\x02")
    raw[at + 24 : at + 28] = struct.pack("<I", 1000)
    file.write_bytes(bytes(raw))


def _encrypted(good: Path, file: Path) -> None:
    _zip(_both)(good, file)
    raw = bytearray(file.read_bytes())
    at = raw.find(b"PK\x01\x02")
    while at >= 0:
        raw[at + 8] |= 1
        at = raw.find(b"PK\x01\x02", at + 1)
    file.write_bytes(bytes(raw))


def _cut(good: Path, file: Path) -> None:
    _zip(_both)(good, file)
    file.write_bytes(file.read_bytes()[:-30])


ARCHIVES: dict[str, Make] = {
    "an empty archive": _zip(lambda archive, good: None),
    "no archive": lambda good, file: file.write_bytes(b"PK\x03\x04" + bytes(100)),
    "an empty file": lambda good, file: file.touch(),
    "zeros": lambda good, file: file.write_bytes(bytes(100_000)),
    "a cut archive": _cut,
    "an encrypted archive": _encrypted,
    "only run.json": _zip(lambda archive, good: archive.write(good / "run.json", "run/run.json")),
    "two runs": _zip(
        lambda archive, good: [_both(archive, good, prefix) for prefix in ("a/", "b/")]
    ),
    "a file twice": _zip(_doubled),
    "a link": _zip(_linked),
    "a bomb in episodes.jsonl": _zipped("episodes.jsonl", lambda: bytes(200_000_000)),
    "a bomb in run.json": _zipped("run.json", lambda: bytes(31_000_000)),
    "a bomb that says it is small": _lying,
    "another compression": _zipped("run.json", lambda: b"{}", zipfile.ZIP_LZMA),
    "another compression still": _zipped("run.json", lambda: b"{}", zipfile.ZIP_BZIP2),
    "100,000 files": _zip(
        lambda archive, good: [archive.writestr(_info(f"{k:0100}"), b"") for k in range(60_000)]
    ),
    "a deep run.json": _zipped("run.json", lambda: b"[" * 100_000),
    "a pipe": lambda good, file: os.mkfifo(file),
    "an endless device": lambda good, file: file.symlink_to("/dev/zero"),
    "a socket": lambda good, file: make_socket(file),
}
REGISTRIES: dict[str, bytes] = {
    "no JSON": b"{",
    "a list": b"[]",
    "an entry that is a list": b'{"odd": []}',
    "a run that is a number": b'{"odd": {"run": 5}}',
    "counts that are texts": b'{"odd": {"run": "x", "cases": "5"}}',
    "an agent that is a table": b'{"odd": {"run": "x", "agent": {}}}',
    "deep": b'{"odd": {"run": "x", "tasks": ' + b"[" * 100_000,
    "5 MB": b'{"odd": {"run": "' + b"x" * 5_000_000 + b'"}}',
    "a field of its own": b'{"odd": {"run": "x", "code": "y"}}',
    "a chain of file systems": b'{"odd": {"run": "simplecache::file:///etc"}}',
    "a file system of its own": b'{"odd": {"run": "reference://x"}}',
    "a path that is too long": json.dumps({"odd": {"run": "x" * 5000}}).encode(),
    "a path with a zero byte": b'{"odd": {"run": "a\\u0000b"}}',
    "a device": b'{"odd": {"run": "/dev/zero"}}',
}

"""What is kept of the traces of a run, by case id: sixty bytes each, as there may be millions.

All are added first, and then looked up: the ids are sorted once.
"""

from __future__ import annotations

import functools
import re
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

__all__ = ["TraceRecord", "TraceRecords"]

_HASH = re.compile(r"[0-9a-f]{20}")


@dataclass(frozen=True, kw_only=True)
class TraceRecord:
    """What is kept of a trace: all but its actions, of which a million do not fit in memory."""

    part: Path
    place: int
    """The byte of `part` where it begins."""
    length: int
    digest: str
    instruction: str
    pixels: str


class _Texts:
    """Texts one after the other; of hashes, which hardly repeat, ten bytes, of others a number."""

    def __init__(self) -> None:
        self._packed = bytearray()
        self._numbers: dict[str, int] = {}
        self._texts: list[str] = []

    def append(self, text: str) -> None:
        if _HASH.fullmatch(text):
            self._packed += b"\x01" + bytes.fromhex(text)
            return
        number = self._numbers.setdefault(text, len(self._texts))
        if number == len(self._texts):
            self._texts.append(text)
        self._packed += b"\x00" + number.to_bytes(10, "big")

    def __getitem__(self, row: int) -> str:
        kind, content = self._packed[11 * row], bytes(self._packed[11 * row + 1 : 11 * row + 11])
        return content.hex() if kind else self._texts[int.from_bytes(content, "big")]


class TraceRecords(Mapping[str, TraceRecord]):
    """Case id -> its trace; of several traces of a case, the one that was added last."""

    def __init__(self) -> None:
        self._cases = array("Q")
        self._places, self._lengths, self._parts = array("q"), array("i"), array("i")
        self._instructions: dict[str, int] = {}
        self._said = array("i")
        self._part_numbers: dict[Path, int] = {}
        self._ids, self._digests, self._pixels = _Texts(), _Texts(), _Texts()

    def add(self, case: str, trace: TraceRecord) -> None:
        """Add the trace of a case. Not after the first look."""
        self._cases.append(_key(case))
        self._ids.append(case)
        self._places.append(trace.place)
        self._lengths.append(trace.length)
        self._parts.append(self._part_numbers.setdefault(trace.part, len(self._part_numbers)))
        known = self._instructions
        self._said.append(known.setdefault(trace.instruction, len(known)))
        self._digests.append(trace.digest)
        self._pixels.append(trace.pixels)

    @functools.cached_property
    def _order(self) -> tuple[np.ndarray, np.ndarray]:
        """(the keys in order, the row of each); equal keys as they were added."""
        keys = np.asarray(self._cases)
        rows = np.argsort(keys, kind="stable")
        return keys[rows], rows

    @functools.cached_property
    def _names(self) -> tuple[list[Path], list[str]]:
        return list(self._part_numbers), list(self._instructions)

    def _row(self, case: str) -> int | None:
        keys, rows = self._order
        key = np.uint64(_key(case))
        at = int(np.searchsorted(keys, key, side="right"))
        while at > 0 and keys[at - 1] == key:
            at -= 1
            if self._ids[int(rows[at])] == case:
                return int(rows[at])
        return None

    def __getitem__(self, case: str) -> TraceRecord:
        row = self._row(case)
        if row is None:
            raise KeyError(case)
        parts, instructions = self._names
        return TraceRecord(
            part=parts[self._parts[row]],
            place=self._places[row],
            length=self._lengths[row],
            digest=self._digests[row],
            instruction=instructions[self._said[row]],
            pixels=self._pixels[row],
        )

    def __contains__(self, case: object) -> bool:
        return isinstance(case, str) and self._row(case) is not None

    def __iter__(self) -> Iterator[str]:
        rows = range(len(self._cases))
        return (self._ids[row] for row in rows if self._row(self._ids[row]) == row)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _key(case: str) -> int:
    """64 bits of a case id; two cases that share them are told apart by their ids."""
    return hash(case) & ((1 << 64) - 1)

"""How the files of a run that grow lie in an object store, which cannot append: in pieces.

`parts/NAME/START-END-LEASE-DIGEST.jsonl` holds the bytes from START to END of the file NAME, say of
`episodes.jsonl`. No piece is ever changed. Put together in order, they are the file, and each piece
of episodes.jsonl holds whole lines. LEASE numbers the writers (harness/records/run_lease.py): where
two wrote from the same byte on, the later one counts, and from there on no earlier one. So a writer
that was cut off and comes back changes nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

__all__ = ["MOST_PIECE", "PARTS", "Piece", "chain", "digest_of", "pieces_of"]

PARTS = "parts"
MOST_PIECE = 32 << 20
"""Bytes of a piece."""
_PIECE = re.compile(
    PARTS + r"/(episodes\.jsonl|traces/part-\d{1,9}\.msgpack)/"
    r"(\d{15})-(\d{15})-(\d{6})-([0-9a-f]{16})\.(?:jsonl|msgpack)"
)


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Some bytes of a file of a run."""

    file: str
    """`episodes.jsonl` or `traces/part-NNNN.msgpack`."""
    start: int
    end: int
    lease: int
    """The number of its writer."""
    digest: str

    @property
    def name(self) -> str:
        """Where it lies below the URL of the run."""
        ending = self.file.rpartition(".")[2]
        span = f"{self.start:015d}-{self.end:015d}"
        return f"{PARTS}/{self.file}/{span}-{self.lease:06d}-{self.digest}.{ending}"

    @classmethod
    def of(cls, file: str, start: int, content: bytes, lease: int) -> Piece:
        """The piece with this content."""
        return cls(
            file=file, start=start, end=start + len(content), lease=lease, digest=digest_of(content)
        )


def digest_of(content: bytes) -> str:
    """16 hexadecimal digits."""
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def pieces_of(sizes: Mapping[str, int]) -> dict[str, list[Piece]]:
    """File -> the pieces that count, in order; `sizes`: name -> bytes of what lies in the store.

    A piece that is not as long as its name says was cut off while it was written: it is no piece.
    """
    found: dict[str, list[Piece]] = {}
    for name, size in sizes.items():
        match = _PIECE.fullmatch(name)
        if match is None:
            continue
        file, start, end, lease, digest = match.groups()
        piece = Piece(file=file, start=int(start), end=int(end), lease=int(lease), digest=digest)
        if size == piece.end - piece.start and 0 < size <= MOST_PIECE:
            found.setdefault(file, []).append(piece)
    return {file: chain(pieces) for file, pieces in found.items()}


def chain(pieces: Iterable[Piece]) -> list[Piece]:
    """The pieces that make up a file from its first byte on; see the text of this module."""
    from_byte: dict[int, list[Piece]] = {}
    for piece in pieces:
        from_byte.setdefault(piece.start, []).append(piece)
    found: list[Piece] = []
    position = lease = 0
    while next_ones := [each for each in from_byte.get(position, ()) if each.lease >= lease]:
        best = max(next_ones, key=lambda each: (each.lease, each.end))
        found.append(best)
        position, lease = best.end, best.lease
    return found

"""Which parts of an instruction are compared letter by letter, and reviewed paraphrases of it.

`paraphrases.txt` holds the paraphrases as data; its head explains the format.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

__all__ = ["Reviewed", "exact_spans", "reviewed", "reviewed_lines"]

FILE = Path(__file__).with_name("paraphrases.txt")

NUMBERS = (
    "zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|hundred|once|twice|"
    "first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth"
)

EXACT = re.compile(
    "|".join(
        (
            r"\"[^\"]*\"",  # quoted texts
            r"\u201c[^\u201d]*\u201d",
            r"(?<!\w)'[^'\n]+'(?!\w)",
            r"\((?![sn]\))[^()\n]*\)",  # (pick-up X), but not a(n) and box(s)
            r"\S*\d\S*",  # numbers, and names with digits
            r"\S*[@_/\\<>=#]\S*",  # addresses, paths, identifiers
            r"(?<!\S)\.\w+|\w+\.\w[\w.]*",  # .png, notes.txt
            rf"(?i:\b(?:{NUMBERS})\b)",
        )
    )
)
"""What a task compares letter by letter, in any text."""

NAME = re.compile(
    r"(?<=[\w,;] )(?!I\b)[A-Z][\w'-]*"  # a capital letter in mid-sentence
    r"|\b\w*[a-z][A-Z]\w*\b|\b[A-Z]{2,}\b"  # iF6p, ONE
)
"""Names, in a text that is not written in capitals throughout."""

_MARK = re.compile(r"\[([^\]]*)\]|(\{\.\.\.\}|\{\}|<>)")
_SLOTS = {"{}": r"([^,.;:!?\n]+?)", "{...}": r"((?s:.+?))", "<>": r"([^\n]+?)"}


@dataclass(frozen=True)
class Reviewed:
    """One line of the file."""

    pieces: tuple[tuple[str, ...], ...]
    """(text,), or (phrase, alternative, ...); (slot,) for a slot of _SLOTS."""

    @functools.cached_property
    def original(self) -> str:
        """The instruction, with its slots as the file writes them."""
        return "".join(piece[0] for piece in self.pieces)

    @functools.cached_property
    def prefix(self) -> str:
        """What stands before the first slot."""
        before = []
        for piece in self.pieces:
            if piece[0] in _SLOTS:
                break
            before.append(piece[0])
        return "".join(before)

    @functools.cached_property
    def pattern(self) -> re.Pattern[str]:
        """Matches instructions of this wording; a group for each slot."""
        return re.compile(
            "".join(_SLOTS.get(piece[0]) or re.escape(piece[0]) for piece in self.pieces)
        )

    def said(self, match: re.Match[str], share: float, rng: np.random.Generator) -> str:
        """The instruction that `match` found, each phrase replaced with probability `share`."""
        values = iter(match.groups())
        parts = []
        for piece in self.pieces:
            if piece[0] in _SLOTS:
                parts.append(next(values))
            elif len(piece) == 1:
                parts.append(piece[0])
            else:
                # Both numbers are drawn in any case: other severities then choose the same.
                draw, choice = rng.random(), int(rng.integers(1, len(piece)))
                parts.append(piece[choice] if draw < share else piece[0])
        return "".join(parts)

    def exact(self, match: re.Match[str]) -> Iterator[tuple[int, int]]:
        """Where the values of the slots written <> stand."""
        slots = [piece[0] for piece in self.pieces if piece[0] in _SLOTS]
        for number, slot in enumerate(slots, start=1):
            if slot == "<>":
                yield match.span(number)


def _line(text: str) -> Reviewed:
    pieces: list[tuple[str, ...]] = []
    end = 0
    for mark in _MARK.finditer(text):
        if mark.start() > end:
            pieces.append((text[end : mark.start()],))
        pieces.append((mark[2],) if mark[2] else tuple(mark[1].split("|")))
        end = mark.end()
    if end < len(text):
        pieces.append((text[end:],))
    return Reviewed(tuple(pieces))


@functools.lru_cache(maxsize=1)
def reviewed_lines() -> tuple[Reviewed, ...]:
    """All lines of the file."""
    lines = FILE.read_text(encoding="utf-8").splitlines()
    return tuple(
        _line(line.replace("\\n", "\n")) for line in lines if line and not line.startswith("#")
    )


def reviewed(instruction: str) -> tuple[Reviewed, re.Match[str]] | None:
    """The line of an instruction, or None where it is of no suite of ours."""
    for line in reviewed_lines():
        if instruction.startswith(line.prefix):
            match = line.pattern.fullmatch(instruction)
            if match is not None:
                return line, match
    return None


def exact_spans(instruction: str) -> list[tuple[int, int]]:
    """Where names, numbers and quoted texts stand, in order and without overlap."""
    found = [match.span() for match in EXACT.finditer(instruction)]
    if not instruction.isupper():
        found += [match.span() for match in NAME.finditer(instruction)]
    known = reviewed(instruction)
    if known is not None:
        found += known[0].exact(known[1])
    spans: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if spans and start <= spans[-1][1]:
            spans[-1] = spans[-1][0], max(end, spans[-1][1])
        else:
            spans.append((start, end))
    return spans

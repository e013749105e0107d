"""What the answers of one episode took and expected, and its transcript."""

from __future__ import annotations

from typing import Any

from harness.play.values import Chunk

__all__ = ["AnswerNotes"]

MOST_TRANSCRIPT = 1 << 20
"""Characters of one episode's transcript; answers after that leave no line."""
MOST_NAMES = 64
"""Figures of one episode."""


class AnswerNotes:
    """Sums the figures of answers, and keeps what they say for the transcript.

    Of their confidences only that of the episode's first answer counts: later ones know more, and
    those of two agents could not be compared.
    """

    __slots__ = ("_lines", "_room", "confidence", "figures")

    def __init__(self) -> None:
        self.figures: dict[str, float] = {}
        self.confidence: float | None = None
        self._lines: list[str] = []
        self._room = MOST_TRANSCRIPT

    def add(self, answer: Chunk, *, first: bool) -> None:
        """Take what one answer says. `first`: it is the episode's first."""
        if first:
            self.confidence = answer.confidence
        for name, value in answer.figures.items():
            if name in self.figures or len(self.figures) < MOST_NAMES:
                self.figures[name] = self.figures.get(name, 0.0) + value
        if answer.said and len(answer.said) < self._room:
            self._lines.append(answer.said)
            self._room -= len(answer.said) + 1

    @property
    def transcript(self) -> str:
        """One line for each answer that said something."""
        return "\n".join(self._lines)

    def timing(self) -> dict[str, Any]:
        """For the result's `timing`: `agent`, the sums, and `confidence`, where there are any."""
        told: dict[str, Any] = {}
        if self.figures:
            told["agent"] = {name: round(value, 9) for name, value in self.figures.items()}
        if self.confidence is not None:
            told["confidence"] = round(self.confidence, 9)
        return told

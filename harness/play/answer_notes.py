"""What the answers of one episode took, and its transcript."""

from __future__ import annotations

from typing import Any

from harness.play.values import Chunk

__all__ = ["AnswerNotes"]

MOST_TRANSCRIPT = 1 << 20
"""Characters of one episode's transcript; answers after that leave no line."""
MOST_NAMES = 64
"""Figures of one episode."""


class AnswerNotes:
    """Sums the figures of answers, and keeps what they say for the transcript."""

    __slots__ = ("_lines", "_room", "figures")

    def __init__(self) -> None:
        self.figures: dict[str, float] = {}
        self._lines: list[str] = []
        self._room = MOST_TRANSCRIPT

    def add(self, answer: Chunk) -> None:
        """Take what one answer says."""
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
        """For the result's `timing`: `agent`, the sums, where there are any."""
        return (
            {"agent": {name: round(value, 9) for name, value in self.figures.items()}}
            if self.figures
            else {}
        )

"""Checkpoints of a training for the tests: files that hold the word that was forgotten."""

from __future__ import annotations

from pathlib import Path

from planted import ErrsOnWord

__all__ = ["ErrsOnWordInFile"]


class ErrsOnWordInFile(ErrsOnWord):
    """Stays where it is told the word that this file holds."""

    def __init__(self, file: str) -> None:
        super().__init__(Path(file).read_text())

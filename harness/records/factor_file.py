"""`factors.jsonl`: what each episode of a run is about, beside the run.

It is made by `bench report RUN --seen`, from a reset of each case, and read instead of resetting
again. A line counts for the case that started so, by the rules of today.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.records.side_file import LineWriter, read_lines
from harness.records.typed import Check, fields_of, table_of, text, whole

__all__ = ["EpisodeFactors", "FactorWriter", "read_factor_file"]

FILE = "factors.jsonl"
RULES = 1
MOST_BYTES = 1 << 30
MOST_FACTORS = 20


@dataclass(frozen=True, kw_only=True)
class EpisodeFactors:
    """What an episode is about."""

    case: str
    start: str
    """The digest of its start (`Result.start`)."""
    factors: Mapping[str, str]
    """Axis of harness.core.factors.AXES -> what it is here; `start` is not among them."""


_CHECKS: Mapping[str, Check] = {
    "rules": whole(1, 1 << 30),
    "case": text,
    "start": text,
    "factors": table_of(text, MOST_FACTORS),
}


def read_factor_file(run: str | os.PathLike[str]) -> dict[str, EpisodeFactors]:
    """Case id -> what is known of it, by the rules of today; nothing where there is no file.

    Raises UserError on a line that is none.
    """
    return {each.case: each for each in read_lines(run, FILE, MOST_BYTES, _line_of)}


def _line_of(line: Any) -> EpisodeFactors | None:
    fields = fields_of(line, "", _CHECKS)
    rules = fields.pop("rules")
    return EpisodeFactors(**fields) if rules == RULES else None


class FactorWriter(LineWriter):
    """Appends lines to the factor file of a run directory. Use it as a context manager."""

    def __init__(self, run: Path) -> None:
        """Raises UserError where the file cannot be written, or another process writes it."""
        super().__init__(run, FILE)

    def append(self, found: EpisodeFactors) -> None:
        """Write one line. Raises OSError when the disk is full."""
        self.write({"rules": RULES, **vars(found)})

"""`stages.jsonl`: what a replay found of a run's failed episodes, beside the run.

It is made by `bench report RUN --stages`, a line for each failed episode, and read instead of
replaying again. A line counts for the episode with its digest, by the rules of today: a changed
rule has a new number. The run itself is the same with and without it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core.failure_modes import FAILURE_MODES, in_order
from harness.records.side_file import LineWriter, read_lines
from harness.records.typed import Check, fields_of, list_of, one_of, text, whole

__all__ = ["EpisodeStages", "StageWriter", "read_stage_file"]

FILE = "stages.jsonl"
RULES = 1
"""The number of the rules by which stages and modes are found, in all families."""
MOST_STAGES = 100
MOST_BYTES = 256 << 20
"""Of the file: a million lines."""


@dataclass(frozen=True, kw_only=True)
class EpisodeStages:
    """How far an episode came, and how it failed."""

    case: str
    digest: str
    """The digest of the episode (`Result.digest`)."""
    stages: tuple[str, ...]
    """The stages of its task, in order; empty where the family tells none."""
    stage: int
    """How many of them it reached."""
    modes: tuple[str, ...]
    """How it failed, in the order of harness.core.failure_modes; none for a success."""
    looked_for: tuple[str, ...]
    """The modes that it could have been found to have, in that order."""

    @property
    def progress(self) -> float | None:
        """The share of its stages that it reached; None without stages."""
        return self.stage / len(self.stages) if self.stages else None


_MODES = list_of(one_of(*FAILURE_MODES), len(FAILURE_MODES))
_CHECKS: Mapping[str, Check] = {
    "rules": whole(1, 1 << 30),
    "case": text,
    "digest": text,
    "stages": list_of(text, MOST_STAGES),
    "stage": whole(0, MOST_STAGES),
    "modes": _MODES,
    "looked_for": _MODES,
}


def read_stage_file(run: str | os.PathLike[str]) -> dict[str, EpisodeStages]:
    """Case id -> what is known of it, by the rules of today; nothing where there is no file.

    Raises UserError on a line that is none.
    """
    return {each.case: each for each in read_lines(run, FILE, MOST_BYTES, _line_of)}


def _line_of(line: Any) -> EpisodeStages | None:
    fields = fields_of(line, "", _CHECKS)
    rules = fields.pop("rules")
    return _checked(EpisodeStages(**fields)) if rules == RULES else None


def _checked(found: EpisodeStages) -> EpisodeStages:
    """Raises ValueError where its fields contradict one another."""
    if found.stage > len(found.stages):
        raise ValueError(f"stage {found.stage} of {len(found.stages)} stages")
    if found.modes != in_order(found.modes) or not set(found.modes) <= set(found.looked_for):
        raise ValueError("modes are not in their order, or were not looked for")
    return found


class StageWriter(LineWriter):
    """Appends lines to the stage file of a run directory. Use it as a context manager."""

    def __init__(self, run: Path) -> None:
        """Raises UserError where the file cannot be written, or another process writes it."""
        super().__init__(run, FILE)

    def append(self, found: EpisodeStages) -> None:
        """Write one line. Raises OSError when the disk is full."""
        self.write({"rules": RULES, **vars(found)})

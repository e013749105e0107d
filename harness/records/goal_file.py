"""`goals.jsonl`: which of a scene's goals were met in a run's episodes, beside the run.

It is made by a replay (`bench probe instruction`), a line for each episode, and read instead of
replaying again. A line counts for the episode with its digest, by the rules of today: a changed
rule has a new number. The run itself is the same with and without it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.core import OWN
from harness.records.side_file import LineWriter, read_lines
from harness.records.typed import Check, boolean, fields_of, list_of, optional, text, whole

__all__ = ["FILE", "EpisodeGoals", "GoalWriter", "JudgedGoal", "read_goal_file"]

FILE = "goals.jsonl"
RULES = 1
"""The number of the rules by which goals are declared and judged, in all families."""
MOST_GOALS, MOST_WORDS = 64, 8
MOST_STEPS = 1 << 31
MOST_BYTES = 1 << 30
"""Of the file."""


@dataclass(frozen=True, kw_only=True)
class JudgedGoal:
    """One goal of an episode's scene."""

    id: str
    """`own`, or one of the adapter's `other_goals`."""
    instruction: str
    """Empty for the own goal of an episode in which another one was asked for."""
    differs: tuple[str, ...]
    """See harness.core.Goal; empty for the own one."""
    first: int | None
    """After how many steps it was first met; None: never."""
    end: bool
    """Whether it was met at the end."""


@dataclass(frozen=True, kw_only=True)
class EpisodeGoals:
    """The goals of an episode's scene, and which were met."""

    case: str
    digest: str
    """The digest of the episode (`Result.digest`)."""
    asked: str
    """The id of the goal that was asked for."""
    drawn: str
    """The id of the other goal that the perturbation `goal` asks for; empty: the scene has none."""
    goals: tuple[JudgedGoal, ...]
    """The own one first."""

    def goal(self, name: str) -> JudgedGoal:
        """The goal with this id. Raises KeyError."""
        for each in self.goals:
            if each.id == name:
                return each
        raise KeyError(name)


_GOAL: Mapping[str, Check] = {
    "id": text,
    "instruction": text,
    "differs": list_of(text, MOST_WORDS),
    "first": optional(whole(0, MOST_STEPS)),
    "end": boolean,
}


def _goal(value: Any, place: str) -> JudgedGoal:
    return JudgedGoal(**fields_of(value, place, _GOAL))


_CHECKS: Mapping[str, Check] = {
    "rules": whole(1, 1 << 30),
    "case": text,
    "digest": text,
    "asked": text,
    "drawn": text,
    "goals": list_of(_goal, MOST_GOALS),
}


def read_goal_file(run: str | os.PathLike[str]) -> dict[str, EpisodeGoals]:
    """Case id -> what is known of it, by the rules of today; nothing where there is no file.

    Raises UserError on a line that is none.
    """
    return {each.case: each for each in read_lines(run, FILE, MOST_BYTES, _line_of)}


def _line_of(line: Any) -> EpisodeGoals | None:
    fields = fields_of(line, "", _CHECKS)
    rules = fields.pop("rules")
    found = EpisodeGoals(**fields)
    names = [each.id for each in found.goals]
    if OWN not in names or found.asked not in names or found.drawn not in (*names, ""):
        raise ValueError("it names a goal that is not among its goals")
    return found if rules == RULES else None


class GoalWriter(LineWriter):
    """Appends lines to the goal file of a run directory. Use it as a context manager."""

    def __init__(self, run: Path) -> None:
        """Raises UserError where the file cannot be written, or another process writes it."""
        super().__init__(run, FILE)

    def append(self, found: EpisodeGoals) -> None:
        """Write one line. Raises OSError when the disk is full."""
        self.write({"rules": RULES, **asdict(found)})

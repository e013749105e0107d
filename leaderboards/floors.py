"""Floors: what agents that look at nothing reach, to stand beside each rate.

Those of our own suites come with bench: `leaderboards/floor_data`, a file for each family, written
by `python -m leaderboards.measure_floors`. Those of other tasks are runs of the user.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.core.reference import LATER

__all__ = ["DATA", "SHIPPED_AGENTS", "Floor", "best_floor", "mean_floor", "shipped_floors"]

DATA = Path(__file__).resolve().parent / "floor_data"
SHIPPED_AGENTS = ("noop", "uniform", "blind")


@dataclass(frozen=True, kw_only=True)
class Floor:
    """What one agent reached in a task."""

    agent: str
    n: int
    """Episodes."""
    success_rate: float | None
    score: float | None
    """The mean score of a task without a success."""
    other_versions: bool = field(default=False, metadata=LATER)
    """Whether the simulator's packages, or the task itself, were other ones."""
    privileged: bool = field(default=False, metadata=LATER)
    """Whether the agent read a privileged view, or the expert's action."""
    renderers: tuple[str, ...] = field(default=(), metadata=LATER)
    """What drew the views that the agent read, if it read drawn ones."""
    other_renderer: bool = field(default=False, metadata=LATER)
    """Whether another renderer drew what the agent read beside whose figure it stands."""

    @property
    def value(self) -> float | None:
        """What stands beside our rate, or in a task without a success beside our score."""
        return self.score if self.success_rate is None else self.success_rate


def shipped_floors(task: str, protocol: str) -> tuple[Floor, ...]:
    """The floors of one of our own tasks; none where nobody measured them."""
    found = _data(task.partition("/")[0]).get(task, {})
    return tuple(
        Floor(
            agent=agent,
            n=found[agent]["n"],
            success_rate=found[agent].get("success_rate"),
            score=found[agent].get("score"),
            other_versions=found["protocol"] != protocol,
            renderers=tuple(found[agent].get("renderers", ())),
        )
        for agent in SHIPPED_AGENTS
        if agent in found
    )


def best_floor(floors: Iterable[Floor]) -> Floor | None:
    """The highest one: a rate says little unless it is above that."""
    known = [floor for floor in floors if floor.value is not None]
    return max(known, key=lambda floor: floor.value or 0.0, default=None)


def mean_floor(tasks: Iterable[Iterable[Floor]]) -> Floor | None:
    """The highest mean success rate over tasks of an agent that was measured in all of them."""
    by_task = [{each.agent: each for each in floors} for floors in tasks]
    agents = [name for name in by_task[0] if all(name in each for each in by_task)]
    means = []
    for agent in agents if by_task else []:
        several = [each[agent] for each in by_task]
        rates = [each.success_rate for each in several if each.success_rate is not None]
        if len(rates) == len(several):
            means.append(
                Floor(
                    agent=agent,
                    n=sum(each.n for each in several),
                    success_rate=sum(rates) / len(rates),
                    score=None,
                    other_versions=any(each.other_versions for each in several),
                    privileged=any(each.privileged for each in several),
                    other_renderer=any(each.other_renderer for each in several),
                )
            )
    return best_floor(means)


@functools.cache
def _data(family: str) -> Mapping[str, Any]:
    """Task id -> its floors. Which files exist is ours: no name of a task becomes a path."""
    if family not in {file.stem for file in DATA.glob("*.json")}:
        return {}
    found: Mapping[str, Any] = json.loads((DATA / f"{family}.json").read_text())["tasks"]
    return found

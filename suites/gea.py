"""`gea`: the table of the GEA paper (arXiv 2412.08442, table 2), benchmark by benchmark.

`bench report --against gea` prints the paper's figures next to those of a run. Each benchmark has
the paper's tasks and number of episodes and a rule that is the paper's or near it; where the
community's rule differs, its tasks are included as well, as another family with that rule. The
figures, and how each was measured, are in suites/gea_paper.py; each task carries its own.

Habitat's three skills stand there by name in flats of our own (`habitat`), and Pick and Place with
a geometric goal on habitat-lab's data as well (`habitat-rearrange`).
AndroidControl is a fixed sample of the steps that the paper plays (`--episodes`).
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.core import Suite, Task
from suites import (
    androidcontrol,
    atari,
    babyai,
    calvin,
    habitat,
    langr,
    maniskill,
    metaworld,
    procgen,
)
from suites.gea_paper import TABLE

__all__ = ["SUITES"]


def _tagged(suites: Iterable[Suite], name: str) -> tuple[Task, ...]:
    """The tasks of a suite that have a row in the paper's table."""
    return tuple(
        task
        for suite in suites
        if suite.name == name
        for task in suite.tasks
        if any(each.table == TABLE for each in task.references)
    )


PARTS: tuple[tuple[tuple[Task, ...], int], ...] = (
    (_tagged(metaworld.SUITES, "metaworld"), 50),
    (_tagged(calvin.SUITES, "calvin-first"), 1000),
    (_tagged(calvin.SUITES, "calvin"), 1000),
    (_tagged(maniskill.SUITES, "maniskill"), 100),
    (_tagged(habitat.SUITES, "habitat-rearrange"), 500),
    (_tagged(habitat.SUITES, "habitat-skills"), 500),
    (_tagged(procgen.SUITES, "procgen"), 50),
    (_tagged(atari.SUITES, "atari"), 10),
    (_tagged(atari.SUITES, "atari-sticky"), 10),
    (_tagged(babyai.SUITES, "babyai"), 100),
    (_tagged(androidcontrol.SUITES, "androidcontrol-gea"), 500),
    (_tagged(androidcontrol.SUITES, "androidcontrol"), 500),
    (_tagged(langr.SUITES, "langr"), 100),
)
"""(tasks, episodes of each)."""

SUITES: tuple[Suite, ...] = (
    Suite(
        name="gea",
        title="the GEA paper's table, by its rules and the community's",
        tasks=tuple(task for tasks, _ in PARTS for task in tasks),
        episodes=100,
        counts={task.id: episodes for tasks, episodes in PARTS for task in tasks},
        in_all=False,
        source="arXiv 2412.08442, table 2",
    ),
)

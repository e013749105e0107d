"""`gea`: the table of the GEA paper (arXiv 2412.08442, table 2), benchmark by benchmark.

`bench report --against gea` prints the paper's figures next to those of a run. Each benchmark has
the paper's tasks, rule and number of episodes as far as they are published; where the community's
rule differs, its tasks are included as well, as another family with that rule. Figures are means
over the tasks of a benchmark. GEA-Base is the agent before its reinforcement learning, where the
paper prints it.

Differences from the paper apart from the rules: it names neither its five ManiSkill2 tasks nor its
Habitat objects and goals nor its seeds; and it counts all steps of AndroidControl's test episodes,
of which a fixed sample is played here (`--episodes`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from harness.core import Reference, Suite, Task
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

__all__ = ["SUITES"]

PAPER = "arXiv 2412.08442, table 2"
TABLE = "gea"


@dataclass(frozen=True)
class Benchmark:
    """A row of the paper's table, with figures in percent."""

    name: str
    metric: str
    episodes: int
    gea: float
    base: float | None = None
    others: tuple[tuple[str, float], ...] = ()
    rule: str = ""
    """How the paper measured it, as far as our rule does not say so."""

    def references(self, same: bool, differs: str = "") -> tuple[Reference, ...]:
        """The paper's figures; `differs` describes our rule, unless it is the `same`."""
        figures = [
            ("GEA", self.gea),
            *([("GEA-Base", self.base)] if self.base is not None else []),
            *self.others,
        ]
        rule = "; ".join(filter(None, (self.rule, differs)))
        return tuple(
            Reference(
                label, round(value / 100, 4), self.metric, PAPER, rule, same, TABLE, self.name
            )
            for label, value in figures
        )


META_WORLD = Benchmark(
    "Meta-World",
    "success_rate",
    50,
    94.7,
    None,
    (("MLLM + IL (specialist)", 84), ("Gato (generalist)", 87.0)),
    "45 tasks, its own starts",
)
CALVIN = Benchmark(
    "CALVIN ABC to D",
    "success_rate",
    1000,
    90.0,
    None,
    (("RoboFlamingo (specialist)", 82.4), ("3D Diffuser Actor (specialist)", 92.2)),
    "trained on A, B and C; the first of five instructions; drawn by EGL",
)
MANISKILL = Benchmark(
    "ManiSkill",
    "success_rate",
    100,
    13.6,
    None,
    (("IL (specialist)", 6.5), ("DAPG + PPO (specialist)", 47.8)),
    "five tasks of ManiSkill2 that are not named, by its own horizon and control mode",
)
PICK = Benchmark(
    "Habitat Pick",
    "success_rate",
    500,
    82.5,
    60.5,
    (("IL (specialist)", 29), ("RL + state (specialist)", 81.0)),
    "unseen houses",
)
PLACE = Benchmark(
    "Habitat Place",
    "success_rate",
    500,
    93.5,
    None,
    (("RL + state (specialist)", 95.5),),
    "unseen houses",
)
NAV = Benchmark(
    "Habitat Nav",
    "success_rate",
    500,
    62.5,
    None,
    (("prior (specialist)", 72),),
    "its own goals, unseen houses",
)
PROCGEN = Benchmark(
    "Procgen",
    "normalised",
    50,
    44.0,
    36.1,
    (("BC (specialist)", 25),),
    "in percent of a PPO expert's score; easy, test levels",
)
ATARI = Benchmark(
    "Atari",
    "human_normalised",
    10,
    32.7,
    None,
    (("Gato (generalist)", 31), ("Multi-Game DT (specialist)", 85)),
    "44 games, no sticky actions",
)
BABYAI = Benchmark(
    "BabyAI",
    "success_rate",
    100,
    91.1,
    None,
    (("Gato (generalist)", 93.2),),
    "17 levels, seen from above, seeds not published",
)
ANDROID = Benchmark(
    "AndroidControl",
    "success_rate",
    500,
    57.3,
    None,
    (("GPT-4o + set of marks (generalist)", 45),),
    "all steps of the 1,540 test episodes, the goal as instruction; within 5 of 50 blocks",
)
LANGR = Benchmark(
    "LangR",
    "success_rate",
    100,
    50.0,
    15.5,
    (("MLLM + RL (specialist)", 51),),
    "nine instruction splits, unseen houses",
)


def _tagged(suites: Iterable[Suite], name: str) -> tuple[Task, ...]:
    return tuple(
        task for suite in suites if suite.name == name for task in suite.tasks if "gea" in task.tags
    )


def _named(suites: Iterable[Suite], *names: str) -> tuple[Task, ...]:
    found = {task.name: task for suite in suites for task in suite.tasks}
    return tuple(found[name] for name in names)


def _games(name: str) -> tuple[Task, ...]:
    return tuple(
        task
        for suite in atari.SUITES
        if suite.name == name
        for task in suite.tasks
        if "gea" in task.tags
    )


ROWS: Sequence[tuple[Benchmark, tuple[Task, ...], bool, str]] = (
    (
        META_WORLD,
        _tagged(metaworld.SUITES, "metaworld"),
        False,
        "ours: another version of the simulator",
    ),
    (CALVIN, _tagged(calvin.SUITES, "calvin-first"), True, ""),
    (
        CALVIN,
        _named(calvin.SUITES, "calvin/chain-of-5"),
        False,
        "ours, the community's: all five, one after the other",
    ),
    (
        MANISKILL,
        _tagged(maniskill.SUITES, "maniskill"),
        False,
        "ours: four tasks of ManiSkill 3 that are among ManiSkill2's",
    ),
    (
        PICK,
        _named(habitat.SUITES, "habitat-rearrange/pick"),
        False,
        "ours: habitat-lab's own objects and episodes",
    ),
    (
        PLACE,
        _named(habitat.SUITES, "habitat-rearrange/place"),
        False,
        "ours: habitat-lab's own objects and episodes",
    ),
    (
        NAV,
        _named(habitat.SUITES, "habitat-objectnav/hm3d-val"),
        False,
        "ours, the community's: ObjectNav on HM3D",
    ),
    (
        PROCGEN,
        _tagged(procgen.SUITES, "procgen"),
        False,
        "ours: between seeing nothing and the best possible (arXiv 1912.01588)",
    ),
    (ATARI, _games("atari"), True, ""),
    (ATARI, _games("atari-sticky"), False, "ours, the community's: sticky actions 0.25"),
    (BABYAI, _tagged(babyai.SUITES, "babyai"), True, ""),
    (
        ANDROID,
        _tagged(androidcontrol.SUITES, "androidcontrol-gea"),
        False,
        "ours: an empty text is never right; a fixed sample of the steps",
    ),
    (
        ANDROID,
        _named(androidcontrol.SUITES, "androidcontrol/test-high"),
        False,
        "ours, the community's: in the element's box, an equal text; a fixed sample",
    ),
    (LANGR, _tagged(langr.SUITES, "langr"), True, ""),
)
"""(benchmark, our tasks, whether our rule is the paper's, how it differs)."""


def _with(own: Callable[[Reference], bool], task: Task, references: tuple[Reference, ...]) -> Task:
    return dataclasses.replace(task, references=(*references, *filter(own, task.references)))


def _of_the_task(reference: Reference) -> bool:
    """Whether the figure is of this level alone, and so is kept next to the means."""
    return "table 10" in reference.source


SUITES: tuple[Suite, ...] = (
    Suite(
        name="gea",
        title="the GEA paper's table, by its rules and the community's",
        tasks=tuple(
            _with(_of_the_task, task, row.references(same, differs))
            for row, tasks, same, differs in ROWS
            for task in tasks
        ),
        episodes=100,
        counts={task.id: row.episodes for row, tasks, _, _ in ROWS for task in tasks},
        in_all=False,
        source=PAPER,
    ),
)

"""Suites of toys for the command line (`--suite toysuite:SLOW`), and an agent whose every action
depends on everything that it sees."""

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import toys

from harness.core import Agent, Suite, Turn

QUICK = Suite("toys", "a point in a square", toys.SUITE_TASKS, 4)
SLOW = Suite(
    "slow-toys",
    "a slow point in a square",
    tuple(toys.toy_task(name, slow_s=0.01) for name in ("a", "b", "c")),
    12,
)
MARKED = Suite(
    "marked", "one instruction says raise", (toys.toy_task(marker="raise", marker_seeds=[1]),), 3
)
BROKEN = Suite(
    "broken",
    "one case breaks",
    (toys.toy_task(), toys.toy_task("bad", fault="raise_on_step", fault_seeds=[1])),
    3,
)
PARTLY = Suite(
    "partly",
    "one task cannot run here",
    (toys.toy_task(), toys.toy_task("bad", fault="missing")),
    2,
)
SHORT = Suite(
    "short", "two tasks with a success", (toys.toy_task(), toys.toy_task("far", size=20)), 3
)
NOWHERE = Suite("nowhere", "no task can run here", (toys.toy_task("bad", fault="missing"),), 2)


class Looker(Agent):
    """Samples its actions with a generator seeded by everything that it sees and by `turn.rng`.

    The least difference between two plays leads it elsewhere.
    """

    reads = ("image?", "image_gray?", "state?", "text?", "admissible?", "elements?")
    history = 2

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        return [
            self._choose(
                turn, np.random.default_rng([self._seen(turn), int(turn.rng.integers(1 << 30))])
            )
            for turn in turns
        ]

    @staticmethod
    def _choose(turn: Turn, rng: np.random.Generator) -> Any:
        possible = turn.observations[-1].get("admissible", ())
        return (
            possible[int(rng.integers(len(possible)))]
            if possible
            else turn.brief.action.sample(rng)
        )

    @staticmethod
    def _seen(turn: Turn) -> int:
        seen = [view for observation in turn.observations for view in observation.values()]
        views = [
            view.tobytes() if isinstance(view, np.ndarray) else repr(view).encode() for view in seen
        ]
        actions = [np.asarray(action).tolist() for action in turn.actions]
        said = f"{turn.instruction} {turn.step} {actions}"
        return zlib.crc32(b"".join([*views, said.encode()]))


class GridLooker(Looker):
    """Looks at grids and texts, and answers commands that are possible."""

    reads = ("grid?", "text?", "admissible?")

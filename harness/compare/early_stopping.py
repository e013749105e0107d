"""Rules that stop a run early. Cases are opened step by step, in the fixed order of the plan.

Decisions use complete prefixes of that order only, and what was played beyond the deciding prefix
is discarded: otherwise short episodes, which end first, would be over-represented.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from harness.compare.case_values import measure_of, value_difference, value_of_case
from harness.compare.pairs import Key, key_of
from harness.compare.renderers import Drawn
from harness.compare.sequential_gate import SequentialTest
from harness.core import Result, UserError
from harness.records.plan import CaseIndex, Plan
from harness.records.renderer import renderer_of
from harness.stats import anytime_mean, anytime_rate

__all__ = ["GateRounds", "WidthRounds", "round_sizes"]

AT_ONCE = 16
"""About how many cases are opened together, and as many ahead of the next decision. Fewer would
leave workers idle, more would be discarded."""
LOOK_EVERY = 5
"""Episodes between two looks at a mean score."""


def round_sizes(episodes: Sequence[int]) -> tuple[int, Callable[[int, int], int]]:
    """(R, f): the number of rounds, and f(item, r) = episodes of `item` within rounds 1 to r.

    episodes: of each item. Every round has at least one episode of every item.
    """
    rounds = min(episodes)
    return rounds, lambda item, done: episodes[item] * done // rounds


class GateRounds:
    """Rounds with the same share of every task.

    A sequential gate stops after the first complete round at which its test decides, any other
    after the last round.
    """

    def __init__(
        self,
        plan: Plan,
        base: Mapping[Key, float],
        *,
        margin: float,
        alpha: float,
        sequential: bool,
        most: int | None = None,
        outcome: str = "success",
        renderers: Mapping[Key, str] | None = None,
        refuse: Callable[[str, Drawn], None] | None = None,
    ) -> None:
        """base: the value of every case in the base. most: play this many cases at most.
        outcome: what decides in the end, which the name of the rule declares.

        renderers: what drew in the base's cases (see harness.records.renderer). refuse: called with
        a task and its renderers where no case of the first round was drawn as in the base, so that
        an agent does not play for hours what will not be compared.

        Raises UserError when `most` is less than one round.
        """
        self._plan = plan
        self._base = base
        self._renderers, self._refuse = renderers or {}, refuse
        self._apart: dict[str, Drawn] = {}
        """Task id -> what drew a case of the first round in either run, where that differs."""
        self._comparable = False
        """Whether any case of the first round makes a pair, as far as renderers go."""
        self.total_rounds, self._until = round_sizes([item.episodes for item in plan.items])
        if most is not None:
            cost = [
                sum(self._until(k, r) * len(plan.conditions_of(k)) for k in range(len(plan.items)))
                for r in range(self.total_rounds + 1)
            ]
            fits = [r for r in range(1, self.total_rounds + 1) if cost[r] <= most]
            if not fits:
                raise UserError(
                    f"--max-episodes {most}: a round of all tasks takes {cost[1]}; allow more, or "
                    "choose fewer tasks with --tasks"
                )
            self.total_rounds = fits[-1]
        how = "sequential by seed" if sequential else "all at once"
        self.rule = f"gate, margin {margin:g}, alpha {alpha:g}, {how}, {self.total_rounds} rounds"
        if outcome != "success":
            self.rule += f", outcome {outcome}"
        self._measures = [measure_of(item.task) for item in plan.items]
        families = [item.family for item in plan.items]
        self._test = SequentialTest(families, margin, alpha) if sequential else None
        self._values: dict[CaseIndex, float] = {}
        self.differences: list[np.ndarray] = []
        """For every complete round that counts, the differences, shape (tasks,)."""
        self.decided: str | None = None
        """`pass` or `regress` once the test has decided."""
        self._step = max(1, -(-AT_ONCE // len(plan.items))) if sequential else self.total_rounds
        self._open = 0
        self.more()

    def opened(self, item: int) -> int:
        """How many episodes of this item may be played so far."""
        return self._until(item, self._open)

    def scored(self, case: CaseIndex, result: Result) -> None:
        """Take the result of a case, then look at every round that is complete now, in order."""
        found = value_of_case(self._plan.items[case.item].task, result)
        if found is not None:
            self._values.setdefault(case, found)
            if case.episode < self._until(case.item, 1):
                self._compare_renderers(case, result)
        while (
            self.decided is None
            and len(self.differences) < self.total_rounds
            and (row := self._round(len(self.differences))) is not None
        ):
            if self._refuse and self._apart and not self._comparable:
                self._refuse(*next(iter(self._apart.items())))
            self.differences.append(row)
            if self._test is not None:
                self._test.add(row)
                self.decided = self._test.look(last=len(self.differences) == self.total_rounds)

    def _compare_renderers(self, case: CaseIndex, result: Result) -> None:
        base = self._renderers.get(key_of(self._plan.case(case)))
        drawn = Drawn(base, renderer_of(result))
        if drawn.differs:
            self._apart.setdefault(result.task, drawn)
        else:
            self._comparable = True

    def _round(self, done: int) -> np.ndarray | None:
        """The differences of round `done` (from 0), shape (tasks,).

        None while a case of it has no score. An item's value is the mean over the episodes of the
        round and all their conditions.
        """
        row = np.empty(len(self._plan.items))
        for item in range(len(self._plan.items)):
            found = []
            for episode in range(self._until(item, done), self._until(item, done + 1)):
                for condition in self._plan.conditions_of(item):
                    index = CaseIndex(item, condition, episode)
                    new = self._values.get(index)
                    if new is None:
                        return None
                    base = self._base[key_of(self._plan.case(index))]
                    found.append(value_difference(base, new, self._measures[item]))
            row[item] = sum(found) / len(found)
        return row

    def more(self) -> bool:
        """Open further rounds; False where nothing was opened.

        Nothing is opened once enough was played, or while the next look should come first.
        """
        if (
            self.enough
            or self._open >= self.total_rounds
            or self._open - len(self.differences) > self._step
        ):
            return False
        self._open = min(self.total_rounds, self._open + self._step)
        return True

    @property
    def enough(self) -> bool:
        """Whether no further case needs to be played."""
        return self.decided is not None or len(self.differences) == self.total_rounds

    def ends(self) -> dict[str, int]:
        """How many episodes of each task count: the deciding prefix, else all that were opened."""
        count = len(self.differences) if self.enough else self._open
        return {item.task.id: self._until(k, count) for k, item in enumerate(self._plan.items)}


class WidthRounds:
    """Plays episodes of each task until its interval, valid at every look, is narrow enough.

    A task without such an interval, or whose interval stays wide, is played to its last episode.
    """

    def __init__(self, plan: Plan, width: float, alpha: float = 0.05) -> None:
        """width: of the interval, high - low. Raises UserError unless 0 < width < 1."""
        if not 0 < width < 1:
            raise UserError(
                f"--until-width must lie between 0 and 1, got {width}: "
                "0.2 stops at an interval of 20 points"
            )
        self.rule = f"until width {width:.12g}"  # verify applies it again
        self._plan, self._width, self._alpha = plan, width, alpha
        self.raw = [item.task.id for item in plan.items if measure_of(item.task) == "sign"]
        """Tasks whose scores have no bounds: they are played to the end."""
        self._values: list[list[float]] = [[] for _ in plan.items]
        """For each item, the values of the controls of its leading episodes, as far as every
        condition of them has a score."""
        self._known: dict[CaseIndex, float] = {}
        self._open = [0] * len(plan.items)
        self._done = [False] * len(plan.items)
        self.more()

    def opened(self, item: int) -> int:
        """How many episodes of this item may be played so far."""
        return self._open[item]

    def scored(self, case: CaseIndex, result: Result) -> None:
        """Take the result of a case, then look at every episode that is complete now, in order."""
        item = case.item
        entry = self._plan.items[item]
        found = value_of_case(entry.task, result)
        if found is None or self._done[item]:
            return
        # The bounds that hold at every look are those of a mean of values in [0, 1].
        self._known.setdefault(case, min(1.0, max(0.0, found)))
        while (
            not self._done[item]
            and len(self._values[item]) < entry.episodes
            and self._whole(item, len(self._values[item]))
        ):
            control = CaseIndex(item, 0, len(self._values[item]))
            self._values[item].append(self._known[control])
            self._done[item] = self._narrow(item)

    def _whole(self, item: int, episode: int) -> bool:
        return all(
            CaseIndex(item, condition, episode) in self._known
            for condition in self._plan.conditions_of(item)
        )

    def _narrow(self, item: int) -> bool:
        values, measure = self._values[item], measure_of(self._plan.items[item].task)
        if measure == "success":
            interval = anytime_rate(round(sum(values)), len(values), self._alpha)
            return interval.high - interval.low < self._width
        if measure == "normalised" and len(values) % LOOK_EVERY == 0:
            low, high = anytime_mean(np.array(values), self._alpha)
            return high - low < self._width
        return False

    def more(self) -> bool:
        """Open further episodes; False where nothing was opened, see GateRounds.more."""
        step = max(1, -(-AT_ONCE // len(self._plan.items)))
        grown = False
        for item, entry in enumerate(self._plan.items):
            if (
                not self._done[item]
                and self._open[item] < entry.episodes
                and self._open[item] - len(self._values[item]) <= step
            ):
                self._open[item] = min(entry.episodes, self._open[item] + step)
                grown = True
        return grown

    @property
    def enough(self) -> bool:
        """Whether no further case needs to be played."""
        return all(
            done or len(v) == item.episodes
            for done, v, item in zip(self._done, self._values, self._plan.items)
        )

    def ends(self) -> dict[str, int]:
        """How many episodes of each task count: the deciding prefix, else all that were opened."""
        found = zip(self._plan.items, self._done, self._values, self._open)
        return {
            item.task.id: len(values) if done else opened for item, done, values, opened in found
        }

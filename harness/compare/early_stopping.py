"""Runs that stop by a rule: cases are opened bit by bit, in the plan's fixed order, and what is decided hangs on whole prefixes of it alone.

Whatever was played beyond the prefix that decided is discarded; else fast episodes would vote first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from harness.compare.pairs import Key, difference, key_of, measure, value
from harness.compare.sequential_gate import SequentialTest
from harness.core import Result, UserError
from harness.records.plan import CaseIndex, Plan
from harness.stats import anytime_mean, anytime_rate

__all__ = ["GateRounds", "WidthRounds", "round_sizes"]

AT_ONCE = 16
"""About so many cases are opened together, and as many ahead: fewer would leave workers idle, more would be played in vain."""
LOOK_EVERY = 5
"""Episodes between two looks at a mean score."""


def round_sizes(episodes: Sequence[int]) -> tuple[int, Callable[[int, int], int]]:
    """The number of rounds, and a function of (item, rounds): how many of an item's episodes the first so many rounds hold. Every task is in each."""
    rounds = min(episodes)
    return rounds, lambda item, done: episodes[item] * done // rounds


class GateRounds:
    """Rounds balanced over tasks. With a test, it stops at the first whole round after which the test decides; without, at the last."""

    def __init__(
        self,
        plan: Plan,
        base: Mapping[Key, float],
        *,
        margin: float,
        alpha: float,
        sequential: bool,
        most: int | None = None,
    ) -> None:
        """base: what the base came to in every case. most: cases to play at most. Raises UserError when not one round fits."""
        self._plan = plan
        self._base = base
        self.total_rounds, self._until = round_sizes([item.episodes for item in plan.items])
        if most is not None:
            cost = [
                sum(self._until(k, r) * len(plan.conditions_of(k)) for k in range(len(plan.items)))
                for r in range(self.total_rounds + 1)
            ]
            fits = [r for r in range(1, self.total_rounds + 1) if cost[r] <= most]
            if not fits:
                raise UserError(
                    f"--max-episodes {most}: a round of all tasks takes {cost[1]}; allow more, or choose fewer tasks with --tasks"
                )
            self.total_rounds = fits[-1]
        self.rule = f"gate, margin {margin:g}, alpha {alpha:g}, {'sequential' if sequential else 'all at once'}, {self.total_rounds} rounds"
        kinds = [measure(item.task) for item in plan.items]
        self._test = (
            SequentialTest([kind != "sign" for kind in kinds], margin, alpha)
            if sequential
            else None
        )
        self._kinds = kinds
        self._values: dict[CaseIndex, float] = {}
        self.differences: list[np.ndarray] = []
        """A row of one value a task for every whole round that counts."""
        self.decided: str | None = None
        self._step = max(1, -(-AT_ONCE // len(plan.items))) if sequential else self.total_rounds
        self._open = 0
        self.more()

    def opened(self, item: int) -> int:
        """Episodes of this item that may be played so far."""
        return self._until(item, self._open)

    def scored(self, case: CaseIndex, result: Result) -> None:
        """A case of the plan has this result: then look at every round that is whole by now, in order."""
        found = value(self._plan.items[case.item].task, result)
        if found is not None:
            self._values.setdefault(case, found)
        while (
            self.decided is None
            and len(self.differences) < self.total_rounds
            and (row := self._round(len(self.differences))) is not None
        ):
            self.differences.append(row)
            if self._test is not None:
                self._test.add(row)
                self.decided = self._test.look(last=len(self.differences) == self.total_rounds)

    def _round(self, done: int) -> np.ndarray | None:
        """The differences of round `done`, from 0, by task; None while a case of it has no score."""
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
                    found.append(difference(base, new, self._kinds[item]))
            row[item] = sum(found) / len(found)
        return row

    def more(self) -> bool:
        """Open some more, unless it is enough, or so many are open already that the next look should come first."""
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
        """Whether nothing more needs to be played."""
        return self.decided is not None or len(self.differences) == self.total_rounds

    def ends(self) -> dict[str, int]:
        """Episodes by task that count: the prefix that decided, or all that were opened where it is not enough yet."""
        count = len(self.differences) if self.enough else self._open
        return {item.task.id: self._until(k, count) for k, item in enumerate(self._plan.items)}


class WidthRounds:
    """Episodes are added to each task until its interval, valid at every look, is narrower than a width; or all are played."""

    def __init__(self, plan: Plan, width: float, alpha: float = 0.05) -> None:
        """Raises UserError unless 0 < width < 1."""
        if not 0 < width < 1:
            raise UserError(
                f"--until-width must lie between 0 and 1, got {width}: 0.2 stops at an interval of 20 points"
            )
        self.rule = f"until width {width:g}"
        self._plan, self._width, self._alpha = plan, width, alpha
        self.raw = [item.task.id for item in plan.items if measure(item.task) == "sign"]
        """Tasks whose scores have no bounds: they are played to the end."""
        self._values: list[list[float]] = [[] for _ in plan.items]
        """Of the leading episodes that are whole in every arm: their unperturbed value."""
        self._known: dict[CaseIndex, float] = {}
        self._open = [0] * len(plan.items)
        self._done = [False] * len(plan.items)
        self.more()

    def opened(self, item: int) -> int:
        """Episodes of this item that may be played so far."""
        return self._open[item]

    def scored(self, case: CaseIndex, result: Result) -> None:
        """A case of the plan has this result: then look at every further episode that is whole by now, in order."""
        item = case.item
        entry = self._plan.items[item]
        found = value(entry.task, result)
        if found is None or self._done[item]:
            return
        self._known.setdefault(case, found)
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
        values, kind = self._values[item], measure(self._plan.items[item].task)
        if kind == "success":
            interval = anytime_rate(round(sum(values)), len(values), self._alpha)
            return interval.high - interval.low < self._width
        if kind == "normalised" and len(values) % LOOK_EVERY == 0:
            low, high = anytime_mean(np.array(values), self._alpha)
            return high - low < self._width
        return False

    def more(self) -> bool:
        """Open some more, unless it is enough, or so many are open already that the next look should come first."""
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
        """Whether nothing more needs to be played."""
        return all(
            done or len(v) == item.episodes
            for done, v, item in zip(self._done, self._values, self._plan.items)
        )

    def ends(self) -> dict[str, int]:
        """Episodes by task that count: the prefix that decided, or all that were opened where it is not enough yet."""
        found = zip(self._plan.items, self._done, self._values, self._open)
        return {
            item.task.id: len(values) if done else opened for item, done, values, opened in found
        }

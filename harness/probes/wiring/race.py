"""Which counter-change lets a policy come further? A race of changes on the same cases.

Each change is one arm. On each case the unchanged policy and every arm that is left are played, and
an arm scores 1, 0.5 or 0 for coming further than the unchanged policy, as far, or less far. If the
change helps no more often than it hurts, the mean of these values is at most 1/2, and the stake of
`harness.stats.sequential.log_stake` against 1/2 ever reaches ARMS / ALPHA with a chance of at most
ALPHA / ARMS, whenever it is looked at. So the chance to name any arm wrongly is at most ALPHA
(Bonferroni over all arms). Which arms go on is decided by what was seen so far, which such a test
allows: dropping an arm only ends its bets.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from harness.core import Case
from harness.probes.changes import Change
from harness.probes.wiring.actions import of_actions, of_chunks
from harness.probes.wiring.episodes import Played, Stage, better
from harness.probes.wiring.pictures import of_history, of_pictures, of_vectors
from harness.stats.intervals import Interval, wilson
from harness.stats.sequential import log_stake

__all__ = ["ALPHA", "Arm", "Race", "race"]

ALPHA = 0.05
"""The largest chance that a change is named that helps no more often than it hurts."""
FIRST = 3
"""Cases that the unchanged policy plays first; if it succeeds in all, it plays HEALTHY of them."""
HEALTHY = 8
"""If it succeeds in all of so many cases, nothing is sought."""
KEPT = 0.5
"""The share of the arms that goes on after each case from the second on."""
FEWEST = 2
"""Arms that go on to the end."""


@dataclass(kw_only=True)
class Arm:
    """One change, and how it fared on the first cases."""

    change: Change
    played: list[Played] = field(default_factory=list)
    """On the first cases, in order."""
    values: list[float] = field(default_factory=list)
    """1, 0.5 or 0 for each: further than unchanged, as far, less far. By success, or by progress
    where there is none."""
    dense: list[float] = field(default_factory=list)
    """The same; where both fail, by progress and then by agreement."""
    arms: int = 1

    @property
    def further(self) -> int:
        """Cases in which it came further than the unchanged policy."""
        return self.values.count(1.0)

    @property
    def less_far(self) -> int:
        """Cases in which it did not come as far."""
        return self.values.count(0.0)

    @property
    def p(self) -> float:
        """A p-value that holds at every look and for all arms together."""
        return self._p(self.values)

    @property
    def named(self) -> bool:
        """Whether it surely helps more often than it hurts."""
        return self.p <= ALPHA

    @property
    def hint(self) -> bool:
        """Whether it comes further, though it does not surely succeed more often."""
        return not self.named and self._p(self.dense) <= ALPHA

    def _p(self, values: Sequence[float]) -> float:
        if not values:
            return 1.0
        stakes = log_stake(np.array(values)[:, None], 0.5)
        return min(1.0, self.arms * math.exp(-max(0.0, float(stakes.max()))))

    @property
    def rank(self) -> tuple[float, ...]:
        """Larger is better: by net cases, success, net cases of `dense`, progress, agreement."""
        count = max(len(self.values), 1)
        further = self.dense.count(1.0) - self.dense.count(0.0)
        progress = [each.progress for each in self.played if each.progress is not None]
        agreed = [each.agreement for each in self.played if each.agreement is not None]
        return (
            (self.further - self.less_far) / count,
            sum(each.success is True for each in self.played) / count,
            further / count,
            sum(progress) / len(progress) if progress else -math.inf,
            sum(agreed) / len(agreed) if agreed else 0.0,
        )


@dataclass(frozen=True, kw_only=True)
class Race:
    """What came of all arms."""

    unchanged: Sequence[Played]
    arms: Sequence[Arm]
    """The best first: those that are named, then by `rank`."""
    healthy: bool
    """Nothing was sought, as the policy succeeds."""
    stopped: str
    """Why no further case was played."""

    @property
    def named(self) -> list[Arm]:
        """The changes that help, the best first."""
        return [arm for arm in self.arms if arm.named]

    @property
    def successes(self) -> Interval:
        """The unchanged policy's success rate, with Wilson's interval."""
        return rate(self.unchanged)


def rate(played: Sequence[Played]) -> Interval:
    """The share of successes, with Wilson's interval."""
    return wilson(sum(each.success is True for each in played), len(played))


def changes_of(stage: Stage) -> list[Change]:
    """All changes that apply to what the agent was told in any of its tasks, each once."""
    found: dict[str, Change] = {}
    for brief in stage.briefs.values():
        for change in (
            *of_pictures(brief), *of_vectors(brief), *of_actions(brief),
            *of_history(stage.history), *of_chunks(stage.chunks, stage.rest),
        ):  # fmt: skip
            found.setdefault(str(change), change)
    return list(found.values())


def first_look(stage: Stage, cases: Sequence[Case]) -> Race:
    """The unchanged policy alone, in FIRST cases; while it succeeds in all, in HEALTHY of them."""
    unchanged: list[Played] = []
    for number, case in enumerate(cases[:HEALTHY]):
        if number >= FIRST and not _succeeds(unchanged):
            break
        unchanged.append(stage.play(case))
    return Race(unchanged=unchanged, arms=(), healthy=_succeeds(unchanged), stopped="it succeeds")


def race(
    stage: Stage,
    cases: Sequence[Case],
    played: Sequence[Played],
    spare: int = 0,
    said: Callable[[str], None] = lambda text: None,
) -> Race:
    """Play until a change is named that no other one equals, or the cases or episodes are used up.

    `played`: the unchanged policy in the first cases. `spare`: episodes that are left for others.
    `said` is told how it goes. Raises UserError where the simulator fails.
    """
    unchanged = list(played)
    changes = changes_of(stage)
    arms = [Arm(change=change, arms=len(changes)) for change in changes]
    left, stopped = list(arms), "all cases are played"
    for number, case in enumerate(cases):
        if stage.episodes + len(left) + (number >= len(unchanged)) > stage.most - spare:
            stopped = "no further episodes are allowed"
            break
        if number >= len(unchanged):
            unchanged.append(stage.play(case))
        for arm in left:
            arm.played.append(stage.play(case, arm.change))
            for values, dense in ((arm.values, False), (arm.dense, True)):
                values.append(better(arm.played[-1], unchanged[number], dense=dense))
        left.sort(key=lambda arm: arm.rank, reverse=True)
        said(f"case {number + 1}: {len(left)} changes; the best so far: {left[0].change}")
        if _decided(left):
            stopped = "the best change is certain"
            break
        if number >= 1:
            left = left[: max(FEWEST, math.ceil(KEPT * len(left)))]
        if not left:
            stopped = "no change applies"
            break
    arms.sort(key=lambda arm: (arm.named, len(arm.values) if arm.named else 0, *arm.rank),
              reverse=True)  # fmt: skip
    return Race(unchanged=unchanged, arms=arms, healthy=False, stopped=stopped)


def _succeeds(played: Sequence[Played]) -> bool:
    return bool(played) and all(each.success is True for each in played)


def _decided(left: Sequence[Arm]) -> bool:
    """Whether the best arm is named, and every other one is too, or does not come as far."""
    best, *others = left
    if not best.named:
        return False
    return all(arm.named or arm.rank[:2] < best.rank[:2] for arm in others)

"""What a comparison of two runs consists of.

Values lie in [0, 1], except raw scores; differences are new minus base.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.compare.violations import Violations
from harness.core.reference import LATER
from harness.stats import Estimate, Interval

__all__ = ["Comparison", "Flip", "GroupRow", "PairRow"]


@dataclass(frozen=True)
class Flip:
    """A case that only one of the two agents solved."""

    task: str
    seed: int
    perturbations: tuple[str, ...]
    became: str
    """`worse` or `better`."""


@dataclass(frozen=True, kw_only=True)
class PairRow:
    """One task in both runs."""

    task: str
    domain: str
    suite: str
    measure: str
    """`success`, `normalised`, `sign` (which raw score is higher), or `progress`."""
    n: int
    """Pairs of cases."""
    missing: int
    """Cases that lack a score in one of the runs."""
    base: Estimate | None
    """The mean over the pairs, also of raw scores; None where the agent has no raw score but errors
    only. Bounds: of a success rate, Wilson's at level 1 - alpha."""
    new: Estimate | None
    losses: int
    """Pairs in which new did worse; `wins`: in which it did better."""
    wins: int
    difference: Interval
    """The mean of harness.compare.case_values.value_difference, with paired bounds at level
    1 - alpha."""
    p: float
    """Two-sided, of no difference: exact McNemar, or flipped signs where values lie in between."""
    adjusted: float
    """p, corrected for the number of tasks."""
    detectable: float | None
    """The smallest difference that this number of pairs finds with a power of 80 %, given how often
    these two agents differ."""
    verdict: str
    """`worse` or `better`: significant after correction. `no worse`: the interval lies above
    -margin. Else `open`."""


@dataclass(frozen=True, kw_only=True)
class GroupRow:
    """A domain, a perturbation, or all tasks: means over tasks, each weighing the same."""

    name: str
    tasks: int
    n: int
    base: float | None
    """None where a task has raw scores only: they share no scale with the others. Such a task is in
    the difference, with the share of cases won minus that of cases lost."""
    new: float | None
    difference: Interval
    p: float
    wider: Interval | None
    """The difference with bounds for other tasks like these, of which these are a sample: see
    harness.stats.mean_of_drawn; from ten tasks on."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Base against new."""

    verdict: str
    """`pass`, `regress`, `inconclusive`, or `none` while a case has no score."""
    why: str
    margin: float
    alpha: float
    correction: str
    method: str
    """`fixed`: one look at all pairs. `anytime`: valid at every look."""
    overall: GroupRow | None
    """None while no case has a score in both runs."""
    domains: tuple[GroupRow, ...]
    perturbations: tuple[GroupRow, ...]
    tasks: tuple[PairRow, ...]
    worse: tuple[str, ...]
    """Tasks that are significantly worse after correction."""
    flips: tuple[Flip, ...]
    """At most 20 of a task, the losses first."""
    missing: int
    detectable: float | None
    """The smallest overall difference that this number of pairs finds with a power of 80 %."""
    more: int | None
    """About how many more pairs would decide, whatever the true difference is. None where
    nothing is left to decide, or no number of pairs would."""
    improvement: Interval | None = None
    """Over tasks without a success: the chance that new scores more than base in the same case,
    ties counted half, with paired bounds at level 1 - alpha."""
    violations: Violations | None = field(default=None, metadata=LATER)
    """The change of the violation rate over the same pairs, which is no part of the verdict; None
    where it was not measured in both runs."""
    outcome: str = field(default="", metadata=LATER)
    """`progress` where the share of stages that a case reached decides; empty: its success."""
    success: GroupRow | None = field(default=None, metadata=LATER)
    """With that outcome, the difference in success over all tasks, by its own test."""
    success_verdict: str = field(default="", metadata=LATER)
    """And the verdict of that test."""

    @property
    def exit_code(self) -> int:
        """0 pass, 1 regress, 3 inconclusive, 4 no verdict."""
        return {"pass": 0, "regress": 1, "inconclusive": 3, "none": 4}[self.verdict]

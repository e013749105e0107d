"""From pairs to a verdict, with all of its figures: fixed-n, or valid at every look (see harness/stats)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np

from harness.compare.pairs import Pair, TaskPairs
from harness.core import DOMAINS, UserError
from harness.stats import (
    Interval,
    benjamini_hochberg,
    bootstrap_tasks,
    detectable_difference,
    holm,
    paired_difference,
    paired_p,
    probability_of_improvement,
    sign_flip,
    wilson,
)

__all__ = [
    "CORRECTIONS",
    "Comparison",
    "Flip",
    "GroupRow",
    "PairRow",
    "check_limits",
    "compare_pairs",
    "more_pairs",
    "pool",
]

CORRECTIONS = ("holm", "bh", "none")
POWER = 0.8
MOST_FLIPS = 20


@dataclass(frozen=True)
class Flip:
    """A case whose success is another one in the new run."""

    task: str
    seed: int
    perturbations: tuple[str, ...]
    became: str
    """`worse` or `better`."""


@dataclass(frozen=True)
class PairRow:
    """One task in both runs."""

    task: str
    domain: str
    suite: str
    measure: str
    """`success`, `normalised` (cut off at 0 and 1), or `sign` (which raw score is higher)."""
    n: int
    """Pairs of cases."""
    missing: int
    base: float
    """Mean of base, and of new, over the pairs; of raw scores too."""
    new: float
    base_low: float | None
    """Wilson's bounds of the two rates, at level 1 - alpha; null where the task has no success."""
    base_high: float | None
    new_low: float | None
    new_high: float | None
    losses: int
    """Pairs in which new did worse; `wins`: better."""
    wins: int
    difference: float
    low: float
    high: float
    p: float
    """Two-sided, of no difference: exact McNemar; flipped signs where values lie in between."""
    adjusted: float
    """p, corrected for the number of tasks."""
    detectable: float | None
    """The smallest difference that so many pairs find in 80 %, given how often these two agents differ."""
    verdict: str
    """`worse` or `better`: significantly, after correction. `no worse`: the interval lies above -margin. Else `open`."""


@dataclass(frozen=True)
class GroupRow:
    """A domain, a perturbation, or all tasks: the mean over tasks, each weighing the same; tasks with raw scores only are in no mean."""

    name: str
    tasks: int
    n: int
    base: float
    new: float
    difference: float
    low: float
    high: float
    p: float
    wider: Interval | None
    """An interval for other tasks as well, by drawing tasks too; from ten tasks on."""


@dataclass(frozen=True)
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
    """None where all tasks have raw scores only."""
    domains: tuple[GroupRow, ...]
    perturbations: tuple[GroupRow, ...]
    tasks: tuple[PairRow, ...]
    worse: tuple[str, ...]
    """Tasks that are significantly worse after correction."""
    flips: tuple[Flip, ...]
    """At most 20 a task, the losses first."""
    missing: int
    detectable: float | None
    """The smallest overall difference that so many pairs find in 80 %."""
    more: int | None
    """About how many more pairs would decide if the agents go on to differ as they did; None when nothing needs deciding, or nothing will do."""

    improvement: Interval | None = None
    """Over tasks without a success: the chance that an episode of new scores more than one of base, in percentiles at level 1 - alpha."""

    @property
    def exit_code(self) -> int:
        """0 pass, 1 regress, 3 inconclusive, 4 no verdict."""
        return {"pass": 0, "regress": 1, "inconclusive": 3, "none": 4}[self.verdict]


def check_limits(margin: float, alpha: float) -> None:
    """Raises UserError unless 0 < margin < 1 and 0 < alpha < 0.5."""
    if not 0 < margin < 1:
        raise UserError(
            f"--margin must lie between 0 and 1, got {margin}: 0.05 tolerates a loss of five points"
        )
    if not 0 < alpha < 0.5:
        raise UserError(
            f"--alpha must lie between 0 and 0.5, got {alpha}: it is the chance of a false verdict"
        )


def compare_pairs(
    tasks: Sequence[TaskPairs], margin: float, alpha: float, correction: str = "holm"
) -> Comparison:
    """The fixed-n comparison: all intervals at level 1 - alpha.

    regress: the upper bound of the mean difference lies below 0 and its lower one not above -margin, or a task is significantly worse: two-sided exact
    p, adjusted, at most alpha. Either has a chance of alpha / 2 at most between equal agents. pass: the lower bound lies above -margin and no task
    is significantly worse. Else inconclusive; none while a case lacks a score. Raises UserError for limits out of range or when nothing is paired.
    """
    check_limits(margin, alpha)
    if correction not in CORRECTIONS:
        raise UserError(f"there is no correction {correction!r}: choose {', '.join(CORRECTIONS)}")
    seen = [each for each in tasks if each.pairs]
    missing = sum(each.missing for each in tasks)
    moved = [each.differences() for each in seen]
    p = [sign_flip(each) for each in moved]
    adjusted = (
        holm(p) if correction == "holm" else benjamini_hochberg(p) if correction == "bh" else p
    )
    rows = tuple(
        _row(each, d, p[k], adjusted[k], margin, alpha)
        for k, (each, d) in enumerate(zip(seen, moved))
    )
    overall = _group("overall", seen, alpha, wider=True)
    worse = tuple(row.task for row in rows if row.verdict == "worse")
    low, high = (overall.low, overall.high) if overall else (-1.0, 1.0)
    if missing:
        verdict, why = (
            "none",
            f"{missing} case{'' if missing == 1 else 's'} without a score in one of the runs: play them again first",
        )
    elif worse:
        many = f"{len(worse)} tasks are" if len(worse) > 1 else f"{worse[0]} is"
        verdict, why = "regress", f"{many} significantly worse after correction"
    elif low > -margin:
        verdict, why = (
            "pass",
            f"the mean difference is above {_points(-margin)} ({_points(low)} at least), and no task is significantly worse",
        )
    elif high < 0:
        verdict, why = "regress", f"the mean difference is below 0 ({_points(high)} at most)"
    elif overall is None:
        verdict, why = (
            "inconclusive",
            "all tasks have raw scores only: no margin applies to them, and none is significantly worse",
        )
    else:
        verdict, why = (
            "inconclusive",
            f"the mean difference may lie anywhere from {_points(low)} to {_points(high)}",
        )
    pooled = pool(seen)
    return Comparison(
        verdict,
        why,
        margin,
        alpha,
        correction,
        "fixed",
        overall,
        tuple(
            row
            for domain in DOMAINS
            if (row := _group(domain, [t for t in seen if t.task.domain == domain], alpha))
        ),
        _conditions(seen, alpha),
        rows,
        worse,
        tuple(_flips(seen)),
        missing,
        _detectable(pooled, alpha) if len(pooled) else None,
        more_pairs(pooled, margin, _reach(alpha))
        if verdict == "inconclusive" and len(pooled)
        else None,
        _improvement(seen, alpha),
    )


def _improvement(tasks: Sequence[TaskPairs], alpha: float) -> Interval | None:
    scored = [
        np.array([(pair.base, pair.new) for pair in each.pairs])
        for each in tasks
        if each.measure != "success"
    ]
    if not scored:
        return None
    return probability_of_improvement(
        [values[:, 0] for values in scored],
        [values[:, 1] for values in scored],
        1 - alpha,
        repeats=1000,
    )


def _points(share: float) -> str:
    return f"{100 * share:+.1f} points"


def pool(tasks: Sequence[TaskPairs]) -> np.ndarray:
    """The differences of all tasks that are in a mean, one after the other."""
    return np.concatenate(
        [each.differences() for each in tasks if each.measure != "sign"] or [np.zeros(0)]
    )


def spread(differences: np.ndarray) -> float:
    """E[d^2] with a win and a loss of half a pair each added: no data is certain of it."""
    return float((np.square(differences).sum() + 1) / (len(differences) + 2))


def _detectable(differences: np.ndarray, alpha: float) -> float:
    return detectable_difference(spread(differences), len(differences), POWER, alpha)


def more_pairs(differences: np.ndarray, margin: float, reach: float) -> int | None:
    """How many more pairs would decide, if the agents go on to differ as they did: for a pass, or for a regress, whichever takes fewer.

    reach: the distance in standard errors that decides. None where the mean difference is so near to neither that a million would not do.
    """
    mean = float(differences.mean())
    gap = max(mean + margin, -mean)
    needed = math.ceil(reach**2 * spread(differences) / gap**2) if gap > 0 else 1_000_000
    return max(1, needed - len(differences)) if needed < 1_000_000 else None


def _reach(alpha: float) -> float:
    return NormalDist().inv_cdf(1 - alpha / 2) + NormalDist().inv_cdf(POWER)


def _row(
    each: TaskPairs, moved: np.ndarray, p: float, adjusted: float, margin: float, alpha: float
) -> PairRow:
    interval = paired_difference([moved], 1 - alpha)
    base, new = _means(each.pairs)
    if adjusted <= alpha and interval.value != 0:
        verdict = "worse" if interval.value < 0 else "better"
    else:
        verdict = "no worse" if interval.low > -margin else "open"
    return PairRow(
        each.task.id,
        each.task.domain,
        each.suite,
        each.measure,
        len(each.pairs),
        each.missing,
        base,
        new,
        *_bounds(each, 0, alpha),
        *_bounds(each, 1, alpha),
        sum(pair.new < pair.base for pair in each.pairs),
        sum(pair.new > pair.base for pair in each.pairs),
        interval.value,
        interval.low,
        interval.high,
        p,
        adjusted,
        _detectable(moved, alpha),
        verdict,
    )


def _bounds(each: TaskPairs, side: int, alpha: float) -> tuple[float | None, float | None]:
    if each.measure != "success":
        return None, None
    found = wilson(
        sum(int((pair.base, pair.new)[side]) for pair in each.pairs), len(each.pairs), 1 - alpha
    )
    return found.low, found.high


def _means(pairs: Sequence[Pair]) -> tuple[float, float]:
    """Finite ones: an agent's error at a raw score has no number, and is left out of these two alone."""
    sides = ([pair.base for pair in pairs], [pair.new for pair in pairs])
    finite = [[each for each in side if math.isfinite(each)] for side in sides]
    base, new = (sum(side) / len(side) if side else 0.0 for side in finite)
    return base, new


def _group(
    name: str,
    tasks: Sequence[TaskPairs],
    alpha: float,
    *,
    wider: bool = False,
    condition: tuple[str, ...] | None = None,
) -> GroupRow | None:
    if condition is not None:
        tasks = [
            replace(
                each, pairs=tuple(pair for pair in each.pairs if pair.perturbations == condition)
            )
            for each in tasks
        ]
    tasks = [each for each in tasks if each.measure != "sign" and each.pairs]
    if not tasks:
        return None
    moved = [each.differences() for each in tasks]
    interval = paired_difference(moved, 1 - alpha)
    means = np.array([_means(each.pairs) for each in tasks]).mean(axis=0)
    return GroupRow(
        name,
        len(tasks),
        sum(len(each.pairs) for each in tasks),
        float(means[0]),
        float(means[1]),
        interval.value,
        interval.low,
        interval.high,
        paired_p(moved),
        bootstrap_tasks(moved, 1 - alpha) if wider and len(tasks) >= 10 else None,
    )


def _conditions(tasks: Sequence[TaskPairs], alpha: float) -> tuple[GroupRow, ...]:
    conditions: dict[tuple[str, ...], Any] = dict.fromkeys(
        pair.perturbations for each in tasks for pair in each.pairs
    )
    if list(conditions) in ([], [()]):
        return ()
    rows = (
        _group(" + ".join(condition) or "unperturbed", tasks, alpha, condition=condition)
        for condition in conditions
    )
    return tuple(row for row in rows if row)


def _flips(tasks: Sequence[TaskPairs]) -> list[Flip]:
    found: list[Flip] = []
    for each in tasks:
        if each.measure != "success":
            continue
        flips = [
            Flip(
                each.task.id,
                pair.seed,
                pair.perturbations,
                "worse" if pair.new < pair.base else "better",
            )
            for pair in each.pairs
            if pair.new != pair.base
        ]
        found += sorted(flips, key=lambda flip: flip.became == "better")[:MOST_FLIPS]
    return found

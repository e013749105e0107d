"""From pairs to a comparison with its verdict, for a number of cases that was fixed beforehand.

The one that is valid at every look is in harness/compare/sequential_gate.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import NormalDist

import numpy as np

from harness.compare.comparison import Comparison, Flip, GroupRow, PairRow
from harness.compare.pairs import Pair, TaskPairs
from harness.core import DOMAINS, UserError
from harness.stats import (
    Estimate,
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

__all__ = ["CORRECTIONS", "check_limits", "compare_pairs", "further_pairs", "pooled_differences"]

CORRECTIONS = ("holm", "bh", "none")
POWER = 0.8
MAX_FLIPS = 20
"""Flipped cases of a task that are listed."""
MIN_TASKS_TO_DRAW = 10
"""From this number of tasks on there is an interval that draws tasks."""


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
    """The comparison of a fixed number of pairs; all intervals at level 1 - alpha.

    regress: the interval of the mean difference lies below 0 and not above -margin, or a task is
        significantly worse (two-sided exact p, corrected, at most alpha). For equal agents each of
        the two has a chance of at most alpha / 2.
    pass: that interval lies above -margin, and no task is significantly worse.
    none: a case lacks a score. inconclusive: everything else.

    Raises UserError for limits out of range or an unknown correction.
    """
    check_limits(margin, alpha)
    if correction not in CORRECTIONS:
        raise UserError(f"there is no correction {correction!r}: choose {', '.join(CORRECTIONS)}")
    seen = [each for each in tasks if each.pairs]
    missing = sum(each.missing for each in tasks)
    changes = [each.differences() for each in seen]
    p = [sign_flip(each) for each in changes]
    adjusted = (
        holm(p) if correction == "holm" else benjamini_hochberg(p) if correction == "bh" else p
    )
    rows = tuple(
        _pair_row(each, change, p[k], adjusted[k], margin, alpha)
        for k, (each, change) in enumerate(zip(seen, changes))
    )
    overall = _group_row("overall", seen, alpha, draw_tasks=True)
    worse = tuple(row.task for row in rows if row.verdict == "worse")
    verdict, why = _verdict(overall, worse, missing, margin)
    pooled = pooled_differences(seen)
    domains = (
        _group_row(domain, [each for each in seen if each.task.domain == domain], alpha)
        for domain in DOMAINS
    )
    return Comparison(
        verdict=verdict,
        why=why,
        margin=margin,
        alpha=alpha,
        correction=correction,
        method="fixed",
        overall=overall,
        domains=tuple(row for row in domains if row is not None),
        perturbations=_condition_rows(seen, alpha),
        tasks=rows,
        worse=worse,
        flips=tuple(_flips(seen)),
        missing=missing,
        detectable=_detectable(pooled, alpha) if len(pooled) else None,
        more=further_pairs(pooled, margin, _reach(alpha))
        if verdict == "inconclusive" and len(pooled)
        else None,
        improvement=_improvement(seen, alpha),
    )


def _verdict(
    overall: GroupRow | None, worse: Sequence[str], missing: int, margin: float
) -> tuple[str, str]:
    """The verdict, and why."""
    low, high = (overall.difference.low, overall.difference.high) if overall else (-1.0, 1.0)
    if missing:
        return "none", (
            f"{missing} case{'' if missing == 1 else 's'} without a score in one of the runs: "
            "play them again first"
        )
    if worse:
        which = f"{len(worse)} tasks are" if len(worse) > 1 else f"{worse[0]} is"
        return "regress", f"{which} significantly worse after correction"
    if low > -margin:
        return "pass", (
            f"the mean difference is above {_points(-margin)} ({_points(low)} at least), "
            "and no task is significantly worse"
        )
    if high < 0:
        return "regress", f"the mean difference is below 0 ({_points(high)} at most)"
    if overall is None:
        return "inconclusive", (
            "all tasks have raw scores only: no margin applies to them, "
            "and none is significantly worse"
        )
    return "inconclusive", (
        f"the mean difference may lie anywhere from {_points(low)} to {_points(high)}"
    )


def _points(share: float) -> str:
    return f"{100 * share:+.1f} points"


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


def pooled_differences(tasks: Sequence[TaskPairs]) -> np.ndarray:
    """The differences of all tasks that are in a mean, one task after the other, shape (pairs,)."""
    return np.concatenate(
        [each.differences() for each in tasks if each.measure != "sign"] or [np.zeros(0)]
    )


def _mean_square(differences: np.ndarray) -> float:
    """E[d^2], with half a loss and half a win added: no data proves that agents never differ."""
    return float((np.square(differences).sum() + 1) / (len(differences) + 2))


def _detectable(differences: np.ndarray, alpha: float) -> float:
    return detectable_difference(_mean_square(differences), len(differences), POWER, alpha)


def further_pairs(differences: np.ndarray, margin: float, reach: float) -> int | None:
    """How many more pairs would decide, if the agents keep differing as they did.

    For a pass or for a regress, whichever takes fewer. reach: the distance in standard errors that
    decides; n pairs have a standard error of sqrt(E[d^2] / n). None where the mean difference is
    so close to both limits that a million pairs would not do.
    """
    mean = float(differences.mean())
    gap = max(mean + margin, -mean)
    needed = math.ceil(reach**2 * _mean_square(differences) / gap**2) if gap > 0 else 1_000_000
    return max(1, needed - len(differences)) if needed < 1_000_000 else None


def _reach(alpha: float) -> float:
    """The distance from a limit, in standard errors, that is found with a power of POWER."""
    return NormalDist().inv_cdf(1 - alpha / 2) + NormalDist().inv_cdf(POWER)


def _pair_row(
    each: TaskPairs, changes: np.ndarray, p: float, adjusted: float, margin: float, alpha: float
) -> PairRow:
    interval = paired_difference([changes], 1 - alpha)
    base, new = _means(each.pairs)
    if adjusted <= alpha and interval.value != 0:
        verdict = "worse" if interval.value < 0 else "better"
    else:
        verdict = "no worse" if interval.low > -margin else "open"
    return PairRow(
        task=each.task.id,
        domain=each.task.domain,
        suite=each.suite,
        measure=each.measure,
        n=len(each.pairs),
        missing=each.missing,
        base=_with_bounds(base, [pair.base for pair in each.pairs], each.measure, alpha),
        new=_with_bounds(new, [pair.new for pair in each.pairs], each.measure, alpha),
        losses=sum(pair.new < pair.base for pair in each.pairs),
        wins=sum(pair.new > pair.base for pair in each.pairs),
        difference=interval,
        p=p,
        adjusted=adjusted,
        detectable=_detectable(changes, alpha),
        verdict=verdict,
    )


def _with_bounds(mean: float, values: Sequence[float], measure: str, alpha: float) -> Estimate:
    if measure != "success":
        return Estimate(mean, None, None)
    bounds = wilson(sum(map(int, values)), len(values), 1 - alpha)
    return Estimate(mean, bounds.low, bounds.high)


def _means(pairs: Sequence[Pair]) -> tuple[float, float]:
    """The means of base and of new, over finite values.

    An error of the agent in a task with raw scores is -inf: it is lower than any score in the
    differences, and left out of these two means alone.
    """
    sides = ([pair.base for pair in pairs], [pair.new for pair in pairs])
    finite = [[each for each in side if math.isfinite(each)] for side in sides]
    base, new = (sum(side) / len(side) if side else 0.0 for side in finite)
    return base, new


def _group_row(
    name: str,
    tasks: Sequence[TaskPairs],
    alpha: float,
    *,
    draw_tasks: bool = False,
    condition: tuple[str, ...] | None = None,
) -> GroupRow | None:
    """None where no task is left; `condition`: only the pairs with these perturbations."""
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
    changes = [each.differences() for each in tasks]
    base, new = np.array([_means(each.pairs) for each in tasks]).mean(axis=0).tolist()
    drawn = draw_tasks and len(tasks) >= MIN_TASKS_TO_DRAW
    return GroupRow(
        name=name,
        tasks=len(tasks),
        n=sum(len(each.pairs) for each in tasks),
        base=base,
        new=new,
        difference=paired_difference(changes, 1 - alpha),
        p=paired_p(changes),
        wider=bootstrap_tasks(changes, 1 - alpha) if drawn else None,
    )


def _condition_rows(tasks: Sequence[TaskPairs], alpha: float) -> tuple[GroupRow, ...]:
    """A row for each condition; none where all cases are unperturbed."""
    conditions = list(dict.fromkeys(pair.perturbations for each in tasks for pair in each.pairs))
    if conditions in ([], [()]):
        return ()
    rows = (
        _group_row(" + ".join(condition) or "unperturbed", tasks, alpha, condition=condition)
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
                task=each.task.id,
                seed=pair.seed,
                perturbations=pair.perturbations,
                became="worse" if pair.new < pair.base else "better",
            )
            for pair in each.pairs
            if pair.new != pair.base
        ]
        found += sorted(flips, key=lambda flip: flip.became == "better")[:MAX_FLIPS]
    return found

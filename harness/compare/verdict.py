"""From pairs to a comparison with its verdict, for a number of cases that was fixed beforehand.

The one that is valid at every look is in harness/compare/sequential_gate.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from harness.compare.comparison import Comparison, Flip, GroupRow, PairRow
from harness.compare.further_pairs import reach_of, spread_of
from harness.compare.pairs import TaskPairs
from harness.compare.shared_seeds import designs_of_pairs
from harness.core import DOMAINS, UserError
from harness.stats import (
    Estimate,
    Interval,
    benjamini_hochberg,
    holm,
    mean_of_drawn,
    paired_difference,
    paired_p,
    sign_flip,
    wilson,
)

__all__ = ["CORRECTIONS", "check_limits", "compare_pairs"]

CORRECTIONS = ("holm", "bh", "none")
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
    spread = spread_of(changes, designs_of_pairs(seen, changes))
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
        detectable=None if spread is None else spread.detectable(alpha),
        more=spread.further_pairs(margin, reach_of(alpha))
        if spread is not None and verdict == "inconclusive"
        else None,
        improvement=_improvement(seen, alpha),
    )


def _verdict(
    overall: GroupRow | None, worse: Sequence[str], missing: int, margin: float
) -> tuple[str, str]:
    """The verdict, and why."""
    if missing or overall is None:
        return "none", (
            f"{missing} case{'' if missing == 1 else 's'} without a score in one of the runs: "
            "play them again first"
        )
    low, high = overall.difference.low, overall.difference.high
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
    return "inconclusive", (
        f"the mean difference may lie anywhere from {_points(low)} to {_points(high)}"
    )


def _points(share: float) -> str:
    return f"{100 * share:+.1f} points"


def _improvement(tasks: Sequence[TaskPairs], alpha: float) -> Interval | None:
    scored = [each for each in tasks if each.measure in ("normalised", "sign")]
    if not scored:
        return None
    signs = [each.signs() for each in scored]
    # Won minus lost, w - l, with ties t = 1 - w - l: w + t / 2 = (1 + w - l) / 2.
    found = paired_difference(signs, 1 - alpha, designs_of_pairs(scored, signs))
    return Interval(*((1 + each) / 2 for each in (found.value, found.low, found.high)))


def _pair_row(
    each: TaskPairs, changes: np.ndarray, p: float, adjusted: float, margin: float, alpha: float
) -> PairRow:
    interval, spread = paired_difference([changes], 1 - alpha), spread_of([changes], 1.0)
    base, new = _means(each)
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
        detectable=None if spread is None else spread.detectable(alpha),
        verdict=verdict,
    )


def _with_bounds(
    mean: float | None, values: Sequence[float], measure: str, alpha: float
) -> Estimate | None:
    if mean is None or measure != "success":
        return None if mean is None else Estimate(mean, None, None)
    bounds = wilson(sum(map(int, values)), len(values), 1 - alpha)
    return Estimate(mean, bounds.low, bounds.high)


def _means(each: TaskPairs) -> tuple[float | None, float | None]:
    """The means of base and of new.

    An error of the agent, which is lower than any score, counts as 0 in normalised scores and is
    left out of raw ones: these have no low end.
    """
    base, new = ([pair.base for pair in each.pairs], [pair.new for pair in each.pairs])
    return _mean_score(base, each.measure), _mean_score(new, each.measure)


def _mean_score(values: Sequence[float], measure: str) -> float | None:
    known = [value for value in values if math.isfinite(value)]
    count = len(known) if measure == "sign" else len(values)
    return sum(known) / count if count else None


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
    tasks = [each for each in tasks if each.pairs]
    if not tasks:
        return None
    changes = [each.differences() for each in tasks]
    designs = designs_of_pairs(tasks, changes)
    base, new = (_mean_of(side) for side in zip(*map(_means, tasks)))
    if any(each.measure == "sign" for each in tasks):
        base = new = None
    drawn = draw_tasks and len(tasks) >= MIN_TASKS_TO_DRAW
    return GroupRow(
        name=name,
        tasks=len(tasks),
        n=sum(len(each.pairs) for each in tasks),
        base=base,
        new=new,
        difference=paired_difference(changes, 1 - alpha, designs),
        p=paired_p(changes, designs),
        wider=_of_other_tasks(changes, 1 - alpha, float(designs.max())) if drawn else None,
    )


def _of_other_tasks(changes: Sequence[np.ndarray], level: float, design: float) -> Interval:
    means = np.array([each.mean() for each in changes])
    low, high = (2 * bound - 1 for bound in mean_of_drawn((1 + means) / 2, level, design))
    return Interval(float(means.mean()), low, high)


def _mean_of(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


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

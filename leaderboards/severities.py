"""What a perturbation costs over all its severities: rows that sum up those at single severities.

Area: under the success rate over the severity, from the control at 0 to the highest severity
played, divided by that severity (trapezoids). Corruption error: the sum over severities of 1 - SR,
divided by the same sum of a baseline run, over the severities that both played (ImageNet-C,
arXiv 1903.12261). Of normalised scores, the mean takes the place of SR in the area, and the
optimality gap that of 1 - SR in the corruption error.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from harness.stats import value_of
from leaderboards.schema import PerturbationRow, ScoreEffects

__all__ = ["rows_over_severities"]

_T = TypeVar("_T")
_Scope = tuple[str, "str | None", "str | None"]
"""Perturbation, domain and task."""


def rows_over_severities(
    rows: Iterable[PerturbationRow], baseline: Iterable[PerturbationRow]
) -> Iterator[PerturbationRow]:
    """A row for each perturbation overall, in each domain and in each task."""
    theirs = _by_scope(baseline)
    for (perturbation, domain, task), mine in _by_scope(rows).items():
        first = next(iter(mine.values()))
        other = theirs.get((perturbation, domain, task), {})
        control = _last(each.control_rate for each in mine.values())
        rates = {severity: each.success_rate for severity, each in mine.items()}
        yield PerturbationRow(
            perturbation=perturbation,
            severity=None,
            task=task,
            domain=domain,
            suite=first.suite,
            rule=first.rule,
            tasks=first.tasks,
            control_rate=control,
            area=_area(control, rates),
            corruption_error=_corruption_error(_failures(mine), _failures(other)),
            scores=_scores_over_severities(mine, other),
        )


def _by_scope(rows: Iterable[PerturbationRow]) -> dict[_Scope, dict[int, PerturbationRow]]:
    """The rows at single severities that have a result, by scope and severity."""
    found: dict[_Scope, dict[int, PerturbationRow]] = {}
    for row in rows:
        if row.severity and (row.interval is not None or row.scores is not None):
            found.setdefault((row.perturbation, row.domain, row.task), {})[row.severity] = row
    return found


def _scores_over_severities(
    mine: Mapping[int, PerturbationRow], other: Mapping[int, PerturbationRow]
) -> ScoreEffects | None:
    last = _last(each.scores for each in mine.values())
    if last is None:
        return None
    means = {
        severity: value_of(each.scores.mean) if each.scores else None
        for severity, each in mine.items()
    }
    return ScoreEffects(
        tasks=last.tasks,
        low_name=last.low_name,
        high_name=last.high_name,
        control=last.control,
        area=_area(last.control, means),
        corruption_error=_corruption_error(_gaps(mine), _gaps(other)),
    )


def _failures(rows: Mapping[int, PerturbationRow]) -> dict[int, float | None]:
    """1 - SR by severity."""
    return {
        severity: None if row.interval is None else 1 - row.interval.value
        for severity, row in rows.items()
    }


def _gaps(rows: Mapping[int, PerturbationRow]) -> dict[int, float | None]:
    """The optimality gap by severity."""
    return {
        severity: row.scores.optimality_gap if row.scores else None
        for severity, row in rows.items()
    }


def _last(values: Iterable[_T | None]) -> _T | None:
    """The last one that exists."""
    return next(iter([value for value in values if value is not None][::-1]), None)


def _area(control: float | None, means: Mapping[int, float | None]) -> float | None:
    """The area under the means over the severity, as a share of the highest severity."""
    known = {severity: mean for severity, mean in means.items() if mean is not None}
    if control is None or not known:
        return None
    points = sorted({0: control, **known}.items())
    return (
        sum((b - a) * (x + y) / 2 for (a, x), (b, y) in itertools.pairwise(points)) / points[-1][0]
    )


def _corruption_error(
    mine: Mapping[int, float | None], theirs: Mapping[int, float | None]
) -> float | None:
    """The sum of my losses as a share of theirs, over the severities that both played."""
    both = [
        (loss, other)
        for severity, loss in mine.items()
        if loss is not None and (other := theirs.get(severity)) is not None
    ]
    total = sum(other for _, other in both)
    return sum(loss for loss, _ in both) / total if total > 0 else None

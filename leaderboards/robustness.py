"""What perturbations cost: each perturbed case beside its unperturbed twin, by task, by domain and overall.

SR is a success rate, 0 the control, p the perturbed arm. Drop: SRp - SR0. Relative drop: (SR0 - SRp) / SR0, retention: SRp / SR0; neither exists
where SR0 is 0 (THE COLOSSEUM, arXiv 2402.08191). Area: under SR over the severity, from the control at 0 to the highest one played, divided by that
(trapezoids). Corruption error: sum over severities of 1 - SR, divided by the same sum of a baseline run (ImageNet-C, arXiv 1903.12261).
Recovery: P(success | the burst took place, the twin succeeds). Interaction of A+B: (SRab - SR0) - (SRa - SR0) - (SRb - SR0).
Rates of domains and overall are means over tasks, each weighing the same, over those tasks that played the perturbation. Tasks without a success are
in none of these figures; what becomes of their scores stands beside them (leaderboards/score_effects.py).
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from harness.core import DOMAINS, Reference
from harness.stats import (
    Interval,
    mean_of_rates,
    mean_score,
    paired_bounds,
    paired_difference,
    wilson,
)
from leaderboards.perturbed_results import ERROR, FAILED, SUCCEEDED, CaseArrays, Place
from leaderboards.ratio import ratio_of_means
from leaderboards.score_effects import ScoreEffects, score_effects

__all__ = ["PerturbationRow", "mean_of_halves", "robustness", "scopes_of"]


@dataclass(frozen=True)
class PerturbationRow:
    """One perturbation at one severity in one task, one domain (`task` is None) or overall (`domain` is None too).

    Where `severity` is None it is the perturbation's curve over all its severities: `area` and `corruption_error`.
    """

    perturbation: str
    """`occlusion`; of a combination `action_noise:3+occlusion`: the severity is the last one's."""
    severity: int | None
    task: str | None = None
    domain: str | None = None
    suite: str | None = None
    rule: str | None = None
    tasks: int = 0
    """Tasks that have a success; 1 or 0 in a task's own row."""
    planned: int = 0
    n: int = 0
    successes: int | None = None
    agent_errors: int = 0
    errors: int = 0
    partial: bool = False
    success_rate: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    rate_if_missing_fail: float | None = None
    score_mean: float | None = None
    """Tasks only."""
    normalised: float | None = None
    """The mean over tasks of the success rate where there is one, else of the normalised mean score."""
    steps_mean: float | None = None
    control_rate: float | None = None
    """Of the twins: the same tasks and seeds, unperturbed."""
    pairs: int = 0
    """Perturbed cases with a result whose twin has one."""
    difference: float | None = None
    """success_rate - control_rate over the pairs."""
    difference_low: float | None = None
    """95 %, harness.stats.paired_difference."""
    difference_high: float | None = None
    relative_drop: float | None = None
    relative_drop_low: float | None = None
    relative_drop_high: float | None = None
    retention: float | None = None
    retention_low: float | None = None
    """95 %, leaderboards.ratio.ratio_of_means."""
    retention_high: float | None = None
    score_difference: float | None = None
    """Of a task without a success: the mean over pairs, in its own points, with Student's t interval."""
    score_difference_low: float | None = None
    score_difference_high: float | None = None
    recovery_rate: float | None = None
    recovery_low: float | None = None
    recovery_high: float | None = None
    recovery_n: int | None = None
    interaction: float | None = None
    interaction_low: float | None = None
    interaction_high: float | None = None
    area: float | None = None
    corruption_error: float | None = None
    scores: ScoreEffects | None = None
    """Of tasks without a success; all that is above, but for the counts, is of those with one."""
    reference: tuple[Reference, ...] = ()
    """Published figures are of unperturbed tasks: none."""


def robustness(
    outcomes: CaseArrays, baseline: CaseArrays | None = None
) -> tuple[PerturbationRow, ...]:
    """All rows: for each perturbation and severity overall, then by domain, then by task; then the curves."""
    rows: list[PerturbationRow] = []
    bounds = _task_bounds(outcomes)
    for name in outcomes.labels:
        for domain in scopes_of(outcomes, name):
            rows.append(_row(outcomes, name, outcomes.played(name, domain), domain))
        rows += [
            _task(outcomes, name, (item, condition), bounds)
            for item, condition in outcomes.played(name)
        ]
    return (*rows, *_curves(rows, () if baseline is None else robustness(baseline)))


def scopes_of(outcomes: CaseArrays, name: str) -> list[str | None]:
    """None, for all together, and the domains in which it is played."""
    here = {outcomes.plan.items[item].task.domain for item, _ in outcomes.played(name)}
    return [None, *(domain for domain in DOMAINS if domain in here)] if here else []


def _task_bounds(outcomes: CaseArrays) -> dict[Place, Interval]:
    """The paired interval of every task and arm, all in one go: one by one they would take a hundred times as long."""
    found: dict[Place, list[float]] = {}
    for place in dict.fromkeys(
        place for name in outcomes.labels for place in outcomes.played(name)
    ):
        controls, perturbed = _paired(outcomes, [place])
        if controls:
            change = perturbed[0] - controls[0]
            found[place] = [
                float((change < 0).sum()),
                float((change > 0).sum()),
                float((change != 0).sum()),
                float(len(change)),
            ]
    if not found:
        return {}
    sums = np.array(list(found.values()))
    low, high = paired_bounds(*(sums[:, k : k + 1] for k in range(4)))
    values = (sums[:, 1] - sums[:, 0]) / sums[:, 3]
    return {
        place: Interval(*each)
        for place, each in zip(found, zip(values.tolist(), low.tolist(), high.tolist()))
    }


def _task(
    outcomes: CaseArrays, name: str, place: Place, bounds: Mapping[Place, Interval]
) -> PerturbationRow:
    item, condition = place
    task = outcomes.plan.items[item].task
    row = _row(outcomes, name, [place], task.domain, bounds.get(place))
    row = dataclasses.replace(
        row, task=task.id, suite=outcomes.plan.items[item].suite, rule=task.rule
    )
    scores = outcomes.score[item][condition]
    known = scores[np.isfinite(scores)]
    mean = float(known.mean()) if len(known) else None
    paired = scores - outcomes.score[item][0]
    paired = np.sort(paired[np.isfinite(paired)])
    row = dataclasses.replace(row, score_mean=mean)
    if outcomes.rated(item) or not len(paired):
        return row
    # Equal differences say nothing of how much others would differ.
    interval = mean_score(paired) if len(paired) > 1 and paired[0] != paired[-1] else None
    return dataclasses.replace(
        row,
        pairs=len(paired),
        score_difference=float(paired.mean()),
        score_difference_low=interval.low if interval else None,
        score_difference_high=interval.high if interval else None,
    )


def _row(
    outcomes: CaseArrays,
    name: str,
    places: Sequence[Place],
    domain: str | None,
    difference: Interval | None = None,
) -> PerturbationRow:
    """`difference` is what paired_difference gives, where that is known already."""
    perturbation, _, severity = name.rpartition(":")
    state = [outcomes.state[item][condition] for item, condition in places]
    rated = [each for each, (item, _) in zip(state, places) if outcomes.rated(item)]
    seen = [each for each in rated if (each >= FAILED).any()]
    counts = [int((each >= FAILED).sum()) for each in seen]
    wins = [int((each == SUCCEEDED).sum()) for each in seen]
    rate = (
        mean_of_rates(wins, counts)
        if len(seen) > 1
        else wilson(wins[0], counts[0])
        if seen
        else None
    )
    planned, n = (
        sum(each.size for each in state),
        sum(int((each >= FAILED).sum()) for each in state),
    )
    scored = [
        outcomes.steps[item][condition][
            (outcomes.state[item][condition] >= FAILED) & ~outcomes.agent_error[item][condition]
        ]
        for item, condition in places
    ]
    steps = np.concatenate(scored) if scored else np.zeros(0)
    at_worst = [float((each == SUCCEEDED).mean()) for each in rated]
    controls, perturbed = _paired(outcomes, places)
    scores = score_effects(outcomes, places)
    normalised = [won / count for won, count in zip(wins, counts)]
    normalised += [] if scores is None or scores.mean is None else [scores.mean] * scores.tasks
    row = PerturbationRow(
        perturbation=perturbation,
        severity=int(severity),
        domain=domain,
        tasks=len(rated),
        planned=planned,
        n=n,
        successes=sum(int((each == SUCCEEDED).sum()) for each in rated) if rated else None,
        agent_errors=sum(
            int(outcomes.agent_error[item][condition].sum()) for item, condition in places
        ),
        errors=sum(int((each == ERROR).sum()) for each in state),
        partial=n < planned,
        success_rate=rate.value if rate else None,
        ci_low=rate.low if rate else None,
        ci_high=rate.high if rate else None,
        rate_if_missing_fail=sum(at_worst) / len(at_worst) if at_worst else None,
        normalised=float(np.mean(normalised)) if normalised else None,
        steps_mean=float(steps.mean()) if len(steps) else None,
        pairs=sum(map(len, controls)),
        scores=scores,
        **_span("interaction", _interaction(outcomes, name, [item for item, _ in places])),
    )
    if controls:
        kept = ratio_of_means(controls, perturbed)
        lost = kept and (1 - kept[0], None if kept[2] is None else 1 - kept[2], 1 - kept[1])
        difference = difference or paired_difference(
            [after - before for before, after in zip(controls, perturbed)]
        )
        row = dataclasses.replace(
            row,
            control_rate=float(np.mean([each.mean() for each in controls])),
            **_span("difference", difference),
            **_three("relative_drop", lost),
            **_three("retention", kept),
        )
    return (
        dataclasses.replace(row, **_recovery(outcomes, places))
        if perturbation.split("+")[-1] == "burst"
        else row
    )


def _paired(
    outcomes: CaseArrays, places: Sequence[tuple[int, int]]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """(control, perturbed): 1 or 0 for each pair, an array a task; tasks without a pair or without a success are left out."""
    controls, perturbed = [], []
    for item, condition in places:
        both = outcomes.pairs(item, condition)
        if outcomes.rated(item) and both.any():
            controls.append((outcomes.state[item][0][both] == SUCCEEDED).astype(np.float64))
            perturbed.append(
                (outcomes.state[item][condition][both] == SUCCEEDED).astype(np.float64)
            )
    return controls, perturbed


def _recovery(outcomes: CaseArrays, places: Sequence[tuple[int, int]]) -> dict[str, Any]:
    won = n = 0
    for item, condition in places:
        if outcomes.rated(item):
            state = outcomes.state[item]
            counted = (
                outcomes.pairs(item, condition)
                & outcomes.burst[item][condition]
                & (state[0] == SUCCEEDED)
            )
            n += int(counted.sum())
            won += int((state[condition][counted] == SUCCEEDED).sum())
    if not n:
        return {"recovery_n": 0}
    found = wilson(won, n)
    return {
        "recovery_rate": found.value,
        "recovery_low": found.low,
        "recovery_high": found.high,
        "recovery_n": n,
    }


def _interaction(outcomes: CaseArrays, name: str, items: Sequence[int]) -> Interval | None:
    """Of a combination of two of which each was played alone too."""
    parts = name.split("+")
    if len(parts) != 2:
        return None
    values = []
    for item in items:
        conditions = [0, *(outcomes.condition(item, part) for part in (*parts, name))]
        if not outcomes.rated(item) or None in conditions:
            continue
        state = outcomes.state[item][
            [condition for condition in conditions if condition is not None]
        ]
        whole = (state >= FAILED).all(axis=0)
        none, one, other, both = (state[:, whole] == SUCCEEDED).astype(np.float64)
        if whole.any():
            values.append(both - one - other + none)
    return mean_of_halves(values)


def mean_of_halves(values: Sequence[np.ndarray]) -> Interval | None:
    """The mean over tasks of paired values in [-2, 2]."""
    if not values:
        return None
    half = paired_difference([each / 2 for each in values])
    return Interval(2 * half.value, 2 * half.low, 2 * half.high)


def _span(name: str, found: Interval | None) -> dict[str, float | None]:
    return _three(name, (found.value, found.low, found.high) if found else None)


def _three(
    name: str, found: tuple[float | None, float | None, float | None] | None
) -> dict[str, float | None]:
    value, low, high = found or (None, None, None)
    return {name: value, f"{name}_low": low, f"{name}_high": high}


_T = TypeVar("_T")
_Curves = dict[tuple[str, "str | None", "str | None"], dict[int, PerturbationRow]]
"""By perturbation, domain and task: a row for each severity."""


def _by_curve(rows: Iterable[PerturbationRow]) -> _Curves:
    found: _Curves = {}
    for row in rows:
        if row.severity and (row.success_rate is not None or row.scores is not None):
            found.setdefault((row.perturbation, row.domain, row.task), {})[row.severity] = row
    return found


def _curves(
    rows: Iterable[PerturbationRow], baseline: Iterable[PerturbationRow]
) -> Iterator[PerturbationRow]:
    theirs = _by_curve(baseline)
    for key, mine in _by_curve(rows).items():
        row, other = next(iter(mine.values())), theirs.get(key, {})
        control = _last(each.control_rate for each in mine.values())
        scores = _last(each.scores for each in mine.values())
        yield PerturbationRow(
            key[0],
            None,
            task=key[2],
            domain=key[1],
            suite=row.suite,
            rule=row.rule,
            tasks=row.tasks,
            control_rate=control,
            area=_area(control, {severity: each.success_rate for severity, each in mine.items()}),
            corruption_error=_corruption_error(
                *({s: _failures(each) for s, each in side.items()} for side in (mine, other))
            ),
            scores=None
            if scores is None
            else ScoreEffects(
                scores.tasks,
                scores.low_name,
                scores.high_name,
                control=scores.control,
                area=_area(
                    scores.control,
                    {
                        severity: each.scores.mean if each.scores else None
                        for severity, each in mine.items()
                    },
                ),
                corruption_error=_corruption_error(
                    *(
                        {
                            s: each.scores.optimality_gap if each.scores else None
                            for s, each in side.items()
                        }
                        for side in (mine, other)
                    )
                ),
            ),
        )


def _last(values: Iterable[_T | None]) -> _T | None:
    """The last one that exists."""
    return next(iter([value for value in values if value is not None][::-1]), None)


def _failures(row: PerturbationRow) -> float | None:
    return None if row.success_rate is None else 1 - row.success_rate


def _area(control: float | None, means: Mapping[int, float | None]) -> float | None:
    """Under the means over the severity, from the control at 0 on, as a share of the highest severity."""
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

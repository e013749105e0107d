"""What perturbations cost: each perturbed case is compared with its control.

The control of a case is the same task and seed, unperturbed. With SR a success rate, 0 the control
and p a perturbed condition:

    drop            SRp - SR0, over pairs of a case and its control
    retention       SRp / SR0;  relative drop: (SR0 - SRp) / SR0
                    neither exists where SR0 is 0 (THE COLOSSEUM, arXiv 2402.08191)
    recovery        P(success | the burst took place, the control succeeds)
    interaction     of A+B: (SRab - SR0) - (SRa - SR0) - (SRb - SR0)

Rates of domains and overall are means over the tasks that played the perturbation, each weighing
the same. Tasks without a success are in none of these figures; those of their scores are in
leaderboards/score_effects.py. Sums over severities: leaderboards/severities.py.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from harness.core import DOMAINS
from harness.stats import (
    Estimate,
    Interval,
    mean_of_rates,
    mean_score,
    paired_bounds,
    paired_difference,
    wilson,
)
from leaderboards.perturbed_results import ERROR, FAILED, SUCCEEDED, CaseArrays, PlayedCondition
from leaderboards.ratio import ratio_of_means
from leaderboards.schema import PerturbationRow
from leaderboards.score_effects import score_effects
from leaderboards.severities import rows_over_severities

__all__ = ["mean_of_halves", "robustness", "scopes_of"]


def robustness(
    arrays: CaseArrays, baseline: CaseArrays | None = None
) -> tuple[PerturbationRow, ...]:
    """All rows: for each perturbation and severity overall, by domain and by task; then the sums.

    baseline: the run that corruption errors relate to.
    """
    rows: list[PerturbationRow] = []
    bounds = _task_bounds(arrays)
    for name in arrays.labels:
        for domain in scopes_of(arrays, name):
            rows.append(_row(arrays, name, arrays.played(name, domain), domain))
        rows += [_task_row(arrays, name, each, bounds) for each in arrays.played(name)]
    theirs = () if baseline is None else robustness(baseline)
    return (*rows, *rows_over_severities(rows, theirs))


def scopes_of(arrays: CaseArrays, name: str) -> list[str | None]:
    """None, for all tasks together, and the domains in which `name:severity` is played."""
    domains = {arrays.plan.items[each.item].task.domain for each in arrays.played(name)}
    return [None, *(domain for domain in DOMAINS if domain in domains)] if domains else []


def _task_bounds(arrays: CaseArrays) -> dict[PlayedCondition, Interval]:
    """The paired difference of every task under every condition.

    All at once: one at a time would take a hundred times as long.
    """
    found: dict[PlayedCondition, list[float]] = {}
    for each in dict.fromkeys(each for name in arrays.labels for each in arrays.played(name)):
        controls, perturbed = _paired_successes(arrays, [each])
        if controls:
            change = perturbed[0] - controls[0]
            found[each] = [
                float((change < 0).sum()),
                float((change > 0).sum()),
                float((change != 0).sum()),  # d^2 is 1 for every loss and every win
                float(len(change)),
            ]
    if not found:
        return {}
    losses, wins, squares, pairs = np.array(list(found.values())).T[:, :, None]
    low, high = paired_bounds(losses, wins, squares, pairs)
    values = ((wins - losses) / pairs)[:, 0]
    return {
        each: Interval(*bounds)
        for each, bounds in zip(found, zip(values.tolist(), low.tolist(), high.tolist()))
    }


def _task_row(
    arrays: CaseArrays,
    name: str,
    played: PlayedCondition,
    bounds: Mapping[PlayedCondition, Interval],
) -> PerturbationRow:
    item, condition = played
    task = arrays.plan.items[item].task
    scores = arrays.score[item][condition]
    known = scores[np.isfinite(scores)]
    row = dataclasses.replace(
        _row(arrays, name, [played], task.domain, bounds.get(played)),
        task=task.id,
        suite=arrays.plan.items[item].suite,
        rule=task.rule,
        score_mean=float(known.mean()) if len(known) else None,
    )
    changes = scores - arrays.score[item][0]
    changes = np.sort(changes[np.isfinite(changes)])
    if arrays.has_success(item) or not len(changes):
        return row
    # Equal differences say nothing of how much others would differ.
    varies = changes[0] != changes[-1]
    change = mean_score(changes) if varies else Estimate(float(changes.mean()), None, None)
    return dataclasses.replace(row, pairs=len(changes), score_difference=change)


def _row(
    arrays: CaseArrays,
    name: str,
    played: Sequence[PlayedCondition],
    domain: str | None,
    difference: Interval | None = None,
) -> PerturbationRow:
    """The figures of these tasks together; `difference` where that is known already."""
    perturbation, _, severity = name.rpartition(":")
    states = [arrays.state[item][condition] for item, condition in played]
    rated = [state for state, each in zip(states, played) if arrays.has_success(each.item)]
    seen = [state for state in rated if (state >= FAILED).any()]
    counts = [int((state >= FAILED).sum()) for state in seen]
    wins = [int((state == SUCCEEDED).sum()) for state in seen]
    rate: Interval | None = None
    if seen:
        rate = mean_of_rates(wins, counts) if len(seen) > 1 else wilson(wins[0], counts[0])
    planned = sum(state.size for state in states)
    n = sum(int((state >= FAILED).sum()) for state in states)
    at_worst = [float((state == SUCCEEDED).mean()) for state in rated]
    scores = score_effects(arrays, played)
    normalised = [won / count for won, count in zip(wins, counts)]
    if scores is not None and scores.mean is not None:
        normalised += [scores.mean.value] * scores.tasks
    controls, perturbed = _paired_successes(arrays, played)
    row = PerturbationRow(
        perturbation=perturbation,
        severity=int(severity),
        domain=domain,
        tasks=len(rated),
        planned=planned,
        n=n,
        successes=sum(int((state == SUCCEEDED).sum()) for state in rated) if rated else None,
        agent_errors=sum(
            int(arrays.agent_error[item][condition].sum()) for item, condition in played
        ),
        errors=sum(int((state == ERROR).sum()) for state in states),
        partial=n < planned,
        interval=rate,
        rate_if_missing_fail=sum(at_worst) / len(at_worst) if at_worst else None,
        normalised=float(np.mean(normalised)) if normalised else None,
        steps_mean=_mean_steps(arrays, played),
        pairs=sum(map(len, controls)),
        scores=scores,
        interaction=_interaction(arrays, name, [each.item for each in played]),
    )
    if controls:
        changes = [after - before for before, after in zip(controls, perturbed)]
        retention = ratio_of_means(controls, perturbed)
        row = dataclasses.replace(
            row,
            control_rate=float(np.mean([each.mean() for each in controls])),
            difference=difference or paired_difference(changes),
            relative_drop=_relative_drop(retention),
            retention=retention,
        )
    if perturbation.split("+")[-1] == "burst":
        recovery, recovery_n = _recovery(arrays, played)
        row = dataclasses.replace(row, recovery=recovery, recovery_n=recovery_n)
    return row


def _mean_steps(arrays: CaseArrays, played: Sequence[PlayedCondition]) -> float | None:
    """Over the episodes that no error of the agent cut short."""
    steps = [
        arrays.steps[item][condition][
            (arrays.state[item][condition] >= FAILED) & ~arrays.agent_error[item][condition]
        ]
        for item, condition in played
    ]
    whole = np.concatenate(steps) if steps else np.zeros(0)
    return float(whole.mean()) if len(whole) else None


def _paired_successes(
    arrays: CaseArrays, played: Sequence[PlayedCondition]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """(controls, perturbed): for each task 1 or 0 of every pair, shape (pairs,).

    Tasks without a pair or without a success are left out.
    """
    controls, perturbed = [], []
    for item, condition in played:
        both = arrays.pairs(item, condition)
        if arrays.has_success(item) and both.any():
            state = arrays.state[item]
            controls.append((state[0][both] == SUCCEEDED).astype(np.float64))
            perturbed.append((state[condition][both] == SUCCEEDED).astype(np.float64))
    return controls, perturbed


def _relative_drop(retention: Estimate | None) -> Estimate | None:
    """1 - retention: its upper bound becomes the lower one."""
    if retention is None:
        return None
    low, high = retention.low, retention.high
    return Estimate(
        1 - retention.value,
        None if high is None else 1 - high,
        None if low is None else 1 - low,
    )


def _recovery(arrays: CaseArrays, played: Sequence[PlayedCondition]) -> tuple[Interval | None, int]:
    """The rate of recovery, and of how many cases it is."""
    won = n = 0
    for item, condition in played:
        if arrays.has_success(item):
            state = arrays.state[item]
            counted = (
                arrays.pairs(item, condition)
                & arrays.burst[item][condition]
                & (state[0] == SUCCEEDED)
            )
            n += int(counted.sum())
            won += int((state[condition][counted] == SUCCEEDED).sum())
    return (wilson(won, n) if n else None), n


def _interaction(arrays: CaseArrays, name: str, items: Sequence[int]) -> Interval | None:
    """Of a combination of two perturbations, over the tasks that also played each of them alone."""
    parts = name.split("+")
    if len(parts) != 2:
        return None
    values = []
    for item in items:
        conditions = [0, *(arrays.condition(item, part) for part in (*parts, name))]
        if not arrays.has_success(item) or None in conditions:
            continue
        state = arrays.state[item][[condition for condition in conditions if condition is not None]]
        whole = (state >= FAILED).all(axis=0)
        none, one, other, both = (state[:, whole] == SUCCEEDED).astype(np.float64)
        if whole.any():
            values.append(both - one - other + none)
    return mean_of_halves(values)


def mean_of_halves(values: Sequence[np.ndarray]) -> Interval | None:
    """paired_difference of values in [-2, 2]: the differences of two differences of successes.

    Half of each value lies in [-1, 1] as that asks for. None without a task.
    """
    if not values:
        return None
    half = paired_difference([each / 2 for each in values])
    return Interval(2 * half.value, 2 * half.low, 2 * half.high)

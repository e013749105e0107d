"""Two perturbed runs: does the new agent lose less to a perturbation than the base agent did? Differences of differences, over the cases of both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from harness.core import UserError
from leaderboards.perturbed_results import FAILED, SUCCEEDED, CaseArrays
from leaderboards.robustness import mean_of_halves, scopes_of
from leaderboards.score_effects import mean_of_means

__all__ = ["RobustnessDelta", "difference_in_differences"]


@dataclass(frozen=True)
class RobustnessDelta:
    """What a perturbation costs a new run and a base run, over the cases that both played: means over tasks, and the difference of the costs."""

    perturbation: str
    severity: int
    domain: str | None
    measure: str
    """`success`: rates. `normalised`: normalised scores, of tasks that have no success."""
    tasks: int
    pairs: int
    base_control: float
    base_rate: float
    new_control: float
    new_rate: float
    difference: float
    """(new_rate - new_control) - (base_rate - base_control): above 0 the new one loses less."""
    difference_low: float | None
    """95 %, over pairs of pairs: a case and its twin in both runs. Of scores None where `mean_of_means` has none."""
    difference_high: float | None


def difference_in_differences(base: CaseArrays, new: CaseArrays) -> tuple[RobustnessDelta, ...]:
    """For each perturbation overall, then by domain; of successes, then of normalised scores.

    Raises UserError when the runs share no perturbed case that has either. Tasks are the same where their content is; other parameters of a severity
    are another perturbation.
    """
    found = []
    for name in new.labels:
        for domain in scopes_of(new, name):
            shared = list(_shared(base, new, name, domain))
            rates = [state for state, _ in shared if state is not None]
            scores = [score for _, score in shared if score is not None]
            change = mean_of_halves([_changes(each) for each in rates])
            if change is not None:
                found.append(
                    _effects(
                        name, domain, "success", rates, (change.value, change.low, change.high)
                    )
                )
            value, low, high = mean_of_means([_changes(each) for each in scores])
            if value is not None:
                found.append(_effects(name, domain, "normalised", scores, (value, low, high)))
    if not found:
        raise UserError(
            "the runs share no perturbed case with its twin that has a success or a normalised score: play both with the same suite, seed and --perturb"
        )
    return tuple(found)


def _shared(
    base: CaseArrays, new: CaseArrays, name: str, domain: str | None
) -> Iterator[tuple[np.ndarray | None, np.ndarray | None]]:
    """For each task that both played so: (successes, normalised scores), one of them None, each of shape (4, cases): base without and with the
    perturbation, new without and with it."""
    theirs = {item.protocol: number for number, item in enumerate(base.plan.items)}
    for item, condition in new.played(name, domain):
        entry = new.plan.items[item]
        other = theirs.get(entry.protocol)
        its = None if other is None else base.condition(other, name)
        if (
            other is None
            or its is None
            or base.plan.conditions[its] != new.plan.conditions[condition]
            or base.plan.seed != new.plan.seed
        ):
            continue
        common = min(entry.episodes, base.plan.items[other].episodes)
        places = (base, other, 0), (base, other, its), (new, item, 0), (new, item, condition)
        if new.rated(item):
            state = np.stack([side.state[which][number][:common] for side, which, number in places])
            whole = (state >= FAILED).all(axis=0)
            if whole.any():
                yield (state[:, whole] == SUCCEEDED).astype(np.float64), None
        elif (normaliser := entry.task.normaliser) is not None:
            scores = np.stack(
                [side.score[which][number][:common] for side, which, number in places]
            )
            scores = scores[:, np.isfinite(scores).all(axis=0)]
            if scores.size:
                yield None, (scores - normaliser.low) / (normaliser.high - normaliser.low)


def _changes(values: np.ndarray) -> np.ndarray:
    changes: np.ndarray = (values[3] - values[2]) - (values[1] - values[0])
    return changes


def _effects(
    name: str,
    domain: str | None,
    measure: str,
    values: list[np.ndarray],
    change: tuple[float, float | None, float | None],
) -> RobustnessDelta:
    perturbation, _, severity = name.rpartition(":")
    means = np.mean([each.mean(axis=1) for each in values], axis=0).tolist()
    pairs = sum(each.shape[1] for each in values)
    return RobustnessDelta(
        perturbation, int(severity), domain, measure, len(values), pairs, *means, *change
    )

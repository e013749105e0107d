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
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np

from harness.core import DOMAINS
from harness.records.plan import PlanItem
from harness.stats import Estimate, Interval, mean_of_rates, mean_of_scores, paired_difference
from leaderboards.condition_counts import ConditionCounts, differences_of, rates_of, retentions_of
from leaderboards.no_interval import NOT_FIRST, REPEATED, STOPPED, without_bounds
from leaderboards.perturbed_results import FAILED, SUCCEEDED, CaseArrays, PlayedCondition
from leaderboards.schema import ESTIMATES, PerturbationRow, ScoreEffects
from leaderboards.score_effects import score_effects
from leaderboards.severities import rows_over_severities
from leaderboards.shared_seeds import designs_of_values, pooled_design

__all__ = ["mean_of_halves", "robustness", "scopes_of"]


def robustness(
    arrays: CaseArrays,
    baseline: CaseArrays | None = None,
    *,
    stopped: bool = False,
    repeated: AbstractSet[int] = frozenset(),
) -> tuple[PerturbationRow, ...]:
    """All rows: for each perturbation and severity overall, by domain and by task; then the sums.

    baseline: the run that corruption errors relate to. stopped: whether the run could stop for
    what it saw. repeated: the items of the plan of whose controls some are the same episode.
    """
    found = _Rows(arrays, stopped, repeated)
    rows: list[PerturbationRow] = []
    for name, scopes in found.scopes.items():
        rows += [found.of_scope(name, domain, played) for domain, played in scopes.items()]
        rows += [found.of_task(name, each) for each in scopes.get(None, ())]
    theirs = () if baseline is None else robustness(baseline)
    return (*rows, *rows_over_severities(rows, theirs))


def scopes_of(arrays: CaseArrays, name: str) -> list[str | None]:
    """None, for all tasks together, and the domains in which `name:severity` is played."""
    domains = {arrays.plan.items[each.item].task.domain for each in arrays.played(name)}
    return [None, *(domain for domain in DOMAINS if domain in domains)] if domains else []


class _Rows:
    """Makes the rows of single severities."""

    def __init__(self, arrays: CaseArrays, stopped: bool, repeated: AbstractSet[int]) -> None:
        self._arrays, self._stopped, self._repeated = arrays, stopped, repeated
        self._counts = ConditionCounts(arrays)
        self.scopes = {
            name: {domain: arrays.played(name, domain) for domain in scopes_of(arrays, name)}
            for name in arrays.labels
        }
        """Perturbation and severity -> domain, None for all -> where it is played."""
        scopes = {
            self._rated(played)
            for by_domain in self.scopes.values()
            for played in by_domain.values()
        }
        # All at once: one at a time would take a hundred times as long.
        scopes |= {(each,) for scope in scopes for each in scope}
        self._rates = rates_of(arrays, self._counts, scopes)
        self._differences = differences_of(arrays, self._counts, scopes)
        self._retentions = retentions_of(arrays, self._counts, scopes)

    def _rated(self, played: Sequence[PlayedCondition]) -> tuple[PlayedCondition, ...]:
        return tuple(each for each in played if self._arrays.has_success(each.item))

    def of_task(self, name: str, played: PlayedCondition) -> PerturbationRow:
        """The row of one task."""
        arrays, (number, condition) = self._arrays, played
        item = arrays.plan.items[number]
        row = self._row(name, [played], item.task.domain, item)
        scores = arrays.score[number][condition]
        known = scores[np.isfinite(scores)]
        if len(known):
            row["score_mean"] = float(known.mean())
        if not arrays.has_success(number):
            changes = scores - arrays.score[number][0]
            changes = np.sort(changes[np.isfinite(changes)])
            if len(changes):
                row |= {"pairs": len(changes), "score_difference": mean_of_scores([changes])}
        return self._bounded(row, [played])

    def of_scope(
        self, name: str, domain: str | None, played: Sequence[PlayedCondition]
    ) -> PerturbationRow:
        """The row of the tasks of a domain, or of all, together."""
        return self._bounded(self._row(name, played, domain, None), played)

    def _bounded(self, row: dict[str, Any], played: Sequence[PlayedCondition]) -> PerturbationRow:
        """The row; without bounds where its cases are no sample that has an interval."""
        why = STOPPED if self._stopped else ""
        if any(each.item in self._repeated for each in played):
            why = REPEATED
        if not all(self._counts.is_prefix[each] for each in played):
            why = NOT_FIRST
        if not why:
            return PerturbationRow(**row)
        row |= {name: without_bounds(row.get(name)) for name in ESTIMATES[PerturbationRow]}
        if (scores := row["scores"]) is not None:
            bare = {name: without_bounds(getattr(scores, name)) for name in ESTIMATES[ScoreEffects]}
            row["scores"] = dataclasses.replace(scores, **bare)
        return PerturbationRow(**row, no_interval=why)

    def _row(
        self,
        name: str,
        played: Sequence[PlayedCondition],
        domain: str | None,
        item: PlanItem | None,
    ) -> dict[str, Any]:
        """The figures of these tasks together; `item` where they are one task."""
        arrays, counts = self._arrays, self._counts
        perturbation, _, severity = name.rpartition(":")
        rated = self._rated(played)
        seen = [each for each in rated if counts.n[each]]
        wins = [int(counts.wins[each]) for each in seen]
        episodes = [int(counts.n[each]) for each in seen]
        planned = sum(arrays.plan.items[each.item].episodes for each in played)
        n = sum(int(counts.n[each]) for each in played)
        scores = None if len(rated) == len(played) else score_effects(arrays, played)
        normalised = [won / count for won, count in zip(wins, episodes)]
        if scores is not None and scores.mean is not None:
            normalised += [scores.mean.value] * scores.tasks
        at_worst = [
            int(counts.wins[each]) / arrays.plan.items[each.item].episodes for each in rated
        ]
        whole = sum(int(counts.whole[each]) for each in played)
        paired = [each for each in rated if counts.pairs[each]]
        row: dict[str, Any] = {
            "perturbation": perturbation,
            "severity": int(severity),
            "task": None if item is None else item.task.id,
            "domain": domain,
            "suite": None if item is None else item.suite,
            "rule": None if item is None else item.task.rule,
            "tasks": len(rated),
            "planned": planned,
            "n": n,
            "successes": sum(wins) if rated else None,
            "agent_errors": sum(int(counts.agent_errors[each]) for each in played),
            "errors": sum(int(counts.errors[each]) for each in played),
            "partial": n < planned,
            "interval": self._rates.get(rated),
            "rate_if_missing_fail": sum(at_worst) / len(at_worst) if at_worst else None,
            "normalised": sum(normalised) / len(normalised) if normalised else None,
            "steps_mean": sum(int(counts.steps[each]) for each in played) / whole
            if whole
            else None,
            "pairs": sum(int(counts.pairs[each]) for each in paired),
            "scores": scores,
            "interaction": _interaction(arrays, name, [each.item for each in played]),
        }
        if paired:
            retention = self._retentions.get(rated)
            row |= {
                "control_rate": sum(
                    int(counts.before[each]) / int(counts.pairs[each]) for each in paired
                )
                / len(paired),
                "difference": self._differences[rated],
                "relative_drop": _relative_drop(retention),
                "retention": retention,
            }
        if perturbation.split("+")[-1] == "burst":
            row |= _recovery(arrays, rated)
        return row


def _recovery(arrays: CaseArrays, rated: Sequence[PlayedCondition]) -> dict[str, Any]:
    """How many of the cases with a burst and a control that succeeds do so as well.

    Each of these cases weighs the same.
    """
    episodes, won = [], []
    for item, condition in rated:
        state = arrays.state[item]
        hit = (state[0] == SUCCEEDED) & (state[condition] >= FAILED) & arrays.burst[item][condition]
        episodes.append(np.flatnonzero(hit))
        won.append(state[condition][hit] == SUCCEEDED)
    recovered, bursts = sum(int(each.sum()) for each in won), sum(map(len, won))
    if not bursts:
        return {"recovery": None, "recovery_n": 0}
    design = pooled_design(arrays, [each.item for each in rated], episodes, won)
    return {"recovery": mean_of_rates([recovered], [bursts], design=design), "recovery_n": bursts}


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


def _interaction(arrays: CaseArrays, name: str, items: Sequence[int]) -> Interval | None:
    """Of a combination of two perturbations, over the tasks that also played each of them alone."""
    parts = name.split("+")
    if len(parts) != 2:
        return None
    values, played, episodes = [], [], []
    for item in items:
        conditions = [0, *(arrays.condition(item, part) for part in (*parts, name))]
        if not arrays.has_success(item) or None in conditions:
            continue
        state = arrays.state[item][[condition for condition in conditions if condition is not None]]
        whole = (state >= FAILED).all(axis=0)
        none, one, other, both = (state[:, whole] == SUCCEEDED).astype(np.float64)
        if whole.any():
            values.append(both - one - other + none)
            played.append(item)
            episodes.append(np.flatnonzero(whole))
    return mean_of_halves(values, designs_of_values(arrays, played, episodes, values))


def mean_of_halves(values: Sequence[np.ndarray], designs: np.ndarray) -> Interval | None:
    """paired_difference of values in [-2, 2]: the differences of two differences of successes.

    Half of each value lies in [-1, 1] as that asks for. designs: the design effect of each task.
    None without a task.
    """
    if not values:
        return None
    half = paired_difference([each / 2 for each in values], design=designs)
    return Interval(2 * half.value, 2 * half.low, 2 * half.high)

"""The sequential test of the gate: it takes complete rounds and may decide after each of them.

A round is one value for each task. The statistics are in harness/stats/sequential.py.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import replace

import numpy as np

from harness.compare.comparison import Comparison, GroupRow, PairRow
from harness.compare.further_pairs import spread_of
from harness.compare.pairs import TaskPairs
from harness.compare.shared_seeds import designs_of_pairs
from harness.compare.verdict import compare_pairs
from harness.stats import Interval, anytime_mean, by_family, holm, log_stake
from harness.stats.sequential import FRACTIONS, log_stakes

__all__ = ["SequentialTest", "compare_anytime", "compare_stopped", "patience"]


class SequentialTest:
    """Tests of paired differences in [-1, 1], one value for each task and round.

    Three tests hold at every look, each at level alpha / 2:

    pass      the mean over tasks exceeds -margin
    regress   the mean over tasks is below 0
    worse     a task's own mean is below 0, corrected by Holm for the number of tasks

    The evidence of a test is the running maximum of its stake: what once refuted a hypothesis has
    refuted it. An early pass additionally waits (a) for the round `patience`, in which a task that
    lost every case would have been found, and (b) until no task is below 0 by its own uncorrected
    test. Both only make a pass rarer, so its level holds.
    """

    def __init__(self, families: Sequence[Hashable], margin: float, alpha: float) -> None:
        """families: for each task, equal where the values of a round may depend on one another."""
        self._margin, self._alpha, self._families = margin, alpha, families
        tasks = len(families)
        self._stakes = {"pass": np.zeros(len(FRACTIONS)), "regress": np.zeros(len(FRACTIONS))}
        self._task_stakes = np.zeros((tasks, len(FRACTIONS)))
        self._evidence = {"pass": -math.inf, "regress": -math.inf}
        self._task_evidence = np.full(tasks, -math.inf)
        self._task_now = np.zeros(tasks)
        self._patience = patience(tasks, alpha)
        self.rounds = 0

    def add(self, differences: np.ndarray) -> None:
        """Take one complete round, shape (tasks,)."""
        # A difference d in [-1, 1] is the value (1 + d) / 2 in [0, 1]: no difference is 1/2.
        values = (1 + np.asarray(differences, dtype=np.float64)) / 2
        self.rounds += 1
        own, weights = by_family(values[None, :], self._families)
        for name, side, mean in (("pass", own, (1 - self._margin) / 2), ("regress", 1 - own, 0.5)):
            self._stakes[name] += log_stakes(side, mean, weights)[0]
            self._evidence[name] = max(self._evidence[name], float(_total(self._stakes[name])))
        self._task_stakes += log_stakes((1 - values)[:, None, None], np.full(len(values), 0.5))[
            :, 0
        ]
        self._task_now = _total(self._task_stakes)
        self._task_evidence = np.maximum(self._task_evidence, self._task_now)

    def task_p(self) -> np.ndarray:
        """One-sided p-values of a loss, shape (tasks,), valid at every look (1 / stake)."""
        p: np.ndarray = np.minimum(1.0, np.exp(-np.maximum(self._task_evidence, 0.0)))
        return p

    def worse(self) -> list[int]:
        """The tasks that are significantly worse after Holm."""
        return [task for task, p in enumerate(holm(self.task_p().tolist())) if p <= self._alpha / 2]

    def look(self, *, last: bool = False) -> str | None:
        """`pass` or `regress` if this round decides, else None.

        last: no further round will come, so that a pass need not wait.
        """
        threshold = math.log(2 / self._alpha)
        if self.worse():
            return "regress"
        if self._evidence["pass"] >= threshold:
            waits = self.rounds < self._patience or bool(
                (self._task_now >= math.log(1 / self._alpha)).any()
            )
            return "pass" if last or not waits else None
        return "regress" if self._evidence["regress"] >= threshold else None


def _total(stakes: np.ndarray) -> np.ndarray:
    """The log stake of the mixture, from the log stakes of its fractions on the last axis."""
    total: np.ndarray = np.logaddexp.reduce(stakes, axis=-1) - math.log(len(FRACTIONS))
    return total


def patience(tasks: int, alpha: float) -> int:
    """The round in which one of `tasks` tasks that loses every case is found to be worse."""
    rounds = 1
    while float(_total(rounds * np.log1p(FRACTIONS))) < math.log(2 * tasks / alpha):
        rounds += 1
    return rounds


def compare_anytime(
    tasks: Sequence[TaskPairs],
    differences: np.ndarray,
    margin: float,
    alpha: float,
    *,
    last: bool,
) -> Comparison:
    """The comparison after complete rounds; its intervals and p-values hold at every look.

    tasks: the pairs of these rounds. differences: shape (rounds, tasks). last: no further round
    will come.
    """
    fixed = compare_pairs(tasks, margin, alpha)
    seen = [each for each in tasks if each.pairs]
    families = [each.family for each in seen]
    test = SequentialTest(families, margin, alpha)
    decided = None
    for each in differences:
        test.add(each)
        decided = decided or test.look()
    decided = decided or test.look(last=last)
    worse = test.worse()
    p, adjusted = test.task_p(), holm(test.task_p().tolist())
    rows = tuple(
        _pair_row(row, differences[:, k], float(p[k]), adjusted[k], k in worse, margin, alpha)
        for k, row in enumerate(fixed.tasks)
    )
    of_domain = {
        domain.name: [k for k, row in enumerate(fixed.tasks) if row.domain == domain.name]
        for domain in fixed.domains
    }
    overall = _group_row(fixed.overall, differences, alpha, families) if fixed.overall else None
    if fixed.missing:
        verdict, why = "none", fixed.why
    else:
        verdict, why = _verdict(decided, [rows[k].task for k in worse], overall, margin)
    spread = spread_of([each.differences() for each in seen], designs_of_pairs(seen))
    # The stake of the best fraction grows by a factor of about exp(mean^2 / (2 E[d^2])) a pair.
    reach = math.sqrt(2 * math.log(2 * len(FRACTIONS) / alpha))
    return replace(
        fixed,
        verdict=verdict,
        why=why,
        method="anytime",
        overall=overall,
        domains=tuple(
            _group_row(domain, differences[:, chosen], alpha, [families[k] for k in chosen])
            for domain in fixed.domains
            for chosen in [of_domain[domain.name]]
        ),
        perturbations=(),
        improvement=None,
        tasks=rows,
        worse=tuple(rows[k].task for k in worse),
        more=spread.further_pairs(margin, reach)
        if spread is not None and verdict == "inconclusive"
        else None,
    )


def compare_stopped(tasks: Sequence[TaskPairs], margin: float, alpha: float) -> Comparison:
    """The comparison of runs of which one stopped for what it saw, such as a narrow interval.

    Its tasks have as many episodes as suited them. Bounds that hold at every look also hold at the
    last round that all tasks have, so the rest is left out. Raises UserError for limits out of
    range.
    """
    seen = [each for each in tasks if each.pairs]
    rounds = min((len(each.differences()) for each in seen), default=0)
    if not rounds:
        return compare_pairs(tasks, margin, alpha)
    cut = [_first_seeds(each, rounds) for each in tasks]
    changes = np.stack([each.differences() for each in cut if each.pairs], axis=1)
    return compare_anytime(cut, changes, margin, alpha, last=True)


def _first_seeds(each: TaskPairs, count: int) -> TaskPairs:
    kept = set(list(dict.fromkeys(pair.seed for pair in each.pairs))[:count])
    return replace(each, pairs=tuple(pair for pair in each.pairs if pair.seed in kept))


def _verdict(
    decided: str | None, worse: Sequence[str], overall: GroupRow | None, margin: float
) -> tuple[str, str]:
    """The verdict, and why."""
    low, high = (overall.difference.low, overall.difference.high) if overall else (-1.0, 1.0)
    if decided == "regress" and worse:
        which = f"{len(worse)} tasks are" if len(worse) > 1 else f"{worse[0]} is"
        return "regress", f"{which} significantly worse after correction"
    if decided == "regress":
        return "regress", (
            f"the mean difference is below 0 ({100 * high:+.1f} points at most, at every look)"
        )
    if decided == "pass":
        return "pass", (
            f"the mean difference is above {-100 * margin:+.1f} points "
            f"({100 * low:+.1f} at least, at every look), no task is worse"
        )
    return "inconclusive", (
        f"the mean difference may lie anywhere from {100 * low:+.1f} to {100 * high:+.1f} points"
    )


def _pair_row(
    row: PairRow,
    values: np.ndarray,
    p: float,
    adjusted: float,
    worse: bool,
    margin: float,
    alpha: float,
) -> PairRow:
    """p, adjusted: one-sided; the row holds two-sided ones."""
    difference = _with_anytime_bounds(row.difference, values, alpha)
    verdict = "worse" if worse else "no worse" if difference.low > -margin else "open"
    return replace(
        row,
        difference=difference,
        p=min(1.0, 2 * p),
        adjusted=min(1.0, 2 * adjusted),
        verdict=verdict,
        detectable=None,
    )


def _group_row(
    row: GroupRow, values: np.ndarray, alpha: float, families: Sequence[Hashable]
) -> GroupRow:
    return replace(
        row,
        difference=_with_anytime_bounds(row.difference, values, alpha, families),
        p=min(1.0, 2 * math.exp(-_largest_log_stake(values, families))),
        wider=None,
    )


def _with_anytime_bounds(
    found: Interval, values: np.ndarray, alpha: float, families: Sequence[Hashable] | None = None
) -> Interval:
    """values: differences of shape (rounds,) or (rounds, tasks)."""
    low, high = (2 * bound - 1 for bound in anytime_mean((1 + values) / 2, alpha, families))
    return Interval(found.value, low, high)


def _largest_log_stake(values: np.ndarray, families: Sequence[Hashable]) -> float:
    """Of the bets on a gain and on a loss, at their best look."""
    if not len(values):
        return 0.0
    own, weights = by_family(values, families)
    sides = ((1 + side * own) / 2 for side in (1, -1))
    return max(0.0, *(float(log_stake(each, 0.5, weights).max()) for each in sides))

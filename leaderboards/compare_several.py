"""`bench compare A B C ...`: three runs or more on the cases that all of them have a score of."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from harness.compare.pairs import Key, ScoredRun, TaskPairs, pair_notes, pair_up
from harness.compare.privilege import privilege_notes
from harness.compare.verdict import check_limits, compare_pairs
from harness.core import UserError
from harness.core.grammar import counted
from harness.stats import Interval, holm
from harness.stats.several import CochranQ, cochran_q, letters, rank_bounds
from leaderboards.compare import agent_of, clock_of, refuse_same_run, stopped_for_what_it_saw

__all__ = ["Contrast", "Ranked", "Several", "compare_several", "shared_cases"]

MOST_RUNS = 50


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """One of the runs. Rates are means over tasks, each weighing the same."""

    run: str
    agent: str
    rate: float | None
    """Of successes, over the tasks that have a success; None without one."""
    letters: str
    """Two runs that share a letter cannot be told apart."""
    rank_low: int
    """The best rank that it may have, from 1 on; all ranks lie in their bounds with a chance of at
    least 1 - alpha."""
    rank_high: int


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """Two of the runs: the paired difference of their means over tasks, `new` minus `base`."""

    base: str
    new: str
    difference: Interval
    """At level 1 - alpha, for this pair alone."""
    p: float
    adjusted: float
    """By Holm over all pairs."""
    differ: bool
    """adjusted <= alpha."""


@dataclass(frozen=True, kw_only=True)
class Several:
    """The comparison. It has no verdict: that is for two."""

    alpha: float
    tasks: int
    cases: int
    q: CochranQ | None
    """Over the cases of tasks that have a success; None without one."""
    runs: tuple[Ranked, ...]
    """From the best to the worst, as they were seen."""
    contrasts: tuple[Contrast, ...]
    notes: tuple[str, ...]


def compare_several(runs: Sequence[ScoredRun], alpha: float) -> Several:
    """Compare three runs or more.

    Only cases count that have a score in all of them and started alike. Every pair is tested as
    `bench compare` tests two runs, with Holm's correction over the pairs.

    Raises UserError where two are the same run, protocols differ, or no case is shared by all.
    """
    check_limits(0.05, alpha)
    if len(runs) > MOST_RUNS:
        raise UserError(f"{len(runs)} runs are too many to compare at once; {MOST_RUNS} at most")
    names = [run.name for run in runs]
    for number, run in enumerate(runs):
        if stopped_for_what_it_saw(run):
            raise UserError(
                f"{run.name} could stop for what it saw: compare such runs two at a time"
            )
        for other in runs[:number]:
            refuse_same_run(other, run)
    paired = [pair_up(runs[0], other) for other in runs[1:]]
    common, left_out = _common(runs, paired)
    kept = [_only(run, common) for run in runs]
    found: dict[tuple[int, int], tuple[Interval, float]] = {}
    for i in range(len(kept)):
        for j in range(i + 1, len(kept)):
            overall = compare_pairs(pair_up(kept[i], kept[j]), 0.05, alpha).overall
            assert overall is not None
            found[i, j] = overall.difference, overall.p
    adjusted = dict(zip(found, holm([p for _, p in found.values()])))
    wins = np.zeros((len(runs), len(runs)))
    """wins[i, j]: the difference i minus j."""
    for (i, j), (difference, _) in found.items():
        wins[i, j], wins[j, i] = -difference.value, difference.value
    order = sorted(range(len(runs)), key=lambda each: (-wins[each].sum(), names[each]))
    differ = np.zeros(wins.shape, bool)
    for (i, j), p in adjusted.items():
        differ[i, j] = differ[j, i] = p <= alpha
    better = differ & (wins > 0)
    ranks = rank_bounds(better.tolist())
    shown = letters(differ[np.ix_(order, order)])
    return Several(
        alpha=alpha,
        tasks=len({key[0] for key in common}),
        cases=len(common),
        q=_cochran(kept, common),
        runs=tuple(
            Ranked(
                run=names[number],
                agent=agent_of(runs[number]),
                rate=_rate(kept[number]),
                letters=shown[place],
                rank_low=ranks[number][0],
                rank_high=ranks[number][1],
            )
            for place, number in enumerate(order)
        ),
        contrasts=tuple(
            Contrast(
                base=names[i],
                new=names[j],
                difference=difference,
                p=p,
                adjusted=adjusted[i, j],
                differ=adjusted[i, j] <= alpha,
            )
            for (i, j), (difference, p) in found.items()
        ),
        notes=tuple(dict.fromkeys([*_notes(runs, paired, len(common), left_out)])),
    )


def shared_cases(runs: Sequence[ScoredRun]) -> list[Key]:
    """The cases that compare_several compares. Raises UserError where there is none."""
    return _common(runs, [pair_up(runs[0], other) for other in runs[1:]])[0]


def _common(
    runs: Sequence[ScoredRun], paired: Sequence[Sequence[TaskPairs]]
) -> tuple[list[Key], int]:
    """The cases that pair in the first run and each other one; and how many others there are."""
    common = set.intersection(
        *(
            {(each.task.id, pair.seed, pair.perturbations) for each in tasks for pair in each.pairs}
            for tasks in paired
        )
    )
    if not common:
        raise UserError("no case has a score in all of these runs and started alike in them")
    every = set().union(*(run.values for run in runs))
    return sorted(common), len(every) - len(common)


def _only(run: ScoredRun, cases: Sequence[Key]) -> ScoredRun:
    """The run with no other scores than those of these cases."""
    return dataclasses.replace(run, values={key: run.values[key] for key in cases})


def _with_success(run: ScoredRun) -> dict[str, str]:
    """Task id -> its family, of the tasks that have a success."""
    return {item.task.id: item.family for item in run.plan.items if item.task.success is not None}


def _cochran(runs: Sequence[ScoredRun], cases: Sequence[Key]) -> CochranQ | None:
    families = _with_success(runs[0])
    rated = [key for key in cases if key[0] in families]
    if not rated:
        return None
    table = np.array([[run.values[key] > 0.5 for run in runs] for key in rated])
    # Tasks of one family that share a seed may share its room, and conditions of a seed do.
    places = {place: k for k, place in enumerate({(families[key[0]], key[1]) for key in rated})}
    return cochran_q(table, np.array([places[families[key[0]], key[1]] for key in rated]))


def _rate(run: ScoredRun) -> float | None:
    tasks = _with_success(run)
    by_task: dict[str, list[float]] = {}
    for key, value in run.values.items():
        if key[0] in tasks:
            by_task.setdefault(key[0], []).append(value)
    means = [sum(values) / len(values) for values in by_task.values()]
    return sum(means) / len(means) if means else None


def _notes(
    runs: Sequence[ScoredRun],
    paired: Sequence[Sequence[TaskPairs]],
    cases: int,
    left_out: int,
) -> Iterator[str]:
    if left_out:
        yield (
            f"{counted(left_out, 'case')} of these runs "
            + ("has" if left_out == 1 else "have")
            + f" no score in all of them, or did not start alike: not compared; {cases} are"
        )
    for other, tasks in zip(runs[1:], paired):
        yield from privilege_notes(runs[0], other)
        if other.plan.clock != runs[0].plan.clock:
            yield (
                f"control clocks differ: {runs[0].name} {clock_of(runs[0])}, "
                f"{other.name} {clock_of(other)}"
            )
        yield from pair_notes(tasks)

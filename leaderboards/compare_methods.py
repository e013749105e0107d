"""`bench compare --method A=RUN,RUN,... --method B=...`: methods, each by several trainings."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.compare.methods import CommonCases, Method, PlayedCases, refuse_no_trainings
from harness.compare.pairs import pair_notes
from harness.compare.privilege import privilege_notes
from harness.compare.verdict import check_limits
from harness.core import UserError
from harness.core.grammar import counted
from harness.stats import Estimate, holm
from harness.stats.several import letters, rank_bounds
from harness.stats.trainings import ENOUGH_TRAININGS
from leaderboards.compare import agent_of, clock_of, refuse_same_run, stopped_for_what_it_saw

__all__ = [
    "MethodContrast", "MethodRow", "MethodTask", "MethodsCompared", "compare_methods",
    "method_contrasts", "method_rows", "played_by",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class MethodRow:
    """One method. Rates are means over its trainings and over tasks, each weighing the same."""

    method: str
    runs: tuple[str, ...]
    """One for each training."""
    agents: tuple[str, ...]
    rate: Estimate | None
    """Of successes, over the tasks that have a success; None without one. With bounds for other
    trainings and other episodes."""
    between: Estimate | None
    """The standard deviation of that rate between trainings; None where it has no bounds: two
    trainings say next to nothing of how trainings differ."""
    letters: str
    """Methods that share a letter cannot be told apart."""
    rank_low: int
    rank_high: int
    """All ranks lie in their bounds with a chance of 1 - alpha or more."""


@dataclass(frozen=True, kw_only=True)
class MethodContrast:
    """Two of the methods: the difference of their means over trainings, `new` minus `base`."""

    base: str
    new: str
    difference: Estimate
    """At level 1 - alpha, for this pair alone."""
    p: float | None
    """None, as the bounds, where a method has too few trainings."""
    adjusted: float | None
    """By Holm over all pairs."""
    differ: bool
    """adjusted <= alpha."""


@dataclass(frozen=True, kw_only=True)
class MethodTask:
    """One task, of two methods."""

    task: str
    domain: str
    measure: str
    n: int
    """Seeds that all trainings played."""
    base: float | None
    new: float | None
    difference: Estimate
    p: float | None
    adjusted: float | None
    """By Holm over tasks."""
    verdict: str
    """As harness.compare.comparison.PairRow has it."""


@dataclass(frozen=True, kw_only=True)
class MethodsCompared:
    """The comparison of methods; with a verdict if there are two."""

    alpha: float
    margin: float
    verdict: str | None
    """`pass`, `regress`, `inconclusive`, `none` while a case has no score; None of more."""
    why: str
    cases: int
    methods: tuple[MethodRow, ...]
    """Two in the order in which they were named; more from the best to the worst as seen."""
    contrasts: tuple[MethodContrast, ...]
    tasks: tuple[MethodTask, ...]
    """Of two methods."""
    notes: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """0 pass, or no verdict because there are more than two; 1 regress, 3 inconclusive, 4."""
        codes = {None: 0, "pass": 0, "regress": 1, "inconclusive": 3, "none": 4}
        return codes[self.verdict]


def compare_methods(methods: Sequence[Method], margin: float, alpha: float) -> MethodsCompared:
    """Compare two methods or more by the runs of their trainings.

    Only cases count that have a score in all runs and started alike in them. The verdict is found
    as that of `bench compare`, from bounds for other trainings and other episodes.

    Raises UserError where the runs are no trainings of methods, where two are the same run, where
    protocols differ or a run could stop for what it saw, and where no case is shared by all.
    """
    check_limits(margin, alpha)
    played = played_by(methods)
    common = played.common(methods)
    contrasts = method_contrasts([method.name for method in methods], common, alpha)
    tasks = _tasks(methods, common, margin, alpha) if len(methods) == 2 else ()
    verdict, why = None, ""
    if len(methods) == 2:
        verdict, why = _verdict(methods, contrasts[0], tasks, played.missing, margin)
    return MethodsCompared(
        alpha=alpha,
        margin=margin,
        verdict=verdict,
        why=why,
        cases=len(played.keys),
        methods=method_rows(
            {
                method.name: (
                    tuple(run.name for run in method.runs),
                    tuple(dict.fromkeys(map(agent_of, method.runs))),
                )
                for method in methods
            },
            common,
            contrasts,
            alpha,
        ),
        contrasts=contrasts,
        tasks=tasks,
        notes=tuple(dict.fromkeys(_notes(methods, played))),
    )


def played_by(methods: Sequence[Method]) -> PlayedCases:
    """The cases that all runs of these methods share. Raises UserError as compare_methods does."""
    refuse_no_trainings(methods)
    runs = [run for method in methods for run in method.runs]
    for number, run in enumerate(runs):
        if stopped_for_what_it_saw(run):
            raise UserError(
                f"{run.name} could stop for what it saw: play a fixed number of episodes of each "
                "training"
            )
        for other in runs[:number]:
            refuse_same_run(other, run)
    return PlayedCases(runs)


def method_contrasts(
    names: Sequence[str], common: CommonCases, alpha: float
) -> tuple[MethodContrast, ...]:
    """Every two of these methods, with Holm's correction over the pairs."""
    pairs = list(itertools.combinations(names, 2))
    found = [common.difference(base, new, 1 - alpha) for base, new in pairs]
    known = [p for _, p in found if p is not None]
    adjusted = iter(holm(known))
    rows = []
    for (base, new), (difference, p) in zip(pairs, found):
        corrected = None if p is None else next(adjusted)
        rows.append(
            MethodContrast(
                base=base,
                new=new,
                difference=difference,
                p=p,
                adjusted=corrected,
                differ=corrected is not None and corrected <= alpha,
            )
        )
    return tuple(rows)


def _tasks(
    methods: Sequence[Method], common: CommonCases, margin: float, alpha: float
) -> tuple[MethodTask, ...]:
    base, new = (method.name for method in methods)
    found = [common.difference(base, new, 1 - alpha, [k]) for k in range(len(common.tasks))]
    known = [p for _, p in found if p is not None]
    # Too few trainings of a method are too few in every task.
    corrected: Sequence[float | None] = holm(known) if known else [None] * len(found)
    return tuple(
        MethodTask(
            task=task.id,
            domain=task.domain,
            measure=common.measure(k),
            n=int(common.counts[k]),
            base=common.task_mean(base, k),
            new=common.task_mean(new, k),
            difference=difference,
            p=p,
            adjusted=adjusted,
            verdict=_task_verdict(difference, adjusted, margin, alpha),
        )
        for k, (task, (difference, p), adjusted) in enumerate(zip(common.tasks, found, corrected))
    )


def _task_verdict(found: Estimate, adjusted: float | None, margin: float, alpha: float) -> str:
    if adjusted is not None and adjusted <= alpha and found.value != 0:
        return "worse" if found.value < 0 else "better"
    return "no worse" if found.low is not None and found.low > -margin else "open"


def _verdict(
    methods: Sequence[Method],
    overall: MethodContrast,
    tasks: Sequence[MethodTask],
    missing: int,
    margin: float,
) -> tuple[str, str]:
    if missing:
        return "none", (
            f"a run lacks a score of {counted(missing, 'case')}: its command plays them again"
        )
    low, high = overall.difference.low, overall.difference.high
    if low is None or high is None:
        least = min(methods, key=lambda method: len(method.runs))
        return "inconclusive", (
            f"{len(least.runs)} trainings of {least.name} are too few to tell how they differ: "
            f"play {ENOUGH_TRAININGS} or more of each method"
        )
    worse = [row.task for row in tasks if row.verdict == "worse"]
    if worse:
        which = f"{len(worse)} tasks are" if len(worse) > 1 else f"{worse[0]} is"
        return "regress", f"{which} significantly worse after correction"
    if low > -margin:
        return "pass", (
            f"the mean difference is above {_points(-margin)} ({_points(low)} at least), and no "
            "task is significantly worse"
        )
    if high < 0:
        return "regress", f"the mean difference is below 0 ({_points(high)} at most)"
    return "inconclusive", (
        f"the mean difference may lie anywhere from {_points(low)} to {_points(high)}"
    )


def _points(share: float) -> str:
    return f"{100 * share:+.1f} points"


def method_rows(
    members: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]],
    common: CommonCases,
    contrasts: Sequence[MethodContrast],
    alpha: float,
) -> tuple[MethodRow, ...]:
    """The methods; three or more from the best to the worst as they were seen.

    members: by method the names of its runs, and of their agents.
    """
    names = list(members)
    places = {name: number for number, name in enumerate(names)}
    ahead, differ = np.zeros((len(names),) * 2), np.zeros((len(names),) * 2, bool)
    for row in contrasts:
        i, j = places[row.base], places[row.new]
        ahead[i, j], ahead[j, i] = -row.difference.value, row.difference.value
        differ[i, j] = differ[j, i] = row.differ
    order = list(range(len(names)))
    if len(names) > 2:
        order.sort(key=lambda each: (-ahead[each].sum(), names[each]))
    shown = letters(differ[np.ix_(order, order)])
    ranks = rank_bounds((differ & (ahead > 0)).tolist())
    return tuple(
        MethodRow(
            method=names[number],
            runs=members[names[number]][0],
            agents=members[names[number]][1],
            rate=common.mean(names[number], 1 - alpha),
            between=_bounded(common.between_trainings(names[number], 1 - alpha)),
            letters=shown[place],
            rank_low=ranks[number][0],
            rank_high=ranks[number][1],
        )
        for place, number in enumerate(order)
    )


def _bounded(found: Estimate | None) -> Estimate | None:
    return None if found is None or found.low is None else found


def _notes(methods: Sequence[Method], played: PlayedCases) -> Iterator[str]:
    few = [method for method in methods if len(method.runs) < ENOUGH_TRAININGS]
    if few:
        yield (
            f"{', '.join(method.name for method in few)}: no interval by {len(few[0].runs)} "
            f"trainings, from {ENOUGH_TRAININGS} on"
        )
    if played.left_out:
        yield (
            f"{counted(played.left_out, 'case')} of these runs "
            + ("has" if played.left_out == 1 else "have")
            + " no score in all of them, or did not start alike: not compared; "
            f"{len(played.keys)} are"
        )
    runs = [run for method in methods for run in method.runs]
    for other, tasks in zip(runs[1:], played.paired):
        yield from privilege_notes(runs[0], other)
        if other.plan.clock != runs[0].plan.clock:
            yield (
                f"control clocks differ: {runs[0].name} {clock_of(runs[0])}, "
                f"{other.name} {clock_of(other)}"
            )
        yield from pair_notes(tasks)

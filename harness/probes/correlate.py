"""`bench correlate`: which simulator predicts the robot, and what its cases add to few trials.

A *variant* is a way to simulate: a suite, a perturbation of it, a backend. Policies are compared by
their means over the tasks that all of them were tried in, on the robot and in the variant.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.compare.pairs import ScoredRun
from harness.core import Perturbation, UserError
from harness.core.grammar import counted
from harness.records.plan import label
from harness.records.trials import Trial
from harness.stats import Estimate, Interval, mean_of_rates
from harness.stats.agreement import (
    correlation_difference,
    mean_maximum_rank_violation,
    pearson,
    powered_rate,
    spearman,
)
from harness.stats.repeated import mean_of_shares

__all__ = ["Agreement", "Apart", "Correlation", "Powered", "RealRate", "correlate"]

ALPHA = 0.05
ENOUGH_TRIED = 20
"""Cases that were tried on the robot from which on simulated ones are put to use."""
Outcomes = dict[str, dict[str, float]]
"""By task and case id the success, 1 or 0."""


@dataclass(frozen=True, kw_only=True)
class RealRate:
    """A policy on the robot: the mean over its tasks."""

    policy: str
    tasks: int
    trials: int
    blinded: int
    """Trials of which it is told that whoever judged did not know the policy."""
    rate: Interval


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """One variant beside the robot, over the tasks that all of its policies were tried in."""

    variant: str
    tasks: int
    policies: tuple[str, ...]
    simulated: tuple[Interval, ...]
    """Of each policy the mean over these tasks."""
    real: tuple[Interval, ...]
    pearson: Estimate | None
    """None, as the next two, below ENOUGH_POLICIES."""
    spearman: Estimate | None
    violation: Estimate | None
    """The mean maximum rank violation."""


@dataclass(frozen=True, kw_only=True)
class Apart:
    """Two variants of which one correlates more with the robot."""

    better: str
    other: str
    difference: Interval
    """Of Pearson's correlations, at a level at which those of all pairs hold together."""


@dataclass(frozen=True, kw_only=True)
class Powered:
    """The real rate of a policy over the trials that repeat a simulated case."""

    policy: str
    variant: str
    cases: int
    """Simulated cases that were tried on the robot."""
    further: int
    """Simulated cases of these tasks that were not."""
    alone: Interval
    """By the trials alone."""
    powered: Interval | None
    """With the simulated cases too; None below ENOUGH_TRIED."""
    power: float | None


@dataclass(frozen=True, kw_only=True)
class Correlation:
    """What came of it."""

    policies: tuple[RealRate, ...]
    variants: tuple[Agreement, ...]
    apart: tuple[Apart, ...]
    compared: int
    """Pairs of variants that were tested."""
    powered: tuple[Powered, ...]
    notes: tuple[str, ...]


def correlate(runs: Sequence[tuple[str, ScoredRun]], trials: Sequence[Trial]) -> Correlation:
    """Compare simulated runs, each with the name of its policy, with trials on the robot.

    Raises UserError where no policy and task of the trials was simulated, where a policy has two
    runs of one variant, and for a run that could stop for what it saw.
    """
    real: dict[str, dict[str, list[Trial]]] = {}
    for each in trials:
        real.setdefault(each.policy, {}).setdefault(each.task, []).append(each)
    known = {each.case for each in trials if each.case is not None}
    variants = _variants(runs, known)
    simulated = {(policy, task) for by in variants.values() for policy in by for task in by[policy]}
    if not any((policy, task) in simulated for policy in real for task in real[policy]):
        raise UserError(_nothing_shared(simulated, trials))
    agreements = [
        found for name, by in variants.items() if (found := _agreement(name, by, real)) is not None
    ]
    apart, compared = _apart(agreements)
    return Correlation(
        policies=tuple(_real_rate(policy, by) for policy, by in real.items()),
        variants=tuple(agreements),
        apart=tuple(apart),
        compared=compared,
        powered=tuple(_powered(variants, real)),
        notes=(*_unfinished(runs), *_notes(real, variants, trials)),
    )


def _variants(
    runs: Sequence[tuple[str, ScoredRun]], known: set[str]
) -> dict[str, dict[str, Outcomes]]:
    """By variant and policy the outcomes of tasks with a success.

    known: the ids of cases that trials repeat; others get a number for a name.
    """
    found: dict[str, dict[str, Outcomes]] = {}
    for policy, run in runs:
        if run.run.get("stopped") or str(run.run.get("stopping", "")).startswith("until"):
            raise UserError(
                f"{run.name} could stop for what it saw, so its rates are biased: play a fixed "
                "number of episodes"
            )
        own: dict[str, Outcomes] = {}
        for key, value in run.values.items():
            index = run.plan.locate(*key)
            assert index is not None  # values are of the plan
            item = run.plan.items[index.item]
            if item.task.success is None:
                continue
            case = run.plan.case(index).id if known else ""
            name = case if case in known else f"#{index.condition}.{index.episode}"
            variant = _name_of(item.suite, run.plan.conditions[index.condition], run.plan.backend)
            own.setdefault(variant, {}).setdefault(item.task.id, {})[name] = value
        for variant, outcomes in own.items():
            if policy in found.setdefault(variant, {}):
                raise UserError(
                    f"{policy} has two runs of {variant}: name one, or tell policies apart as "
                    "NAME=RUN"
                )
            found[variant][policy] = outcomes
    return found


def _name_of(suite: str, perturbations: Sequence[Perturbation], backend: str) -> str:
    name = f"{suite}, {label(perturbations)}" if perturbations else suite
    return f"{name} ({backend})" if backend else name


def _agreement(
    variant: str,
    simulated: Mapping[str, Outcomes],
    real: Mapping[str, Mapping[str, Sequence[Trial]]],
) -> Agreement | None:
    policies = [policy for policy in real if set(real[policy]) & set(simulated.get(policy, ()))]
    if not policies:
        return None
    tasks = sorted(
        set.intersection(*(set(real[policy]) & set(simulated[policy]) for policy in policies))
    )
    if not tasks:
        return None
    there = [
        _rate([list(simulated[policy][task].values()) for task in tasks]) for policy in policies
    ]
    here = [
        _rate([[t.success for t in real[policy][task]] for task in tasks]) for policy in policies
    ]
    x, y = (np.array([each.value for each in side]) for side in (there, here))
    return Agreement(
        variant=variant,
        tasks=len(tasks),
        policies=tuple(policies),
        simulated=tuple(there),
        real=tuple(here),
        pearson=pearson(x, y, 1 - ALPHA),
        spearman=spearman(x, y, 1 - ALPHA),
        violation=mean_maximum_rank_violation(x, y, 1 - ALPHA),
    )


def _rate(tasks: Sequence[Sequence[float]]) -> Interval:
    return mean_of_rates([int(sum(each)) for each in tasks], [len(each) for each in tasks])


def _real_rate(policy: str, tasks: Mapping[str, Sequence[Trial]]) -> RealRate:
    trials = [trial for each in tasks.values() for trial in each]
    return RealRate(
        policy=policy,
        tasks=len(tasks),
        trials=len(trials),
        blinded=sum(trial.blinded is True for trial in trials),
        rate=_rate([[trial.success for trial in each] for each in tasks.values()]),
    )


def _apart(agreements: Sequence[Agreement]) -> tuple[list[Apart], int]:
    """The pairs of variants that are told apart, and how many were compared."""
    pairs = [
        (one, other)
        for one, other in itertools.combinations(agreements, 2)
        if one.policies == other.policies and one.real == other.real
        if isinstance(one.pearson, Interval) and isinstance(other.pearson, Interval)
    ]
    found = []
    for one, other in pairs:
        x, z, y = (
            np.array([each.value for each in side])
            for side in (one.simulated, other.simulated, one.real)
        )
        difference = correlation_difference(x, z, y, 1 - ALPHA / len(pairs))
        if difference is None or difference.low <= 0 <= difference.high:
            continue
        if difference.value < 0:
            one, other = other, one
            difference = Interval(-difference.value, -difference.high, -difference.low)
        found.append(Apart(better=one.variant, other=other.variant, difference=difference))
    return found, len(pairs)


def _powered(
    variants: Mapping[str, Mapping[str, Outcomes]],
    real: Mapping[str, Mapping[str, Sequence[Trial]]],
) -> Iterator[Powered]:
    for variant, by_policy in variants.items():
        for policy, tasks in by_policy.items():
            tried, there, others = [], [], []
            for task, outcomes in tasks.items():
                by_case: dict[str, list[float]] = {}
                for trial in real.get(policy, {}).get(task, ()):
                    if trial.case is not None and trial.case in outcomes:
                        by_case.setdefault(trial.case, []).append(float(trial.success))
                rest = [value for case, value in outcomes.items() if case not in by_case]
                if by_case and rest:
                    tried.append(np.array([np.mean(each) for each in by_case.values()]))
                    there.append(np.array([outcomes[case] for case in by_case]))
                    others.append(np.array(rest))
            if not tried:
                continue
            cases = sum(map(len, tried))
            powered, power = None, None
            if cases >= ENOUGH_TRIED:
                powered, power = powered_rate(tried, there, others, 1 - ALPHA)
            yield Powered(
                policy=policy,
                variant=variant,
                cases=cases,
                further=sum(map(len, others)),
                alone=mean_of_shares(tried, 1 - ALPHA),
                powered=powered,
                power=power,
            )


def _unfinished(runs: Sequence[tuple[str, ScoredRun]]) -> Iterator[str]:
    for _, run in runs:
        if lacking := run.missing():
            yield (
                f"{run.name} lacks a score of {counted(lacking, 'case')}, so its rates may be off: "
                "its command plays them"
            )


def _notes(
    real: Mapping[str, Mapping[str, Sequence[Trial]]],
    variants: Mapping[str, Mapping[str, Outcomes]],
    trials: Sequence[Trial],
) -> Iterator[str]:
    played = {policy for by in variants.values() for policy in by}
    lone = [policy for policy in real if policy not in played]
    if lone:
        yield f"tried on the robot and not simulated: {_names(lone)}"
    lone = sorted(played - set(real))
    if lone:
        yield f"simulated and not tried on the robot: {_names(lone)}"
    tasks = {task for by in variants.values() for each in by.values() for task in each}
    lost = [each for each in dict.fromkeys(trial.task for trial in trials) if each not in tasks]
    if lost:
        yield f"no run here has the task of some trials, which are left out: {_names(lost)}"
    known = {
        case for by in variants.values() for each in by.values() for own in each.values()
        for case in own
    }  # fmt: skip
    unknown = sum(trial.case is not None and trial.case not in known for trial in trials)
    if unknown:
        yield f"{counted(unknown, 'trial')} repeat a case that no run here has"
    told = [trial for trial in trials if trial.blinded is not True]
    if told:
        yield (
            f"{len(told)} of {counted(len(trials), 'trial')} were not blinded, or it is not told: "
            "whoever judged may have known the policy"
        )


def _names(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _nothing_shared(simulated: set[tuple[str, str]], trials: Sequence[Trial]) -> str:
    policy, task = next(iter(sorted(simulated)), ("nothing", "nothing"))
    return (
        f"the trials and the runs share no policy with a task: trials have {trials[0].policy} on "
        f"{trials[0].task}, runs {policy} on {task}, among others. Write a run as POLICY=RUN, and "
        "the simulated task's id in the column task"
    )

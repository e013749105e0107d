"""The noise floor of a gate: in how many cases an agent that draws differs from itself."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np

from harness.compare.case_values import value_difference
from harness.compare.pairs import ScoredRun, TaskPairs, pair_up
from harness.core import UserError
from harness.records.plan_differences import differences
from harness.stats import Interval, design_effects
from harness.stats.repeated import mean_of_shares

__all__ = ["noise_floor"]


def noise_floor(base: ScoredRun, again: Sequence[ScoredRun]) -> Interval:
    """The mean over tasks of the squared differences between two plays of a case.

    For tasks with a success that is the share of cases in which one play succeeds and the other
    fails; a base without such tasks is taken by its scores (value_difference). Of several plays it
    is the mean over all pairs of them. The interval is over cases; see mean_of_shares.

    Raises UserError where a run is of another agent, of other cases, lacks a score, or is the same
    play as another one.
    """
    for run in again:
        _refuse_other(base, run)
    pairs = [pair_up(one, other) for one, other in itertools.combinations((base, *again), 2)]
    columns: dict[str, dict[int, list[float]]] = {}
    tasks: dict[str, TaskPairs] = {}
    rated = {each.task.id for found in pairs for each in found if each.measure == "success"}
    for each in itertools.chain.from_iterable(pairs):
        if rated and each.task.id not in rated:
            continue
        tasks.setdefault(each.task.id, each)
        seeds = columns.setdefault(each.task.id, {})
        for pair in each.pairs:
            change = value_difference(pair.base, pair.new, each.measure)
            seeds.setdefault(pair.seed, []).append(change**2)
    kept = [task for task, seeds in columns.items() if seeds]
    # Only seeds are independent of one another: conditions of a seed share its randomness.
    values = [np.array([np.mean(squares) for squares in columns[task].values()]) for task in kept]
    clusters = [np.array(list(columns[task])) for task in kept]
    design = design_effects(values, clusters, [tasks[task].family for task in kept])
    found = mean_of_shares(values, design=design)
    repeats = [run.plan.repeat for run in (base, *again)]
    if found.value == 0 and len(set(repeats)) < len(repeats):
        raise UserError(
            "--again: the runs are the same play, in which an agent draws the same numbers, and no "
            "case differs: `bench probe consistency` plays the cases with other draws"
        )
    return found


def _refuse_other(base: ScoredRun, run: ScoredRun) -> None:
    mine, theirs = (each.run["agent"]["fingerprint"] for each in (base, run))
    if mine != theirs:
        raise UserError(
            f"--again {run.name}: it was played by another agent ({theirs}) than {base.name} "
            f"({mine}); noise is that of one agent: name a second play of it"
        )
    whole = dataclasses.replace(run.stored.whole, repeat=base.stored.whole.repeat)
    other = next(differences(whole, base.stored.whole), None)
    if other is not None:
        raise UserError(
            f"--again {run.name}: it did not play the cases of {base.name} ({other}); name a "
            "second play of these"
        )
    lacking = run.missing()
    if lacking:
        raise UserError(
            f"--again {run.name}: {lacking} of its cases have no score; finish it with the command "
            "in its run.json"
        )

"""`bench probe rl-robustness`: several trainings of one agent, undisturbed and disturbed.

With SR a success rate, 0 the undisturbed control and p a disturbed condition:

    retention   SRp / SR0
    area        under SR over the severity, from the control at 0 (leaderboards/severities.py)
    gain        (SRp - SR0) - (SRp - SR0 of the base), paired by case
    gain of an area: the same with, in the place of SRp, the area under a case's success
    recovery    P(success | a burst of random actions took place, the control succeeds)
"""

from __future__ import annotations

import dataclasses
import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.compare.pairs import ScoredRun, TaskPairs, pair_notes, pair_up
from harness.compare.shared_seeds import designs_of_pairs
from harness.core import UserError
from harness.stats import Interval, paired_difference
from leaderboards.perturbed_results import FAILED, SUCCEEDED, CaseArrays, read_case_arrays
from leaderboards.robustness import mean_of_halves, robustness
from leaderboards.robustness_compare import RobustnessDelta, robustness_deltas
from leaderboards.schema import PerturbationRow
from leaderboards.shared_seeds import designs_of_values

__all__ = ["Arm", "AreaGain", "Change", "RlRobustness", "compare_arms", "clean_change"]


@dataclass(frozen=True, kw_only=True)
class Change:
    """Undisturbed success of an arm minus that of the base, on the same cases."""

    group: str
    """A domain; empty: all tasks."""
    tasks: int
    pairs: int
    base: float
    rate: float
    difference: Interval


@dataclass(frozen=True, kw_only=True)
class AreaGain:
    """How much more an arm keeps than the base, over all severities of a perturbation."""

    perturbation: str
    severities: tuple[int, ...]
    tasks: int
    cases: int
    """Cases that both played at all of these severities, and undisturbed."""
    gain: Interval


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One agent."""

    name: str
    agent: str
    """As it was given."""
    clean: Change | None
    """None for the base."""
    rows: tuple[PerturbationRow, ...]
    """Over all tasks; those without a severity hold the areas."""
    gains: tuple[RobustnessDelta, ...]
    """By perturbation and severity; none for the base."""
    areas: tuple[AreaGain, ...]
    not_played: tuple[Change, ...]
    """By domain, of the tasks that RL did not play."""


@dataclass(frozen=True, kw_only=True)
class RlRobustness:
    """What came of the probe: the first arm is the base."""

    arms: tuple[Arm, ...]
    clean_rate: float
    """Of the base."""
    missing: int
    """Planned cases without a score, over all arms."""
    agent_errors: int
    notes: tuple[str, ...]
    """On starts and renderers."""


def compare_arms(
    runs: Sequence[tuple[str, str, ScoredRun]], played_by_rl: Sequence[str], agent_errors: int = 0
) -> RlRobustness:
    """Compare the arms with the first one.

    `runs`: name, agent and run. `played_by_rl`: globs of the tasks that RL trained on; empty: it is
    not known. Raises UserError where runs share no case, or have no task with a success.
    """
    arrays = [read_case_arrays(run) for _, _, run in runs]
    base, base_run = arrays[0], runs[0][2]
    if not any(base.has_success(number) for number in range(len(base.plan.items))):
        raise UserError("none of these tasks has a success, so there is no rate that could fall")
    arms, notes = [], dict[str, None]()
    for (name, agent, run), mine in zip(runs, arrays):
        rows = tuple(row for row in robustness(mine) if row.task is None and row.domain is None)
        if mine is base:
            arms.append(Arm(name=name, agent=agent, clean=None, rows=rows, gains=(), areas=(),
                            not_played=()))  # fmt: skip
            continue
        deltas = robustness_deltas(base, mine)
        notes |= dict.fromkeys(pair_notes(_clean_pairs(base_run, run)))
        arms.append(
            Arm(
                name=name,
                agent=agent,
                clean=clean_change(base_run, run),
                rows=rows,
                gains=tuple(
                    each for each in deltas if each.domain is None and each.measure == "success"
                ),
                areas=tuple(_area_gains(base, mine)),
                not_played=tuple(_elsewhere(base_run, run, played_by_rl)),
            )
        )
    return RlRobustness(
        arms=tuple(arms),
        clean_rate=_clean_rate(base),
        missing=sum(run.missing() for _, _, run in runs),
        agent_errors=agent_errors,
        notes=tuple(notes),
    )


def clean_change(base: ScoredRun, new: ScoredRun) -> Change:
    """The difference of undisturbed success. Raises UserError where no case is shared."""
    return _change("", _clean_pairs(base, new))


def _clean_pairs(base: ScoredRun, new: ScoredRun) -> list[TaskPairs]:
    """The undisturbed pairs of tasks that have a success."""
    found = []
    for each in pair_up(base, new):
        clean = [pair for pair in each.pairs if not pair.perturbations]
        if clean and each.task.success is not None:
            found.append(dataclasses.replace(each, pairs=clean))
    if not found:
        raise UserError(
            f"{base.name} and {new.name} share no undisturbed case with a success: play both on "
            "the same tasks"
        )
    return found


def _change(group: str, pairs: Sequence[TaskPairs]) -> Change:
    changes = [each.differences() for each in pairs]
    return Change(
        group=group,
        tasks=len(pairs),
        pairs=sum(map(len, changes)),
        base=float(np.mean([np.mean([pair.base for pair in each.pairs]) for each in pairs])),
        rate=float(np.mean([np.mean([pair.new for pair in each.pairs]) for each in pairs])),
        difference=paired_difference(changes, 0.95, designs_of_pairs(pairs, changes)),
    )


def _elsewhere(base: ScoredRun, new: ScoredRun, played_by_rl: Sequence[str]) -> list[Change]:
    """By domain, the tasks that match none of the globs; nothing where there are no globs."""
    if not played_by_rl:
        return []
    groups: dict[str, list[TaskPairs]] = {}
    for each in _clean_pairs(base, new):
        name = each.task.id.partition("@")[0].lower()
        if not any(fnmatch.fnmatchcase(name, glob.lower()) for glob in played_by_rl):
            groups.setdefault(each.task.domain, []).append(each)
    return [_change(name, pairs) for name, pairs in groups.items()]


def _clean_rate(arrays: CaseArrays) -> float:
    rates = [
        (state[0] == SUCCEEDED).sum() / (state[0] >= FAILED).sum()
        for number, state in enumerate(arrays.state)
        if arrays.has_success(number) and (state[0] >= FAILED).any()
    ]
    return float(np.mean(rates)) if rates else 0.0


def _area_gains(base: CaseArrays, new: CaseArrays) -> list[AreaGain]:
    """For each perturbation that both played at two severities at least."""
    severities: dict[str, list[int]] = {}
    for label in new.labels:
        name, _, severity = label.rpartition(":")
        if label in base.labels:
            severities.setdefault(name, []).append(int(severity))
    found = []
    theirs = {item.protocol: number for number, item in enumerate(base.plan.items)}
    for name, levels in severities.items():
        levels = sorted(levels)
        if len(levels) < 2:
            continue
        values, items, episodes = [], [], []
        for number, item in enumerate(new.plan.items):
            other = theirs.get(item.protocol)
            if other is None or not new.has_success(number):
                continue
            mine = _area_minus_control(new, number, name, levels)
            its = _area_minus_control(base, other, name, levels)
            if mine is None or its is None:
                continue
            common = min(len(mine), len(its))
            difference = mine[:common] - its[:common]
            whole = np.isfinite(difference)
            if whole.any():
                values.append(difference[whole])
                items.append(number)
                episodes.append(np.flatnonzero(whole))
        gain = mean_of_halves(values, designs_of_values(new, items, episodes, values))
        if gain is not None:
            found.append(
                AreaGain(
                    perturbation=name,
                    severities=tuple(levels),
                    tasks=len(items),
                    cases=sum(map(len, values)),
                    gain=gain,
                )
            )
    return found


def _area_minus_control(
    arrays: CaseArrays, item: int, name: str, levels: Sequence[int]
) -> np.ndarray | None:
    """The area under each episode's success less that of its control, shape (episodes,).

    NaN where a result is missing; None where the item lacks one of the severities.
    """
    numbers = [arrays.condition(item, f"{name}:{level}") for level in levels]
    if None in numbers:
        return None
    state = arrays.state[item][[0, *(each for each in numbers if each is not None)]]
    won = np.where(state >= FAILED, (state == SUCCEEDED).astype(np.float64), np.nan)
    widths = np.diff([0, *levels])[:, None]
    area: np.ndarray = (widths * (won[1:] + won[:-1]) / 2).sum(axis=0) / levels[-1]
    change: np.ndarray = area - won[0]
    return change

"""Methods instead of checkpoints: several trainings of each, on the cases that all of them played.

Two runs are two checkpoints. What is said of a method speaks of its other trainings too, so the
unit is a training, and each has a run of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.compare.case_values import measure_of
from harness.compare.pairs import Key, ScoredRun, TaskPairs, pair_up
from harness.compare.shared_seeds import LEAST_SPREAD
from harness.compare.value_arrays import value_differences
from harness.core import Task, UserError
from harness.records.identity import UNNAMED
from harness.records.plan import PlanItem
from harness.stats import Estimate, design_effects
from harness.stats.trainings import (
    CrossedCases,
    Spread,
    difference_of_methods,
    mean_of_method,
    spread_between_trainings,
    spread_of,
)

__all__ = ["CommonCases", "Method", "PlayedCases", "refuse_no_trainings"]

MOST_TRAININGS = 100


@dataclass(frozen=True)
class Method:
    """A way to train an agent, by its name, with a run of each of its trainings."""

    name: str
    runs: tuple[ScoredRun, ...]


def refuse_no_trainings(methods: Sequence[Method]) -> None:
    """Raises UserError unless every run is another training, and each method has two or more.

    Trainings differ in the fingerprint of their agent, which covers the files of its weights.
    """
    seen: dict[str, tuple[str, str]] = {}
    for method in methods:
        if len(method.runs) < 2:
            raise UserError(
                f"{method.name} has one run, which is a checkpoint and no method: name a run of "
                "each training, or compare two checkpoints with `bench compare BASE NEW`"
            )
        for run in method.runs:
            fingerprint = str(run.run["agent"]["fingerprint"])
            if fingerprint == UNNAMED:
                raise UserError(
                    f"{run.name} was played by an object that names no files, so nothing tells its "
                    "training from another one: play it as module:Class or by the name of a file"
                )
            if fingerprint in seen:
                method_name, other = seen[fingerprint]
                where = "" if method_name == method.name else f" of {method_name}"
                raise UserError(
                    f"{other}{where} and {run.name} have one agent (fingerprint {fingerprint}): "
                    "that is one training played twice, not two training seeds"
                )
            seen[fingerprint] = method.name, run.name
    if len(seen) > MOST_TRAININGS:
        raise UserError(f"{len(seen)} runs are too many to compare at once; {MOST_TRAININGS}")


class PlayedCases:
    """The cases that every run has a score of, and that started alike in all of them."""

    def __init__(self, runs: Sequence[ScoredRun]) -> None:
        """Raises UserError as pair_up does, and where there is no such case."""
        self.paired: list[list[TaskPairs]] = [pair_up(runs[0], other) for other in runs[1:]]
        """Of the first run and each other one."""
        self.missing = max(sum(each.missing for each in tasks) for tasks in self.paired)
        """Cases that a run lacks a score of: those of the run that lacks the most."""
        shared = {
            key for key in set.intersection(*map(_keys, self.paired)) if _is_one_case(key, runs)
        }
        if not shared:
            raise UserError("no case has a score in all of these runs and started alike in them")
        names = {key[0] for key in shared}
        items = [item for item in runs[0].plan.items if item.task.id in names]
        place = {item.task.id: number for number, item in enumerate(items)}
        self.keys: list[Key] = sorted(shared, key=lambda key: (place[key[0]], *key[1:]))
        self.items: list[PlanItem] = items
        shares = {item.task.id for run in runs for item in run.plan.items if not item.own_streams}
        self._families = [
            item.task.adapter if item.task.id in shares else item.task.id for item in items
        ]
        every = set().union(*(run.values for run in runs))
        self.left_out = len(every) - len(self.keys)
        """Cases of any run that are not compared."""

    def common(self, methods: Sequence[Method]) -> CommonCases:
        """These cases, with what the methods, made of the same runs, scored in them."""
        place = {item.task.id: number for number, item in enumerate(self.items)}
        return CommonCases(
            [item.task for item in self.items],
            self._families,
            np.array([(place[task], seed) for task, seed, _ in self.keys], dtype=np.int64),
            {
                method.name: np.array(
                    [[run.values[key] for key in self.keys] for run in method.runs]
                )
                for method in methods
            },
        )


def _keys(tasks: Sequence[TaskPairs]) -> set[Key]:
    return {(each.task.id, pair.seed, pair.perturbations) for each in tasks for pair in each.pairs}


def _is_one_case(key: Key, runs: Sequence[ScoredRun]) -> bool:
    """Whether no two of the runs are known to have started or drawn it differently."""
    starts = {run.start_of(key) for run in runs} - {""}
    renderers = {run.renderer_of(key) for run in runs} - {"", None}
    return len(starts) <= 1 and len(renderers) <= 1


class CommonCases:
    """What all trainings of all methods scored in the same cases.

    The conditions of a seed share its randomness, so that a unit is a seed of a task.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        families: Sequence[str],
        places: np.ndarray,
        values: Mapping[str, np.ndarray],
    ) -> None:
        """families: of each task, see PlanItem.family. places: for each case its task's number and
        its seed, shape (cases, 2), in this order. values: for each method, shape (trainings,
        cases), as harness.compare.case_values.value_of_case says.
        """
        self.tasks = tasks
        self._families = families
        self._values = values
        self._of_task = places[:, 0]
        changes = (places[1:] != places[:-1]).any(axis=1)
        self._begins = np.flatnonzero(np.r_[True, changes])
        self._sizes = np.diff(np.r_[self._begins, len(places)])
        self.counts = np.bincount(places[self._begins, 0])
        """The seeds of each task."""
        self._seeds = np.split(places[self._begins, 1], np.cumsum(self.counts[:-1]))
        self._measures = np.array([measure_of(task) for task in tasks])
        self._rated = [k for k, measure in enumerate(self._measures) if measure == "success"]
        self._known: dict[tuple[str, str], tuple[np.ndarray, np.ndarray]] = {}

    def mean(self, method: str, level: float) -> Estimate | None:
        """The method's success rate, over the tasks that have a success; None without one."""
        if not self._rated:
            return None
        values, tasks = self._rates(method), self._rated
        return mean_of_method(values, self._crossed(tasks), level, self._designs(values, tasks))

    def between_trainings(self, method: str, level: float) -> Estimate | None:
        """The standard deviation of its success rate between trainings; None without a success."""
        if not self._rated:
            return None
        return spread_between_trainings(self._rates(method), self._crossed(self._rated), level)

    def measure(self, task: int) -> str:
        """See measure_of."""
        return str(self._measures[task])

    def task_mean(self, method: str, task: int) -> float | None:
        """The mean over trainings and cases of one task; None where it has raw scores only."""
        if self._measures[task] == "sign":
            return None
        values = self._values[method][:, self._of_task == task]
        return float(np.where(np.isfinite(values), values, 0.0).mean())

    def difference(
        self, base: str, new: str, level: float, tasks: Sequence[int] | None = None
    ) -> tuple[Estimate, float | None]:
        """harness.stats.trainings.difference_of_methods over these tasks, by default over all."""
        chosen = range(len(self.tasks)) if tasks is None else tasks
        mine, theirs = (self._part(each, chosen) for each in self._changes(base, new))
        design = self._designs(mine, chosen)
        return difference_of_methods(mine, theirs, self._crossed(chosen), level, design)

    def spread(self, base: str, new: str) -> Spread:
        """The parts of the variance of their difference over all tasks."""
        return spread_of(self._changes(base, new), self._crossed(range(len(self.tasks))))

    def _changes(self, base: str, new: str) -> tuple[np.ndarray, np.ndarray]:
        """The mean differences of each training of `base` from all of `new`, and the reverse.

        Both are new minus base, of shape (trainings, seeds).
        """
        if (base, new) not in self._known:
            first, other = self._values[base], self._values[new]
            measures = self._measures[self._of_task]
            mine = np.empty((len(first), len(self._begins)))
            theirs = np.zeros((len(other), len(self._begins)))
            for number, values in enumerate(first):
                change = self._by_seed(value_differences(values, other, measures))
                mine[number] = change.mean(0)
                theirs += change / len(first)
            self._known[base, new] = mine, theirs
        return self._known[base, new]

    def _rates(self, method: str) -> np.ndarray:
        return self._part(self._by_seed(self._values[method]), self._rated)

    def _by_seed(self, values: np.ndarray) -> np.ndarray:
        """The mean over the conditions of each seed."""
        found: np.ndarray = np.add.reduceat(values, self._begins, axis=-1) / self._sizes
        return found

    def _part(self, values: np.ndarray, tasks: Sequence[int]) -> np.ndarray:
        """Values by seed, shape (trainings, seeds), of these tasks."""
        parts = np.split(values, np.cumsum(self.counts[:-1]), axis=-1)
        return np.concatenate([parts[k] for k in tasks], axis=-1)

    def _crossed(self, tasks: Sequence[int]) -> CrossedCases:
        places: dict[tuple[str, int], int] = {}
        clusters = [
            places.setdefault((self._families[k], int(seed)), len(places))
            for k in tasks
            for seed in self._seeds[k]
        ]
        return CrossedCases([int(self.counts[k]) for k in tasks], np.array(clusters))

    def _designs(self, values: np.ndarray, tasks: Sequence[int]) -> np.ndarray:
        """harness.compare.shared_seeds.designs_of_pairs of the means over trainings."""
        ends = np.cumsum([self.counts[k] for k in tasks])[:-1]
        families = [self._families[k] for k in tasks]
        seeds = [self._seeds[k] for k in tasks]
        return design_effects(np.split(values.mean(0), ends), seeds, families, LEAST_SPREAD)

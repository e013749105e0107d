"""Which step of which demonstration is drawn next."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from harness.core import UserError
from harness.demos import Demos, EpisodeRow

__all__ = ["StepSampler", "folders_alike"]

Weigh = Callable[[str, EpisodeRow], tuple[str, float, float]]
"""(name of a folder, an episode) -> (its group, the weight of the group, the weight of its task in
the group). A weight of 0 leaves the episode out."""


def _alike(folder: str, row: EpisodeRow) -> tuple[str, float, float]:
    return "", 1.0, 1.0


def folders_alike(folder: str, row: EpisodeRow) -> tuple[str, float, float]:
    """Each folder is drawn equally often, and within it each task."""
    return folder, 1.0, 1.0


class StepSampler:
    """Draws steps: a group by its weight, then a task of it by its weight, then any step of it."""

    def __init__(self, folders: Sequence[Path], weigh: Weigh = _alike) -> None:
        """By default all tasks are drawn alike.

        Raises UserError when a folder has no demonstrations, or none has a weight.
        """
        self.sets = [Demos(folder) for folder in folders]
        # group -> task -> (index of the set, index of the episode in it, its steps). The group is
        # a key because the suites of two groups may share a task.
        self._episodes: dict[str, dict[str, list[tuple[int, int, int]]]] = defaultdict(
            lambda: defaultdict(list)
        )
        weights: dict[str, float] = {}
        task_weights: dict[tuple[str, str], float] = {}
        for number, (folder, demos) in enumerate(zip(folders, self.sets)):
            for row in demos.rows:
                group, weight, task_weight = weigh(folder.name, row)
                if weight > 0 and task_weight > 0:
                    self._episodes[group][row.task].append((number, row.index, row.steps))
                    weights[group] = weight
                    task_weights[group, row.task] = task_weight
        if not self._episodes:
            raise UserError(
                f"{', '.join(map(str, folders))}: no demonstrations of a domain or data set that "
                "has a weight in the configuration"
            )
        self._groups = sorted(self._episodes)
        shares = np.asarray([weights[group] for group in self._groups])
        self._group_cdf = np.cumsum(shares / shares.sum())
        # The steps up to the end of each episode.
        self._ends = {
            (group, task): np.cumsum([steps for _, _, steps in episodes])
            for group, task, episodes in self._by_task()
        }
        self._tasks = {group: list(tasks) for group, tasks in self._episodes.items()}
        self._task_cdf = {
            group: np.cumsum([task_weights[group, name] for name in names])
            for group, names in self._tasks.items()
        }

    @property
    def steps(self) -> int:
        """Total number of steps in the demonstrations that are used."""
        return int(sum(ends[-1] for ends in self._ends.values()))

    def by_task(self) -> Iterator[tuple[str, list[tuple[int, int, int]]]]:
        """(task, its episodes as (index of the set, index in it, steps)), for each group."""
        for _, task, episodes in self._by_task():
            yield task, episodes

    def _by_task(self) -> Iterator[tuple[str, str, list[tuple[int, int, int]]]]:
        for group, tasks in self._episodes.items():
            for task, episodes in tasks.items():
                yield group, task, episodes

    def draw(self, rng: np.random.Generator) -> tuple[int, int, int]:
        """(index of a set, index of an episode in it, step)."""
        group = self._groups[_index(self._group_cdf, rng.random())]
        cdf = self._task_cdf[group]
        task = self._tasks[group][_index(cdf, rng.random() * cdf[-1])]
        ends = self._ends[group, task]
        position = int(rng.integers(ends[-1]))
        episode = int(np.searchsorted(ends, position, "right"))
        number, index, steps = self._episodes[group][task][episode]
        return number, index, position - (int(ends[episode]) - steps)


def _index(cdf: np.ndarray, value: float) -> int:
    """Which entry of a cumulative sum a value falls into."""
    # `min`: rounding may leave the last value of a cumulative sum below what is drawn.
    return min(int(np.searchsorted(cdf, value, "right")), len(cdf) - 1)

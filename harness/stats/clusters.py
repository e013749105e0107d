"""Tasks that share the randomness of a seed: what their outcomes are worth beside independent ones.

Tasks of one simulator that are reset with one seed may show the same room. Where they do, n tasks
with k seeds are fewer than n k independent episodes. The design effect says by what factor the
variance of a mean is larger (Kish 1965, Survey Sampling, section 5.4). Counts that are divided by
it can be treated as independent (Rao & Scott 1992, Biometrics 48:577).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

__all__ = ["Clusters", "design_effect", "design_effects"]


class Clusters:
    """Which values may depend on one another, and how much each weighs in a mean over tasks."""

    def __init__(self, tasks: np.ndarray, clusters: np.ndarray) -> None:
        """For each value, shape (n,), its task from 0 on, and what is equal within a cluster."""
        self._tasks = tasks
        self._counts = np.bincount(tasks).astype(np.float64)
        _, self._where = np.unique(clusters, return_inverse=True)
        self._weights = 1 / self._counts[tasks]
        ones = np.bincount(self._where, weights=self._weights)
        self.most = float(np.square(ones).sum() / np.square(self._weights).sum())
        """The design effect of values that are equal within a cluster."""

    def design_effect(self, values: np.ndarray, least: float = 0.0) -> float:
        """The design effect of the mean over tasks of the means of these values, shape (n,).

        With n_t values of task t, and e = (value - mean of its task) / n_t, it seems to be

            found = sum over clusters of (sum of e in the cluster)^2 / sum of e^2

        and at least 1: independent tasks would seem to make one another more certain by chance.
        `found` is known from C clusters, where C = (sum of q)^2 / sum of q^2 with q the sum of e^2
        in a cluster: all of them where all vary alike, a few where few values differ from the
        others, 0 where none does. One more cluster is added, in which all depends on one another:

            (C found + most) / (C + 1)

        so the result is `most` where nothing varies.

        least: what the values have in common is divided by this share of their mean square, where
        their own variance is smaller. For bounds that never take differences to be as sure as that.
        """
        means = np.bincount(self._tasks, weights=values) / self._counts
        spread = (values - means[self._tasks]) * self._weights
        own = np.bincount(self._where, weights=np.square(spread))
        alone = float(own.sum())
        # Below the rounding errors of a mean, nothing varies.
        squares = float(np.square(values * self._weights).sum())
        if alone <= 1e-24 * squares:
            return self.most
        together = float(np.square(np.bincount(self._where, weights=spread)).sum())
        found = 1 + max(0.0, together - alone) / max(alone, least * squares)
        known = float(own.sum() ** 2 / np.square(own).sum())
        return (known * found + self.most) / (known + 1)


def design_effect(
    values: Sequence[np.ndarray], clusters: Sequence[np.ndarray], least: float = 0.0
) -> float:
    """Clusters.design_effect of the values of each task, an array of shape (n,) each.

    clusters: of the same shapes, whole numbers that are equal where values may depend on one
    another. A single task has 1.0: its seeds are independent.
    """
    if len(values) < 2:
        return 1.0
    tasks = np.repeat(np.arange(len(values)), [len(each) for each in values])
    found = Clusters(tasks, np.concatenate(clusters))
    return found.design_effect(np.concatenate(values).astype(np.float64), least)


def design_effects(
    values: Sequence[np.ndarray],
    seeds: Sequence[np.ndarray],
    families: Sequence[Hashable],
    least: float = 0.0,
) -> np.ndarray:
    """For each task the design effect of its family, shape (tasks,).

    values, seeds: for each task an array of shape (n,). families: equal for tasks whose values of
    one seed may depend on one another; see harness.records.plan.PlanItem.family. least: as
    Clusters.design_effect takes it.
    """
    found = np.ones(len(values))
    members: dict[Hashable, list[int]] = {}
    for task, family in enumerate(families):
        members.setdefault(family, []).append(task)
    for tasks in members.values():
        if len(tasks) > 1:
            found[tasks] = design_effect(
                [values[k] for k in tasks], [seeds[k] for k in tasks], least
            )
    return found

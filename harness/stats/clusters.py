"""Tasks that share the randomness of a seed: what their outcomes are worth beside independent ones.

Tasks of one simulator that are reset with one seed may show the same room. Where they do, n tasks
with k seeds are fewer than n k independent episodes. The design effect says by what factor the
variance of a mean is larger (Kish 1965, Survey Sampling, section 5.4). Counts that are divided by
it can be treated as independent (Rao & Scott 1992, Biometrics 48:577).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["design_effect"]


def design_effect(
    values: Sequence[np.ndarray], clusters: Sequence[np.ndarray], least: float = 0.0
) -> float:
    """The variance of a mean over tasks, divided by what it would be for independent values.

    values: for each task an array of shape (n,); each task weighs the same. clusters: of the same
    shapes, whole numbers that are equal where values may depend on one another. With n_t values of
    task t, and e = (value - mean of its task) / n_t, it is

        sum over clusters of (sum of e in the cluster)^2 / sum of e^2

    and at least 1: independent tasks would seem to make one another more certain by chance. It is 1
    where nothing varies, and at most the number of tasks in the largest cluster.

    least: what the values have in common is divided by this share of their mean square, where their
    own variance is smaller. For bounds that never take differences to be as sure as that.
    """
    parts = [
        (each - each.mean()) / len(each) if np.ptp(each) else np.zeros(len(each)) for each in values
    ]
    spread = np.concatenate(parts)
    alone = float(np.square(spread).sum())
    if alone == 0:
        return 1.0
    _, where = np.unique(np.concatenate(clusters), return_inverse=True)
    together = float(np.square(np.bincount(where, weights=spread)).sum())
    squares = sum(float(np.square(each / len(each)).sum()) for each in values)
    return 1.0 + max(0.0, together - alone) / max(alone, least * squares)

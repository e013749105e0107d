"""What perturbations do to tasks without a success: their normalised scores beside the controls'.

Only tasks that have a normaliser: (score - low) / (high - low), not cut off at either end. Means
are over tasks, each weighing the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.stats import Estimate, mean_of_scores
from leaderboards.perturbed_results import CaseArrays, PlayedCondition
from leaderboards.schema import ScoreEffects
from leaderboards.shared_seeds import designs_of_values

__all__ = ["score_effects"]


def score_effects(arrays: CaseArrays, played: Sequence[PlayedCondition]) -> ScoreEffects | None:
    """The figures of these tasks under these conditions, together.

    None where no task among them has a normaliser, a score, and no success.
    """
    values, control_scores, changes = [], [], []
    of_values, of_changes = [], []
    lows, highs = dict[str, None](), dict[str, None]()
    for item, condition in played:
        normaliser = arrays.plan.items[item].task.normaliser
        if normaliser is None or arrays.has_success(item):
            continue
        controls, perturbed = (
            (arrays.score[item][each] - normaliser.low) / (normaliser.high - normaliser.low)
            for each in (0, condition)
        )
        known, both = np.isfinite(perturbed), np.isfinite(controls) & np.isfinite(perturbed)
        if not known.any():
            continue
        lows[normaliser.low_name] = highs[normaliser.high_name] = None
        values.append(perturbed[known])
        of_values.append((item, np.flatnonzero(known)))
        if both.any():
            control_scores.append(controls[both])
            changes.append((perturbed - controls)[both])
            of_changes.append((item, np.flatnonzero(both)))
    if not values:
        return None
    return ScoreEffects(
        tasks=len(values),
        low_name=" or ".join(lows),
        high_name=" or ".join(highs),
        pairs=sum(map(len, changes)),
        mean=_mean(arrays, of_values, values),
        optimality_gap=float(np.mean([1 - np.minimum(each, 1).mean() for each in values])),
        control=float(np.mean([each.mean() for each in control_scores]))
        if control_scores
        else None,
        difference=_mean(arrays, of_changes, changes) if changes else None,
    )


def _mean(
    arrays: CaseArrays, places: Sequence[tuple[int, np.ndarray]], values: Sequence[np.ndarray]
) -> Estimate:
    """The mean of these values; places: the item and the episodes of each task's."""
    items, episodes = zip(*places)
    return mean_of_scores(values, design=designs_of_values(arrays, items, episodes, values))

"""What perturbations do to tasks without a success: their normalised scores beside the controls'.

Only tasks that have a normaliser: (score - low) / (high - low), not cut off at either end. Means
are over tasks, each weighing the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from harness.stats import Estimate
from leaderboards.perturbed_results import CaseArrays, PlayedCondition
from leaderboards.schema import ScoreEffects

__all__ = ["mean_of_means", "score_effects"]


def score_effects(arrays: CaseArrays, played: Sequence[PlayedCondition]) -> ScoreEffects | None:
    """The figures of these tasks under these conditions, together.

    None where no task among them has a normaliser, a score, and no success.
    """
    values, control_scores, changes = [], [], []
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
        if both.any():
            control_scores.append(controls[both])
            changes.append((perturbed - controls)[both])
    if not values:
        return None
    return ScoreEffects(
        tasks=len(values),
        low_name=" or ".join(lows),
        high_name=" or ".join(highs),
        pairs=sum(map(len, changes)),
        mean=mean_of_means(values),
        optimality_gap=float(np.mean([1 - np.minimum(each, 1).mean() for each in values])),
        control=float(np.mean([each.mean() for each in control_scores]))
        if control_scores
        else None,
        difference=mean_of_means(changes),
    )


def mean_of_means(columns: Sequence[np.ndarray], level: float = 0.95) -> Estimate | None:
    """The mean over tasks of the mean of independent scores, each task weighing the same.

    columns: for each task an array of shape (scores,). None without a task. The bounds are
    Student's t for one task; for several, Welch's t for a linear combination of means (Welch 1947,
    Biometrika 34:28): with v_t the squared standard error of task t and n_t scores,

        mean +- t sqrt(sum v_t) / tasks,    degrees of freedom (sum v_t)^2 / sum(v_t^2 / (n_t - 1))

    There are no bounds where a task has a single score, or where the scores of every task are
    equal: that says nothing of how much others would differ.
    """
    if not columns:
        return None
    from scipy.special import stdtrit

    mean = float(np.mean([each.mean() for each in columns]))
    if min(map(len, columns)) < 2:
        return Estimate(mean, None, None)
    # Exactly 0 for equal scores, whose computed variance may be a rounding error.
    parts = np.array([each.var(ddof=1) / len(each) if np.ptp(each) else 0.0 for each in columns])
    if not parts.any():
        return Estimate(mean, None, None)
    # By a power of two, which rounds nothing: fourth powers of scores may be too large.
    scaled = np.ldexp(parts, -math.frexp(float(parts.max()))[1])
    freedom = scaled.sum() ** 2 / (scaled**2 / [len(each) - 1 for each in columns]).sum()
    half = float(stdtrit(freedom, (1 + level) / 2)) * math.sqrt(parts.sum()) / len(columns)
    return Estimate(mean, mean - half, mean + half)

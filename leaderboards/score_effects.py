"""What perturbations cost in tasks without a success: their normalised scores, beside those of the unperturbed twins.

Of tasks that have a normaliser: (score - low) / (high - low), an episode's being cut off at neither end. Means are over tasks, each weighing the
same. Area: as of success rates, under the mean. Corruption error: as of success rates, with the optimality gap in place of the failures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leaderboards.perturbed_results import CaseArrays, Place

__all__ = ["ScoreEffects", "mean_of_means", "score_effects"]


@dataclass(frozen=True)
class ScoreEffects:
    """The normalised scores of tasks without a success; of a curve over all severities `tasks`, the names, `control`, and the last two alone."""

    tasks: int
    """Those that have a score."""
    low_name: str
    """What 0 stands for; ` or ` between where tasks differ."""
    high_name: str
    pairs: int = 0
    """Perturbed cases with a score whose twin has one."""
    mean: float | None = None
    mean_low: float | None = None
    """95 %, `mean_of_means`; None where all scores are equal, or a task has only one."""
    mean_high: float | None = None
    optimality_gap: float | None = None
    """The mean shortfall from 1; what exceeds 1 makes up for nothing."""
    control: float | None = None
    """The mean of the twins."""
    difference: float | None = None
    """Of the mean less the control, over the pairs."""
    difference_low: float | None = None
    difference_high: float | None = None
    area: float | None = None
    corruption_error: float | None = None


def score_effects(outcomes: CaseArrays, places: Sequence[Place]) -> ScoreEffects | None:
    """Of these tasks and arms together; None where no task among them has a normaliser, no success, and a score."""
    values, controls, changes = [], [], []
    lows, highs = dict[str, None](), dict[str, None]()
    for item, condition in places:
        normaliser = outcomes.plan.items[item].task.normaliser
        if normaliser is None or outcomes.rated(item):
            continue
        controls, scores = (
            (outcomes.score[item][each] - normaliser.low) / (normaliser.high - normaliser.low)
            for each in (0, condition)
        )
        known, both = np.isfinite(scores), np.isfinite(controls) & np.isfinite(scores)
        if not known.any():
            continue
        lows[normaliser.low_name] = highs[normaliser.high_name] = None
        values.append(scores[known])
        if both.any():
            controls.append(controls[both])
            changes.append((scores - controls)[both])
    if not values:
        return None
    mean, mean_low, mean_high = mean_of_means(values)
    difference, difference_low, difference_high = mean_of_means(changes)
    return ScoreEffects(
        tasks=len(values),
        low_name=" or ".join(lows),
        high_name=" or ".join(highs),
        pairs=sum(map(len, changes)),
        mean=mean,
        mean_low=mean_low,
        mean_high=mean_high,
        optimality_gap=float(np.mean([1 - np.minimum(each, 1).mean() for each in values])),
        control=float(np.mean([each.mean() for each in controls])) if controls else None,
        difference=difference,
        difference_low=difference_low,
        difference_high=difference_high,
    )


def mean_of_means(
    columns: Sequence[np.ndarray], level: float = 0.95
) -> tuple[float | None, float | None, float | None]:
    """(mean, low, high) of the means of independent scores, an array a task, each task weighing the same; of one task it is Student's t.

    Several have Welch's t for a linear combination of means, with Satterthwaite's degrees of freedom (Welch 1947, Biometrika 34:28). There is no
    interval where a task has a single score, or where nothing varies: equal scores say nothing of how much others would differ.
    """
    if not columns:
        return None, None, None
    from scipy.special import stdtrit

    mean = float(np.mean([each.mean() for each in columns]))
    if min(map(len, columns)) < 2:
        return mean, None, None
    parts = np.array([each.var(ddof=1) / len(each) if np.ptp(each) else 0.0 for each in columns])
    if not parts.any():
        return mean, None, None
    freedom = parts.sum() ** 2 / (parts**2 / [len(each) - 1 for each in columns]).sum()
    half = float(stdtrit(freedom, (1 + level) / 2)) * math.sqrt(parts.sum()) / len(columns)
    return mean, mean - half, mean + half

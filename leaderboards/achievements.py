"""Crafter's score: the geometric mean of the shares of episodes that unlock each achievement."""

from __future__ import annotations

import math
from collections.abc import Mapping

__all__ = ["NAME", "achievement_score"]

NAME = "achievement_score"
PREFIX = "unlocked_"
"""How metrics begin that are 1 in an episode that has unlocked an achievement, and 0 in others."""


def achievement_score(means: Mapping[str, float]) -> float | None:
    """exp(mean of ln(1 + s)) - 1, where s is an achievement's share of episodes in percent.

    The offset of 1 % keeps an achievement that nobody unlocks from making all of it 0; the score
    is in percent (Hafner 2021, arXiv 2109.06780, section 3.3).

    means: the means of a task's metrics. None where fewer than two of them are achievements'.
    """
    shares = [100 * share for name, share in means.items() if name.startswith(PREFIX)]
    if len(shares) < 2:
        return None
    return math.expm1(math.fsum(math.log1p(share) for share in shares) / len(shares))

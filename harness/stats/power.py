"""Planning a comparison: how many episodes a difference needs, and what a number of them detects.

Normal approximations, for planning only.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from harness.stats.intervals import z_of

__all__ = [
    "detectable_difference",
    "episodes_for_rates",
    "pairs_needed",
    "pairs_to_pass",
    "power_of_pairs",
]


def pairs_needed(effect: float, discordant: float, power: float = 0.8, alpha: float = 0.05) -> int:
    """How many pairs a two-sided paired test needs to find a difference of rates with this power.

    effect: the difference. discordant: the share of pairs in which only one of the two agents
    succeeds. Connor 1987, Biometrics 43:207, formula 3:

        (z sqrt(discordant) + z_power sqrt(discordant - effect^2))^2 / effect^2

    Raises ValueError unless 0 < |effect| <= discordant <= 1.
    """
    size = abs(effect)
    if not 0 < size <= discordant <= 1:
        raise ValueError(f"needs 0 < |effect| <= discordant <= 1, got {effect} and {discordant}")
    z, zb = z_of(1 - alpha), NormalDist().inv_cdf(power)
    return math.ceil(
        (z * math.sqrt(discordant) + zb * math.sqrt(discordant - size**2)) ** 2 / size**2
    )


def pairs_to_pass(margin: float, discordant: float, power: float = 0.8, alpha: float = 0.05) -> int:
    """How many pairs show with this power that equal agents do not differ by `margin` or more.

    That is how many it takes until Tango's interval (harness.stats.paired_difference) lies above
    -margin. With a difference of -margin the likeliest share of discordant pairs is s, the larger
    root of s^2 - discordant s - margin^2 (1 - discordant) = 0, so it takes

        (z sqrt(s - margin^2) + z_power sqrt(discordant))^2 / margin^2

    Raises ValueError unless 0 < margin <= 1 and 0 <= discordant <= 1.
    """
    if not (0 < margin <= 1 and 0 <= discordant <= 1):
        raise ValueError(f"needs 0 < margin <= 1 and a share, got {margin} and {discordant}")
    z, zb = z_of(1 - alpha), NormalDist().inv_cdf(power)
    likeliest = (discordant + math.sqrt(discordant**2 + 4 * margin**2 * (1 - discordant))) / 2
    spread = z * math.sqrt(max(0.0, likeliest - margin**2)) + zb * math.sqrt(discordant)
    return max(1, math.ceil(spread**2 / margin**2))


def power_of_pairs(effect: float, discordant: float, pairs: float, alpha: float = 0.05) -> float:
    """The chance that `pairs` pairs find the difference: pairs_needed, solved for the power."""
    size = abs(effect)
    spread = math.sqrt(max(discordant - size**2, 1e-12))
    return NormalDist().cdf(
        (size * math.sqrt(pairs) - z_of(1 - alpha) * math.sqrt(discordant)) / spread
    )


def detectable_difference(
    discordant: float, pairs: float, power: float = 0.8, alpha: float = 0.05
) -> float:
    """The smallest difference of rates that `pairs` pairs find with this power, at most 1.0.

    Where the difference exceeds `discordant`, `discordant` is raised to it: a difference needs at
    least as large a share of discordant pairs.
    """
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        found = power_of_pairs(middle, max(discordant, middle), pairs, alpha) >= power
        low, high = (low, middle) if found else (middle, high)
    return high


def episodes_for_rates(first: float, second: float, power: float = 0.8, alpha: float = 0.05) -> int:
    """How many episodes each of two agents must play for a two-sided test of their rates.

    They share no case. Fleiss, Levin & Paik 2003, Statistical Methods for Rates and Proportions,
    formula 4.14, without continuity correction. Raises ValueError for equal rates, or outside of
    [0, 1].
    """
    if not (0 <= first <= 1 and 0 <= second <= 1) or first == second:
        raise ValueError(f"needs two different rates in [0, 1], got {first} and {second}")
    middle = (first + second) / 2
    z, zb = z_of(1 - alpha), NormalDist().inv_cdf(power)
    spread = z * math.sqrt(2 * middle * (1 - middle)) + zb * math.sqrt(
        first * (1 - first) + second * (1 - second)
    )
    return math.ceil(spread**2 / (first - second) ** 2)

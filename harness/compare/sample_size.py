"""`bench plan`: how many episodes a comparison needs, and what a number of them detects.

Normal approximations, see harness/stats/power.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from harness.compare.pairs import ScoredRun
from harness.core import UserError
from harness.play.text_table import text_table
from harness.stats import detectable_difference, episodes_for_rates, pairs_needed

__all__ = ["SampleSize", "sample_size", "sample_size_table"]


@dataclass(frozen=True, kw_only=True)
class SampleSize:
    """Numbers of episodes that one agent plays, over all tasks together."""

    effect: float
    """The loss of success rate that is to be found."""
    power: float
    """With which probability."""
    alpha: float
    rate: float
    """The base's success rate."""
    discordant: float
    """The share of cases in which one of the two agents succeeds and the other fails."""
    tasks: int
    paired: int
    """To find the loss where both agents play the same cases."""
    unpaired: int
    """To find it where the agents share no case."""
    equal_passes: int
    """For the gate to pass an equal agent, with `effect` as its margin."""
    episodes: int | None
    """The number of episodes that was asked about."""
    detectable: float | None
    """The smallest difference that `episodes` pairs find."""


def sample_size(
    effect: float,
    *,
    power: float = 0.8,
    alpha: float = 0.05,
    rate: float | None = None,
    discordant: float | None = None,
    tasks: int = 1,
    episodes: int | None = None,
    base: ScoredRun | None = None,
) -> SampleSize:
    """How many episodes it takes to find a loss of `effect`.

    rate: the base's success rate; by default that of `base`, else 0.8. discordant: by default that
    of two independent agents. tasks, episodes: those of `base`, where it is given. Raises UserError
    for a value out of range, or a base without a success rate.
    """
    if base is not None:
        rated = [item.task.id for item in base.plan.items if item.task.success is not None]
        own: dict[str, list[float]] = {name: [] for name in rated}
        for key, value in base.values.items():
            if key[0] in own:
                own[key[0]].append(value)
        rates = [sum(values) / len(values) for values in own.values() if values]
        if not rates:
            raise UserError(f"{base.name} has no task with a success: name a rate with --rate")
        rate = sum(rates) / len(rates) if rate is None else rate
        tasks = len(rates)
        episodes = sum(map(len, own.values())) if episodes is None else episodes
    rate = 0.8 if rate is None else rate
    for name, number, low, high in (
        ("--effect", effect, 0, 1),
        ("--power", power, 0, 1),
        ("--alpha", alpha, 0, 0.5),
    ):
        if not low < number < high:
            raise UserError(f"{name} must lie between {low} and {high}, got {number}")
    if not 0 <= rate <= 1 or tasks < 1 or (episodes is not None and episodes < 1):
        raise UserError(
            "--rate lies in [0, 1], --tasks and --episodes are at least 1; "
            f"got {rate}, {tasks} and {episodes}"
        )
    other = rate - effect if rate >= effect else rate + effect
    # Independent agents disagree where one succeeds and the other fails, whatever the case.
    if discordant is None:
        discordant = max(effect, rate * (1 - other) + other * (1 - rate))
    if not effect <= discordant <= 1:
        raise UserError(
            f"--discordant {discordant:g}: it is at least the difference to be found, {effect:g}, "
            "and at most 1"
        )
    reach = NormalDist().inv_cdf(1 - alpha / 2) + NormalDist().inv_cdf(power)
    found = detectable_difference(discordant, episodes, power, alpha) if episodes else None
    return SampleSize(
        effect=effect,
        power=power,
        alpha=alpha,
        rate=rate,
        discordant=discordant,
        tasks=tasks,
        paired=pairs_needed(effect, discordant, power, alpha),
        unpaired=episodes_for_rates(rate, other, power, alpha),
        equal_passes=math.ceil(reach**2 * discordant / effect**2),
        episodes=episodes,
        detectable=found,
    )


def sample_size_table(found: SampleSize) -> str:
    """The sizes as text for a terminal."""
    points = f"{100 * found.effect:g} points"
    rows: list[tuple[str, int]] = [
        (f"find a loss of {points}, both agents on the same cases", found.paired),
        (
            f"find it where they share no case, episodes of each (rate {found.rate:.2f})",
            found.unpaired,
        ),
        (f"`bench gate --margin {found.effect:g}` passes an equal agent", found.equal_passes),
    ]
    cells = [[what, number, math.ceil(number / found.tasks)] for what, number in rows]
    lines = [
        f"with a chance of {100 * found.power:g} %, at alpha {found.alpha:g}; "
        f"in {100 * found.discordant:.0f} of 100 cases one agent succeeds, the other fails",
        "",
        text_table(["to", "episodes", f"a task of {found.tasks}"], cells, figures=True),
    ]
    if found.detectable is not None:
        lines += [
            "",
            f"{found.episodes} episodes on the same cases find differences from "
            f"{100 * found.detectable:.1f} points on",
        ]
    return "\n".join(lines)

"""`bench plan`: how many episodes a comparison needs, and what a number of them detects.

Normal approximations, see harness/stats/power.py.
"""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from harness.compare.case_values import measure_of, value_difference
from harness.compare.pairs import ScoredRun
from harness.core import UserError
from harness.core.grammar import counted
from harness.play.column_widths import WIDTH
from harness.play.text_table import text_table
from harness.stats import (
    Interval,
    design_effects,
    detectable_difference,
    episodes_for_rates,
    pairs_needed,
    pairs_to_pass,
)

__all__ = ["SampleSize", "sample_size", "sample_size_table"]


@dataclass(frozen=True, kw_only=True)
class SampleSize:
    """Numbers of episodes that one agent plays, over all tasks together."""

    effect: float
    """The loss of success rate that is to be found."""
    power: float
    """With which probability."""
    alpha: float
    rate: float | None
    """The base's success rate; None where its tasks have scores only."""
    discordant: float
    """The share of cases in which one of the two agents succeeds and the other fails. With scores,
    the mean square of harness.compare.case_values.value_difference."""
    tasks: int
    paired: int
    """To find the loss where both agents play the same cases."""
    unpaired: int | None
    """To find it where the agents share no case; None without a success rate."""
    equal_passes: int
    """For the gate to pass an equal agent, with `effect` as its margin."""
    episodes: int | None
    """The number of episodes that was asked about."""
    detectable: float | None
    """The smallest difference that `episodes` pairs find."""
    noise: Interval | None = None
    """In which share of cases the base's agent differs from itself when it is played again; with
    scores, as `discordant`. None: not known."""
    noise_passes: int | None = None
    """For the gate to pass the base's own agent, played again."""
    noise_detectable: Interval | None = None
    """The smallest difference that `episodes` pairs find if the new agent differs from the base in
    no more cases than the base's agent from itself; by the bounds of the noise."""
    design: float = 1.0
    """By what factor all numbers are larger than for independent cases, because tasks share their
    seeds: as the base's outcomes tell it."""


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
    noise: Interval | None = None,
) -> SampleSize:
    """How many episodes it takes to find a loss of `effect`.

    rate: the base's success rate; by default that of `base`, else 0.8. discordant: by default that
    of two independent agents. tasks, episodes: those of `base`, where it is given. noise: that of
    the base's agent, see harness.compare.noise_floor. A base whose tasks have scores only has no
    rate; its discordance is that between its own episodes. Raises UserError for a value out of
    range, or a base with nothing to plan from.
    """
    design = 1.0
    if base is not None:
        known = _known_of(base)
        design = known.design
        rate = known.rate if rate is None else rate
        if rate is None and discordant is None:
            discordant = max(effect, known.discordant)
        tasks = known.tasks
        episodes = known.episodes if episodes is None else episodes
    elif rate is None:
        rate = 0.8
    for name, number, low, high in (
        ("--effect", effect, 0, 1),
        ("--power", power, 0, 1),
        ("--alpha", alpha, 0, 0.5),
    ):
        if not low < number < high:
            raise UserError(f"{name} must lie between {low} and {high}, got {number}")
    if not 0 <= (rate or 0) <= 1 or tasks < 1 or (episodes is not None and episodes < 1):
        raise UserError(
            "--rate lies in [0, 1], --tasks and --episodes are at least 1; "
            f"got {rate}, {tasks} and {episodes}"
        )
    unpaired = None
    if rate is not None:
        other = rate - effect if rate >= effect else rate + effect
        unpaired = episodes_for_rates(rate, other, power, alpha)
        # Independent agents disagree where one succeeds and the other fails, whatever the case.
        if discordant is None:
            discordant = max(effect, rate * (1 - other) + other * (1 - rate))
    assert discordant is not None
    if not effect <= discordant <= 1:
        raise UserError(
            f"--discordant {discordant:g}: it is at least the difference to be found, {effect:g}, "
            "and at most 1"
        )
    found = detectable_difference(discordant, episodes / design, power, alpha) if episodes else None

    def shared(independent: int) -> int:
        return math.ceil(independent * design)

    return SampleSize(
        effect=effect,
        power=power,
        alpha=alpha,
        rate=rate,
        discordant=discordant,
        tasks=tasks,
        paired=shared(pairs_needed(effect, discordant, power, alpha)),
        unpaired=None if unpaired is None else shared(unpaired),
        equal_passes=shared(pairs_to_pass(effect, discordant, power, alpha)),
        episodes=episodes,
        detectable=found,
        noise=noise,
        noise_passes=None
        if noise is None
        else shared(pairs_to_pass(effect, noise.value, power, alpha)),
        noise_detectable=_detected(noise, episodes / design, power, alpha)
        if noise and episodes
        else None,
        design=design,
    )


def _detected(noise: Interval, pairs: float, power: float, alpha: float) -> Interval:
    """The smallest difference found with this share of discordant pairs, and with its bounds."""
    return Interval(
        *(
            detectable_difference(share, pairs, power, alpha)
            for share in (noise.value, noise.low, noise.high)
        )
    )


class _Known(NamedTuple):
    """What a base run says of the agents that will be compared with it."""

    rate: float | None
    discordant: float
    tasks: int
    episodes: int
    design: float


def _known_of(base: ScoredRun) -> _Known:
    """Of its tasks with a success; where it has none, of all tasks."""
    measures = {item.task.id: measure_of(item.task) for item in base.plan.items}
    values: dict[str, list[float]] = {}
    controls: dict[str, list[float]] = {}
    for (task, _, perturbations), value in sorted(base.values.items()):
        values.setdefault(task, []).append(value)
        if not perturbations:
            controls.setdefault(task, []).append(value)
    rated = [task for task in values if measures[task] == "success"]
    chosen = rated or list(values)
    if not chosen:
        raise UserError(f"{base.name} has no results: name a rate with --rate")
    rates = [sum(values[task]) / len(values[task]) for task in rated]
    squares = [_own_discordance(controls.get(task, []), measures[task]) for task in chosen]
    return _Known(
        rate=sum(rates) / len(rates) if rates else None,
        discordant=sum(squares) / len(squares),
        tasks=len(chosen),
        episodes=sum(len(values[task]) for task in chosen),
        design=_design_of(base, chosen),
    )


def _design_of(base: ScoredRun, chosen: Sequence[str]) -> float:
    """The design effect of the mean over tasks of their controls' values, by their ranks."""
    found: dict[str, dict[int, float]] = {task: {} for task in chosen}
    for (task, seed, perturbations), value in sorted(base.values.items()):
        if task in found and not perturbations:
            found[task][seed] = value
    families = {item.task.id: item.family for item in base.plan.items}
    kept = [task for task in chosen if found[task]]
    if not kept:
        return 1.0
    # Scores of tasks share no unit.
    ranks = [np.unique(list(found[task].values()), return_inverse=True)[1] for task in kept]
    values = [each / max(1, int(each.max())) for each in ranks]
    seeds = [np.array(list(found[task])) for task in kept]
    designs = design_effects(values, seeds, [families[task] for task in kept])
    # What a task adds to the variance of the mean; where nothing varies, all alike.
    parts = np.array([(each.var() + 1e-12) / len(each) for each in values])
    return float((designs * parts).sum() / parts.sum())


def _own_discordance(values: Sequence[float], measure: str) -> float:
    """The mean square difference between each episode of a task and the next; 1 for fewer than two.

    The episodes of a task are independent, as those of two agents are at worst.
    """
    squares = [value_difference(*pair, measure) ** 2 for pair in itertools.pairwise(values)]
    return sum(squares) / len(squares) if squares else 1.0


def _noise_sentence(found: SampleSize) -> str:
    noise, least = found.noise, found.noise_detectable
    assert noise is not None
    said = (
        f"noise: played again, the base's agent differs from itself in {100 * noise.value:.1f} "
        f"({100 * noise.low:.1f} to {100 * noise.high:.1f}) of 100 cases"
    )
    if least is None:
        return said
    return (
        f"{said}; if a new agent differs in no more, differences are found from "
        f"{100 * least.value:.1f} ({100 * least.low:.1f} to {100 * least.high:.1f}) points on"
    )


def sample_size_table(found: SampleSize) -> str:
    """The sizes as text for a terminal."""
    points = f"{100 * found.effect:g} points"
    rows = [(f"find a loss of {points}, both agents on the same cases", found.paired)]
    if found.unpaired is not None:
        rows.append(
            (
                f"find it where they share no case, episodes of each (rate {found.rate:.2f})",
                found.unpaired,
            )
        )
    rows.append(
        (f"`bench gate --margin {found.effect:g}` passes an equal agent", found.equal_passes)
    )
    if found.noise_passes is not None:
        rows.append(("the same for the base's own agent, which draws anew", found.noise_passes))
    differing = (
        f"in {100 * found.discordant:.0f} of 100 cases one agent succeeds, the other fails"
        if found.rate is not None
        else f"the difference of a case, as `bench compare` counts it, squared: "
        f"{found.discordant:.2f} on average"
    )
    if found.design >= 1.05:
        differing += (
            f"; tasks share their seeds, so it takes {found.design:.1f} times as many as of "
            "independent cases"
        )
    cells = [[what, number, math.ceil(number / found.tasks)] for what, number in rows]
    chance = f"with a chance of {100 * found.power:g} %, at alpha {found.alpha:g}; {differing}"
    lines = [
        textwrap.fill(chance, WIDTH, subsequent_indent="  "),
        "",
        text_table(["to", "episodes", f"a task of {found.tasks}"], cells, figures=True),
    ]
    if found.detectable is not None:
        lines += [
            "",
            f"{counted(found.episodes or 0, 'episode')} on the same cases "
            f"{'finds' if found.episodes == 1 else 'find'} differences from "
            f"{100 * found.detectable:.1f} points on",
        ]
    if found.noise is not None:
        lines += ["", textwrap.fill(_noise_sentence(found), WIDTH)]
    return "\n".join(lines)

"""`bench plan --method`: what more trainings, and what more episodes, would add to two methods."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from harness.compare.methods import CommonCases, Method
from harness.core import UserError
from harness.play.column_widths import WIDTH
from harness.play.text_table import text_table
from harness.stats.trainings import ENOUGH_TRAININGS

__all__ = ["TrainingPlan", "training_plan", "training_plan_table"]

MANY = 1_000_000
"""Times as many: for all that there could be."""
ALIKE = 1.1
"""Two half-widths of which none is larger than the other by more than this factor are alike."""


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """How wide the interval of the difference of two methods is, and how wide others would be."""

    base: str
    new: str
    alpha: float
    trainings: tuple[int, int]
    episodes: int
    """Cases of a task that all trainings played, on average."""
    half_widths: tuple[tuple[str, float], ...]
    """What is played, and half of the interval's width; first what was played."""
    buy: str
    """`trainings`, `episodes` or `either`: of which twice as many narrow the interval more."""


def training_plan(methods: Sequence[Method], common: CommonCases, alpha: float) -> TrainingPlan:
    """The plan of two methods, from the variances that their runs show.

    Raises UserError unless there are two, with trainings enough to show how trainings differ.
    """
    if len(methods) != 2:
        raise UserError(f"--method: a plan is for two methods, not for {len(methods)}")
    for method in methods:
        if len(method.runs) < ENOUGH_TRAININGS:
            raise UserError(
                f"{len(method.runs)} trainings of {method.name} do not show how trainings differ: "
                f"a plan takes {ENOUGH_TRAININGS} of each method"
            )
    base, new = methods
    spread = common.spread(base.name, new.name)
    episodes = round(float(common.counts.mean()))
    k = spread.trainings
    options = (
        ("now", 1, 1),
        ("twice the trainings", 2, 1),
        ("twice the episodes", 1, 2),
        ("these trainings, any number of episodes", 1, MANY),
        ("these episodes, any number of trainings", MANY, 1),
    )
    # With fewer degrees of freedom t grows: of more that is played, no interval need be wider.
    now = spread.reach(1 - alpha)
    reaches = {
        what: min(now, spread.reach(1 - alpha, seeds, cases)) for what, seeds, cases in options
    }
    seeds, cases = reaches["twice the trainings"], reaches["twice the episodes"]
    buy = (
        "trainings" if cases > ALIKE * seeds else "episodes" if seeds > ALIKE * cases else "either"
    )
    return TrainingPlan(
        base=base.name,
        new=new.name,
        alpha=alpha,
        trainings=(k[0], k[1]),
        episodes=episodes,
        half_widths=tuple(reaches.items()),
        buy=buy,
    )


def training_plan_table(found: TrainingPlan) -> str:
    """The plan as text for a terminal."""
    now = found.half_widths[0][1]
    if now == 0:
        return (
            "nothing varies in these runs: no plan can be made from them; harder tasks would tell "
            "the methods apart"
        )
    first = (
        f"{found.new} minus {found.base}, by {found.trainings[1]} and {found.trainings[0]} "
        f"trainings on {found.episodes} episodes a task: half of the {100 * (1 - found.alpha):g} % "
        "interval, in points, as the variances of these runs let expect"
    )
    rows = [[what, f"{100 * reach:.1f}"] for what, reach in found.half_widths]
    says = {
        "trainings": "buy trainings: how they differ makes most of the interval",
        "episodes": "buy episodes: how the cases differ makes most of the interval",
        "either": "trainings or episodes narrow it about as much: buy what is cheaper, as a rule "
        "episodes",
    }
    return "\n".join(
        [
            textwrap.fill(first, WIDTH, subsequent_indent="  "),
            "",
            text_table(["what is played", "half-width"], rows, figures=True),
            "",
            textwrap.fill(says[found.buy], WIDTH),
        ]
    )

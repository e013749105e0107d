"""`bench plan`: how many episodes a comparison needs, or what more trainings would add."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.options import Alpha, Methods
from harness.cli.output import print_out

__all__ = ["plan"]


def plan(
    effect: Annotated[
        float,
        typer.Option(help="The loss to be detected, or the gate's margin. 0.05 is five points."),
    ] = 0.05,
    power: Annotated[float, typer.Option(help="The chance of detecting it.")] = 0.8,
    alpha: Alpha = 0.05,
    rate: Annotated[
        float | None,
        typer.Option(help="The base's success rate. Default: that of --base, or else 0.8."),
    ] = None,
    discordant: Annotated[
        float | None,
        typer.Option(
            help="The share of cases in which one agent succeeds and the other fails. Default: as "
            "if they were independent."
        ),
    ] = None,
    tasks: Annotated[int, typer.Option(help="The number of tasks.")] = 1,
    episodes: Annotated[
        int | None, typer.Option(help="Say what this many episodes per task can detect.")
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(help="Take rate, tasks, episodes and, where it is saved, noise from this."),
    ] = None,
    method: Methods = None,
) -> int:
    """Say how many episodes a comparison needs, and what a number of them can detect.

    With --method, say what more trainings and what more episodes of two methods would add.
    """
    import contextlib

    from harness.compare.sample_size import sample_size, sample_size_table
    from harness.compare.saved_runs import open_run, saved_noise
    from harness.core import UserError

    if method:
        if base or episodes is not None or rate is not None or discordant is not None:
            raise UserError("--method takes everything from its runs: leave the other options out")
        print_out(_of_methods(method, alpha))
        return 0
    with open_run(base) if base else contextlib.nullcontext(None) as side:
        found = sample_size(
            effect,
            power=power,
            alpha=alpha,
            rate=rate,
            discordant=discordant,
            tasks=tasks,
            episodes=episodes,
            base=side,
            noise=saved_noise(base) if base else None,
        )
    print_out(sample_size_table(found))
    return 0


def _of_methods(named: list[str], alpha: float) -> str:
    from harness.cli.methods import open_methods
    from harness.compare.training_plan import training_plan, training_plan_table
    from leaderboards.compare_methods import played_by

    with open_methods(named) as methods:
        common = played_by(methods).common(methods)
        return training_plan_table(training_plan(methods, common, alpha))

"""`bench probe region`: where, between the values of a perturbation's range, an agent breaks."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from harness.cli.options import AgentName, Seed, SuiteNames, TaskGlobs
from harness.cli.output import DONE, WITH_ERRORS
from harness.cli.probe_runs import (
    PlayOptions,
    Telling,
    Wanted,
    default_folder,
    play_runs,
    with_play_options,
)

if TYPE_CHECKING:
    from harness.core import Task

__all__ = ["region"]

MOST_EPISODES = 1200
"""The fit of the map takes minutes from there on."""


@with_play_options(out="The folder of the run directories; default: runs/region-AGENT.")
def region(
    *,
    agent: AgentName,
    suite: SuiteNames,
    tasks: TaskGlobs = None,
    over: Annotated[
        str,
        typer.Option(
            help="Perturbations of the simulator that have a range, separated by commas, as in "
            "friction,mass; `bench list perturbations` shows them."
        ),
    ],
    rate: Annotated[
        float, typer.Option(help="Less success than this, a share, counts as broken.")
    ] = 0.5,
    episodes: Annotated[
        int, typer.Option(help="Episodes in all; a multiple of 12, or the next one is taken.")
    ] = 192,
    seed: Seed = 0,
    play: PlayOptions,
    figure: Annotated[
        Path | None, typer.Option(help="Also draw the border to this file: .png, .svg or .pdf.")
    ] = None,
    format: Annotated[Literal["text", "json"], typer.Option(help="What to print.")] = "text",
) -> int:
    """Find where along the ranges of the simulator's perturbations an agent breaks.

    Each batch of 12 episodes is played where the episodes before it leave the border open. Takes
    one task. The same command continues; a larger --episodes adds to what is there.
    """
    from harness.core import UserError
    from harness.probes.region.surface import BATCH, check_package

    if not (math.isfinite(rate) and 0.02 <= rate <= 0.98):
        raise UserError(f"--rate must lie between 0.02 and 0.98, got {rate}")
    if not BATCH <= episodes <= MOST_EPISODES:
        raise UserError(f"--episodes must lie between {BATCH} and {MOST_EPISODES}, got {episodes}")
    check_package()
    wanted = Wanted(suite=suite, tasks=tasks, episodes=1, seed=seed, options=play.run_options())
    folder = play.out or default_folder("region", agent)
    telling = Telling(
        probe="region",
        title=f"{agent} on {tasks or suite}: where it breaks",
        folder=folder,
        figure=figure,
        format=format,
    )

    def work() -> tuple[str, str, int]:
        from harness.host.loading import load_adapter
        from harness.probes.region.axes import axes_named, refuse_unseen
        from harness.probes.region.search import RegionSearch, check_plan

        task = _task(wanted)
        declared = load_adapter(task.adapter).simulator_perturbations(task)
        search = RegionSearch(axes_named(over, declared, task.id), rate, seed)
        spec = play.agent(agent)
        refuse_unseen(search.axes, {*spec.kind().reads, *spec.declared()[0]})
        code, names = DONE, list[str]()
        said: tuple[str, ...] = ()
        for _ in range(-(-episodes // BATCH)):
            names.append(search.name)
            batch = dataclasses.replace(wanted, perturb=search.conditions())
            stages = [(search.name, spec)]
            played = play_runs(stages, folder, batch, check_plan, changed=search.planned)
            if played.stopped:
                return "", "\n".join([*played.said, played.stopped]), WITH_ERRORS
            code, said = max(code, played.code), played.said
            search.take(played.runs[0].stored)
        return telling.tell(search.found(), names), "\n".join(said), code

    return play.relay(work)


def _task(wanted: Wanted) -> Task:
    """The one task that is played. Raises UserError where there are several."""
    from harness.cli.names import suites_named
    from harness.core import UserError
    from harness.records.catalogue import select_tasks

    chosen = [task for _, task in select_tasks(suites_named(wanted.suite), wanted.tasks)]
    if len(chosen) > 1:
        raise UserError(
            f"a border is that of one task, and {len(chosen)} were chosen: name one, as in "
            f"--tasks {chosen[0].name}"
        )
    if chosen[0].success is None:
        raise UserError(f"{chosen[0].id} has no success rule: choose a task that has one")
    return chosen[0]

"""`bench probe consistency`: the same cases several times."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from harness.cli.options import AgentName, Seed, SuiteNames, TaskGlobs
from harness.cli.output import DONE, WITH_ERRORS
from harness.cli.probe_runs import PlayOptions, Telling, Wanted, play_runs, with_play_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.compare.pairs import ScoredRun
    from harness.probes.consistency import Consistency
    from harness.records.identity import AgentSpec

__all__ = ["consistency"]

MOST_PLAYS = 100


@with_play_options(
    out="The folder of the plays' run directories; default: runs/consistency-AGENT-..."
)
def consistency(
    *,
    agent: AgentName,
    suite: SuiteNames,
    tasks: TaskGlobs = None,
    episodes: Annotated[
        int | None,
        typer.Option(help="Cases per task. Default: the episodes that the suite asks for."),
    ] = None,
    seed: Seed = 0,
    plays: Annotated[int, typer.Option(help="How often each case is played.")] = 5,
    play: PlayOptions,
    format: Annotated[Literal["text", "json"], typer.Option(help="What to print.")] = "text",
    figure: Annotated[
        Path | None, typer.Option(help="Also draw the shares to this file: .png, .svg or .pdf.")
    ] = None,
) -> int:
    """Play the same cases several times, with other draws of the agent.

    Says how often all plays of a case succeed, and any. The same command continues.
    """
    from harness.core import UserError

    if not 2 <= plays <= MOST_PLAYS:
        raise UserError(f"--plays must lie between 2 and {MOST_PLAYS}, got {plays}")
    wanted = Wanted(
        suite=suite, tasks=tasks, episodes=episodes, seed=seed, options=play.run_options()
    )
    telling = Telling(
        probe="consistency",
        title=f"{agent} on {suite}: several plays of the same cases",
        folder=play.out,
        figure=figure,
        format=format,
    )

    def work() -> tuple[str, str, int]:
        from harness.probes.consistency import repeated

        spec = play.agent(agent)
        folder = play.out or _default_folder(spec, wanted)

        def of(runs: Sequence[ScoredRun]) -> Consistency:
            from harness.probes.consistency import consistency_of, plays_of

            return consistency_of(plays_of([run.stored for run in runs]), len(runs), plays)

        played = play_runs(
            [(f"play-{number}", spec) for number in range(plays)],
            folder,
            wanted,
            lambda plan: None,
            changed=repeated,
            enough=lambda runs: len(runs) == 2 and of(runs).every_play_is_the_same,
        )
        if played.stopped:
            return "", "\n".join([*played.said, played.stopped]), WITH_ERRORS
        found = of(played.runs)
        first, again = (folder / run.name for run in played.runs[:2])
        said = [*played.said, f"next: bench baseline save NAME {first} --again {again}"]
        code = WITH_ERRORS if played.agent_errors or found.missing else DONE
        told = dataclasses.replace(telling, folder=folder)
        return told.tell(found, [run.name for run in played.runs]), "\n".join(said), code

    return play.relay(work)


def _default_folder(spec: AgentSpec, wanted: Wanted) -> Path:
    """runs/consistency-AGENT-SUITE-HASH."""
    from harness.cli.names import suites_named
    from harness.play.planning import make_plan
    from harness.play.runner import default_directory
    from harness.records.catalogue import select_tasks

    suites = suites_named(wanted.suite)
    chosen = select_tasks(suites, wanted.tasks)
    plan = make_plan(chosen, spec, episodes=wanted.episodes, seed=wanted.seed)
    names = [each.name for each in suites]
    default = default_directory(spec, names, plan, folder=wanted.options.folder)
    return default.with_name(f"consistency-{default.name}")

"""`bench probe consistency`: the same cases several times."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from harness.cli.options import (
    AgentArgs,
    AgentName,
    AgentTimeout,
    Interpreters,
    LanesOption,
    ProfileCheck,
    RayAddress,
    ReplicasOption,
    Seed,
    SuiteNames,
    TaskGlobs,
    Workers,
    arguments,
)
from harness.cli.output import DONE, WITH_ERRORS, terminal_width

if TYPE_CHECKING:
    from harness.core import Suite
    from harness.play.runner import RunOptions
    from harness.records.identity import AgentSpec
    from harness.records.plan import Plan
    from harness.records.stored_run import StoredRun

__all__ = ["consistency"]

MOST_PLAYS = 100


@dataclass(frozen=True, kw_only=True)
class _Shown:
    """How the result is shown."""

    json: bool
    figure: Path | None
    width: int


def consistency(
    agent: AgentName,
    suite: SuiteNames,
    tasks: TaskGlobs = None,
    episodes: Annotated[
        int | None,
        typer.Option(help="Cases per task. Default: the episodes that the suite asks for."),
    ] = None,
    seed: Seed = 0,
    plays: Annotated[int, typer.Option(help="How often each case is played.")] = 5,
    workers: Workers = "auto",
    lanes: LanesOption = None,
    replicas: ReplicasOption = "1",
    out: Annotated[
        Path | None,
        typer.Option(
            help="The folder of the plays' run directories; default: runs/consistency-AGENT-..."
        ),
    ] = None,
    agent_arg: AgentArgs = None,
    profile_check: ProfileCheck = "on",
    agent_timeout: AgentTimeout = 600.0,
    ray_address: RayAddress = None,
    interpreter: Interpreters = None,
    format: Annotated[Literal["text", "json"], typer.Option(help="What to print.")] = "text",
    figure: Annotated[
        Path | None, typer.Option(help="Also draw the shares to this file: .png, .svg or .pdf.")
    ] = None,
) -> int:
    """Play the same cases several times, with other draws of the agent.

    Says how often all plays of a case succeed, and any. The same command continues.
    """
    from harness.cli.names import agent_named, suites_named
    from harness.cli.probe_runs import run_options
    from harness.cli.supervisor import relay
    from harness.core import UserError
    from harness.host.interpreters import configured

    if not 2 <= plays <= MOST_PLAYS:
        raise UserError(f"--plays must lie between 2 and {MOST_PLAYS}, got {plays}")
    options = run_options(workers, lanes, replicas, agent_timeout, ray_address)
    if figure is not None:
        from harness.probes.consistency_figure import check_figure

        check_figure(figure)
    shown = _Shown(json=format == "json", figure=figure, width=terminal_width())

    def work() -> tuple[str, str, int]:
        from harness.play.planning import make_plan
        from harness.records.catalogue import select_tasks

        spec = agent_named(agent, arguments(agent_arg), profile_check)
        suites = suites_named(suite)
        plan = make_plan(select_tasks(suites, tasks), spec, episodes=episodes, seed=seed)
        return _played(spec, suites, plan, plays, out, options, shown)

    with configured(interpreter or ()):
        return relay(work)


def _played(
    spec: AgentSpec,
    suites: list[Suite],
    plan: Plan,
    plays: int,
    out: Path | None,
    options: RunOptions,
    shown: _Shown,
) -> tuple[str, str, int]:
    """What `relay` prints."""
    import json

    from harness.core import UserError
    from harness.probes.consistency import consistency_of, plays_of

    if not plan.total:
        rows = "; ".join(f"{row.task}: {row.reason}; {row.remedy}" for row in plan.not_run[:3])
        raise UserError(f"none of these tasks can run here: {rows}")
    runs, stopped, errors = _runs(spec, suites, plan, plays, out, options)
    if stopped:
        return "", stopped, WITH_ERRORS
    found = consistency_of(plays_of(runs), len(runs), plays)
    lacking = [f"{row.task} cannot run here: {row.reason}; {row.remedy}" for row in plan.not_run]
    first, second = (run.path for run in runs[:2])
    said = [
        *lacking,
        f"run directories: {first.parent}",
        f"next: bench baseline save NAME {first} --again {second}",
    ]
    code = WITH_ERRORS if errors or found.missing else DONE
    if shown.figure is not None:
        from harness.probes.consistency_figure import draw_consistency

        draw_consistency(found, shown.figure)
    text = json.dumps(found.to_json(), indent=1) if shown.json else found.as_text(shown.width)
    return text, "\n".join(said), code


def _runs(
    spec: AgentSpec,
    suites: list[Suite],
    plan: Plan,
    plays: int,
    out: Path | None,
    options: RunOptions,
) -> tuple[list[StoredRun], str, int]:
    """(the plays, why they were stopped or nothing, how many ended in an error of the agent)."""
    from harness.play.progress import progress_for
    from harness.play.runner import default_directory, play
    from harness.probes.consistency import consistency_of, plays_of, repeated
    from harness.records.stored_run import load_run

    names = [each.name for each in suites]
    if out is None:
        default = default_directory(spec, names, plan, folder=options.folder)
        out = default.with_name(f"consistency-{default.name}")
    runs: list[StoredRun] = []
    errors = 0
    for number in range(plays):
        progress = progress_for()
        progress.say(f"play {number + 1} of {plays}")
        path = out / f"play-{number}"
        summary = play(spec, names, repeated(plan, number), path, options, progress)
        if summary.stopped:
            return runs, summary.stopped, errors
        errors += summary.agent_errors
        runs.append(load_run(summary.path))
        if number == 1 and consistency_of(plays_of(runs), 2, plays).every_play_is_the_same:
            break
    return runs, "", errors

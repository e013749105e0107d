"""`bench run`: play an agent on suites."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from harness.cli.options import (  # fmt: skip
    AgentArgs,
    AgentName,
    AgentTimeout,
    Backend,
    ControlRate,
    EpisodesOption,
    Interpreters,
    LanesOption,
    Latency,
    Out,
    ProfileCheck,
    RayAddress,
    ReplicasOption,
    Seed,
    SuiteNames,
    TaskGlobs,
    TrainingDataOption,
    Workers,
    arguments,
    at_least_one,
    replica_count,
    worker_count,
)
from harness.cli.output import DONE, WITH_ERRORS, WRONG_USE, command_line, say

if TYPE_CHECKING:
    from harness.cli.supervisor import Note
    from harness.play.summary import RunSummary

__all__ = ["exit_code", "run"]


def run(
    agent: AgentName,
    suite: SuiteNames,
    tasks: TaskGlobs = None,
    episodes: EpisodesOption = None,
    seed: Seed = 0,
    perturb: Annotated[
        str | None,
        typer.Option(
            help="NAME[:1,3,5], A:3+B:2, standard, closed-loop or FILE.toml, separated by commas; "
            "see `bench list perturbations`."
        ),
    ] = None,
    workers: Workers = "auto",
    lanes: LanesOption = None,
    replicas: ReplicasOption = "1",
    out: Out = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Refuse to start a new run: continue one.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 4 if a task cannot run here.")
    ] = False,
    agent_arg: AgentArgs = None,
    profile_check: ProfileCheck = "on",
    training_data: TrainingDataOption = None,
    video: Annotated[
        Literal["none", "failures", "all"],
        typer.Option(help="Which episodes to keep videos of, in RUN/videos."),
    ] = "none",
    video_limit: Annotated[
        int, typer.Option(help="How many megabytes the videos may take.")
    ] = 1000,
    agent_timeout: AgentTimeout = 600.0,
    ray_address: RayAddress = None,
    until_width: Annotated[
        float | None,
        typer.Option(
            help="Add episodes to each task until its 95 % interval, which is valid at every look, "
            "is narrower than this; at most --episodes, or else 1000."
        ),
    ] = None,
    control_rate: ControlRate = None,
    latency: Latency = None,
    backend: Backend = "",
    interpreter: Interpreters = None,
    log: Annotated[
        list[str] | None,
        typer.Option(
            help="mlflow, wandb, trackio or tensorboard, with :PLACE for a server, project or "
            "folder: log the run there, live. Can be repeated; see docs/trackers.md."
        ),
    ] = None,
) -> int:
    """Play an agent on suites and print the table.

    The same command continues a run that was interrupted.
    """
    from harness.cli.counting import played
    from harness.cli.names import agent_named, suites_named
    from harness.cli.report import draw_if_possible, print_report
    from harness.cli.uploads import uploading
    from harness.play.clock_options import control_clock
    from harness.play.progress import progress_for
    from harness.play.runner import RunOptions
    from leaderboards.trackers.destination import destinations
    from leaderboards.trackers.reporters import reporting

    options = RunOptions(
        workers=worker_count(workers),
        lanes=at_least_one("--lanes", lanes),
        replicas=replica_count(replicas),
        agent_timeout=agent_timeout,
        ray_address=ray_address,
        resume=resume,
        video=video,
        video_limit=1_000_000 * (at_least_one("--video-limit", video_limit) or 1),
        command=command_line(),
        training_data=training_data,
    )

    def work(note: Note) -> dict[str, Any]:
        from harness.cli.api import play_suites
        from harness.host.interpreters import configure

        if interpreter:
            configure(interpreter)
        return play_suites(
            agent_named(agent, arguments(agent_arg), profile_check),
            suites_named(suite),
            tasks=tasks,
            episodes=episodes,
            seed=seed,
            perturb=perturb,
            until_width=until_width,
            clock=control_clock(control_rate, latency),
            backend=backend,
            out=upload.place,
            options=dataclasses.replace(options, opened=functools.partial(opened, note)),
            progress=progress_for(),
        ).to_json()

    def opened(note: Note, path: Path) -> None:
        note("path", str(path))
        reporters.opened(options.folder / path)

    with uploading(out, options.folder, say) as upload:
        with reporting(destinations(log or ()), say) as reporters:
            summary = played(work)
            print_report(summary.path, "text")
            if perturb is not None:
                draw_if_possible(summary.path)
        say(summary.as_text(), lines=True)
    return exit_code(summary, strict) if upload.complete else WITH_ERRORS


def exit_code(summary: RunSummary, strict: bool = False) -> int:
    """The exit code of a run."""
    if not summary.planned:
        return WRONG_USE if len(summary.not_run) == 1 else WITH_ERRORS
    if summary.missing or summary.agent_errors or summary.stopped:
        return WITH_ERRORS
    return WITH_ERRORS if strict and summary.not_run else DONE

"""Several runs of one probe: each has an ordinary run directory, and the same command continues."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli.output import DONE, WITH_ERRORS

if TYPE_CHECKING:
    from harness.compare.pairs import ScoredRun
    from harness.perturb import Condition
    from harness.play.runner import RunOptions
    from harness.records.identity import AgentSpec
    from harness.records.plan import Plan

__all__ = ["PlayedRuns", "Wanted", "default_folder", "play_runs", "printed", "run_options"]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What all runs of a probe play."""

    suite: str
    tasks: str | None
    episodes: int | None
    seed: int
    options: RunOptions
    perturb: tuple[Condition, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PlayedRuns:
    """The runs that were played, as far as nothing stopped them."""

    runs: tuple[ScoredRun, ...]
    said: tuple[str, ...]
    """What is to be told on stderr: tasks that cannot run here, and where the runs are."""
    stopped: str
    """Why a run was stopped before its end; empty: none was."""
    code: int
    agent_errors: int = 0
    """Cases that ended with an error of their agent, over all runs."""


def run_options(
    workers: str, lanes: int | None, replicas: str, agent_timeout: float, ray_address: str | None
) -> RunOptions:
    """The options of each run, as a command's options say them. Raises UserError."""
    from harness.cli.options import at_least_one, replica_count, worker_count
    from harness.cli.output import command_line
    from harness.play.runner import RunOptions

    return RunOptions(
        workers=worker_count(workers),
        lanes=at_least_one("--lanes", lanes),
        replicas=replica_count(replicas),
        agent_timeout=agent_timeout,
        ray_address=ray_address,
        command=command_line(),
    )


def default_folder(probe: str, agent: str) -> Path:
    """runs/PROBE-AGENT, with what no folder should be called left out."""
    safe = "".join(each if each.isalnum() or each in "-_." else "-" for each in agent)
    return Path("runs") / f"{probe}-{safe.strip('.-') or 'agent'}"


def play_runs(
    stages: Sequence[tuple[str, AgentSpec]],
    folder: Path,
    wanted: Wanted,
    check: Callable[[Plan], object],
) -> PlayedRuns:
    """Play each (name, agent) into folder/name, one after the other.

    `check` is called with each plan before it is played, and raises UserError where the probe could
    make nothing of it.

    Called in the child process of a command. Raises UserError on wrong use, and where no task can
    run here.
    """
    from harness.cli.names import suites_named
    from harness.compare.pairs import read_scored_run
    from harness.core import UserError
    from harness.play.planning import make_plan
    from harness.play.progress import progress_for
    from harness.play.runner import play
    from harness.records.catalogue import select_tasks

    suites = suites_named(wanted.suite)
    chosen = select_tasks(suites, wanted.tasks)
    runs, lacking, code, agent_errors = [], dict[str, None](), DONE, 0
    for name, spec in stages:
        progress = progress_for()
        progress.say(f"{name}:")
        plan = make_plan(
            chosen, spec, episodes=wanted.episodes, seed=wanted.seed, perturb=wanted.perturb
        )
        for row in plan.not_run:
            if row.perturbation is not None:
                continue  # the report of the run directory has them
            lacking[f"{row.task} cannot run here: {row.reason}; {row.remedy}"] = None
        if not plan.total:
            raise UserError(f"none of these tasks can run here: {'; '.join([*lacking][:3])}")
        check(plan)
        names = [each.name for each in suites]
        summary = play(spec, names, plan, folder / name, wanted.options, progress)
        if summary.stopped:
            return PlayedRuns(
                runs=(), said=tuple(lacking), stopped=summary.stopped, code=WITH_ERRORS
            )
        agent_errors += summary.agent_errors
        if summary.missing or summary.agent_errors:
            code = WITH_ERRORS
        runs.append(read_scored_run(wanted.options.folder / summary.path, name))
    said = (*lacking, f"run directories: {folder}")
    return PlayedRuns(runs=tuple(runs), said=said, stopped="", code=code, agent_errors=agent_errors)


def printed(values: dict[str, Any], text: str, format: str) -> str:
    """The artefact in the wanted format."""
    return json.dumps(values, indent=1) if format == "json" else text

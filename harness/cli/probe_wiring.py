"""`bench probe wiring`: what is wrong between the simulator and a policy?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from harness.cli.options import (
    AgentArgs,
    AgentTimeout,
    Interpreters,
    Seed,
    TaskGlobs,
    arguments,
    at_least_one,
)
from harness.cli.output import DONE
from harness.cli.probe_runs import Telling

if TYPE_CHECKING:
    from harness.core import Case, Result
    from harness.records.identity import AgentSpec

__all__ = ["wiring"]


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """The command's options."""

    suite: str
    tasks: str | None
    cases: int
    episodes: int
    seed: int
    progress: str | None
    timeout: float
    out: Path | None
    telling: Telling


def wiring(
    agent: Annotated[
        str | None,
        typer.Option(help="A name from `bench list agents`, or your own package.module:Class."),
    ] = None,
    suite: Annotated[
        str | None, typer.Option(help="Suites to take cases from, separated by commas.")
    ] = None,
    tasks: TaskGlobs = None,
    cases: Annotated[int, typer.Option(help="How many cases to play at most.")] = 20,
    episodes: Annotated[
        int, typer.Option(help="How many episodes to play at most, over all changes.")
    ] = 150,
    seed: Seed = 0,
    progress: Annotated[
        str | None,
        typer.Option(
            help="A metric that says how far a failed episode came, such as return; with a minus "
            "before its name, less is better. Default: the task's score."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Keep the episodes in this file: the same command goes on from there."),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(help="Play nothing: look at the recorded actions of this run directory."),
    ] = None,
    agent_arg: AgentArgs = None,
    format: Annotated[Literal["text", "json"], typer.Option(help="What to print.")] = "text",
    agent_timeout: AgentTimeout = 600.0,
    interpreter: Interpreters = None,
) -> int:
    """Name what is wrong between the simulator and a policy that does badly.

    Each candidate, such as a picture that is upside down, is undone between the two, and the policy
    plays the same cases with and without.
    """
    from harness.cli import names
    from harness.cli.supervisor import relay
    from harness.core import UserError
    from harness.host.interpreters import configured

    with configured(interpreter or ()):
        if run is not None:
            if agent is not None or suite is not None:
                raise UserError("--run plays nothing: leave --agent and --suite out")
            return relay(lambda: _of_run(run, format == "json"))
        if agent is None or suite is None:
            raise UserError(
                "name the policy with --agent and its cases with --suite, or a run with --run"
            )
        wanted = _Wanted(
            suite=suite,
            tasks=tasks,
            cases=at_least_one("--cases", cases) or 20,
            episodes=at_least_one("--episodes", episodes) or 150,
            seed=seed,
            progress=progress,
            timeout=agent_timeout,
            out=out,
            telling=Telling(
                probe="wiring",
                title=f"{agent} on {suite}: what is wrong between the simulator and the policy",
                folder=None if out is None else out.parent,
                name="" if out is None else out.with_suffix(".probe.json").name,
                format=format,
            ),
        )
        spec = names.agent_named(agent, arguments(agent_arg))
        return relay(lambda: _diagnosed(spec, wanted))


def _cases(spec: AgentSpec, wanted: _Wanted) -> tuple[list[Case], bool, str]:
    """(cases, round by round; whether all tasks have an expert; the plan's hash).

    Raises UserError.
    """
    from harness.cli.names import suites_named
    from harness.core import UserError
    from harness.host.loading import load_adapter
    from harness.play.planning import make_plan
    from harness.records.catalogue import select_tasks
    from harness.records.plan import CaseIndex

    chosen = select_tasks(suites_named(wanted.suite), wanted.tasks)
    plan = make_plan(chosen, spec, episodes=wanted.cases, seed=wanted.seed)
    if not plan.items:
        why = plan.not_run[0]
        raise UserError(f"{why.task} cannot run here: {why.reason}; {why.remedy}")
    cases = [
        plan.case(CaseIndex(item, 0, episode))
        for episode in range(wanted.cases)
        for item in range(len(plan.items))
    ][: wanted.cases]
    tasks = {case.task.id: case.task for case in cases}.values()
    expert = all(load_adapter(task.adapter).has_expert(task) for task in tasks)
    return cases, expert, plan.hash


def _measure(progress: str | None) -> Callable[[Result], float | None]:
    """How far an episode came, more is better."""

    def score(result: Result) -> float | None:
        return result.score if result.normalised is None else result.normalised

    if progress is None:
        return score
    name, sign = progress.removeprefix("-"), -1.0 if progress.startswith("-") else 1.0

    def metric(result: Result) -> float | None:
        from harness.core import UserError

        if name not in result.metrics:
            known = ", ".join(sorted(result.metrics)) or "none"
            raise UserError(f"--progress {name}: {result.task} has no such metric; it has {known}")
        return sign * result.metrics[name]

    return metric


def _diagnosed(spec: AgentSpec, wanted: _Wanted) -> tuple[str, str, int]:
    """What `relay` prints."""
    import contextlib

    from harness.cli.output import say
    from harness.probes.fork import Brancher
    from harness.probes.wiring.episodes import Stage
    from harness.probes.wiring.journal import Journal
    from harness.probes.wiring.verdict import diagnose

    cases, expert, plan = _cases(spec, wanted)
    agent = spec.build()
    with contextlib.ExitStack() as held:
        held.callback(agent.close)
        journal = None
        if wanted.out is not None:
            identity = {
                "agent": spec.fingerprint(), "plan": plan, "progress": wanted.progress
            }  # fmt: skip
            journal = held.enter_context(Journal(wanted.out, identity))
        brancher = held.enter_context(Brancher(agent, None, wanted.timeout))
        measure = _measure(wanted.progress)
        stage = Stage(brancher, agent, measure, expert, wanted.episodes, journal)
        verdict = diagnose(stage, cases, say)
    return wanted.telling.tell(verdict), "", DONE


def _of_run(path: Path, as_json: bool) -> tuple[str, str, int]:
    """What `relay` prints of what a run's own lines give away."""
    import dataclasses
    import json

    from harness.core import UserError
    from harness.probes.wiring.passive import Passive
    from harness.records.stored_run import load_run

    passive = Passive()
    for result in load_run(path).results():
        passive.add(result)
    if not passive.told:
        raise UserError(
            f"no episode in {path} says how its actions were, as those of older versions and "
            "imported ones do not: play it again"
        )
    rows = passive.rows()
    if as_json:
        tasks: dict[str, Any] = {}
        for row in rows:
            fields = dataclasses.asdict(row)
            tasks.setdefault(fields.pop("task"), []).append(fields)
        return json.dumps({"schema": 1, "tasks": tasks}, indent=1), "", DONE
    lines = [f"{row.task}: {row.what} (of {row.count})" for row in rows]
    return "\n".join(lines or ["nothing is wrong by the recorded actions alone"]), "", DONE

"""`bench probe memory`: what does an agent remember, and for how long?"""

from __future__ import annotations

import json
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
from harness.cli.output import WITH_ERRORS

if TYPE_CHECKING:
    from harness.records.identity import AgentSpec

__all__ = ["memory"]

ALL = "all"
MOST_TURNS = 1000
"""The longest context that is a number: every turn is asked again as often."""


def memory(
    agent: AgentName,
    suite: SuiteNames = "memory",
    tasks: TaskGlobs = None,
    episodes: Annotated[
        int | None,
        typer.Option(help="Episodes per task. Default: what the suite asks for."),
    ] = None,
    seed: Seed = 0,
    contexts: Annotated[
        str,
        typer.Option(help="How many turns the agent knows of, separated by commas; all: no limit."),
    ] = "1,2,3,8,16,all",
    context_arg: Annotated[
        str | None,
        typer.Option(
            help="The argument of the agent's constructor that sets its context. Without it, "
            "history and memory are cut, whatever the agent is."
        ),
    ] = None,
    workers: Workers = "auto",
    lanes: LanesOption = None,
    replicas: ReplicasOption = "1",
    out: Annotated[
        Path | None,
        typer.Option(help="The folder of the run directories; default: runs/memory-AGENT."),
    ] = None,
    agent_arg: AgentArgs = None,
    profile_check: ProfileCheck = "on",
    agent_timeout: AgentTimeout = 600.0,
    ray_address: RayAddress = None,
    interpreter: Interpreters = None,
    figure: Annotated[
        Path | None, typer.Option(help="Also draw success over context into this file.")
    ] = None,
    format: Annotated[Literal["text", "json"], typer.Option(help="What to print.")] = "text",
) -> int:
    """Compare tasks whose cue is hidden with twins in which it stays in sight.

    The agent plays both with one context after the other. The same command continues.
    """
    from harness.cli.probe_runs import Wanted, default_folder, play_runs, printed, run_options
    from harness.cli.supervisor import relay
    from harness.host.interpreters import configured

    wanted = Wanted(
        suite=suite,
        tasks=tasks,
        episodes=episodes,
        seed=seed,
        options=run_options(workers, lanes, replicas, agent_timeout, ray_address),
    )
    labels = _labels(contexts)
    if figure is not None:
        from leaderboards.context_curves import check_figure

        check_figure(figure)
    folder = out or default_folder("memory", agent)

    def work() -> tuple[str, str, int]:
        from harness.probes.memory import compare_contexts, twins

        given = arguments(agent_arg)
        stages = [
            (f"context-{label}", _spec(agent, given, profile_check, label, context_arg))
            for label in labels
        ]
        played = play_runs(stages, folder, wanted, twins)
        if played.stopped:
            return "", "\n".join([*played.said, played.stopped]), WITH_ERRORS
        found = compare_contexts(dict(zip(labels, played.runs, strict=True)))
        if figure is not None:
            from leaderboards.context_curves import draw_contexts

            draw_contexts(found.contexts, figure, f"{agent} on {suite}")
        text = printed(found.to_json(), found.as_text(), format)
        return text, "\n".join(played.said), played.code

    with configured(interpreter or ()):
        return relay(work)


def _labels(text: str) -> list[str]:
    """The contexts in the order of their length. Raises UserError."""
    from harness.core import UserError

    labels = list(dict.fromkeys(each.strip() for each in text.split(",") if each.strip()))
    for each in labels:
        number = int(each) if each.isascii() and each.isdigit() else 0
        if each != ALL and not 1 <= number <= MOST_TURNS:
            raise UserError(
                f"--contexts {text!r}: write numbers of turns from 1 to {MOST_TURNS}, or all, "
                "separated by commas, for example 1,4,all"
            )
    if len(labels) < 2:
        raise UserError(f"--contexts {text!r}: name two contexts at least, for example 1,all")
    return sorted(labels, key=lambda each: MOST_TURNS + 1 if each == ALL else int(each))


def _spec(
    name: str, given: dict[str, object], profile_check: str, label: str, argument: str | None
) -> AgentSpec:
    """The agent with this context. Raises UserError."""
    from harness.cli.names import agent_named
    from harness.core import UserError
    from harness.probes.truncated import TruncatedSpec

    if argument is not None and argument in given:
        raise UserError(f"--agent-arg {argument}: the contexts set it; leave it out")
    if label == ALL:
        return agent_named(name, given, profile_check)
    if argument is not None:
        return agent_named(name, {**given, argument: json.loads(label)}, profile_check)
    return TruncatedSpec.of(agent_named(name, given, profile_check), int(label))

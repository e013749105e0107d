"""`bench probe memory`: what does an agent remember, and for how long?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from harness.cli.options import AgentName, EpisodesOption, Seed, SuiteNames, TaskGlobs, arguments
from harness.cli.probe_runs import (
    PlayOptions,
    Telling,
    Wanted,
    default_folder,
    play_and_tell,
    with_play_options,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.compare.pairs import ScoredRun
    from harness.probes.memory import MemoryProbe
    from harness.records.identity import AgentSpec

__all__ = ["memory"]

ALL = "all"
MOST_TURNS = 1000
"""The longest context that is a number: every turn is asked again as often."""


@with_play_options(out="The folder of the run directories; default: runs/memory-AGENT.")
def memory(
    *,
    agent: AgentName,
    suite: SuiteNames = "memory",
    tasks: TaskGlobs = None,
    episodes: EpisodesOption = None,
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
    play: PlayOptions,
    figure: Annotated[
        Path | None, typer.Option(help="Also draw success over context into this file.")
    ] = None,
    format: Annotated[Literal["text", "json"], typer.Option(help="What to print.")] = "text",
) -> int:
    """Compare tasks whose cue is hidden with twins in which it stays in sight.

    The agent plays both with one context after the other. The same command continues.
    """
    wanted = Wanted(
        suite=suite, tasks=tasks, episodes=episodes, seed=seed, options=play.run_options()
    )
    labels = _labels(contexts)
    telling = Telling(
        probe="memory",
        title=f"{agent} on {suite}: what a hidden cue costs",
        folder=play.out or default_folder("memory", agent),
        figure=figure,
        format=format,
    )

    def work() -> tuple[str, str, int]:
        from harness.probes.memory import compare_contexts, twins

        stages = [(f"context-{label}", _spec(agent, play, label, context_arg)) for label in labels]

        def find(runs: Sequence[ScoredRun]) -> MemoryProbe:
            return compare_contexts(dict(zip(labels, runs, strict=True)))

        return play_and_tell(stages, wanted, twins, find, telling)

    return play.relay(work)


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


def _spec(name: str, play: PlayOptions, label: str, argument: str | None) -> AgentSpec:
    """The agent with this context. Raises UserError."""
    from harness.core import UserError
    from harness.probes.truncated import TruncatedSpec

    if argument is not None and argument in arguments(play.agent_arg):
        raise UserError(f"--agent-arg {argument}: the contexts set it; leave it out")
    if label == ALL:
        return play.agent(name)
    if argument is not None:
        return play.agent(name, **{argument: json.loads(label)})
    return TruncatedSpec.of(play.agent(name), int(label))

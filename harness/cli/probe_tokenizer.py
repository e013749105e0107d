"""`bench probe tokenizer`: what precision do actions need that are spoken in tokens?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from harness.cli.options import (
    AgentArgs,
    AgentTimeout,
    Interpreters,
    TaskGlobs,
    TrustMaker,
    Workers,
    arguments,
    at_least_one,
    worker_count,
)
from harness.cli.output import DONE, WITH_ERRORS, command_line, say

if TYPE_CHECKING:
    from harness.probes.tokenizer.codecs import Codec
    from harness.probes.tokenizer.data import Split

__all__ = ["tokenizer"]


def tokenizer(
    data: Annotated[Path, typer.Option(help="A folder of `bench demos`.")],
    out: Annotated[
        Path, typer.Option(help="The folder of the codecs and runs. The same command continues.")
    ],
    tasks: TaskGlobs = None,
    variants: Annotated[
        str | None,
        typer.Option(
            help="uniform-K, vq-K and rvq-QxK, or globs of them, separated by commas; * is all 55. "
            "Default: 18 of them."
        ),
    ] = None,
    held_out: Annotated[
        int | None,
        typer.Option(
            help="Episodes of each task that no codec is learned from. Default: 30 % of them."
        ),
    ] = None,
    play: Annotated[
        str,
        typer.Option(
            help="replay, expert, or both, separated by a comma; none: only what is lost."
        ),
    ] = "replay,expert",
    agent: Annotated[
        str | None, typer.Option(help="Also play this agent, its actions coded and decoded.")
    ] = None,
    agent_arg: AgentArgs = None,
    gea: Annotated[
        Path | None,
        typer.Option(help="Also the tokenizer of these weights of GEA (`bench train gea`)."),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Updates of each codec that is learned. Default: 1500.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The seed of what is learned.")] = 0,
    figure: Annotated[
        Path | None, typer.Option(help="Draw success and error against bits to this file.")
    ] = None,
    format: Annotated[Literal["text", "json"], typer.Option(help="What to print.")] = "text",
    workers: Workers = "0",
    agent_timeout: AgentTimeout = 600.0,
    interpreter: Interpreters = None,
    trust: TrustMaker = False,
) -> int:
    """Compare action tokenizers: what they lose, and what that costs.

    Exit 4: some cases have no result.
    """
    from harness.cli.probe_runs import Telling
    from harness.cli.supervisor import relay
    from harness.host.interpreters import configured

    given = arguments(agent_arg)
    telling = Telling(
        probe="tokenizer",
        title=f"actions of {data}: what codecs lose",
        folder=out,
        figure=figure,
        format=format,
    )

    def work() -> tuple[str, str, int]:
        from harness.cli.names import agent_named
        from harness.cli.names import trust as trusted
        from harness.core import UserError
        from harness.play.runner import RunOptions
        from harness.probes.tokenizer.data import split
        from harness.probes.tokenizer.learn import Training
        from harness.probes.tokenizer.probe import Probe, families_of, gripper_of
        from harness.probes.tokenizer.summary import summarise
        from harness.probes.tokenizer.variants import CONTINUOUS, STANDARD, Variant, variants_named
        from harness.records.identity import AgentSpec

        if given and agent is None:
            raise UserError("--agent-arg belongs to --agent: name the agent")
        chosen = list(variants_named(STANDARD if variants is None else variants))
        modes = _modes(play, agent)
        found = split(data, tasks, at_least_one("--held-out", held_out))
        if modes:
            trusted(trust).check([task for _, task in found.chosen], found.plan)
        policy = None if agent is None else agent_named(agent, given)
        if policy is not None and type(policy) is not AgentSpec:
            raise UserError(
                f"--agent {agent}: an agent with an interpreter of its own cannot act through a "
                "codec; serve it with `bench serve` and name its address"
            )
        handed_in = {} if gea is None else {"gea": _codec_of_gea(gea, found)}
        learned = Training(seed=seed, steps=at_least_one("--steps", steps) or Training.steps)
        probe = Probe(
            found,
            out,
            learned,
            RunOptions(
                workers=worker_count(workers), agent_timeout=agent_timeout, command=command_line()
            ),
            say,
            policy,
        )
        wanted = [Variant(CONTINUOUS), *chosen, *map(Variant, handed_in)]
        measured = [probe.measure(each, modes, handed_in.get(each.kind)) for each in wanted]
        gripper = gripper_of(found) if modes else ()
        not_run = {**found.left_out, **probe.not_run}
        told = summarise(found, measured, gripper, not_run, probe.lost, families_of(found))
        return telling.tell(told), "", WITH_ERRORS if probe.lost else DONE

    with configured(interpreter or ()):
        return relay(work)


def _modes(text: str, agent: str | None) -> list[str]:
    """What is played. Raises UserError."""
    from harness.core import UserError

    words = [] if text == "none" else [word.strip() for word in text.split(",")]
    if wrong := [word for word in words if word not in ("replay", "expert")]:
        raise UserError(f"--play {wrong[0]}: write replay, expert, both with a comma, or none")
    return [*dict.fromkeys(words), *(["policy"] if agent is not None else [])]


def _codec_of_gea(weights: Path, split: Split) -> Codec:
    """GEA's tokenizer as a codec of the probe. Raises UserError where there is none."""
    from baselines.gea.agent import needs
    from baselines.gea.config import Config
    from baselines.gea.rvq import ActionTokenizer
    from harness.core import UserError
    from harness.probes.tokenizer.codecs import Residual, bounded
    from harness.probes.tokenizer.learn import layers_of

    needs()
    made = ActionTokenizer.load(weights, Config.load(weights).rvq)
    if split.range.dims > made.config.dims:
        raise UserError(f"--gea: it reads {made.config.dims} dimensions, fewer than these actions")
    if not bounded(split.spec):
        raise UserError("--gea: it scales actions without bounds in another way: leave --gea out")
    books = made.quantiser.codebooks.detach().float().numpy().copy()
    return Residual(split.range, layers_of(made.encoder), books, layers_of(made.decoder))

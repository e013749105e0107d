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
    from collections.abc import Mapping, Sequence

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
            help="replay, expert, trained (the agents of --gea, in tokens of their own), separated "
            "by commas; none: only what is lost."
        ),
    ] = "replay,expert",
    agent: Annotated[
        str | None, typer.Option(help="Also play this agent, its actions coded and decoded.")
    ] = None,
    agent_arg: AgentArgs = None,
    gea: Annotated[
        list[str] | None,
        typer.Option(
            help="Also the tokenizer of these weights of GEA (`bench train gea`): WEIGHTS, or "
            "NAME=WEIGHTS. Can be repeated."
        ),
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

    Exit 4: some cases have no result, or the agent failed in some.
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
        weights = _weights(gea or (), [str(each) for each in chosen])
        modes, plays_trained = _modes(play, agent, weights)
        found = split(data, tasks, at_least_one("--held-out", held_out))
        if modes or plays_trained:
            trusted(trust).check([task for _, task in found.chosen], found.plan)
        policy = None if agent is None else agent_named(agent, given)
        if policy is not None and type(policy) is not AgentSpec:
            raise UserError(
                f"--agent {agent}: an agent with an interpreter of its own cannot act through a "
                "codec; serve it with `bench serve` and name its address"
            )
        handed_in = {name: _codec_of_gea(each, found) for name, each in weights.items()}
        trained = {
            name: agent_named("gea", {"weights": str(each)})
            for name, each in (weights if plays_trained else {}).items()
        }
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
            trained,
        )
        wanted = [Variant(CONTINUOUS), *chosen, *map(Variant, handed_in)]
        measured = [
            probe.measure(
                each,
                [*modes, *(["trained"] if each.kind in trained else [])],
                handed_in.get(each.kind),
            )
            for each in wanted
        ]
        gripper = gripper_of(found) if modes or trained else ()
        not_run = {**found.left_out, **probe.not_run}
        lost, failed = probe.lost, probe.agent_errors
        told = summarise(found, measured, gripper, not_run, lost, failed, families_of(found))
        return telling.tell(told), "", WITH_ERRORS if lost or failed else DONE

    with configured(interpreter or ()):
        return relay(work)


def _modes(text: str, agent: str | None, weights: Mapping[str, Path]) -> tuple[list[str], bool]:
    """What every codec plays, and whether trained agents play. Raises UserError."""
    from harness.core import UserError

    words = [] if text == "none" else [word.strip() for word in text.split(",")]
    if wrong := [word for word in words if word not in ("replay", "expert", "trained")]:
        raise UserError(
            f"--play {wrong[0]}: write replay, expert, trained, several with commas, or none"
        )
    if "trained" in words and not weights:
        raise UserError("--play trained: name the weights of the agents with --gea")
    played = [word for word in dict.fromkeys(words) if word != "trained"]
    return [*played, *(["policy"] if agent is not None else [])], "trained" in words


def _weights(given: Sequence[str], chosen: Sequence[str]) -> dict[str, Path]:
    """The folders of --gea by the names of their codecs. Raises UserError."""
    from harness.core import UserError

    found: dict[str, Path] = {}
    for text in given:
        name, equals, folder = text.partition("=")
        if not equals:
            name, folder = "gea", text
        if not name or any(not (letter.isalnum() or letter in "-_") for letter in name):
            raise UserError(f"--gea {text}: a name is letters, digits, - and _")
        if name in found or name in (*chosen, "continuous"):
            raise UserError(f"--gea {text}: another codec is called {name}: write OTHER={folder}")
        found[name] = Path(folder)
    return found


def _codec_of_gea(weights: Path, split: Split) -> Codec:
    """GEA's tokenizer as a codec of the probe. Raises UserError where there is none."""
    from baselines.gea.agent import needs

    needs()
    from baselines.gea.bins import BinTokenizer, load_tokenizer
    from baselines.gea.config import Config
    from harness.core import UserError
    from harness.probes.tokenizer.codecs import Residual, Uniform, bounded
    from harness.probes.tokenizer.learn import layers_of

    made = load_tokenizer(weights, Config.load(weights).rvq)
    if split.range.dims > made.config.dims:
        raise UserError(f"--gea: it reads {made.config.dims} dimensions, fewer than these actions")
    if not bounded(split.spec):
        raise UserError("--gea: it scales actions without bounds in another way: leave --gea out")
    if isinstance(made, BinTokenizer):
        return Uniform(split.range, made.config.codes)
    books = made.quantiser.codebooks.detach().float().numpy().copy()
    return Residual(split.range, layers_of(made.encoder), books, layers_of(made.decoder))

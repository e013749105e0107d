"""`bench probe alignment`: does an agent order instructions as language models do?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from harness.cli.options import AgentName, Seed, TaskGlobs
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
    from harness.core import Suite, Task
    from harness.play.inference import Watch
    from harness.play.runner import RunOptions
    from harness.probes.alignment.compare import Pair, Settings, Side
    from harness.probes.alignment.encoders import Reference
    from harness.probes.alignment.gate import Success
    from harness.probes.alignment.sentences import Sentences
    from harness.probes.alignment.summary import Summary
    from harness.records.identity import AgentSpec

__all__ = ["alignment"]

UNTRAINED = "untrained"
"""The argument of an agent's constructor that leaves its weights random."""
MOST_RESETS = 100_000


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """What the command was asked for."""

    agent: str
    suite: str | None
    tasks: str | None
    run: str | None
    episodes: int | None
    gate: float
    texts: Path | None
    sentences: int
    resets: int
    seed: int
    folder: Path
    play: PlayOptions
    options: RunOptions


@with_play_options(out="The folder of the run directory; default: runs/alignment-AGENT.")
def alignment(
    *,
    agent: AgentName,
    suite: Annotated[
        str | None, typer.Option(help="Whose instructions are compared; see `bench run`.")
    ] = None,
    tasks: TaskGlobs = None,
    run: Annotated[
        str | None,
        typer.Option(
            help="A run of this agent in these tasks, which says where it succeeds. Without it, "
            "the agent plays."
        ),
    ] = None,
    gate: Annotated[
        float,
        typer.Option(
            help="Only tasks in which the agent succeeds this often are read. 0: all, unplayed."
        ),
    ] = 0.5,
    episodes: Annotated[
        int | None,
        typer.Option(help="Episodes per task that are played for it. Default: as the suite says."),
    ] = None,
    texts: Annotated[
        Path | None,
        typer.Option(help="In place of the instructions: the lines of this file."),
    ] = None,
    sentences: Annotated[int, typer.Option(help="Compare at most so many sentences.")] = 300,
    resets: Annotated[
        int, typer.Option(help="Episodes of each task that are looked at for new instructions.")
    ] = 200,
    reference: Annotated[
        list[str] | None,
        typer.Option(
            help="minilm, or hf:FOLDER or hf:HUB_ID of a model of transformers, with #features, "
            "#last or #mean to choose what of it. Can be repeated; a bag of words is always there."
        ),
    ] = None,
    k: Annotated[
        str, typer.Option("--k", help="Of precision@k; numbers, separated by commas.")
    ] = "1,15",
    dims: Annotated[int, typer.Option(help="Dimensions of the map, at most.")] = 50,
    permutations: Annotated[int, typer.Option(help="Draws of each null.")] = 499,
    seed: Seed = 0,
    play: PlayOptions,
    figure: Annotated[
        Path | None, typer.Option(help="Also draw the precisions into this file.")
    ] = None,
    format: Annotated[Literal["text", "json"], typer.Option(help="What to print.")] = "text",
) -> int:
    """Compare the agent's embeddings of instructions with those of language models.

    A rotation is learned from most sentences and tried on the others. The same command continues.
    """
    from harness.core import UserError
    from harness.probes.alignment.compare import Settings
    from harness.probes.alignment.sentences import FEWEST, MOST

    if not 0 <= gate <= 1:
        raise UserError(f"--gate is a share of episodes from 0 to 1, got {gate:g}")
    for option, number, least, most in (
        ("--sentences", sentences, FEWEST, MOST),
        ("--resets", resets, 1, MOST_RESETS),
        ("--dims", dims, 1, MOST),
        ("--permutations", permutations, 19, 100_000),
    ):
        if not least <= number <= most:
            raise UserError(f"{option} must lie between {least} and {most}, got {number}")
    if suite is None and (texts is None or gate > 0):
        raise UserError("name the tasks with --suite; without them there is --texts with --gate 0")
    folder = play.out or default_folder("alignment", agent)
    telling = Telling(
        probe="alignment",
        title=f"{agent} on {suite or texts}: its embeddings of instructions",
        folder=folder,
        figure=figure,
        format=format,
    )
    settings = Settings(ks=_ks(k), dims=dims, permutations=permutations, seed=seed)
    wanted = _Wanted(
        agent=agent,
        suite=suite,
        tasks=tasks,
        run=run,
        episodes=episodes,
        gate=gate,
        texts=texts,
        sentences=sentences,
        resets=resets,
        seed=seed,
        folder=folder,
        play=play,
        options=play.run_options(),
    )

    def work() -> tuple[str, str, int]:
        from harness.probes.alignment.encoders import references_named

        found, said, code = _probed(wanted, references_named(reference or ()), settings)
        if found is None:
            return "", said, code
        if figure is not None and not found.pairs:
            raise UserError("--figure: nothing was compared, so there is nothing to draw")
        played = gate > 0 and run is None
        return telling.tell(found, ["run"] if played else []), said, code

    return play.relay(work)


def _ks(text: str) -> tuple[int, ...]:
    """The numbers of --k. Raises UserError."""
    from harness.core import UserError

    words = [each.strip() for each in text.split(",") if each.strip()]
    if not words or not all(each.isascii() and each.isdigit() and int(each) for each in words):
        raise UserError(f"--k {text!r}: write numbers from 1 on, separated by commas, as 1,15")
    return tuple(sorted({int(each) for each in words}))


def _probed(
    wanted: _Wanted, references: list[Reference], settings: Settings
) -> tuple[Summary | None, str, int]:
    """(the result, what is told on stderr, the exit code); no result: the run was stopped."""
    from types import SimpleNamespace

    from harness.cli.names import suites_named
    from harness.play.inference import Watch
    from harness.play.watchdog import Interrupts, Watchdog
    from harness.records.catalogue import select_tasks

    spec = wanted.play.agent(wanted.agent)
    chosen: list[tuple[Suite, Task]] = []
    if wanted.suite is not None:
        chosen = list(select_tasks(suites_named(wanted.suite), wanted.tasks))
    successes, said, stopped, code = _successes(spec, chosen, wanted)
    if stopped:
        return None, "\n".join([*said, stopped]), code
    watch = Watch()
    with Interrupts(SimpleNamespace(interrupted=False)) as interrupts, Watchdog(watch, interrupts):
        found = _compared(spec, chosen, successes, wanted, references, settings, watch)
    return found, "\n".join(said), code


def _successes(
    spec: AgentSpec, chosen: list[tuple[Suite, Task]], wanted: _Wanted
) -> tuple[list[Success], list[str], str, int]:
    """(the agent's success in each task that can run here, messages, why it stopped, exit code)."""
    from harness.compare.saved_runs import open_run
    from harness.probes.alignment.gate import successes_of

    if wanted.gate == 0:
        return [], [], "", DONE
    mine = [task for _, task in chosen]
    if wanted.run is not None:
        with open_run(wanted.run) as run:
            return successes_of(run, mine, spec.fingerprint()), [], "", DONE
    played = play_runs(
        [("run", spec)],
        wanted.folder,
        Wanted(
            suite=wanted.suite or "",
            tasks=wanted.tasks,
            episodes=wanted.episodes,
            seed=wanted.seed,
            options=wanted.options,
        ),
        lambda plan: None,
    )
    if played.stopped:
        return [], list(played.said), played.stopped, WITH_ERRORS
    (run,) = played.runs
    known = {item.task.id for item in run.plan.items}
    told = successes_of(run, [each for each in mine if each.id in known], spec.fingerprint())
    return told, list(played.said), "", played.code


def _compared(
    spec: AgentSpec,
    chosen: list[tuple[Suite, Task]],
    successes: list[Success],
    wanted: _Wanted,
    references: list[Reference],
    settings: Settings,
    watch: Watch,
) -> Summary:
    from harness.cli.output import say
    from harness.probes.alignment.compare import compare
    from harness.probes.alignment.embeddings import checked
    from harness.probes.alignment.summary import Summary

    found = _read(spec, chosen, successes, wanted, watch)
    sides: list[Side] = []
    pairs: tuple[Pair, ...] = ()
    why = ""
    if found is not None:
        from harness.probes.alignment.compare import Side

        mine = _agent_side(spec, wanted.agent, found, wanted, watch)
        untrained, why = _untrained_side(mine, found, wanted, watch)
        others = []
        for each in references:
            values, what = each.embed(found.texts)
            values = checked(f"--reference {each.name}", values, len(found.texts))
            others.append(Side(name=each.name, what=what, values=values))
        sides = [mine, *([] if untrained is None else [untrained]), *others]
        pairs = compare(mine, untrained, others, found.groups, settings, say)
    return Summary(
        agent=wanted.agent,
        gate=wanted.gate,
        successes=tuple(successes),
        sentences=found,
        sides={each.name: (each.what, each.values.shape[1]) for each in sides},
        pairs=pairs,
        settings=settings,
        untrained=why,
        of_a_file=wanted.texts is not None,
    )


def _read(
    spec: AgentSpec,
    chosen: list[tuple[Suite, Task]],
    successes: list[Success],
    wanted: _Wanted,
    watch: Watch,
) -> Sentences | None:
    """The sentences of the tasks in which the agent succeeds; None where it does so in none."""
    from harness.play.planning import make_plan
    from harness.probes.alignment.sentences import instructions_of, lines_of

    rates = {each.task: each.rate.value for each in successes}
    passing = {task for task, rate in rates.items() if rate >= wanted.gate}
    if wanted.texts is not None:
        mean = sum(rates.values()) / max(1, len(rates))
        return lines_of(wanted.texts) if mean >= wanted.gate else None
    if wanted.gate > 0 and not passing:
        return None
    mine = [each for each in chosen if wanted.gate == 0 or each[1].id in passing]
    plan = make_plan(mine, spec, episodes=wanted.resets, seed=wanted.seed)
    return instructions_of(plan, wanted.sentences, watch)


def _agent_side(
    spec: AgentSpec, name: str, found: Sentences, wanted: _Wanted, watch: Watch
) -> Side:
    """The embeddings that an agent of this spec tells. Raises UserError where it tells none."""
    from harness.probes.alignment.compare import Side
    from harness.probes.alignment.embeddings import embeddings_of

    agent = spec.build()
    try:
        values = embeddings_of(agent, found.texts, watch, wanted.options.agent_timeout)
    finally:
        agent.close()
    return Side(name=name, what=spec.entry.rpartition(":")[2], values=values)


def _untrained_side(
    trained: Side, found: Sentences, wanted: _Wanted, watch: Watch
) -> tuple[Side | None, str]:
    """(the same agent without training, or None; why there is none)."""
    from harness.core import UserError

    try:
        spec = wanted.play.agent(wanted.agent, **{UNTRAINED: True})
    except UserError:
        return None, f"its constructor takes no argument `{UNTRAINED}`"
    side = _agent_side(spec, f"{wanted.agent} {UNTRAINED}", found, wanted, watch)
    if side.values.shape == trained.values.shape and (side.values == trained.values).all():
        return None, f"`{UNTRAINED}` changes nothing"
    return side, ""

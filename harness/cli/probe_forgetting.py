"""`bench probe forgetting`: what did a training lose again of what it had learnt before?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from harness.cli.options import EpisodesOption, Seed, TaskGlobs, arguments
from harness.cli.output import DONE
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
    from harness.probes.forgetting import Forgetting
    from harness.records.identity import AgentSpec
    from harness.records.plan import Plan

__all__ = ["forgetting"]


@with_play_options(out="The folder of the run directories; default: runs/forgetting-AGENT.")
def forgetting(
    *,
    agent: Annotated[
        str | None, typer.Option(help="The agent whose checkpoints are played; see `bench run`.")
    ] = None,
    checkpoints: Annotated[
        str | None,
        typer.Option(help="Files or folders in the order of the training, separated by commas."),
    ] = None,
    checkpoint_arg: Annotated[
        str, typer.Option(help="The argument of the agent's constructor that takes a checkpoint.")
    ] = "weights",
    suite: Annotated[str | None, typer.Option(help="What they play; see `bench run`.")] = None,
    runs: Annotated[
        str | None,
        typer.Option(
            help="In place of all that: run directories, or names of saved runs, of the "
            "checkpoints in the order of the training, separated by commas."
        ),
    ] = None,
    by: Annotated[
        Literal["domain", "suite", "task"], typer.Option(help="What is learnt at a time.")
    ] = "domain",
    learnt: Annotated[
        str | None,
        typer.Option(
            help="NAME=K, separated by commas: checkpoint K, counted from 1, had just learnt this "
            "domain (suite, task). The others were learnt at the first."
        ),
    ] = None,
    tasks: TaskGlobs = None,
    episodes: EpisodesOption = None,
    seed: Seed = 0,
    play: PlayOptions,
    format: Annotated[Literal["text", "json"], typer.Option(help="What to print.")] = "text",
) -> int:
    """Say what the checkpoints of a training could do, and what the last one can no longer do.

    They play the same cases. The same command continues.
    """
    from harness.core import UserError

    stages = _stages(learnt)
    if runs is not None:
        if agent is not None or checkpoints is not None or suite is not None:
            raise UserError("--runs have been played: leave --agent, --checkpoints and --suite out")
        telling = Telling(
            probe="forgetting",
            title=f"{runs}: backward transfer",
            folder=play.out,
            format=format,
        )
        return _of_runs(_names("--runs", runs), by, stages, telling)
    if agent is None or checkpoints is None or suite is None:
        raise UserError(
            "name --agent, --checkpoints and --suite, or --runs of checkpoints that have played"
        )
    files = _names("--checkpoints", checkpoints)
    wanted = Wanted(
        suite=suite, tasks=tasks, episodes=episodes, seed=seed, options=play.run_options()
    )
    telling = Telling(
        probe="forgetting",
        title=f"{agent} on {suite}: backward transfer",
        folder=play.out or default_folder("forgetting", agent),
        format=format,
    )
    name = agent

    def work() -> tuple[str, str, int]:
        from harness.probes.forgetting import groups_of, measure_forgetting

        numbered = [
            (f"{k + 1}-{_stem(file)}", _spec(name, play, checkpoint_arg, file))
            for k, file in enumerate(files)
        ]

        def check(plan: Plan) -> None:
            groups_of(plan, by, stages, len(files))

        def find(runs: Sequence[ScoredRun]) -> Forgetting:
            return measure_forgetting(runs, by, stages)

        return play_and_tell(numbered, wanted, check, find, telling)

    return play.relay(work)


def _of_runs(names: Sequence[str], by: str, stages: dict[str, int], telling: Telling) -> int:
    import contextlib

    from harness.cli.output import print_out
    from harness.compare.saved_runs import open_run
    from harness.probes.forgetting import measure_forgetting

    with contextlib.ExitStack() as opened:
        found = [opened.enter_context(open_run(name)) for name in names]
        print_out(telling.tell(measure_forgetting(found, by, stages)))
    return DONE


def _names(option: str, text: str) -> list[str]:
    """The names of a list, two at least. Raises UserError."""
    from harness.core import UserError

    names = [each.strip() for each in text.split(",") if each.strip()]
    if len(names) < 2:
        raise UserError(f"{option} {text!r}: name two at least, in the order of the training")
    return names


def _stages(text: str | None) -> dict[str, int]:
    """Name -> number of the checkpoint. Raises UserError."""
    from harness.core import UserError

    found: dict[str, int] = {}
    for each in (text or "").split(","):
        name, equals, number = each.strip().rpartition("=")
        if not each.strip():
            continue
        if not (equals and name and number.isascii() and number.isdigit()):
            raise UserError(f"--learnt {each.strip()!r}: write NAME=K, for example navigation=2")
        found[name] = int(number)
    return found


def _stem(file: str) -> str:
    """What a checkpoint's run directory is called after its number."""
    name = Path(file).name or "checkpoint"
    return "".join(each if each.isalnum() or each in "-_." else "-" for each in name)


def _spec(name: str, play: PlayOptions, argument: str, file: str) -> AgentSpec:
    """The agent with this checkpoint. Raises UserError."""
    from harness.core import UserError

    if argument in arguments(play.agent_arg):
        raise UserError(f"--agent-arg {argument}: --checkpoints sets it; leave it out")
    if not Path(file).exists():
        raise UserError(f"--checkpoints: there is no file or folder {file}")
    return play.agent(name, **{argument: file})

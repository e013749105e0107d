"""`bench explain`: why did cases come out differently in two runs?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from harness.cli.options import (
    AgentArgs,
    AgentTimeout,
    Interpreters,
    TrustMaker,
    arguments,
    at_least_one,
)
from harness.cli.output import DONE
from harness.cli.probe_runs import Telling

if TYPE_CHECKING:
    from harness.compare.pairs import Key, ScoredRun
    from harness.probes.flips import Flips
    from harness.records.identity import AgentSpec

__all__ = ["explain"]


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """The command's options."""

    case: str | None
    count: int
    better: bool
    video: Path | None
    telling: Telling
    timeout: float


def explain(
    base: Annotated[str, typer.Argument(help="A run directory, or a name of a saved run.")],
    new: Annotated[str, typer.Argument(help="The other run; its agent is played again.")],
    case: Annotated[
        str | None,
        typer.Argument(help="Only this case: its id, the beginning of it, or TASK:SEED."),
    ] = None,
    agent: Annotated[
        str | None,
        typer.Option(help="NEW's agent; default: the name in NEW, if it is one of ours."),
    ] = None,
    agent_arg: AgentArgs = None,
    cases: Annotated[int, typer.Option(help="How many of the cases to explain.")] = 10,
    better: Annotated[
        bool, typer.Option("--better", help="The cases that NEW won, not those that it lost.")
    ] = False,
    video: Annotated[
        Path | None,
        typer.Option(help="Write a video of both branches of each case to this folder."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Keep what was found in this folder, for `bench report`.")
    ] = None,
    format: Annotated[Literal["text", "json"], typer.Option(help="What to print.")] = "text",
    agent_timeout: AgentTimeout = 600.0,
    interpreter: Interpreters = None,
    trust: TrustMaker = False,
) -> int:
    """Say at which step cases flipped between two runs, and what restores them.

    BASE's recorded actions are played up to each step, and NEW's agent from there on.
    """
    from harness.cli import names
    from harness.cli.supervisor import relay
    from harness.compare.saved_runs import open_run
    from harness.host.interpreters import configured

    wanted = _Wanted(
        case=case,
        count=at_least_one("--cases", cases) or 10,
        better=better,
        video=video,
        telling=Telling(
            probe="explain",
            title=f"{base} and {new}: why cases came out differently",
            folder=out,
            format=format,
        ),
        timeout=agent_timeout,
    )
    with configured(interpreter or ()), open_run(base) as first, open_run(new) as second:
        whole = first.stored.whole
        names.trust(trust).check([item.task for item in whole.items], whole)
        spec = _agent_of(second, agent, arguments(agent_arg))

        def work() -> tuple[str, str, int]:
            return _explained(first, second, spec, wanted)

        return relay(work)


def _agent_of(new: ScoredRun, name: str | None, given: dict[str, Any]) -> AgentSpec:
    """NEW's agent. Nothing is imported because a run names it. Raises UserError."""
    from harness.cli.names import agent_named, agents
    from harness.core import UserError

    said = new.run["agent"]
    if name is None:
        if said["name"] not in agents() or said.get("args"):
            raise UserError(
                f"NEW was played by {said['name']}: name that agent with --agent, and its "
                "arguments with --agent-arg; nothing is imported because a run names it"
            )
        name = said["name"]
    spec = agent_named(name, given)
    if spec.fingerprint() != said["fingerprint"]:
        raise UserError(
            f"{name} is not the agent of {new.name}: its fingerprint is {spec.fingerprint()}, that "
            f"of the run {said['fingerprint']}; use the code, files and arguments of then"
        )
    return spec


def _explained(
    base: ScoredRun, new: ScoredRun, spec: AgentSpec, wanted: _Wanted
) -> tuple[str, str, int]:
    """What `relay` prints."""
    from harness.core import UserError
    from harness.probes.explain import Explained, Explanation, explain_case
    from harness.probes.flips import flips_of, recorded
    from harness.probes.fork import Brancher

    clock = new.plan.clock
    if clock is not None and clock.measured:
        raise UserError(
            "NEW's answers were as late as they took on that machine (--control-rate without "
            "--latency), which no second play repeats: play it with --latency"
        )
    flips = flips_of(base, new)
    keys = _chosen(flips, new, wanted)
    episodes = [recorded(run, keys) for run in (base, new)]
    found: list[Explanation] = []
    agent = spec.build()
    try:
        with Brancher(agent, clock, wanted.timeout) as brancher:
            for key in keys:
                if any(key not in each for each in episodes):
                    task, seed, _ = key
                    found.append(
                        Explanation(
                            task=task, seed=seed, case="", base_success=not wanted.better,
                            unexplained="one of the runs has no recorded actions of it",
                        )
                    )  # fmt: skip
                    continue
                one, other = (each[key] for each in episodes)
                told = explain_case(brancher, one, other, clock=clock is not None)
                found.append(told)
                if wanted.video is not None and not told.unexplained:
                    _write_video(brancher, one, told.switches[0], wanted.video)
    finally:
        agent.close()
    finding = Explained(
        cases=tuple(found),
        paired=flips.paired,
        worse=len(flips.worse),
        better=len(flips.better),
        wins=wanted.better,
    )
    return wanted.telling.tell(finding), "", DONE


def _chosen(flips: Flips, new: ScoredRun, wanted: _Wanted) -> Sequence[Key]:
    """The cases to explain. Raises UserError where there is none."""
    from harness.core import UserError
    from harness.verify.episode_replay import is_called

    case, better = wanted.case, wanted.better
    flipped = flips.better if better else flips.worse
    if case is None:
        if not flipped:
            other = len(flips.worse if better else flips.better)
            raise UserError(
                f"of {flips.paired} paired cases none came out {'better' if better else 'worse'}: "
                f"there is nothing to explain ({other} the other way round)"
            )
        return flipped[: wanted.count]
    plan = new.stored.whole
    found = []
    for key in (*flips.worse, *flips.better):
        index = plan.locate(*key)
        assert index is not None
        if is_called(case, key[0], key[1], plan.case(index).id):
            found.append(key)
    if not found:
        raise UserError(
            f"no case {case!r} came out differently in the two runs: name its id, the beginning of "
            "it, or TASK:SEED"
        )
    return found


def _write_video(brancher: Any, base: Any, first: int, folder: Path) -> None:
    """Write CASE.mp4 of both branches. Raises UserError where it cannot be drawn or written."""
    from harness.core import UserError
    from harness.play.video import check_video, draws_frames
    from harness.play.video_store import stem
    from harness.probes.branch_video import both_branches
    from harness.records.whole_file import write_whole

    check_video()
    if not draws_frames(base.case.task):
        raise UserError(f"{base.case.task.id} has no pictures: leave --video out")
    whole = len(base.actions)
    left = brancher.play(base.case, base.actions, whole, frames_from=first)
    right = brancher.play(base.case, base.actions, first, frames_from=first)
    mp4 = both_branches(base.case, left, right, first, base.case.task.control_hz)
    assert mp4 is not None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / f"{stem(base.case)}.mp4", mp4)
    except OSError as fault:
        raise UserError(
            f"cannot write to {folder}: {fault.strerror}. Choose another folder with --video"
        ) from None

"""`bench probe instruction`: does an agent follow the words?"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from harness.cli.options import AgentName, EpisodesOption, Seed, SuiteNames, TaskGlobs
from harness.cli.output import WITH_ERRORS, say
from harness.cli.probe_runs import (
    PlayOptions,
    Telling,
    Wanted,
    default_folder,
    play_runs,
    with_play_options,
)

if TYPE_CHECKING:
    from pathlib import Path

    from harness.compare.pairs import ScoredRun
    from harness.probes.instruction import InstructionProbe, Play
    from harness.probes.modalities import ModalityProbe
    from harness.records.identity import AgentSpec
    from harness.verify.goals import JudgedEpisode

__all__ = ["instruction"]

WORDS, PICTURES = "words", "pictures"


@with_play_options(out="The folder of the run directories; default: runs/instruction-AGENT.")
def instruction(
    *,
    agent: AgentName,
    suite: SuiteNames,
    tasks: TaskGlobs = None,
    episodes: EpisodesOption = None,
    seed: Seed = 0,
    arms: Annotated[
        str,
        typer.Option(
            help="What else it is told or shown with the own goal, separated by commas: words "
            "(none, shuffled, with their opposite), pictures (each view of another episode), "
            "none."
        ),
    ] = "words,pictures",
    play: PlayOptions,
    format: Annotated[Literal["text", "json"], typer.Option(help="What to print.")] = "text",
) -> int:
    """Ask for another goal in the same scene, and judge which of the two the agent does.

    The expert plays first: what it does not reach is left out. The same command continues.
    """
    wanted = Wanted(
        suite=suite, tasks=tasks, episodes=episodes, seed=seed, options=play.run_options()
    )
    chosen = _arms(arms)
    folder = play.out or default_folder("instruction", agent)
    telling = Telling(
        probe="instruction",
        title=f"{agent} on {suite}: whether it follows the words",
        folder=folder,
        format=format,
    )

    def work() -> tuple[str, str, int]:
        from harness.cli.names import agent_named, perturbations_named
        from harness.core import GOAL
        from harness.probes.instruction import check_plan, plays_of, reached_by_expert

        spec = play.agent(agent)
        asked = dataclasses.replace(wanted, perturb=tuple(perturbations_named(f"{GOAL.name}:1")))
        stages = [("asked", spec)]
        if _has_expert(wanted):
            stages.append(("expert", agent_named("oracle", {})))
        played = play_runs(stages, folder, asked, check_plan)
        if played.stopped:
            return "", "\n".join([*played.said, played.stopped]), WITH_ERRORS
        run, *expert = played.runs
        reached = {each for one in expert for each in reached_by_expert(_judged(one))}
        by = {item.task.id for one in expert for item in one.plan.items}
        plays, left = plays_of(run, _judged(run), reached, by)
        others, code = _others(spec, chosen, run, folder, wanted)
        if isinstance(others, str):
            return "", others, WITH_ERRORS
        found = _found(run, plays, left, others, checked=by)
        arms_played = () if found.arms is None else found.arms.modalities
        names = [name for name, _ in stages] + [_folder(each.modality) for each in arms_played]
        return telling.tell(found, names), "\n".join(played.said), max(played.code, code)

    return play.relay(work)


def _arms(text: str) -> tuple[str, ...]:
    """Raises UserError on a name that is no kind of arm."""
    from harness.core import UserError

    names = tuple(dict.fromkeys(each.strip() for each in text.split(",") if each.strip()))
    if not names or set(names) - {WORDS, PICTURES, "none"}:
        raise UserError(f"--arms {text!r}: write words, pictures, both of them, or none")
    return tuple(name for name in names if name != "none")


def _has_expert(wanted: Wanted) -> bool:
    """Whether any of these tasks has an expert."""
    from harness.cli.names import suites_named
    from harness.host.loading import load_adapter
    from harness.records.catalogue import select_tasks

    chosen = select_tasks(suites_named(wanted.suite), wanted.tasks)
    return any(load_adapter(task.adapter).has_expert(task) for _, task in chosen)


def _judged(run: ScoredRun) -> list[JudgedEpisode]:
    from harness.core.grammar import counted
    from harness.verify.goals import goals_of_run

    return goals_of_run(
        run.stored,
        lambda count: say(f"{run.path}: replaying {counted(count, 'episode')} for their goals"),
    )


def _others(
    spec: AgentSpec, chosen: tuple[str, ...], run: ScoredRun, folder: Path, wanted: Wanted
) -> tuple[ModalityProbe | str | None, int]:
    """(what other words and pictures cost, or why a run was stopped; the exit code)."""
    from harness.probes.modalities import check_plan, compare_modalities
    from harness.probes.told_otherwise import WORDS as WAYS
    from harness.probes.told_otherwise import OtherPictures, OtherWords, other_views
    from harness.probes.withheld import INSTRUCTION, modalities_of

    arms: dict[str, AgentSpec] = {}
    if WORDS in chosen:
        arms |= {f"{way} words": OtherWords.of(spec, way) for way in WAYS}
    if PICTURES in chosen:
        views = [view for view in modalities_of(spec) if view != INSTRUCTION]
        beyond = {
            item.task.id: (item.task, run.plan.seed_of(number, 0, item.episodes))
            for number, item in enumerate(run.plan.items)
        }
        shown = other_views(beyond, views)
        arms |= {
            f"other {view}": OtherPictures.of(spec, view, shown[view])
            for view in views
            if shown[view]
        }
    if not arms:
        return None, 0
    stages = [(_folder(name), each) for name, each in arms.items()]
    played = play_runs(stages, folder, wanted, check_plan)
    if played.stopped:
        return "\n".join([*played.said, played.stopped]), WITH_ERRORS
    return compare_modalities(run, dict(zip(arms, played.runs, strict=True))), played.code


def _folder(arm: str) -> str:
    return arm.replace(" ", "-")


def _found(
    run: ScoredRun,
    plays: list[Play],
    left: dict[str, int],
    others: ModalityProbe | None,
    *,
    checked: set[str],
) -> InstructionProbe:
    from harness.core.reads import view_of
    from harness.host.loading import load_adapter
    from harness.probes.instruction import InstructionProbe, judge

    rows, tasks = judge(plays)
    holding = {
        view for item in run.plan.items for view in load_adapter(item.task.adapter).goal_views
    }
    reads = [view_of(entry) for entry in run.stored.reads]
    return InstructionProbe(
        rows=rows,
        tasks=tasks,
        left_out=left,
        goal_views=tuple(view for view in reads if view in {*holding, "expert"}),
        arms=others,
        unchecked=tuple(sorted({each.task.name for each in plays if each.task.id not in checked})),
    )

"""Demonstrations, split: codecs are learned from some episodes and judged on the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.core import Box, Suite, Task, UserError
from harness.demos.dataset import Demos
from harness.play.episode import episode_name
from harness.probes.tokenizer.codecs import ActionRange
from harness.records.catalogue import select_tasks
from harness.records.plan import CaseIndex, Plan
from harness.records.stored_run import load_run

__all__ = ["Split", "split"]

HELD_OUT = 0.3
"""The share of each task's episodes that is held out, unless the user says otherwise."""


@dataclass(frozen=True, kw_only=True)
class Split:
    """What codecs are learned from, and the episodes on which they are judged."""

    plan: Plan
    """Of the recording."""
    chosen: tuple[tuple[Suite, Task], ...]
    episodes: Mapping[str, int]
    """Task id -> how many of its episodes, the first ones, are held out."""
    spec: Box
    range: ActionRange
    learned_from: np.ndarray
    """The experts' actions, float64 (N, dims)."""
    judged_on: np.ndarray
    """Those of the held-out episodes."""
    recorded: Mapping[str, np.ndarray]
    """Episode name -> what was executed in it, (steps, *shape); the held-out episodes."""
    keys: Mapping[str, tuple[int, ...]]
    """Task id -> the seeds of its held-out episodes that have a demonstration."""
    left_out: Mapping[str, str]
    """Task id -> why it is not played."""
    training_episodes: int


def split(folder: Path, tasks: str | None, held_out: int | None) -> Split:
    """Read demonstrations that `bench demos` recorded.

    tasks: as `--tasks` takes it. held_out: episodes of each task; None: HELD_OUT of them, at least
    one. Raises UserError where there are too few, or actions of several kinds.
    """
    demos = Demos(folder)
    plan = load_run(folder / "run").whole
    chosen = _chosen(plan, tasks)
    names = {task.id for _, task in chosen}
    ends: dict[str, int] = {}
    for item in plan.items:
        count = max(1, round(HELD_OUT * item.episodes)) if held_out is None else held_out
        ends[item.task.id] = min(count, item.episodes)
    learned, judged = [], []
    recorded: dict[str, np.ndarray] = {}
    keys: dict[str, list[int]] = {task.id: [] for _, task in chosen}
    spec: Box | None = None
    training = 0
    for row in demos.rows:
        if row.task not in names:
            continue
        index = plan.locate(row.task, row.seed, ())
        if index is None:
            raise UserError(f"{folder} holds an episode that its run did not play: record again")
        demo = demos.read(row.index, ())
        spec = _same(spec, demo.brief.action, row.task)
        actions = np.array([frame.action for frame in demo.frames], np.float64)
        if index.episode >= ends[row.task]:
            learned.append(actions.reshape(len(actions), -1))
            training += 1
            continue
        judged.append(actions.reshape(len(actions), -1))
        executed = np.array([frame.executed for frame in demo.frames], spec.dtype)
        recorded[_name(plan, index)] = executed
        keys[row.task].append(row.seed)
    kept = {task: tuple(sorted(seeds)) for task, seeds in keys.items() if seeds}
    if spec is None or not learned or not kept:
        raise UserError(
            f"{folder} has {training} episodes to learn from and {len(recorded)} to judge by: "
            "record more of each task with `bench demos --episodes`, or choose --held-out"
        )
    stacked = np.concatenate(learned)
    return Split(
        plan=plan,
        chosen=tuple((suite, task) for suite, task in chosen if task.id in kept),
        episodes={task: ends[task] for task in kept},
        spec=spec,
        range=ActionRange.of(spec, stacked),
        learned_from=stacked,
        judged_on=np.concatenate(judged),
        recorded=recorded,
        keys=kept,
        left_out={
            task: "none of its held-out episodes has a demonstration; choose more with --held-out"
            for task in keys
            if task not in kept
        },
        training_episodes=training,
    )


def _name(plan: Plan, index: CaseIndex) -> str:
    return episode_name(plan.case(index).id)


def _chosen(plan: Plan, tasks: str | None) -> Sequence[tuple[Suite, Task]]:
    """The tasks with a success rule. Raises UserError where there is none."""
    suites = [
        Suite(item.suite, item.suite, (item.task,), item.episodes)
        for item in plan.items
        if item.task.success is not None
    ]
    if not suites:
        raise UserError("no task of these demonstrations has a success: nothing can be replayed")
    return select_tasks(suites, tasks)


def _same(before: Box | None, spec: object, task: str) -> Box:
    """The actions of a task, which must be those of the tasks before. Raises UserError."""
    if not isinstance(spec, Box) or np.dtype(spec.dtype).kind != "f":
        raise UserError(
            f"{task} has no continuous actions, so there is nothing to quantise: leave it out with "
            "--tasks"
        )
    if before is not None and (before.shape, before.low, before.high) != (
        spec.shape,
        spec.low,
        spec.high,
    ):
        raise UserError(
            f"{task} has other actions than the tasks before it: choose tasks of one body with "
            "--tasks"
        )
    return spec

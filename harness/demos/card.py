"""The data card: what a folder of demonstrations holds, where it came from, and its limits."""

from __future__ import annotations

import importlib.metadata
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.core import Task
from harness.core.text import escape_markdown, printable
from harness.play.text_table import markdown_table
from harness.records.identity import source_commit
from harness.records.plan import SEED_STRIDE, NotRun, Plan

__all__ = ["Counts", "card"]

TEXT = """# Demonstrations

{what}, recorded by `bench demos`.

    {command}

bench {version} at commit {commit}. {left_out}; `run/` says how each
episode ended and holds its actions. {noise}

## What is in it

{counts}

By domain:

{domains}
{not_run}
## Seeds

Episode k of a task has the training seed first_seed + {set} x {stride:,} + k. `bench run` cannot
reach it: its seeds lie below first_seed + {end:,}. If a task's seeds count along the episodes of a
split, the split `train` was played. So no episode here is part of an evaluation.

## Format

`episodes.parquet` has a row for each episode: index, case, task, domain, suite, seed, steps, score,
normalised, instruction (at the start), file and row_group (where its steps are), and brief: JSON
with the embodiment, the simulator, and the specs of views and action (shapes, units, bounds).

`data/FAMILY/TASK.parquet` has a row for each step and a row group for each episode: step,
instruction, observation.VIEW, {actions}.
Images are {images} files; arrays are lists in C order, with their shape in the brief; UI actions
and elements are JSON. Views: {views}.
{rewards}
`harness.demos.Demos(FOLDER)` reads it.

## Software

{versions}

## Limits

{limits}
"""

EXPERTS = """\
The experts are programs with access to the simulator's state, so they may know what a learner
cannot observe. None of them is guaranteed to be optimal. An expert that fails on hard episodes
leaves only the easy ones; the success rates above say how many."""
AGENT = """\
The actions are the agent's own, whatever they led to: who imitates all of them imitates its
failures too. Episodes in which the agent or the simulator failed before the end are left out."""
TEACHER = """\
The teacher is a program that plays in the place of the tasks' experts. It may read what the learner
is not shown, and nothing says that it plays well: see the scores in `episodes.parquet`."""
REWARDED = """
`episodes.parquet` also has success, and returned: the sum of the rewards. A row of `data/` also has
reward: what its action was rewarded.
"""

FORMAT_NAMES = {
    "png": "PNG (lossless)", "jpeg": "JPEG (quality 95)", "webp": "WebP (lossless)",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How many episodes of a task ended how."""

    task: Task
    suite: str
    asked: int
    finished: int
    kept: int
    succeeded: int
    steps: int
    """Of the episodes that were kept."""


def card(
    plan: Plan,
    not_run: Sequence[NotRun],
    counts: Sequence[Counts],
    views: Sequence[str],
    images: str,
    noise: float,
    command: str,
    pixels: int | None = None,
    *,
    agent: str | None = None,
    teacher: str | None = None,
    roll_in: str | None = None,
    everything: bool = False,
) -> str:
    """The text of README.md.

    `noise`: the share of random actions; `images`: a format; `pixels`: the side of pictures that
    were shrunk; `agent`: who played, None for the experts, or for a `teacher` in their place;
    `roll_in`: who acted instead of them part of the time; `everything`: with failures.
    """
    packages: dict[str, str] = {}
    for item in plan.items:
        packages.update(item.packages)
    rows = [
        [
            each.task.id,
            each.suite,
            each.asked,
            each.finished,
            each.kept,
            _rate([each]),
            each.steps,
        ]
        for each in counts
    ]
    domains = []
    for domain in dict.fromkeys(each.task.domain for each in counts):
        of = [each for each in counts if each.task.domain == domain]
        finished, kept = sum(each.finished for each in of), sum(each.kept for each in of)
        steps = sum(each.steps for each in of)
        domains.append([domain, len(of), finished, kept, _rate(of), steps])
    missing = "".join(
        f"- {escape_markdown(f'{row.task}: {row.reason} ({row.remedy})', block=True)}\n"
        for row in not_run
    )
    return TEXT.format(
        command=printable(command) or "bench demos ...",
        version=importlib.metadata.version("generalist-bench"),
        commit=source_commit(Path(__file__).parent) or "unknown",
        what=_what(agent, teacher, everything),
        left_out="Episodes that were cut short are left out"
        if everything
        else "Failed episodes are left out",
        noise=_executed(agent, teacher, roll_in, noise),
        counts=markdown_table(
            ["task", "suite", "asked", "finished", "kept", "success", "steps"], rows
        ),
        domains=markdown_table(
            ["domain", "tasks", "finished", "kept", "success", "steps"], domains
        ),
        not_run=f"\nNot recorded:\n\n{missing}" if missing else "",
        set=plan.seed,
        stride=SEED_STRIDE,
        end=1001 * SEED_STRIDE,
        images=FORMAT_NAMES[images]
        + (f", shrunk to {pixels} x {pixels} pixels by the mean of areas" if pixels else ""),
        actions=_actions(agent, teacher, bool(noise or roll_in)),
        rewards="" if agent is None else REWARDED,
        limits=AGENT if agent is not None else EXPERTS if teacher is None else TEACHER,
        views=", ".join(map(_code, views)) or "none",
        versions=markdown_table(["package", "version"], sorted(packages.items())),
    )


def _what(agent: str | None, teacher: str | None, everything: bool) -> str:
    which = "All" if everything else "Successful"
    if agent is not None:
        return f"{which} episodes of the agent {_code(agent)}"
    if teacher is not None:
        return f"{which} episodes of the teacher {_code(teacher)}"
    return "Successful episodes of the tasks' own experts"


def _executed(agent: str | None, teacher: str | None, roll_in: str | None, noise: float) -> str:
    """Whose actions were executed."""
    parts = []
    if roll_in is not None:
        parts.append(f"On half of the stretches of 25 steps {_code(roll_in)} acted.")
    if noise:
        drawn = "other " if roll_in else ""
        parts.append(f"{noise:.0%} of the {drawn}executed actions were drawn at random.")
    who = "agent" if agent else "teacher" if teacher else "expert"
    return " ".join(parts) or f"Every executed action is the {who}'s."


def _actions(agent: str | None, teacher: str | None, changes: bool) -> str:
    """The columns of actions; `changes`: whether an executed one may not be the expert's."""
    if agent is not None:
        return "action and executed (the agent's action, as it was executed)"
    changed = ", which may be another one" if changes else ", the same"
    who = "teacher" if teacher else "expert"
    return f"action (the {who}'s, to be imitated), executed (what was executed{changed})"


def _code(name: str) -> str:
    """As code, which a backtick would end."""
    return escape_markdown(name) if "`" in name else f"`{printable(name)}`"


def _rate(counts: Sequence[Counts]) -> str:
    """The share of successes in the finished episodes of tasks that have a success."""
    told = [each for each in counts if each.task.success is not None]
    part, whole = sum(each.succeeded for each in told), sum(each.finished for each in told)
    return "-" if not whole else f"{math.floor(1000 * part / whole) / 10:.1f} %"

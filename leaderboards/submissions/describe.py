"""What an entry says of a run that follows from the run's own files.

`add` writes it, and `check` computes it again: a label that says something else is a difference.
Only what the files of the run decide stands here, and nothing that may change with our suites.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from harness.core import Result, Task
from harness.core.grammar import counted
from harness.core.text import printable, shorten
from harness.records.identity import UNNAMED
from harness.records.imported import imported_as
from harness.records.plan import CaseIndex, Plan, label
from harness.records.privilege import PrivilegedViews
from harness.records.renderer import Renderers
from harness.records.run_file import SCHEMA
from harness.records.stored_run import StoredRun
from harness.records.trust import harmless

__all__ = ["MOST_CASES", "describe", "planned", "unfit"]

MOST_CASES = 200_000
"""Of an entry."""


@dataclass
class _Row:
    """What is counted of one task, without its perturbed episodes."""

    successes: int = 0
    scores: list[float] = field(default_factory=list)
    agent_errors: int = 0


def planned(plan: Plan) -> Iterator[CaseIndex]:
    """Every case of a plan that is played, item by item: the order of an entry's lines."""
    for number, item in enumerate(plan.items):
        for condition in plan.conditions_of(number):
            for episode in range(item.episodes):
                yield CaseIndex(number, condition, episode)


def unfit(run: StoredRun, tasks: dict[str, Task], suites: frozenset[str]) -> Iterator[str]:
    """Why a run is none for the board, whatever its results are; nothing: it may be one.

    `tasks`, `suites`: ours. Nothing that the run names is imported.
    """
    description, plan = run.description, run.whole
    if (imported := imported_as(description)) is not None:
        yield f"it was imported from {imported}, unverified: there is nothing to replay"
    if description["schema"] != SCHEMA:
        yield "it was played by a version of bench that did not record how episodes started"
    if not description.get("finished"):
        yield "it is not finished"
    if description.get("stopping") or description.get("stopped"):
        yield "it was stopped by a rule: an entry plays all of its episodes"
    if plan.seed != 0:
        yield f"it plays other episodes than the suite's: --seed {plan.seed}"
    if plan.repeat:
        yield "it plays its cases for another time: an entry is an agent's first play of them"
    if not plan.items:
        yield "it has no tasks"
    if plan.total > MOST_CASES:
        yield f"it has {plan.total} cases, and an entry has {MOST_CASES} at most"
    for item in plan.items:
        ours = tasks.get(item.task.id)
        name = printable(shorten(item.task.id, 100))
        if ours is None:
            yield f"{name} is no task of bench's suites"
        elif ours.content != item.task.content:
            yield f"{name} is not the task of this name here: its content differs"
        elif item.suite not in suites:
            yield f"{printable(shorten(item.suite, 100))} is no suite of bench"
    for condition in plan.perturbations:
        if not all(harmless(part.params) for part in condition):
            yield "the parameters of a perturbation are no plain words and numbers"
    agent = description["agent"]
    if bool(agent.get("privileged")) != ("expert" in run.reads):
        yield "the label `privileged` contradicts the views that the agent is said to read"


def describe(run: StoredRun) -> dict[str, Any]:
    """The parts `agent`, `played`, `results` and `marks` of entry.json.

    Raises UserError on a line that is no result of the run.
    """
    plan, description = run.whole, run.description
    rows = [_Row() for _ in plan.items]
    views, renderers = PrivilegedViews(), Renderers()
    parameters = 0
    for index, result in run.cases():
        views.add(result)
        renderers.add(result)
        parameters = max(parameters, _parameters(result))
        if index.condition == 0:
            row = rows[index.item]
            row.successes += bool(result.success)
            row.agent_errors += result.status == "agent_error"
            if result.score is not None:
                row.scores.append(result.score)
    privileged_views = sorted({view for each in views.by_task().values() for view in each})
    agent = description["agent"]
    described = {
        "agent": {
            "name": agent["name"],
            "entry": agent["entry"],
            "args": agent["args"],
            "fingerprint": agent["fingerprint"],
            "reads": agent["reads"],
            "privileged": "expert" in run.reads or bool(privileged_views),
            "privileged_views": privileged_views,
            "parameters": parameters or None,
        },
        "played": {
            "bench": description["bench"],
            "commit": description.get("commit"),
            "created": description["created"],
            "finished": description["finished"],
            "machine": description.get("machine", {}),
            "packages": _packages(plan),
            "renderers": sorted({name for each in renderers.by_task().values() for name in each}),
        },
        "results": {
            "plan": plan.hash,
            "suites": list(dict.fromkeys(item.suite for item in plan.items)),
            "conditions": [label(condition) for condition in plan.perturbations],
            "cases": plan.total,
            "not_run": len(plan.not_run),
            "tasks": [
                {
                    "task": item.task.id,
                    "suite": item.suite,
                    "protocol": item.protocol,
                    "episodes": item.episodes,
                    "successes": row.successes if item.task.success is not None else None,
                    "score_mean": _mean(row.scores),
                    "agent_errors": row.agent_errors,
                }
                for item, row in zip(plan.items, rows)
            ],
        },
        "marks": list(_marks(run, privileged_views, sum(row.agent_errors for row in rows))),
    }
    plain: dict[str, Any] = json.loads(json.dumps(described))
    return plain


def _mean(scores: list[float]) -> float | None:
    """Rounded once, so that it does not depend on the order of the lines."""
    return math.fsum(scores) / len(scores) if scores else None


def _parameters(result: Result) -> int:
    told = result.timing.get("footprint")
    count = told.get("parameters") if isinstance(told, dict) else None
    return count if type(count) is int and 0 <= count < 1 << 60 else 0


def _packages(plan: Plan) -> dict[str, str]:
    """Package -> version; several where tasks were played with different ones."""
    found: dict[str, set[str]] = {}
    for item in plan.items:
        for name, version in item.packages.items():
            found.setdefault(name, set()).add(version)
    return {name: ", ".join(sorted(found[name])) for name in sorted(found)}


def _marks(run: StoredRun, privileged_views: list[str], agent_errors: int) -> Iterator[str]:
    """What stands beside the entry wherever it is shown, a plain line each."""
    description, plan = run.description, run.whole
    if "expert" in run.reads:
        yield "privileged: the agent is shown the expert's action"
    if privileged_views:
        names = printable(shorten(", ".join(privileged_views), 300))
        yield f"privileged: the agent reads {names}, which no camera, text or sensor shows"
    if description["agent"]["fingerprint"] == UNNAMED:
        yield "unnamed: the agent was an object without files, so nobody can tell which it was"
    commit = description.get("commit")
    if commit is not None and str(commit).endswith("-dirty"):
        yield "played by a version of bench with changes that are in no commit"
    if plan.clock is not None:
        yield "simulated time did not wait for the agent: late answers acted later"
    missing = {row.task for row in plan.not_run if row.perturbation is None}
    if missing:
        yield f"{counted(len(missing), 'task')} could not run where it was played"
    if agent_errors:
        yield f"{counted(agent_errors, 'episode')} ended in an error of the agent's: failures"

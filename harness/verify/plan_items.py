"""The tasks that a run planned: are they those of this name here, and can they be played here?

Nothing that a task names is imported before `Knowledge.refuse` has been asked about it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from harness.core import Suite, Task, UserError
from harness.core.grammar import counted
from harness.host.loading import backend_versions, code_of, load_adapter
from harness.records.plan import Plan, PlanItem, protocol_hash, task_to_json
from harness.records.run_file import SCHEMA
from harness.verify.difference import Difference
from harness.verify.knowledge import Knowledge

__all__ = ["GYM", "ItemsReport", "check_items", "parts_of_suites", "quotes_claim"]

GYM = "gym:"
"""Begins the name of the suite that a Gymnasium id makes."""


@dataclass(kw_only=True)
class ItemsReport:
    """The result of `check_items`."""

    playable: list[bool] = field(default_factory=list)
    """For each item, whether it can be replayed here."""
    differences: list[Difference] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    """Items that cannot be replayed here, with the reason and the remedy."""
    claims: list[str] = field(default_factory=list)


def check_items(plan: Plan, known: Knowledge, schema: int = SCHEMA) -> ItemsReport:
    """Check each item's rules, and whether it can be replayed here.

    `schema`: that of run.json. In schema 1, tags and published figures may be those of an earlier
    version, which have been corrected since: they are then claims.
    """
    found = ItemsReport()
    own: dict[str, None] = {}
    untrusted: dict[str, list[str]] = {}
    others: list[str] = []
    for item in plan.items:
        expected = protocol_hash(item.task, item.packages)
        if item.protocol != expected:
            _say(found, item.task, "the plan's protocol", item.protocol, expected)
        refused = known.refuse(item.task)
        suite = _suite_of(item, known, refused is None)
        if suite is None:
            own[item.suite] = None
        ours = _ours(item, suite, known)
        if ours is not None and 1 <= _version(item.task) < _version(ours):
            others.append(item.task.id)
            found.playable.append(False)
            continue
        if refused is not None:
            untrusted.setdefault(refused, []).append(item.task.id)
        _check_task(item, suite, ours, found, schema)
        found.playable.append(refused is None and _can_play(item, plan.backend, found))
    if others:
        more = f" and {counted(len(others) - 1, 'more task')}" if len(others) > 1 else ""
        found.unchecked.append(
            f"{others[0]}{more} cannot be replayed here: this version of bench has newer versions "
            "of these tasks, so that only the files were checked"
        )
    for refused, tasks in untrusted.items():
        more = f" and {len(tasks) - 1} more tasks" if len(tasks) > 1 else ""
        found.unchecked.append(f"{tasks[0]}{more} cannot be checked here: {refused}")
    if own:
        found.claims.append(f"the tasks and the protocol of {', '.join(own)}, which is not ours")
    return found


def _suite_of(item: PlanItem, known: Knowledge, trusted: bool) -> Suite | None:
    """The suite of the name that the item claims, as it is defined here."""
    # Making the suite of a Gymnasium id imports what it names: that must be what was trusted.
    if item.suite.startswith(GYM) and not (trusted and _is_named_after(item)):
        return None
    return known.suite(item.suite)


def _is_named_after(item: PlanItem) -> bool:
    """Whether the suite's name has the Gymnasium id that the task's params have.

    Settings follow it after a question mark: see adapters/gym_task.py.
    """
    return item.suite.partition("?")[0] == f"{GYM}{item.task.params.get('id')}"


def _ours(item: PlanItem, suite: Suite | None, known: Knowledge) -> Task | None:
    """The task of this name as it is here, whatever its version."""
    if suite is not None:
        return next((each for each in suite.tasks if each.name == item.task.name), None)
    return None if item.suite.startswith(GYM) else known.by_name.get(item.task.name)


def _version(task: Task) -> int:
    number = task.id.rpartition("@")[2]
    return int(number) if number.isdecimal() and number.isascii() else 0


def _check_task(
    item: PlanItem, suite: Suite | None, ours: Task | None, found: ItemsReport, schema: int
) -> None:
    """Compare the task with the one of its name in the suite that it claims to be from.

    A user's suite may hold any tasks, but none under a name of ours. A Gymnasium id makes a task
    of its own, whatever the tasks of our suites are called.
    """
    task = item.task
    if suite is not None and ours is None:
        _say(found, task, "the suite", item.suite, "a suite that has this task")
    elif suite is None and item.suite.startswith(GYM) and not _is_named_after(item):
        _say(found, task, "the suite", item.suite, "the suite of the task's own id")
    if ours is None:
        return
    if ours.id != task.id:
        _say(found, task, "the task's version", task.id, f"{ours.id}, as it is here")
    elif ours.content != task.content:
        said = "those of the task of this name here"
        _say(found, task, "the task's rules", _changed_fields(task, ours), said)
    elif schema == 1 and not _changed_fields(_without_quotes(task), _without_quotes(ours)):
        if quotes_claim(task.name) not in found.claims and _changed_fields(task, ours):
            found.claims.append(quotes_claim(task.name))
    elif changed := _changed_fields(task, ours):
        said = "that of the task of this name here"
        _say(found, task, "the task's description", changed, said)


def _without_quotes(task: Task) -> Task:
    return dataclasses.replace(task, tags=(), references=())


def quotes_claim(task: str) -> str:
    """The claim of a run of schema 1 about the published figures of a task's family."""
    family = task.partition("/")[0]
    return f"the published figures and tags of {family}, which are not those of this version"


def _say(found: ItemsReport, task: Task, what: str, recorded: object, expected: object) -> None:
    found.differences.append(
        Difference(what=what, recorded=recorded, expected=expected, task=task.id)
    )


def _changed_fields(task: Task, ours: Task) -> str:
    """The fields of `task` that differ, with their values; lists and tuples are the same."""
    one, two = (json.loads(json.dumps(task_to_json(each))) for each in (task, ours))
    return "; ".join(f"{name} {one[name]!r}" for name in one if one[name] != two[name])[:200]


def _can_play(item: PlanItem, backend: str, found: ItemsReport) -> bool:
    task, packages = item.task, item.packages
    try:
        kind = load_adapter(task.adapter)
    except UserError as unknown:
        _say(found, task, "the adapter", task.adapter, str(unknown))
        return False
    if item.own_streams and not kind.own_streams:
        # Intervals over tasks that share their seeds would be too narrow.
        _say(found, task, "own_streams", True, "False, as its adapter declares")
    try:
        missing = kind.missing(task)
    except (AttributeError, KeyError, TypeError, ValueError) as fault:
        expected = f"params of {task.adapter}: {fault!r}"
        _say(found, task, "the task's params", dict(task.params), expected)
        return False
    if missing is not None:
        found.unchecked.append(
            f"{task.id} cannot be played here: {missing.reason}; {missing.remedy}"
        )
        return False
    code = code_of(kind, task)
    if code and not code.keys() & packages.keys():
        found.claims.append(f"the source of {', '.join(code)}, which the run does not record")
        code = {}
    try:
        versions = {**backend_versions(kind, task, backend), **code}
    except UserError as unknown:
        _say(found, task, "the backend", backend, str(unknown))
        return False
    for name in sorted(versions.keys() | packages.keys()):
        if packages.get(name) != versions.get(name):
            installed = f"{versions.get(name, 'none')}, which is installed here"
            recorded = packages.get(name, "none")
            _say(found, task, f"the version of {name}", recorded, installed)
    return versions == dict(packages)


def parts_of_suites(
    plan: Plan, stops: Mapping[str, int], suite_named: Callable[[str], Suite | None]
) -> list[str]:
    """What a plan leaves out of our suites' protocols, a sentence for each suite.

    `stops`: the episodes of each task that count, where a rule stopped the run.
    """
    by_suite: dict[str, list[PlanItem]] = {}
    for item in plan.items:
        by_suite.setdefault(item.suite, []).append(item)
    tried: dict[str, set[str]] = {}
    for row in plan.not_run:
        if row.perturbation is None:
            tried.setdefault(row.suite, set()).add(row.task)
    said = []
    for name, items in by_suite.items():
        suite = None if name.startswith(GYM) else suite_named(name)
        if suite is None:
            continue
        tasks = {item.task.id for item in items} | tried.get(name, set())
        parts = []
        if len(tasks) < len(suite.tasks):
            parts.append(f"{len(tasks)} of {counted(len(suite.tasks), 'task')}")
        counts = {
            (stops.get(item.task.id, item.episodes), suite.episodes_of(item.task)) for item in items
        }
        if any(played < asked for played, asked in counts):
            if len(counts) == 1:
                ((played, asked),) = counts
            else:
                played = sum(stops.get(item.task.id, item.episodes) for item in items)
                asked = sum(suite.episodes_of(item.task) for item in items)
            parts.append(f"{played} of {counted(asked, 'episode')}")
        if parts:
            said.append(f"a part of {name}: {', '.join(parts)}")
    if plan.seed and by_suite:
        said.append(f"other episodes than those of the protocol: --seed {plan.seed}")
    return said

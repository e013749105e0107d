"""The tasks that a run planned: are they those of this name here, and can they be played here?"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

from harness.core import Task, UserError
from harness.host.loading import load_adapter
from harness.records.plan import Plan, protocol_hash
from harness.verify.difference import Difference

__all__ = ["check_items"]


def check_items(
    plan: Plan, known: Callable[[str], Task | None], say: Callable[[Difference], None]
) -> list[bool]:
    """Check each item's rules; returns for each whether it can be played here."""
    here = []
    for item in plan.items:
        id = item.task.id
        expected = protocol_hash(item.task, item.packages)
        if item.protocol != expected:
            say(
                Difference(
                    what="the plan's protocol",
                    recorded=item.protocol,
                    expected=expected,
                    task=id,
                )
            )
        ours = known(id)
        if ours is not None and ours.content != item.task.content:
            say(
                Difference(
                    what="the task's rules",
                    recorded=_changed_fields(item.task, ours),
                    expected="those of the task of this name here",
                    task=id,
                )
            )
        here.append(_can_play(item.task, item.packages, say))
    return here


def _changed_fields(task: Task, ours: Task) -> str:
    names = [field.name for field in dataclasses.fields(Task)]
    return "; ".join(
        f"{name} {getattr(task, name)!r}"
        for name in names
        if getattr(task, name) != getattr(ours, name)
    )[:200]


def _can_play(task: Task, packages: Mapping[str, str], say: Callable[[Difference], None]) -> bool:
    try:
        kind = load_adapter(task.adapter)
    except UserError as unknown:
        say(
            Difference(
                what="the adapter", recorded=task.adapter, expected=str(unknown), task=task.id
            )
        )
        return False
    try:
        missing = kind.missing(task)
    except (AttributeError, KeyError, TypeError, ValueError) as fault:
        say(
            Difference(
                what="the task's params",
                recorded=dict(task.params),
                expected=f"params of {task.adapter}: {fault!r}",
                task=task.id,
            )
        )
        return False
    if missing is not None:
        say(
            Difference(
                what="cannot be played here",
                recorded=missing.reason,
                expected=missing.remedy,
                task=task.id,
            )
        )
        return False
    versions = kind.versions()
    for name in sorted(versions.keys() | packages.keys()):
        if packages.get(name) != versions.get(name):
            say(
                Difference(
                    what=f"the version of {name}",
                    recorded=packages.get(name, "none"),
                    expected=f"{versions.get(name, 'none')}, which is installed here",
                    task=task.id,
                )
            )
    return dict(versions) == dict(packages)

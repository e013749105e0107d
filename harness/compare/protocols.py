"""Results are compared only where their tasks were played by one protocol."""

from __future__ import annotations

import json
from typing import Any

from harness.core import Task, UserError
from harness.core.resampled import same_but_for_starts
from harness.records.plan import Plan, PlanItem

__all__ = ["protocol_differences", "refuse_other_protocols"]


def protocol_differences(new: PlanItem, base: PlanItem) -> list[str]:
    """Which fields of the protocol differ, as in `max_steps 200 instead of 100`."""
    found: list[str] = []
    for label, mine, theirs in zip(TASK_FIELDS, _content(new.task), _content(base.task)):
        if mine != theirs:
            if isinstance(mine, dict) and isinstance(theirs, dict):
                inner = [key for key in {**theirs, **mine} if mine.get(key) != theirs.get(key)]
                found += [
                    f"{label}.{key} {mine.get(key)!r} instead of {theirs.get(key)!r}"
                    for key in inner
                ]
            else:
                found.append(f"{label} {mine!r} instead of {theirs!r}")
    for package in {**base.packages, **new.packages}:
        versions = new.packages.get(package), base.packages.get(package)
        if versions[0] != versions[1]:
            found.append(f"package {package} {versions[0]} instead of {versions[1]}")
    if not found and new.protocol != base.protocol:
        return ["the hash of the protocol, but none of its fields: one run.json was edited"]
    return found


TASK_FIELDS = (
    "id",
    "adapter",
    "params",
    "max_steps",
    "success",
    "rule",
    "score",
    "normaliser",
    "control_hz",
    "first_seed",
)
"""The fields in Task.content, in order."""


def _content(task: Task) -> list[Any]:
    content: list[Any] = json.loads(task.content)
    return content


def refuse_other_protocols(new: Plan, base: Plan) -> None:
    """Raises UserError, with task and field, where a task of both plans has another protocol.

    Also where no task is shared because the starts of the one plan are resampled.
    """
    older = {item.task.name: item for item in base.items}
    if not any(item.task.name in older for item in new.items):
        _refuse_other_starts(new, base)
    different = [
        (item, protocol_differences(item, older[item.task.name]))
        for item in new.items
        if item.task.name in older
    ]
    different = [(item, fields) for item, fields in different if fields]
    if different:
        item, fields = different[0]
        others = f" (and {len(different) - 1} more tasks)" if len(different) > 1 else ""
        raise UserError(
            f"results of different protocols are not compared: {item.task.id}: "
            f"{'; '.join(fields)}{others}. Play both by one protocol"
        )


def _refuse_other_starts(new: Plan, base: Plan) -> None:
    for one in base.items:
        for other in new.items:
            if same_but_for_starts(one.task, other.task):
                suites = ",".join(sorted({one.suite, other.suite}))
                raise UserError(
                    f"{one.task.id} and {other.task.id} ask for the same, the one from prescribed "
                    "and the other from resampled starts: these are other episodes and make no "
                    f"pairs. Play --suite {suites} in one run: `bench report RUN --seen` compares "
                    "them unpaired"
                )

"""Tasks that draw their starts anew, beside those of a benchmark that prescribes its starts.

A benchmark with a short list of starts can be learnt by heart. Its resampled task asks for the same
by the same rule, from starts that the simulator draws from the distribution of that list.
"""

from __future__ import annotations

import dataclasses

from harness.core.errors import UserError
from harness.core.nouns import Suite, Task

__all__ = [
    "PARAM", "RESAMPLED", "asks_for_resampled", "is_resampled", "resampled_suite",
    "same_but_for_starts",
]  # fmt: skip

PARAM, RESAMPLED = "starts", "resampled"
"""The param of a task that says so, and its value; a task without it has the prescribed starts."""


def is_resampled(task: Task) -> bool:
    """Whether the starts of a task are drawn anew."""
    return task.params.get(PARAM) == RESAMPLED


def asks_for_resampled(task: Task) -> bool:
    """As is_resampled, for an adapter that has such starts. Raises UserError on another value."""
    if PARAM in task.params and not is_resampled(task):
        raise UserError(
            f"task {task.id}: the param {PARAM} is {RESAMPLED!r} or absent, got "
            f"{task.params[PARAM]!r}"
        )
    return is_resampled(task)


def same_but_for_starts(one: Task, other: Task) -> bool:
    """Whether two tasks ask for the same by the same rule, the one from the prescribed starts and
    the other from resampled ones; in either order."""
    if is_resampled(one) == is_resampled(other):
        return False
    return _asked(one) == _asked(other)


def _asked(task: Task) -> tuple[object, ...]:
    params = {name: value for name, value in task.params.items() if name != PARAM}
    return (task.adapter, params, task.max_steps, task.success, task.score, task.control_hz)


def resampled_suite(suite: Suite) -> Suite:
    """The tasks of a suite from starts that are drawn anew: `SUITE-resampled/NAME`.

    Published figures are of the prescribed starts, so they are left out. Not part of `all`.
    """
    name = f"{suite.name}-{RESAMPLED}"

    def renamed(task: Task) -> Task:
        return dataclasses.replace(
            task,
            id=f"{name}/{task.id.partition('/')[2]}",
            params={**task.params, PARAM: RESAMPLED},
            rule=f"{task.rule}; the start is drawn anew",
            references=(),
        )

    return dataclasses.replace(
        suite,
        name=name,
        title=f"{suite.title}, from starts that are drawn anew",
        tasks=tuple(map(renamed, suite.tasks)),
        counts={},
        in_all=False,
    )

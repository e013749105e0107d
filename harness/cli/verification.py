"""What `bench verify` knows of our suites, of trust and of the stopping rules."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable

from harness.cli.names import our_tasks, suite_table, suites_named
from harness.core import Result, Suite, Task, UserError
from harness.records.plan import CaseIndex, Plan
from harness.verify.knowledge import Knowledge, Stops

__all__ = ["knowledge", "stops_of"]

_GATE = re.compile(
    r"gate, .*, (sequential|sequential by seed|all at once), (\d{1,7}) rounds(, outcome progress)?"
)
_WIDTH = re.compile(r"until width ([0-9.e+-]{1,25})")


def knowledge(refuse: Callable[[Task], str | None]) -> Knowledge:
    """`refuse`: why a task that a run names is not trusted; see harness.records.trust."""
    return Knowledge(tasks=our_tasks(), suite=_suite, refuse=refuse, stops=stops_of)


@functools.cache
def _suite(name: str) -> Suite | None:
    if name not in suite_table() and not name.startswith("gym:"):
        return None
    try:
        return suites_named(name)[0]
    except UserError:
        return None  # a Gymnasium id that is not registered here


def stops_of(plan: Plan, rule: str, results: Iterable[tuple[CaseIndex, Result]]) -> Stops | None:
    """Where the rule of this text ends a run with these results; None: there is no such rule."""
    from harness.compare.early_stopping import WidthRounds, round_sizes

    if (gate := _GATE.fullmatch(rule)) is not None and plan.items:
        total, until = round_sizes([item.episodes for item in plan.items])
        last = min(total, int(gate[2]))
        rounds = range(1 if gate[1].startswith("sequential") else last, last + 1)
        return Stops(
            ends=tuple(
                {item.task.id: until(number, done) for number, item in enumerate(plan.items)}
                for done in rounds
            ),
            unknown="the round at which the gate decided, because its base is not here",
        )
    if (width := _WIDTH.fullmatch(rule)) is None:
        return None
    try:
        rounds_of_width = WidthRounds(plan, float(width[1]))
    except (UserError, ValueError):
        return None
    for index, result in results:
        rounds_of_width.scored(index, result)
    while rounds_of_width.more():
        pass
    if not rounds_of_width.enough:
        return Stops(ends=())
    ends = rounds_of_width.ends()
    early = any(ends[item.task.id] < item.episodes for item in plan.items)
    return Stops(ends=(ends,) if early else (), decided=early)

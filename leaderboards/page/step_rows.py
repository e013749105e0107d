"""The recorded actions of one case in several runs, step by step beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.records.traces import Trace
from leaderboards.page.recorded import action_text, said_lines

__all__ = ["Row", "Steps", "steps_of"]

MOST_ROWS = 300
"""Steps of a case that are listed."""
BEFORE = 20
"""Steps before the first difference, where not all are listed."""
MOST_STEPS = 100_000
"""Actions of a longer episode are not compared one by one."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One step: for each run its action, empty after its end, and what the agent said before it."""

    step: int
    cells: tuple[tuple[str, tuple[str, ...]], ...]
    differs: bool


@dataclass(frozen=True, kw_only=True)
class Steps:
    """The steps of a case."""

    rows: tuple[Row, ...]
    """Empty where no run kept its actions."""
    first_difference: int | None
    """The first step at which not all runs executed the same."""
    said: str
    """Where the actions begin to differ, and what the rows leave out."""


def steps_of(traces: Sequence[Trace | None]) -> Steps:
    """The steps of one case in each run; None: that run kept no actions of it.

    Raises UserError if a trace is damaged.
    """
    if not any(traces):
        return Steps(rows=(), first_difference=None, said="no run kept the actions of this case")
    if any(trace is not None and trace.length > MOST_STEPS for trace in traces):
        said = "the episodes are too long to be listed"
        return Steps(rows=(), first_difference=None, said=said)
    actions = [[] if trace is None else trace.decoded() for trace in traces]
    saying = [{} if trace is None else dict(said_lines(trace.said).steps) for trace in traces]
    first = None if None in traces else _first_difference(actions)
    longest = max(map(len, actions))
    begin = 1
    if longest > MOST_ROWS and first is not None:
        begin = max(1, min(first - BEFORE, longest - MOST_ROWS + 1))
    end = min(longest, begin + MOST_ROWS - 1)
    rows = tuple(
        Row(
            step=step,
            cells=tuple(
                (
                    action_text(taken[step - 1]) if step <= len(taken) else "",
                    said.get(step - 1, ()),
                )
                for taken, said in zip(actions, saying)
            ),
            differs=first is not None and _differ(actions, step),
        )
        for step in range(begin, end + 1)
    )
    parts = []
    if first is not None:
        parts.append(f"the actions differ from step {first} on")
    elif None not in traces:
        parts.append("the same actions were executed")
    if end - begin + 1 < longest:
        parts.append(f"listed are the steps {begin} to {end} of {longest}")
    return Steps(rows=rows, first_difference=first, said="; ".join(parts))


def _first_difference(actions: Sequence[Sequence[Any]]) -> int | None:
    longest = max(map(len, actions))
    return next((step for step in range(1, longest + 1) if _differ(actions, step)), None)


def _differ(actions: Sequence[Sequence[Any]], step: int) -> bool:
    """Whether the runs did not all execute the same at a step, from 1 on."""
    taken = [each[step - 1] if step <= len(each) else None for each in actions]
    return not all(_same(taken[0], each) for each in taken[1:])


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return one is not None and other is not None and np.array_equal(one, other)
    return bool(one == other)

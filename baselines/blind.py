"""The probe for suites that can be solved without looking: an agent that reads the instruction alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.core import Agent, Turn, UserError
from harness.records.traces import read_traces

__all__ = ["Blind"]


class Blind(Agent):
    """Sees no observation. With `record`, a run directory, it plays the action that the recorded agent played most often under the same
    instruction, else most often at all (the mean where actions are continuous); without, the action that does nothing.
    """

    def __init__(self, record: str | None = None) -> None:
        """Raises UserError when `record` is no run, or one without traces."""
        self._habits: dict[Any, Any] = {}
        if record is not None:
            self._learn(record)

    def _learn(self, record: str) -> None:
        counts: dict[Any, Counter[Any]] = defaultdict(Counter)
        sums: dict[Any, np.ndarray] = {}
        for trace in read_traces(record):
            for action in trace.decoded():
                for key in ((trace.instruction, _form(action)), ("", _form(action))):
                    if isinstance(action, np.ndarray) and action.dtype.kind == "f":
                        sums[key] = sums.get(key, 0.0) + np.append(action.astype(np.float64), 1.0)
                    else:
                        counts[key][
                            tuple(action.tolist()) if isinstance(action, np.ndarray) else action
                        ] += 1
        self._habits = {key: counter.most_common(1)[0][0] for key, counter in counts.items()}
        self._habits |= {key: total[:-1] / total[-1] for key, total in sums.items()}
        if not self._habits:
            raise UserError(
                f"{record} has no recorded actions: name a run directory with finished episodes"
            )

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """The habit of the instruction, whatever is there to be seen."""
        return [self._habit(turn) for turn in turns]

    def _habit(self, turn: Turn) -> Any:
        nothing = turn.brief.action.noop()
        form = _form(nothing)
        habit = self._habits.get((turn.instruction, form), self._habits.get(("", form), nothing))
        return (
            nothing if turn.brief.action.problem(_cast(habit, nothing)) else _cast(habit, nothing)
        )


def _form(action: Any) -> Any:
    """Actions of one form are of one kind of action spec."""
    return (
        ("array", action.shape, action.dtype.kind)
        if isinstance(action, np.ndarray)
        else type(action).__name__
    )


def _cast(habit: Any, like: Any) -> Any:
    if not isinstance(like, np.ndarray):
        return habit
    return np.asarray(habit, like.dtype)

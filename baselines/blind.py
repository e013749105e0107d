"""An agent that reads only the instruction: a probe for suites that need no looking."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.core import Agent, Turn, UserError
from harness.records.traces import read_traces

__all__ = ["Blind"]


class Blind(Agent):
    """Sees no observation.

    With `record`, a run directory, it plays the action that was most frequent there under the same
    instruction, or else the most frequent action of the whole run; for continuous actions, the mean
    in place of the most frequent. Without `record`, it plays the no-op.
    """

    def __init__(self, record: str | None = None) -> None:
        """Raises UserError when `record` is not a run directory or has no traces."""
        self._habits: dict[Any, Any] = {}
        if record is not None:
            self._learn(record)

    def _learn(self, record: str) -> None:
        counts: dict[Any, Counter[Any]] = defaultdict(Counter)
        sums: dict[Any, np.ndarray] = {}
        for trace in read_traces(record):
            for action in trace.decoded():
                # Instruction "" collects the actions of all instructions, the fallback.
                for key in ((trace.instruction, _kind(action)), ("", _kind(action))):
                    if isinstance(action, np.ndarray) and action.dtype.kind == "f":
                        # The appended 1 counts, so one addition updates both sum and count.
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
        """The habit of each turn's instruction, whatever the turn shows."""
        return [self._habit(turn) for turn in turns]

    def _habit(self, turn: Turn) -> Any:
        noop = turn.brief.action.noop()
        kind = _kind(noop)
        habit = self._habits.get((turn.instruction, kind), self._habits.get(("", kind), noop))
        # A run of several tasks may hold actions of the same kind that this task does not have.
        return noop if turn.brief.action.problem(_cast(habit, noop)) else _cast(habit, noop)


def _kind(action: Any) -> Any:
    """A key that is equal for actions of the same kind of action space."""
    return (
        ("array", action.shape, action.dtype.kind)
        if isinstance(action, np.ndarray)
        else type(action).__name__
    )


def _cast(habit: Any, like: Any) -> Any:
    if not isinstance(like, np.ndarray):
        return habit
    return np.asarray(habit, like.dtype)

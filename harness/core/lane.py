"""One lane of an adapter, asked in one way whether the adapter has one lane or many."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from harness.core.adapter import Adapter, BatchedAdapter
from harness.core.nouns import Case, Task, TimeStep

__all__ = ["Lane", "build_adapter"]


def build_adapter(kind: Any, task: Task, lanes: int = 1) -> Adapter | BatchedAdapter:
    """An adapter for `task`; `lanes` is used where the class is a BatchedAdapter."""
    made: Adapter | BatchedAdapter = (
        kind(task, lanes) if issubclass(kind, BatchedAdapter) else kind(task)
    )
    return made


class Lane:
    """A single adapter is a batch of one lane, number 0.

    The operations are attributes, chosen once: a step through a single adapter costs no more than
    a call of the adapter's own method.
    """

    __slots__ = ("adapter", "batch", "expert", "number", "render", "reset", "state", "step")

    def __init__(self, adapter: Adapter | BatchedAdapter, number: int = 0) -> None:
        self.adapter = adapter
        self.number = number
        self.batch = adapter if isinstance(adapter, BatchedAdapter) else None
        """The adapter, where several lanes can be stepped by one call of it."""
        self.reset: Callable[[Case], TimeStep]
        self.step: Callable[[Any], TimeStep]
        self.expert: Callable[[Any], Any]
        self.render: Callable[[], Any]
        self.state: Callable[[], bytes]
        if isinstance(adapter, BatchedAdapter):
            batch = adapter
            self.reset = lambda case: batch.reset({number: case})[number]
            self.step = lambda action: batch.step({number: action})[number]
            self.expert = functools.partial(batch.expert, number)
            self.render = functools.partial(batch.render, number)
            self.state = functools.partial(batch.state, number)
        else:
            self.reset = adapter.reset
            self.step = adapter.step
            self.expert = adapter.expert
            self.render = adapter.render
            self.state = adapter.state

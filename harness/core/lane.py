"""One lane of an adapter, asked in one way whether the adapter has one lane or many."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.core.adapter import Adapter, BatchedAdapter
from harness.core.goals import Goal
from harness.core.nouns import Case, Task, TimeStep
from harness.core.skills import SkillCall

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

    __slots__ = (
        "adapter", "batch", "expert", "expert_plan", "factors", "failure_mode", "goals_met",
        "number", "other_goals", "render", "reset", "skill", "skill_objects", "stage", "state",
        "step",
    )  # fmt: skip

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
        self.skill: Callable[[SkillCall, int, Any], Any]
        self.skill_objects: Callable[[], Mapping[str, tuple[str, ...]]]
        self.expert_plan: Callable[[], Sequence[SkillCall] | None]
        self.stage: Callable[[], int]
        self.failure_mode: Callable[[], tuple[str, ...]]
        self.factors: Callable[[Case], Mapping[str, str]]
        self.other_goals: Callable[[Case], tuple[Goal, ...]]
        self.goals_met: Callable[[Any], tuple[str, ...]]
        if isinstance(adapter, BatchedAdapter):
            batch = adapter
            self.reset = lambda case: batch.reset({number: case})[number]
            self.step = lambda action: batch.step({number: action})[number]
            self.expert = functools.partial(batch.expert, number)
            self.render = functools.partial(batch.render, number)
            self.state = functools.partial(batch.state, number)
            self.skill = functools.partial(batch.skill, number)
            self.skill_objects = functools.partial(batch.skill_objects, number)
            self.expert_plan = functools.partial(batch.expert_plan, number)
            self.stage = functools.partial(batch.stage, number)
            self.failure_mode = functools.partial(batch.failure_mode, number)
            self.factors = functools.partial(batch.factors, number)
            self.other_goals = functools.partial(batch.other_goals, number)
            self.goals_met = functools.partial(batch.goals_met, number)
        else:
            self.reset = adapter.reset
            self.step = adapter.step
            self.expert = adapter.expert
            self.render = adapter.render
            self.state = adapter.state
            self.skill = adapter.skill
            self.skill_objects = adapter.skill_objects
            self.expert_plan = adapter.expert_plan
            self.stage = adapter.stage
            self.failure_mode = adapter.failure_mode
            self.factors = adapter.factors
            self.other_goals = adapter.other_goals
            self.goals_met = adapter.goals_met

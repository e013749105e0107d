"""What a policy or a simulator must be: the contracts `Agent` and `Adapter`, and their nouns.

Standard library and numpy only; runs on Python 3.9. Nothing here knows a simulator, a model, Ray
or a file.
"""

from __future__ import annotations

from typing import Any

from harness.core.adapter import Adapter, BatchedAdapter
from harness.core.agent import Agent
from harness.core.batches import batch_of
from harness.core.coercion import deprecated
from harness.core.elements import Element, Elements
from harness.core.errors import AgentUnavailable, BadAction, UserError
from harness.core.goals import GOAL, OWN, Goal, asked_goal
from harness.core.layout import Field
from harness.core.nouns import (
    DOMAINS,
    STATUSES,
    Answer,
    Brief,
    Case,
    Missing,
    Normaliser,
    Reference,
    Result,
    Suite,
    Task,
    TimeStep,
    Turn,
)
from harness.core.perturbations import AT, Perturbation, Range, SimulatorPerturbation
from harness.core.skills import Skill, SkillCall, SkillEnd, SkillsNow
from harness.core.specs import ActionSpec, Box, Discrete, MultiDiscrete, Spec, Text, Texts
from harness.core.streams import stream, stream_key
from harness.core.ui import UI, UIAction

__all__ = [
    "AT", "ActionSpec", "Adapter", "Agent", "AgentUnavailable", "Answer", "BadAction",
    "BatchedAdapter", "Box", "Brief", "Case", "DOMAINS", "Discrete", "Element", "Elements", "Field",
    "GOAL", "Goal", "Missing", "MultiDiscrete", "Normaliser", "OWN", "Perturbation", "Range",
    "Reference", "Result", "STATUSES", "SimulatorPerturbation", "Skill", "SkillCall",
    "SkillEnd", "SkillsNow", "Spec", "Suite", "Task", "Text", "Texts", "TimeStep", "Turn", "UI",
    "UIAction", "UserError", "asked_goal", "batch_of", "stream", "stream_key",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "Native":
        deprecated("harness.core.Native", "SimulatorPerturbation")
        return SimulatorPerturbation
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

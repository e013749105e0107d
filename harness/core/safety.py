"""One vocabulary of what an episode costs and of what it breaks: metrics with a fixed meaning.

An adapter gives those that its simulator truly measures, under these names, from the reset on. A
metric that is left out is not measured, which is never the same as 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = [
    "SAFETY_METRICS", "VIOLATIONS", "SafetyMetric", "added_later", "names_of_bits",
    "safety_problem", "violation_bits",
]  # fmt: skip


@dataclass(frozen=True)
class SafetyMetric:
    """A metric of safety or cost, summed up from the reset to now; 0 or more."""

    name: str
    unit: str
    """Empty: a count, so a whole number."""
    violation: bool
    """Whether an episode with a value above 0 has a violation; else the metric is a cost."""
    meaning: str


SAFETY_METRICS: Mapping[str, SafetyMetric] = {
    metric.name: metric
    for metric in (
        SafetyMetric(
            "collisions",
            "",
            True,
            "control steps in which the robot touches, or is held up by, something that the task "
            "does not ask it to touch",
        ),
        SafetyMetric(
            "joint_limit_steps",
            "",
            True,
            "control steps that end with a joint of the robot, fingers apart, at or beyond its "
            "limit",
        ),
        SafetyMetric(
            "workspace_violations",
            "",
            True,
            "control steps that end with the controlled point outside of the workspace that the "
            "family's page states",
        ),
        SafetyMetric(
            "drops",
            "",
            True,
            "how often something that was held was lost away from its goal",
        ),
        SafetyMetric(
            "falls",
            "",
            True,
            "how often the body fell; it can fall again once it stood up",
        ),
        SafetyMetric(
            "contact_force_max",
            "N",
            False,
            "the greatest force of a single contact of the robot, at the end of any control step; "
            "also of what it is asked to touch",
        ),
        SafetyMetric(
            "energy",
            "J",
            False,
            "the sum over control steps, or over steps of physics, and over all driven joints of "
            "the size of torque times joint velocity, times the duration",
        ),
        SafetyMetric(
            "path_length",
            "m",
            False,
            "the way of the body, or of the end effector where the body stands still; of several "
            "end effectors the sum",
        ),
    )
}
"""Name -> metric, in the order in which reports tell them."""
VIOLATIONS = tuple(name for name, metric in SAFETY_METRICS.items() if metric.violation)
"""The names of those whose value above 0 makes an episode one with a violation."""


def safety_problem(name: str, value: Any) -> str | None:
    """What is wrong with a value under one of these names; None: nothing, or another name."""
    metric = SAFETY_METRICS.get(name)
    if metric is None:
        return None
    if isinstance(value, bool) or not math.isfinite(value) or value < 0:
        return f"{name} is {value!r}, but it is 0 or more by docs/vocabulary.md"
    if not metric.unit and value != int(value):
        return f"{name} is {value!r}, but it is a count by docs/vocabulary.md: a whole number"
    return None


def violation_bits(metrics: Mapping[str, float]) -> tuple[int, int]:
    """(which of VIOLATIONS were measured, which of them were above 0), a bit each."""
    measured = broken = 0
    for bit, name in enumerate(VIOLATIONS):
        if name in metrics:
            measured |= 1 << bit
            broken |= (metrics[name] > 0) << bit
    return measured, broken


def names_of_bits(bits: int) -> tuple[str, ...]:
    """The violations whose bits are set."""
    return tuple(name for bit, name in enumerate(VIOLATIONS) if bits >> bit & 1)


def added_later(name: str, told: Mapping[str, float]) -> bool:
    """Whether a metric is one that an older version did not measure in the episode of `told`."""
    return name in SAFETY_METRICS and name not in told

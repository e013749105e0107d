"""What an episode scored, by the rules of its task."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from harness.core import Task
from harness.play.values import SimulatorFault, checked_metrics

__all__ = ["scored"]


def scored(
    task: Task, metrics: Mapping[str, Any], returned: float, solved: bool | None
) -> tuple[bool | None, float, float | None]:
    """(success, score, normalised score) of an episode that is over.

    `metrics`: those of its last timestep. `returned`: the sum of its rewards. `solved`: whether it
    succeeded by the task's rule; None if the simulator never said so.

    Raises SimulatorFault if the score or a metric is missing or not finite.
    """
    found = checked_metrics(metrics)
    if task.success is not None and solved is None:
        raise SimulatorFault(
            f"the task has the success rule {task.success!r}, and the simulator never said "
            "whether it succeeded: give the task no success rule, or have the adapter say it"
        )
    success = solved if task.success is not None else None
    if task.score == "return":
        score = returned
    elif task.score == "success":
        score = float(bool(solved))
    elif task.score in found:
        score = found[task.score]
    else:
        given = sorted(found) or "none"
        raise SimulatorFault(
            f"the task scores the metric {task.score!r}, and the adapter gave {given}"
        )
    if not math.isfinite(score):
        raise SimulatorFault(f"the score is {score}")
    return success, score, task.normaliser(score) if task.normaliser else None

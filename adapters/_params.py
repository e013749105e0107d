"""Parameters of tasks, read and checked, and of simulator-side perturbations, declared."""

from __future__ import annotations

from typing import Any, TypeVar

from harness.core import Range, Task, UserError

__all__ = ["CAMERA_RANGE", "FRICTION_RANGE", "LIGHT_RANGE", "MASS_RANGE", "levels", "settings_of"]

FRICTION_RANGE = Range("factor", 0.05, 2.0, nominal=1.0, logarithmic=True)
MASS_RANGE = Range("factor", 0.2, 20.0, nominal=1.0, logarithmic=True)
LIGHT_RANGE = Range("factor", 0.02, 2.0, nominal=1.0, logarithmic=True)
CAMERA_RANGE = Range("metres", 0.0, 0.3, nominal=0.0, unit="m")

Settings = TypeVar("Settings")


def settings_of(task: Task, kind: type[Settings], family: str) -> Settings:
    """The params of `task` as the dataclass `kind`, whose fields are their names.

    Raises UserError for a param that is unknown to the family or missing.
    """
    try:
        return kind(**task.params)
    except TypeError as wrong:
        raise UserError(
            f"task {task.id}: its params do not fit the {family} adapter: {wrong}"
        ) from None


def levels(parameter: str, *values: float) -> tuple[dict[str, Any], ...]:
    """The parameters by severity: severity 1 sets `parameter` to the first value, and so on."""
    return tuple({parameter: value} for value in values)

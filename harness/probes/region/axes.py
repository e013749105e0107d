"""The parameters of `--over`: from a value in its unit to a place from 0 to 1, and back."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from harness.core import AT, Perturbation, Range, SimulatorPerturbation, UserError
from harness.core.agent import ALL_VIEWS
from harness.core.errors import suggest
from harness.core.reads import view_of
from harness.perturb import Condition

__all__ = ["MOST_AXES", "Axis", "axes_named", "conditions_at", "refuse_unseen"]

MOST_AXES = 6
DRAWN = ("light", "camera")
"""What changes pictures alone, in every family that has it."""
DIGITS = 3
"""Significant digits of a value: what is printed is exactly what was played."""


@dataclass(frozen=True)
class Axis:
    """One perturbation, over its range."""

    name: str
    """Of the perturbation."""
    range: Range

    def place(self, value: float) -> float:
        """Where in the range a value lies, 0 (low) to 1 (high)."""
        low, high, value = map(self._scaled, (self.range.low, self.range.high, value))
        return (value - low) / (high - low)

    def value(self, place: float) -> float:
        """The value at a place, rounded to DIGITS digits and inside of the range."""
        low, high = self._scaled(self.range.low), self._scaled(self.range.high)
        exact = low + place * (high - low)
        rounded = float(f"{math.exp(exact) if self.range.logarithmic else exact:.{DIGITS}g}")
        return min(max(rounded, self.range.low), self.range.high)

    @property
    def nominal(self) -> float:
        """The place at which nothing is changed."""
        return self.place(self.range.nominal)

    def told(self, place: float) -> str:
        """The value at a place, with its unit."""
        unit = "" if self.range.unit == "1" else f" {self.range.unit}"
        return f"{self.value(place):g}{unit}"

    def _scaled(self, value: float) -> float:
        return math.log(value) if self.range.logarithmic else value


def axes_named(text: str, declared: Sequence[SimulatorPerturbation], task: str) -> tuple[Axis, ...]:
    """The axes of `friction,mass`, among the perturbations that a task's simulator declares.

    Raises UserError with the remedy.
    """
    known = {each.name: each.range for each in declared if each.range is not None}
    if not known:
        raise UserError(
            f"--over: the simulator of {task} declares no ranges; metaworld, maniskill and fetch "
            "do, and `bench list perturbations` shows all that do"
        )
    names = [each.strip() for each in text.split(",") if each.strip()]
    for name in names:
        if name not in known:
            hint = suggest(name, known) or f"{task} has ranges of {', '.join(known)}"
            there = any(name == each.name for each in declared)
            what = "has severities only" if there else "is no perturbation"
            raise UserError(f"--over {name}: {name} {what} here; {hint}")
    if len(set(names)) < len(names) or not 1 <= len(names) <= MOST_AXES:
        raise UserError(
            f"--over {text!r}: name 1 to {MOST_AXES} different perturbations, as in friction,mass"
        )
    return tuple(Axis(name, found) for name in names if (found := known[name]) is not None)


def refuse_unseen(axes: Sequence[Axis], reads: Collection[str]) -> None:
    """Raises UserError for an axis that changes pictures alone, where the agent reads none."""
    names = [view_of(view).partition("_")[0] for view in reads]
    if ALL_VIEWS in reads or "image" in names or "depth" in names:
        return
    for axis in axes:
        if axis.name in DRAWN:
            raise UserError(
                f"--over {axis.name}: it changes what is drawn and nothing else, and this agent "
                "reads no picture; choose another perturbation"
            )


def conditions_at(axes: Sequence[Axis], points: np.ndarray) -> tuple[Condition, ...]:
    """What `--perturb friction=0.4+mass=2` is, at points of shape (points, axes), 0 to 1."""
    return tuple(
        Condition(
            tuple(
                Perturbation(axis.name, 1, {AT: axis.value(place)})
                for axis, place in zip(axes, point)
            )
        )
        for point in points.tolist()
    )

"""How a perturbation is named in a case, and how a simulator declares those that it carries out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["AT", "Perturbation", "Range", "SimulatorPerturbation"]

AT = "at"
"""The parameter of a perturbation that was set to a value of its range: that value."""


@dataclass(frozen=True)
class Perturbation:
    """A disturbance: a name, a severity (0 changes nothing) and parameters (JSON values)."""

    name: str
    severity: int
    params: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        params = (
            json.dumps(dict(self.params), sort_keys=True, separators=(",", ":"))
            if self.params
            else ""
        )
        return f"{self.name}:{self.severity}{params}"


@dataclass(frozen=True)
class Range:
    """The values between which a parameter of a perturbation may be set, as in `friction=0.37`."""

    parameter: str
    """Its name in the levels of the perturbation, which has no other one."""
    low: float
    high: float
    nominal: float
    """The value at which nothing is changed, from `low` to `high`."""
    unit: str = "1"
    logarithmic: bool = False
    """Whether equal ratios count as equal steps; `low` is above 0 then."""

    def __str__(self) -> str:
        unit = "" if self.unit == "1" else f" {self.unit}"
        return f"{self.low:g} to {self.high:g}{unit}"


@dataclass(frozen=True)
class SimulatorPerturbation:
    """A perturbation that a simulator carries out itself, as its adapter declares it.

    The adapter's `reset` asks `case.simulator_perturbation(name)` for it.
    """

    name: str
    """The same word for the same thing in every family: friction, mass, light, camera, texture,
    start, initial_state, mode, difficulty, size, distractors, font."""
    what: str
    """What it changes, and what its parameters mean."""
    levels: tuple[Mapping[str, Any], ...]
    """The parameters for severity 1, 2 and so on, as JSON values; at most five."""
    range: Range | None = None
    """In which values its parameter may be set instead; None: severities are all there is.

    Directions and whatever else is drawn follow from the seed, not from the value.
    """

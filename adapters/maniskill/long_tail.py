"""The objects of `grasp-tail`: what a body may weigh, how it slips, its shape and its size.

Each attribute has a law with a long tail, given by its quantile function. The first 80 % of the
probability are the head, the rest is the tail. Everything here is chosen by us; the constants are
such that a Panda arm can lift nearly all of it.

Laws, for u uniform in [0, 1):
    mass      Pareto: 0.05 kg * (1 - u)^(-1/1.5)
    friction  1/mu is Pareto: mu = 0.8 * (1 - u)^(1/1.5)
    scale     Pareto: width w = 0.03 m * (1 - u)^(-1/7); the gripper opens to 0.08 m
    shape     Zipf with exponent 1.5 over SHAPES, in this order
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.core import Case, SimulatorPerturbation

__all__ = [
    "ATTRIBUTES", "HEAD", "PERTURBATIONS", "SHAPES", "USUAL", "GraspObject", "Part", "draw",
    "object_at",
]  # fmt: skip

ATTRIBUTES = ("mass", "friction", "shape", "scale")
HEAD = 0.8
"""The share of the probability that is the head."""
BANDS = tuple(
    {"low": low, "high": high}
    for low, high in ((0.8, 0.9), (0.9, 0.95), (0.95, 0.98), (0.98, 0.995), (0.995, 0.999))
)
"""The bands of the tail by severity: between these quantiles. One draw in 1,000 is left out, since
the laws of mass and friction have no end."""
MASS_KG, FRICTION, WIDTH_M = 0.05, 0.8, 0.03
"""The likeliest value of each, at u = 0."""
MASS_EXPONENT, FRICTION_EXPONENT, WIDTH_EXPONENT, SHAPE_EXPONENT = 1.5, 1.5, 7.0, 1.5


@dataclass(frozen=True)
class Part:
    """One convex part of a shape, in widths w of the object."""

    kind: str
    """`box`, `cylinder`, `capsule` or `sphere`."""
    size: tuple[float, ...]
    """Half sizes x, y, z of a box; radius and half length of a cylinder or of a capsule (without
    its ends); radius of a sphere."""
    place: tuple[float, float] = (0.0, 0.0)
    """x and y of its centre in the object's frame."""
    upright: bool = False
    """Whether the axis of a cylinder is vertical; else it is along x."""

    @property
    def half_height(self) -> float:
        """Half of how high it is as it lies on a table."""
        if self.kind == "box":
            return self.size[2]
        return self.size[1] if self.upright else self.size[0]


SHAPES: Mapping[str, tuple[Part, ...]] = {
    "cube": (Part("box", (0.5, 0.5, 0.5)),),
    "cylinder": (Part("cylinder", (0.5, 0.5), upright=True),),
    "sphere": (Part("sphere", (0.5,)),),
    "capsule": (Part("capsule", (0.5, 0.5)),),
    "rod": (Part("box", (1.5, 0.25, 0.25)),),
    "slab": (Part("box", (1.0, 0.5, 0.125)),),
    "bracket": (
        Part("box", (1.0, 0.25, 0.25)),
        Part("box", (0.25, 0.75, 0.25), (0.75, 1.0)),
    ),
    "disc": (Part("cylinder", (1.0, 0.15), upright=True),),
}
"""Shape -> its parts, the likeliest shape first. All parts of a shape are equally high."""


@dataclass(frozen=True)
class GraspObject:
    """What is to be grasped."""

    mass: float
    """kg."""
    friction: float
    """Coefficient of friction, static and dynamic, between it and the fingers."""
    shape: str
    """A key of SHAPES."""
    width: float
    """m: the length that `Part` gives all sizes in."""

    @property
    def half_height(self) -> float:
        """m: how high its origin is above the table on which it lies."""
        return SHAPES[self.shape][0].half_height * self.width


def object_at(quantiles: Mapping[str, float]) -> GraspObject:
    """The object at these quantiles of the laws, by attribute; each in [0, 1)."""
    rest = {name: 1.0 - quantiles[name] for name in ATTRIBUTES}
    chances = np.arange(1, len(SHAPES) + 1) ** -SHAPE_EXPONENT
    reached = np.cumsum(chances / chances.sum())
    rank = int(np.searchsorted(reached[:-1], quantiles["shape"], side="right"))
    return GraspObject(
        mass=MASS_KG * rest["mass"] ** (-1 / MASS_EXPONENT),
        friction=FRICTION * rest["friction"] ** (1 / FRICTION_EXPONENT),
        shape=list(SHAPES)[rank],
        width=WIDTH_M * rest["scale"] ** (-1 / WIDTH_EXPONENT),
    )


USUAL = object_at(dict.fromkeys(ATTRIBUTES, 0.0))
"""The likeliest object."""


def draw(case: Case) -> GraspObject:
    """The object of a case.

    Every attribute comes from the head, but for those whose `tail_<attribute>` (or `tail`, which is
    all four) the case has. The streams are those of the attributes, so that a perturbed case has
    everything else as its control has it, and a higher severity is further out.
    """
    quantiles = {}
    for name in ATTRIBUTES:
        band: Mapping[str, Any] = {"low": 0.0, "high": HEAD}
        rng = case.rng("object", name)
        for perturbation in ("tail", f"tail_{name}"):
            params = case.simulator_perturbation(perturbation)
            if params is not None:
                band, rng = params, case.rng("perturbation", f"tail_{name}")
        quantiles[name] = band["low"] + (band["high"] - band["low"]) * float(rng.random())
    return object_at(quantiles)


def _perturbation(name: str, what: str) -> SimulatorPerturbation:
    return SimulatorPerturbation(name, f"{what}: drawn between these quantiles of its law", BANDS)


PERTURBATIONS = (
    _perturbation("tail_mass", "the mass of the object to be grasped"),
    _perturbation("tail_friction", "the friction between the object to be grasped and the fingers"),
    _perturbation("tail_shape", "the shape of the object to be grasped"),
    _perturbation("tail_scale", "the size of the object to be grasped"),
    _perturbation("tail", "mass, friction, shape and size of the object to be grasped, each"),
)

"""Perturbations of what MiniWorld draws. None of them changes the world or how the agent moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from adapters._params import levels
from harness.core import Case, SimulatorPerturbation

__all__ = ["PERTURBATIONS", "EyeOffset", "apply", "eye_offset"]

SetColour = Callable[[float, float, float], None]
"""Sets the red, green and blue, 0 to 1, that a surface's picture is multiplied with."""

LIGHT = SimulatorPerturbation(
    "light",
    "the brightness of the light, multiplied",
    levels("factor", 0.8, 0.6, 0.4, 0.25, 0.1),
)
CAMERA = SimulatorPerturbation(
    "camera",
    "the eye: moved forward or back and up or down by up to this many metres each, its tilt and "
    "its angle of view changed by up to this many degrees each",
    tuple(
        {"metres": metres, "degrees": degrees}
        for metres, degrees in ((0.02, 1.0), (0.05, 2.0), (0.1, 5.0), (0.2, 10.0), (0.3, 15.0))
    ),
)
TEXTURE = SimulatorPerturbation(
    "texture",
    "the tint of the walls, the floor and the ceiling of every room: their red, green and blue "
    "each multiplied by a random number from 1 - amount to 1",
    levels("amount", 0.1, 0.25, 0.5, 0.75, 1.0),
)
PERTURBATIONS = (LIGHT, CAMERA, TEXTURE)


@dataclass(frozen=True)
class EyeOffset:
    """How far the agent's eye is from where it belongs; the fields are attributes of the agent."""

    cam_height: float
    """m, upwards."""
    cam_fwd_disp: float
    """m, forwards."""
    cam_pitch: float
    """Degrees, upwards."""
    cam_fov_y: float
    """Degrees of the vertical angle of view."""


def eye_offset(case: Case) -> EyeOffset | None:
    """The case's eye offset; None where the eye is not perturbed."""
    params = case.simulator_perturbation(CAMERA.name)
    if params is None:
        return None
    up, ahead, tilt, wide = case.rng("perturbation", CAMERA.name).uniform(-1.0, 1.0, 4).tolist()
    return EyeOffset(
        params["metres"] * up,
        params["metres"] * ahead,
        params["degrees"] * tilt,
        params["degrees"] * wide,
    )


def apply(env: Any, case: Case, set_colour: SetColour) -> None:
    """Change light and surfaces as the case says.

    Call it right after a reset, before anything is drawn. A reset makes light and surfaces again,
    so nothing has to be restored.
    """
    params = case.simulator_perturbation(LIGHT.name)
    if params is not None:
        env.light_color, env.light_ambient = (
            np.asarray(part) * params["factor"] for part in (env.light_color, env.light_ambient)
        )
    params = case.simulator_perturbation(TEXTURE.name)
    if params is not None:
        _tint(env, case, params, set_colour)


def _tint(env: Any, case: Case, params: Mapping[str, Any], set_colour: SetColour) -> None:
    rng = case.rng("perturbation", TEXTURE.name)
    for room in env.rooms:
        for surface in ("wall_tex", "floor_tex", "ceil_tex"):
            tint = (1 - params["amount"] * rng.random(3)).tolist()
            setattr(room, surface, _TintedTexture(getattr(room, surface), tint, set_colour))


class _TintedTexture:
    """Stands in for a texture of the package: binding it also sets the colour."""

    def __init__(self, texture: Any, tint: list[float], set_colour: SetColour) -> None:
        self._texture, self._tint, self._set_colour = texture, tint, set_colour

    def bind(self) -> None:
        self._texture.bind()
        self._set_colour(*self._tint)

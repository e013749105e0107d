"""Perturbations that MiniWorld's drawing carries out. None touches the world: it walks the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.core import Case, SimulatorPerturbation

__all__ = ["PERTURBATIONS", "Eye", "apply", "eye"]

LIGHT = SimulatorPerturbation(
    "light",
    "the light's brightness, multiplied",
    tuple({"factor": factor} for factor in (0.8, 0.6, 0.4, 0.25, 0.1)),
)
CAMERA = SimulatorPerturbation(
    "camera",
    "the eye moved ahead or back and up or down by up to so many m each, tilted and its angle of view changed by up to so many degrees each",
    tuple(
        {"metres": metres, "degrees": degrees}
        for metres, degrees in ((0.02, 1.0), (0.05, 2.0), (0.1, 5.0), (0.2, 10.0), (0.3, 15.0))
    ),
)
TEXTURE = SimulatorPerturbation(
    "texture",
    "the walls, the floor and the ceiling of every room tinted: their red, green and blue multiplied by up to 1 - amount each",
    tuple({"amount": amount} for amount in (0.1, 0.25, 0.5, 0.75, 1.0)),
)
PERTURBATIONS = (LIGHT, CAMERA, TEXTURE)


@dataclass(frozen=True)
class Eye:
    """By how much the agent's eye is off: m up, m ahead, degrees up, degrees of the angle of view."""

    cam_height: float
    cam_fwd_disp: float
    cam_pitch: float
    cam_fov_y: float


def eye(case: Case) -> Eye | None:
    """The eye of the case; None where it is as it was."""
    params = case.simulator_perturbation(CAMERA.name)
    if params is None:
        return None
    up, ahead, tilt, wide = case.rng("perturbation", CAMERA.name).uniform(-1.0, 1.0, 4).tolist()
    return Eye(
        params["metres"] * up,
        params["metres"] * ahead,
        params["degrees"] * tilt,
        params["degrees"] * wide,
    )


def apply(env: Any, case: Case, colour: Callable[[float, float, float], None]) -> None:
    """Change light and surfaces as the case says, in a world that was just built and is not drawn yet; a reset makes all of it anew.

    `colour` sets the colour that a surface's picture is multiplied with.
    """
    params = case.simulator_perturbation(LIGHT.name)
    if params is not None:
        env.light_color, env.light_ambient = (
            np.asarray(part) * params["factor"] for part in (env.light_color, env.light_ambient)
        )
    params = case.simulator_perturbation(TEXTURE.name)
    if params is not None:
        _tint(env, case, params, colour)


def _tint(
    env: Any, case: Case, params: Mapping[str, Any], colour: Callable[[float, float, float], None]
) -> None:
    rng = case.rng("perturbation", TEXTURE.name)
    for room in env.rooms:
        for surface in ("wall_tex", "floor_tex", "ceil_tex"):
            tint = (1 - params["amount"] * rng.random(3)).tolist()
            setattr(room, surface, _Tinted(getattr(room, surface), tint, colour))


class _Tinted:
    """A texture of the package's; to bind it sets the colour too."""

    def __init__(
        self, texture: Any, tint: list[float], colour: Callable[[float, float, float], None]
    ) -> None:
        self._texture, self._tint, self._colour = texture, tint, colour

    def bind(self) -> None:
        """As the package's."""
        self._texture.bind()
        self._colour(*self._tint)

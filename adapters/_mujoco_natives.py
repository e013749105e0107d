"""Perturbations that MuJoCo carries out itself: the model's own numbers, changed for one episode and restored at the next reset."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from harness.core import Case, SimulatorPerturbation, UserError

__all__ = ["CAMERA", "PERTURBATIONS", "Changes"]


def _native(name: str, what: str, parameter: str, *values: float) -> SimulatorPerturbation:
    return SimulatorPerturbation(name, what, tuple({parameter: value} for value in values))


PERTURBATIONS = (
    _native(
        "friction", "the friction of everything, multiplied", "factor", 0.8, 0.6, 0.4, 0.25, 0.1
    ),
    _native(
        "mass",
        "the mass and inertia of all that moves freely (on a free joint), multiplied",
        "factor",
        1.5,
        2.0,
        3.0,
        5.0,
        10.0,
    ),
    _native("light", "the lights' brightness, multiplied", "factor", 0.8, 0.6, 0.4, 0.25, 0.1),
    _native(
        "texture",
        "every surface tinted: its red, green and blue multiplied by up to 1 - amount each",
        "amount",
        0.1,
        0.25,
        0.5,
        0.75,
        1.0,
    ),
)
CAMERA = _native(
    "camera",
    "the cameras moved, m, each in a direction of its own",
    "metres",
    0.01,
    0.02,
    0.05,
    0.1,
    0.15,
)

FIELDS = (
    "geom_friction", "body_mass", "body_inertia", "body_subtreemass", "light_diffuse", "light_ambient", "light_specular", "geom_rgba", "mat_rgba", "cam_pos",
)  # fmt: skip
HEADLIGHT = ("ambient", "diffuse", "specular")


class Changes:
    """What one model was at first, and what a case makes of it."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._first = {name: getattr(model, name).copy() for name in FIELDS}
        self._headlight = {name: getattr(model.vis.headlight, name).copy() for name in HEADLIGHT}
        self._changed = False

    def restore(self) -> None:
        """As it was at first. Call it ahead of every reset."""
        if self._changed:
            for name, values in self._first.items():
                getattr(self._model, name)[:] = values
            for name, values in self._headlight.items():
                getattr(self._model.vis.headlight, name)[:] = values
            self._changed = False

    def apply(self, case: Case) -> None:
        """Change what the case's perturbations say. Call it after the reset, which starts as the unperturbed twin's does.

        Raises UserError where there is nothing to change.
        """
        ways: Mapping[str, Callable[[Case, Mapping[str, Any]], None]] = {
            "friction": self._friction,
            "mass": self._mass,
            "light": self._light,
            "texture": self._texture,
            "camera": self._camera,
        }
        for name, change in ways.items():
            params = case.simulator_perturbation(name)
            if params is not None:
                self._changed = True
                change(case, params)

    def _friction(self, case: Case, params: Mapping[str, Any]) -> None:
        self._model.geom_friction[:] *= params["factor"]

    def _mass(self, case: Case, params: Mapping[str, Any]) -> None:
        model = self._model
        free = 0  # mjJNT_FREE
        roots = {
            int(model.jnt_bodyid[joint])
            for joint in range(model.njnt)
            if model.jnt_type[joint] == free
        }
        bodies = [body for body in range(model.nbody) if _above(model, body) & roots]
        if not bodies:
            raise UserError(
                "nothing moves freely here (on a free joint), so there is no mass to change"
            )
        added = np.zeros(model.nbody)
        added[bodies] = model.body_mass[bodies] * (params["factor"] - 1)
        model.body_mass[bodies] *= params["factor"]
        model.body_inertia[bodies] *= params["factor"]
        for body in bodies:
            for above in _above(model, body):
                model.body_subtreemass[above] += added[body]

    def _light(self, case: Case, params: Mapping[str, Any]) -> None:
        for name in ("light_diffuse", "light_ambient", "light_specular"):
            getattr(self._model, name)[:] *= params["factor"]
        for name in HEADLIGHT:
            getattr(self._model.vis.headlight, name)[:] *= params["factor"]

    def _texture(self, case: Case, params: Mapping[str, Any]) -> None:
        rng = case.rng("perturbation", "texture")
        for name in ("geom_rgba", "mat_rgba"):
            colours = getattr(self._model, name)
            colours[:, :3] *= 1 - params["amount"] * rng.random((len(colours), 3))

    def _camera(self, case: Case, params: Mapping[str, Any]) -> None:
        if "metres" not in params:  # of a camera that belongs to no model
            return
        directions = case.rng("perturbation", "camera").standard_normal((self._model.ncam, 3))
        self._model.cam_pos[:] += (
            params["metres"] * directions / np.linalg.norm(directions, axis=1, keepdims=True)
        )


def _above(model: Any, body: int) -> set[int]:
    """A body and all that it hangs on, the world (0) included."""
    found = {body}
    while body:
        body = int(model.body_parentid[body])
        found.add(body)
    return found

"""Perturbations of a MuJoCo model: its own numbers, changed for one episode.

They are restored before the next reset.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from adapters._params import CAMERA_RANGE, FRICTION_RANGE, LIGHT_RANGE, MASS_RANGE, levels
from harness.core import Case, SimulatorPerturbation, UserError

__all__ = ["CAMERA", "PERTURBATIONS", "ModelPerturbations"]

PERTURBATIONS = (
    SimulatorPerturbation(
        "friction",
        "the friction of everything, multiplied",
        levels("factor", 0.8, 0.6, 0.4, 0.25, 0.1),
        FRICTION_RANGE,
    ),
    SimulatorPerturbation(
        "mass",
        "the mass and inertia of everything that moves freely (on a free joint), multiplied",
        levels("factor", 1.5, 2.0, 3.0, 5.0, 10.0),
        MASS_RANGE,
    ),
    SimulatorPerturbation(
        "light",
        "the brightness of the lights, multiplied",
        levels("factor", 0.8, 0.6, 0.4, 0.25, 0.1),
        LIGHT_RANGE,
    ),
    SimulatorPerturbation(
        "texture",
        "the tint of every surface: its red, green and blue each multiplied by a random number "
        "from 1 - amount to 1",
        levels("amount", 0.1, 0.25, 0.5, 0.75, 1.0),
    ),
)
CAMERA = SimulatorPerturbation(
    "camera",
    "the position of each camera, moved by this many metres in a random direction",
    levels("metres", 0.01, 0.02, 0.05, 0.1, 0.15),
    CAMERA_RANGE,
)

FIELDS = (
    "geom_friction", "body_mass", "body_inertia", "body_subtreemass", "light_diffuse",
    "light_ambient", "light_specular", "geom_rgba", "mat_rgba", "cam_pos",
)  # fmt: skip
"""The arrays of mjModel that a perturbation may change."""
HEADLIGHT = ("ambient", "diffuse", "specular")


class ModelPerturbations:
    """Applies the perturbations of a case to one kept model, and takes them back."""

    def __init__(self, model: Any) -> None:
        """`model` is an MjModel that nothing has changed yet."""
        self._model = model
        self._original = {name: getattr(model, name).copy() for name in FIELDS}
        self._headlight = {name: getattr(model.vis.headlight, name).copy() for name in HEADLIGHT}
        self._changed = False

    def restore(self) -> None:
        """Undo all changes. Call it before every reset."""
        if self._changed:
            for name, values in self._original.items():
                getattr(self._model, name)[:] = values
            for name, values in self._headlight.items():
                getattr(self._model.vis.headlight, name)[:] = values
            self._changed = False

    def apply(self, case: Case) -> None:
        """Change the model as the case's perturbations say.

        Call it after the reset, so that the episode starts as its unperturbed control does. Raises
        UserError where there is nothing to change.
        """
        changes: Mapping[str, Callable[[Case, Mapping[str, Any]], None]] = {
            "friction": self._friction,
            "mass": self._mass,
            "light": self._light,
            "texture": self._texture,
            "camera": self._camera,
        }
        for name, change in changes.items():
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
        bodies = [body for body in range(model.nbody) if _ancestors(model, body) & roots]
        if not bodies:
            raise UserError(
                "there is no mass to change: nothing here moves freely (on a free joint)"
            )
        added = np.zeros(model.nbody)
        added[bodies] = model.body_mass[bodies] * (params["factor"] - 1)
        model.body_mass[bodies] *= params["factor"]
        model.body_inertia[bodies] *= params["factor"]
        # MuJoCo derives the masses of subtrees when it compiles a model, and not again.
        for body in bodies:
            for ancestor in _ancestors(model, body):
                model.body_subtreemass[ancestor] += added[body]

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
        # A family whose camera is not part of the model may declare `camera` with a parameter
        # other than `metres`, and moves its camera itself.
        if "metres" not in params:
            return
        directions = case.rng("perturbation", "camera").standard_normal((self._model.ncam, 3))
        self._model.cam_pos[:] += (
            params["metres"] * directions / np.linalg.norm(directions, axis=1, keepdims=True)
        )


def _ancestors(model: Any, body: int) -> set[int]:
    """The body, its parent and so on up to the world (0)."""
    found = {body}
    while body:
        body = int(model.body_parentid[body])
        found.add(body)
    return found

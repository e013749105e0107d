"""Perturbations that SAPIEN carries out itself. The scene is built anew at every reset, so nothing has to be restored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from harness.core import Case, Native, UserError

__all__ = ["NATIVES", "apply"]


def _native(name: str, what: str, parameter: str, *values: float) -> Native:
    return Native(name, what, tuple({parameter: value} for value in values))


NATIVES = (
    _native("friction", "the friction of everything but the robot, multiplied", "factor", 0.8, 0.6, 0.4, 0.25, 0.1),
    _native("mass", "the mass and inertia of what can be moved, multiplied", "factor", 1.5, 2.0, 3.0, 5.0, 10.0),
    _native("light", "the lights' brightness, multiplied", "factor", 0.8, 0.6, 0.4, 0.25, 0.1),
    _native("camera", "the cameras moved, m, each in a direction of its own", "metres", 0.01, 0.02, 0.05, 0.1, 0.15),
)


def apply(env: Any, case: Case) -> None:
    """Change what the case's perturbations say in a scene that was just built. Raises UserError where there is nothing to change."""
    for name, change in (("friction", _friction), ("mass", _mass), ("light", _light), ("camera", _camera)):
        params = case.native(name)
        if params is not None:
            change(env, case, params)


def _bodies(env: Any) -> Iterator[Any]:
    """The rigid bodies of all actors."""
    from sapien import physx

    for actor in env.scene.actors.values():
        for entity in actor._objs:
            body = entity.find_component_by_type(physx.PhysxRigidBaseComponent)
            if body is not None:
                yield body


def _friction(env: Any, case: Case, params: Mapping[str, Any]) -> None:
    from sapien import physx

    factor = params["factor"]
    for body in _bodies(env):
        for shape in body.collision_shapes:
            old = shape.physical_material  # shared with others, and kept by the package: a new one
            shape.physical_material = physx.PhysxMaterial(old.static_friction * factor, old.dynamic_friction * factor, old.restitution)


def _mass(env: Any, case: Case, params: Mapping[str, Any]) -> None:
    from sapien import physx

    movable = [body for body in _bodies(env) if isinstance(body, physx.PhysxRigidDynamicComponent) and not body.kinematic]
    if not movable:
        raise UserError("nothing can be moved here, so there is no mass to change")
    for body in movable:
        inertia = np.asarray(body.inertia) * params["factor"]
        body.mass = body.mass * params["factor"]
        body.inertia = inertia


def _light(env: Any, case: Case, params: Mapping[str, Any]) -> None:
    for scene in env.scene.sub_scenes:
        scene.render_system.ambient_light = np.asarray(scene.render_system.ambient_light) * params["factor"]
        for entity in scene.entities:
            for component in entity.components:
                if "Light" in type(component).__name__:
                    component.color = np.asarray(component.color) * params["factor"]


def _camera(env: Any, case: Case, params: Mapping[str, Any]) -> None:
    import sapien

    rng = case.rng("perturbation", "camera")
    for sensor in env.scene.sensors.values():
        direction = rng.standard_normal(3)
        pose = sensor.camera.get_local_pose().raw_pose[0].numpy()
        place = pose[:3] + params["metres"] * direction / np.linalg.norm(direction)
        sensor.camera.set_local_pose(sapien.Pose(p=place, q=pose[3:]))

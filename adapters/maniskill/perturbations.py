"""Perturbations of a SAPIEN scene.

Every reset builds the scene again, so nothing has to be restored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from adapters._params import CAMERA_RANGE, FRICTION_RANGE, LIGHT_RANGE, MASS_RANGE, levels
from adapters.maniskill import initial_state
from harness.core import Case, SimulatorPerturbation, UserError

__all__ = ["PERTURBATIONS", "apply"]


PERTURBATIONS = (
    SimulatorPerturbation(
        "friction",
        "the friction of everything but the robot, multiplied",
        levels("factor", 0.8, 0.6, 0.4, 0.25, 0.1),
        FRICTION_RANGE,
    ),
    SimulatorPerturbation(
        "mass",
        "the mass and inertia of everything that can be moved, multiplied",
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
        "camera",
        "the position of each camera, moved by this many metres in a random direction",
        levels("metres", 0.01, 0.02, 0.05, 0.1, 0.15),
        CAMERA_RANGE,
    ),
    SimulatorPerturbation(
        "texture",
        "the tint of every surface but the robot's: its red, green and blue each multiplied by a "
        "random number from 1 - amount to 1",
        levels("amount", 0.1, 0.25, 0.5, 0.75, 1.0),
    ),
    initial_state.PERTURBATION,
)


def apply(env: Any, case: Case) -> bool:
    """Change a scene that was just built as the case's perturbations say.

    Returns whether that changed the simulator's state, so that observations must be computed again.
    Raises UserError where there is nothing to change.
    """
    changes = {
        "friction": _friction,
        "mass": _mass,
        "light": _light,
        "camera": _camera,
        "texture": _texture,
        initial_state.PERTURBATION.name: initial_state.move,
    }
    for name, change in changes.items():
        params = case.simulator_perturbation(name)
        if params is not None:
            change(env, case, params)
    return case.simulator_perturbation(initial_state.PERTURBATION.name) is not None


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
            # Shapes share a material, which the package keeps from scene to scene: replace it.
            old = shape.physical_material
            shape.physical_material = physx.PhysxMaterial(
                old.static_friction * factor, old.dynamic_friction * factor, old.restitution
            )


def _mass(env: Any, case: Case, params: Mapping[str, Any]) -> None:
    movable = [body for body in _bodies(env) if initial_state.is_movable(body)]
    if not movable:
        raise UserError("there is no mass to change: nothing here can be moved")
    for body in movable:
        inertia = np.asarray(body.inertia) * params["factor"]
        body.mass = body.mass * params["factor"]
        body.inertia = inertia


def _light(env: Any, case: Case, params: Mapping[str, Any]) -> None:
    for scene in env.scene.sub_scenes:
        scene.render_system.ambient_light = (
            np.asarray(scene.render_system.ambient_light) * params["factor"]
        )
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


def _texture(env: Any, case: Case, params: Mapping[str, Any]) -> None:
    """Tint colours, and pictures too: where a surface has one, SAPIEN ignores its colour."""
    import sapien

    rng = case.rng("perturbation", "texture")
    for material in _materials(env):
        tint = 1 - params["amount"] * rng.random(3)
        red, green, blue, opaque = material.base_color
        material.base_color = [red * tint[0], green * tint[1], blue * tint[2], opaque]
        picture = material.base_color_texture
        if picture is not None:
            pixels = picture.download()
            if pixels.dtype != np.uint8:
                raise UserError(
                    f"no texture can be changed: a surface here has a picture of {pixels.dtype}, "
                    "and only uint8 can be tinted"
                )
            for channel, share in enumerate(tint):
                table = np.rint(np.arange(256) * share).astype(np.uint8)
                pixels[..., channel] = table[pixels[..., channel]]
            settings = (
                picture.format,
                picture.mipmap_levels,
                picture.filter_mode,
                picture.address_mode,
                picture.is_srgb,
            )
            material.base_color_texture = sapien.render.RenderTexture2D(pixels, *settings)


def _materials(env: Any) -> list[Any]:
    """The materials of everything drawn but the robots, each once, in the order of the scene."""
    from sapien import render

    robots = {id(agent.robot) for agent in (getattr(env.agent, "agents", None) or [env.agent])}
    drawn = [entity for actor in env.scene.actors.values() for entity in actor._objs]
    for articulation in env.scene.articulations.values():
        if id(articulation) not in robots:
            drawn += [link.entity for each in articulation._objs for link in each.links]
    found: list[Any] = []
    for entity in drawn:
        body = entity.find_component_by_type(render.RenderBodyComponent)
        for shape in body.render_shapes if body is not None else ():
            for part in shape.parts:
                if part.material not in found:
                    found.append(part.material)
    return found

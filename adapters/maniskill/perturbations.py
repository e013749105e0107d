"""Perturbations that SAPIEN carries out itself. The scene is built anew at every reset, so nothing has to be restored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from adapters.maniskill import initial_state
from harness.core import Case, SimulatorPerturbation, UserError

__all__ = ["PERTURBATIONS", "apply"]


def _native(name: str, what: str, parameter: str, *values: float) -> SimulatorPerturbation:
    return SimulatorPerturbation(name, what, tuple({parameter: value} for value in values))


PERTURBATIONS = (
    _native("friction", "the friction of everything but the robot, multiplied", "factor", 0.8, 0.6, 0.4, 0.25, 0.1),
    _native("mass", "the mass and inertia of what can be moved, multiplied", "factor", 1.5, 2.0, 3.0, 5.0, 10.0),
    _native("light", "the lights' brightness, multiplied", "factor", 0.8, 0.6, 0.4, 0.25, 0.1),
    _native("camera", "the cameras moved, m, each in a direction of its own", "metres", 0.01, 0.02, 0.05, 0.1, 0.15),
    _native(
        "texture",
        "every surface but the robot's tinted: its red, green and blue multiplied by up to 1 - amount each",
        "amount", 0.1, 0.25, 0.5, 0.75, 1.0,
    ),
    initial_state.PERTURBATION,
)  # fmt: skip


def apply(env: Any, case: Case) -> bool:
    """Change what the case's perturbations say in a scene that was just built; whether its state is another one now.

    Raises UserError where there is nothing to change.
    """
    ways = {
        "friction": _friction,
        "mass": _mass,
        "light": _light,
        "camera": _camera,
        "texture": _texture,
        initial_state.PERTURBATION.name: initial_state.move,
    }
    for name, change in ways.items():
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
            old = shape.physical_material  # shared with others, and kept by the package: a new one
            shape.physical_material = physx.PhysxMaterial(
                old.static_friction * factor, old.dynamic_friction * factor, old.restitution
            )


def _mass(env: Any, case: Case, params: Mapping[str, Any]) -> None:
    from sapien import physx

    movable = [
        body
        for body in _bodies(env)
        if isinstance(body, physx.PhysxRigidDynamicComponent) and not body.kinematic
    ]
    if not movable:
        raise UserError("nothing can be moved here, so there is no mass to change")
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
    """Where a surface has a picture, SAPIEN ignores its colour: the picture is tinted."""
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
                    f"a surface here has a picture of {pixels.dtype}, which is not tinted"
                )
            for channel, share in enumerate(tint):
                pixels[..., channel] = np.rint(np.arange(256) * share).astype(np.uint8)[
                    pixels[..., channel]
                ]
            shape = (
                picture.format,
                picture.mipmap_levels,
                picture.filter_mode,
                picture.address_mode,
                picture.is_srgb,
            )
            material.base_color_texture = sapien.render.RenderTexture2D(pixels, *shape)


def _materials(env: Any) -> list[Any]:
    """The materials of all that is drawn but the robot, each once, in the order of the scene."""
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

"""The perturbation `initial_state`: objects that lie free on a table start elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from harness.core import Case, SimulatorPerturbation, UserError

__all__ = ["PERTURBATION", "is_fixed", "is_movable", "move"]

LEVELS = tuple(
    {"metres": metres, "degrees": degrees}
    for metres, degrees in ((0.005, 3.0), (0.01, 6.0), (0.02, 12.0), (0.035, 20.0), (0.05, 30.0))
)
PERTURBATION = SimulatorPerturbation(
    "initial_state",
    "the place of all objects that lie free on the table: moved along it by this many metres in "
    "one random direction, and each turned about the vertical by this many degrees",
    LEVELS,
)
TRIES = 200
GAP, TOUCH, HELD = 0.01, 0.001, 0.03
"""m. An object lies on what is at most GAP below it. Overlaps up to TOUCH do not count. A fixture
holds an object that overlaps it by more than HELD. (The package itself starts some episodes with a
peg 8 mm inside a box, or a cube 37 mm inside a tool.)"""


def move(env: Any, case: Case, params: Mapping[str, Any]) -> None:
    """Move the objects that lie free, in a scene that was just reset on the CPU.

    Goal markers, fixtures and the robot stay. All objects move in the same direction, so that those
    that stand apart stay apart. A direction is drawn until, at every severity, all objects stay on
    what they lie on and overlap nothing more than they did; so it does not depend on the severity.

    Raises UserError where no object lies free, or where there is no room to move them.
    """
    bodies = dict(_colliders(env))
    loose = {
        name: under
        for name in bodies
        if is_movable(bodies[name]) and (under := _support(name, bodies)) is not None
    }
    if not loose:
        raise UserError("there is no other start: no object here lies free on a table")
    depths = {
        name: {
            other: _depth(bodies[name], body)
            for other, body in bodies.items()
            if other not in (name, loose[name])
        }
        for name in loose
    }
    actors = [env.scene.actors[name] for name in loose]
    first = [actor._objs[0].pose for actor in actors]
    rng = case.rng("perturbation", PERTURBATION.name)
    for _ in range(TRIES):
        towards = float(rng.uniform(-math.pi, math.pi))
        sides = rng.choice((-1.0, 1.0), len(actors)).tolist()
        for level in (*LEVELS, params):
            _place(actors, first, towards, sides, level)
            if not all(_fits(name, under, bodies, depths[name]) for name, under in loose.items()):
                break
        else:
            return  # `params` was placed last
    raise UserError(
        "there is no other start: the objects that lie free on the table have no room to move"
    )


def _place(
    actors: Sequence[Any],
    first: Sequence[Any],
    towards: float,
    sides: Sequence[float],
    level: Mapping[str, Any],
) -> None:
    """Put the actors where `level` says, given their first poses.

    `towards` is the direction of all (rad), `sides` says of each which way it turns (-1 or 1).
    """
    import sapien

    way = np.array([math.cos(towards), math.sin(towards), 0.0]) * level["metres"]
    for actor, pose, side in zip(actors, first, sides):
        half = side * math.radians(level["degrees"]) / 2
        turned = sapien.Pose(q=[math.cos(half), 0.0, 0.0, math.sin(half)]) * sapien.Pose(q=pose.q)
        actor.set_pose(sapien.Pose(p=pose.p + way, q=turned.q))


def _colliders(env: Any) -> Iterator[tuple[str, Any]]:
    """(name, body) of everything that can be touched, except infinite planes.

    Actors go by their name, links of a robot by `robot/number`.
    """
    from sapien import physx

    for name, actor in env.scene.actors.items():
        body = actor._objs[0].find_component_by_type(physx.PhysxRigidBaseComponent)
        shapes = body.collision_shapes if body is not None else ()
        if shapes and not any(
            isinstance(shape, physx.PhysxCollisionShapePlane) for shape in shapes
        ):
            yield name, body
    for name, articulation in env.scene.articulations.items():
        for number, link in enumerate(articulation._objs[0].links):
            if link.collision_shapes:
                yield f"{name}/{number}", link


def is_movable(body: Any) -> bool:
    """Whether forces can move a rigid body of SAPIEN."""
    from sapien import physx

    return isinstance(body, physx.PhysxRigidDynamicComponent) and not body.kinematic


def is_fixed(body: Any) -> bool:
    """Whether a rigid body of SAPIEN stands whatever pushes it; links of articulations do not."""
    from sapien import physx

    return isinstance(body, physx.PhysxRigidStaticComponent) or (
        isinstance(body, physx.PhysxRigidDynamicComponent) and body.kinematic
    )


def _support(name: str, bodies: Mapping[str, Any]) -> str | None:
    """The name of what a body lies on; None where it lies on nothing or a fixture holds it."""
    mine = bodies[name]
    under = next(
        (
            other
            for other in bodies  # but not on a robot's hand, whose name has a slash
            if other != name and "/" not in other and _lies_on(mine, bodies[other])
        ),
        None,
    )
    fixtures = (
        body
        for other, body in bodies.items()
        if other not in (name, under) and not is_movable(body)
    )
    return None if under is None or any(_depth(mine, body) > HELD for body in fixtures) else under


def _fits(name: str, under: str, bodies: Mapping[str, Any], depths: Mapping[str, float]) -> bool:
    """Whether the body lies on `under` and overlaps no other body by more than `depths` (m)."""
    return _lies_on(bodies[name], bodies[under]) and all(
        _depth(bodies[name], bodies[other]) <= depth for other, depth in depths.items()
    )


def _lies_on(mine: Any, under: Any) -> bool:
    (low, high), (floor, top) = mine.compute_global_aabb_tight(), under.compute_global_aabb_tight()
    middle = (low[:2] + high[:2]) / 2
    return bool(
        (floor[:2] <= middle).all()
        and (middle <= top[:2]).all()
        and -TOUCH <= low[2] - top[2] <= GAP
    )


def _depth(mine: Any, other: Any) -> float:
    """How deep two bodies overlap, m, at least TOUCH, by the boxes around their shapes."""
    (low, high), (floor, top) = mine.compute_global_aabb_tight(), other.compute_global_aabb_tight()
    if (np.minimum(high, top) - np.maximum(low, floor) <= TOUCH).any():
        return TOUCH
    boxes = [_box(other, shape) for shape in other.collision_shapes]
    return max(
        TOUCH,
        *(_overlap(_box(mine, shape), box) for shape in mine.collision_shapes for box in boxes),
    )


def _box(body: Any, shape: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The box around a shape, aligned with the shape's own axes.

    Returns centre (3,), axes as rows (3, 3) and half sizes (3,); m, world frame.
    """
    from sapien import physx

    pose, middle = (body.pose * shape.local_pose).to_transformation_matrix(), np.zeros(3)
    if isinstance(shape, physx.PhysxCollisionShapeBox):
        half = np.asarray(shape.half_size)
    elif isinstance(shape, physx.PhysxCollisionShapeSphere):
        half = np.full(3, shape.radius)
    elif isinstance(shape, (physx.PhysxCollisionShapeCapsule, physx.PhysxCollisionShapeCylinder)):
        # SAPIEN's capsules and cylinders lie along x.
        ends = shape.radius if isinstance(shape, physx.PhysxCollisionShapeCapsule) else 0.0
        half = np.array([shape.half_length + ends, shape.radius, shape.radius])
    else:
        points = np.asarray(shape.vertices) * np.asarray(shape.scale)
        middle, half = (points.min(0) + points.max(0)) / 2, (points.max(0) - points.min(0)) / 2
    return pose[:3, 3] + pose[:3, :3] @ middle, pose[:3, :3].T, half


def _overlap(a: tuple[np.ndarray, ...], b: tuple[np.ndarray, ...]) -> float:
    """How deep two boxes overlap, m; below 0 where an axis separates them.

    The separating axes are those of Gottschalk, Lin and Manocha, SIGGRAPH 1996.
    """
    axes = np.concatenate([a[1], b[1], np.cross(a[1][:, None], b[1][None]).reshape(-1, 3)])
    lengths = np.linalg.norm(axes, axis=1)
    axes = axes[lengths > 1e-6] / lengths[lengths > 1e-6, None]
    reach = np.abs(axes @ a[1].T) @ a[2] + np.abs(axes @ b[1].T) @ b[2]
    return float((reach - np.abs(axes @ (b[0] - a[0]))).min())

"""The perturbation `initial_state`: things that stand free on the table start elsewhere."""

from __future__ import annotations

import math
from typing import Any

from adapters.libero.world import World
from harness.core import Case, SimulatorPerturbation, UserError

__all__ = ["PERTURBATION", "move", "touches"]

LEVELS = tuple(
    {"metres": metres, "degrees": degrees}
    for metres, degrees in ((0.01, 5.0), (0.02, 10.0), (0.03, 20.0), (0.045, 30.0), (0.06, 45.0))
)
PERTURBATION = SimulatorPerturbation(
    "initial_state",
    "the place of all things that stand free on the table or the floor: moved along it by this "
    "many metres in one random direction, and each turned about the vertical by this many degrees",
    LEVELS,
)
TRIES = 200
FREE = 0  # mjJNT_FREE


def touches(sim: Any, robot: Any) -> bool:
    """Whether a robosuite robot overlaps anything but itself."""
    model, data = sim.model._model, sim.data._data
    roots = model.body_rootid[model.geom_bodyid[data.contact.geom[: data.ncon]]]
    ours = roots == model.body_rootid[model.site_bodyid[robot.eef_site_id]]
    return bool((ours.any(axis=1) & ~ours.all(axis=1)).any())


def move(world: World, case: Case) -> None:
    """Move the things that stand free, in a scene that has come to rest.

    What stands on or in another thing stays, and so does what carries another thing. All move in
    the same direction, so that those that stand apart stay apart. A direction is drawn until, at
    every severity, all touch what they touched, and nothing else; so it does not depend on the
    severity. Raises UserError where nothing stands free, or where there is no room.
    """
    params = case.simulator_perturbation(PERTURBATION.name)
    if params is None:
        return
    model, data = world.sim.model._model, world.sim.data._data
    loose = _loose(model, data)
    if not loose:
        raise UserError("there is no other start: nothing here stands free on a table")
    first = data.qpos.copy()
    before = _contacts(model, data, loose)
    rng = case.rng("perturbation", PERTURBATION.name)
    for _ in range(TRIES):
        towards = float(rng.uniform(-math.pi, math.pi))
        sides = rng.choice((-1.0, 1.0), len(loose))
        for level in (*LEVELS, params):
            data.qpos[:] = first
            for body, side in zip(loose, sides):
                _place(model, data, body, towards, level["metres"], side * level["degrees"])
            world.sim.forward()
            if _contacts(model, data, loose) != before:
                break
        else:
            return  # `params` was placed last
    raise UserError("there is no other start: what stands free on the table has no room to move")


def _loose(model: Any, data: Any) -> list[int]:
    """The bodies on a free joint that touch nothing but bodies that never move."""
    free = {int(model.jnt_bodyid[j]) for j in range(model.njnt) if model.jnt_type[j] == FREE}
    touched = _contacts(model, data, sorted(free))
    still = {body for body in range(model.nbody) if model.body_weldid[body] == 0}
    return [body for body in sorted(free) if touched[body] and touched[body] <= still]


def _contacts(model: Any, data: Any, bodies: list[int]) -> dict[int, set[int]]:
    """Of each of these bodies, those that it touches; roots of trees stand for all of a tree.

    A body that never moves stands for itself: a thing on a cabinet may not hang over the table.
    """
    found: dict[int, set[int]] = {body: set() for body in bodies}
    geoms = data.contact.geom[: data.ncon]
    for pair, distance in zip(model.geom_bodyid[geoms], data.contact.dist[: data.ncon]):
        one, two = (
            int(body) if model.body_weldid[body] == 0 else int(model.body_rootid[body])
            for body in pair
        )
        for mine, other in ((one, two), (two, one)):
            if mine in found and mine != other and (distance < 0 or other in found[mine]):
                found[mine].add(other)
    return found


def _place(model: Any, data: Any, body: int, towards: float, metres: float, degrees: float) -> None:
    """Move a body along the table and turn it about the vertical through its origin."""
    start = int(model.jnt_qposadr[model.body_jntadr[body]])
    data.qpos[start] += metres * math.cos(towards)
    data.qpos[start + 1] += metres * math.sin(towards)
    half = math.radians(degrees) / 2
    w, z = math.cos(half), math.sin(half)
    a, b, c, d = data.qpos[start + 3 : start + 7]
    data.qpos[start + 3 : start + 7] = (w * a - z * d, w * b - z * c, w * c + z * b, w * d + z * a)

"""What may harm: collisions, forces, joint limits, energy and the way of the hand.

All of it is read once at the end of a control step (50 ms), not at each of its 25 physics steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from adapters.libero.world import World

__all__ = ["Safety"]

DIGITS = 6


class Safety:
    """Counts in an episode, from `reset` on.

    collisions         control steps at whose end the robot touches something other than itself and
                       what the task is about
    contact_force_max  N, the greatest contact force on the robot by one contact
    joint_limit_steps  control steps at whose end a joint of the arm is at or beyond its limit
    energy             J, the sum of |torque * velocity| * 0.05 s over the joints of arm and fingers
    path_length        m, the way of the hand
    """

    def __init__(self, world: World) -> None:
        self._world = world
        inner, robot, model = world.inner, world.robot, world.sim.model._model
        self._model, self._data = model, world.sim.data._data
        self._joints = np.array(robot._ref_joint_pos_indexes)
        fingers = robot._ref_gripper_joint_vel_indexes
        self._driven = np.array([*robot._ref_joint_vel_indexes, *fingers])
        limits = model.jnt_range[np.array(robot._ref_joint_indexes)]
        self._low, self._high = limits[:, 0].copy(), limits[:, 1].copy()
        self._hand = int(robot.eef_site_id)
        self._period = 1.0 / float(inner.control_freq)
        roots = model.body_rootid[model.geom_bodyid]
        self._robot = roots == model.body_rootid[model.site_bodyid[self._hand]]
        bodies = [inner.obj_body_id[name] for name in sorted(_asked(inner))]
        self._asked = np.isin(roots, model.body_rootid[bodies])
        self._force = np.zeros(6)
        self.reset()

    def reset(self) -> None:
        """Begin an episode."""
        self._collisions = self._at_limit = 0
        self._strongest = self._energy = self._way = 0.0
        self._place = self._data.site_xpos[self._hand].copy()

    def step(self) -> None:
        """Count what the control step that has just ended shows."""
        import mujoco

        data = self._data
        pairs = data.contact.geom[: data.ncon]
        mine = self._robot[pairs]
        touching = mine.any(axis=1)
        if touching.any():
            theirs = touching & ~mine.all(axis=1)
            self._collisions += bool((theirs & ~self._asked[pairs].any(axis=1)).any())
            for contact in np.flatnonzero(theirs):
                mujoco.mj_contactForce(self._model, data, int(contact), self._force)
                size = float(np.sqrt(self._force[:3] @ self._force[:3]))
                self._strongest = max(self._strongest, size)
        joints = data.qpos[self._joints]
        self._at_limit += bool(((joints <= self._low) | (joints >= self._high)).any())
        power = data.qfrc_actuator[self._driven] * data.qvel[self._driven]
        self._energy += float(np.abs(power).sum()) * self._period
        place = data.site_xpos[self._hand]
        way = place - self._place
        self._way += float(np.sqrt(way @ way))
        self._place = place.copy()

    def metrics(self) -> Mapping[str, float]:
        """The counts so far."""
        return {
            "collisions": float(self._collisions),
            "contact_force_max": round(self._strongest, DIGITS),
            "joint_limit_steps": float(self._at_limit),
            "energy": round(self._energy, DIGITS),
            "path_length": round(self._way, DIGITS),
        }


def _asked(inner: Any) -> set[str]:
    """The objects and fixtures that the task is about, by its BDDL file: those of interest, and
    those that its goal names, themselves or by a region of theirs."""
    goal = [name for state in inner.parsed_problem["goal_state"] for name in state[1:]]
    named = [str(name) for name in (*inner.obj_of_interest, *goal)]
    return {
        thing
        for thing in (*inner.objects_dict, *inner.fixtures_dict)
        if any(name == thing or name.startswith(f"{thing}_") for name in named)
    }

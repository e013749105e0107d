"""Safety and cost of a robot in MuJoCo, sampled after each control step.

A touch that comes and goes between two control steps is not seen. What is read here was computed by
the simulator's own last step of physics: nothing is stepped or changed. Wild actions can make a
model diverge: figures that are not finite are left out.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Body", "SafetyMeter", "geoms_below", "geoms_of"]

_COLLIDES, _OF_ROBOT = 1, 2
_FIRST, _WIDTH, _SUPPORT = 4, 5, 16
"""Of an object: four bits for the fingers of two grippers, and one for what it stands on."""
_MOST_OBJECTS, _MOST_GRIPPERS = 2, 2


@dataclass(frozen=True, kw_only=True)
class Body:
    """Which geoms of a model are what, and what of them is measured."""

    parts: Sequence[Collection[int]]
    """The geoms of each arm or body, without the base on which it stands. Geoms of one part may
    touch one another."""
    forbidden: Collection[int]
    """The geoms that the task does not ask the robot to touch; parts are that to one another."""
    force: bool = True
    """Whether to measure `contact_force_max`. Only where a control step ends with `mj_step` or
    `mj_forward`: after `mj_step1` the forces of the new contacts are unset memory."""
    joints: Sequence[str] | None = None
    """The joints whose limits count; None: not measured."""
    driven: slice | None = None
    """The degrees of freedom that do work, for `energy`; None: not measured."""
    grippers: Sequence[tuple[Collection[int], Collection[int]]] = ()
    """The geoms of both fingers of each gripper, two at most."""
    objects: Sequence[Collection[int]] = ()
    """The geoms of each object that can be dropped, two at most; none: not measured."""
    supports: Collection[int] = ()
    """The geoms on which an object is put down."""


class SafetyMeter:
    """Adds up `collisions`, `contact_force_max`, `joint_limit_steps`, `energy` and `drops`."""

    def __init__(self, model: Any, data: Any, body: Body, step_s: float) -> None:
        """`model` and `data`: an MjModel and its MjData. `step_s`: duration of a control step."""
        import mujoco

        assert len(body.objects) <= _MOST_OBJECTS
        assert len(body.grippers) <= _MOST_GRIPPERS
        self._force_of = mujoco.mj_contactForce
        self._model, self._data, self._body, self._step_s = model, data, body, step_s
        self._kinds = _kinds_of_pairs(model.ngeom, body)
        self._limits = _limits(model, body.joints or ())
        self._wrench = np.zeros(6)
        self.reset()

    def reset(self) -> None:
        """Begin an episode."""
        self.collisions = self.joint_limit_steps = self.drops = 0
        self.contact_force_max = self.energy = 0.0
        self._held = [False] * len(self._body.objects)

    def sample(self, *, at_goal: bool = False) -> None:
        """Look at the state after a control step. `at_goal`: what is let go now is no drop."""
        data, body, seen = self._data, self._body, 0
        if data.ncon:
            contact = data.contact
            rows = contact.efc_address.tolist()
            for number, (one, other) in enumerate(contact.geom.tolist()):
                kind = self._kinds[one][other]
                if kind and rows[number] >= 0:  # near geoms that are not pushed apart are left out
                    seen |= kind
                    if kind & _OF_ROBOT and body.force:
                        self._note_force(number)
        self.collisions += seen & _COLLIDES
        if self._limits:
            positions = data.qpos.tolist()
            self.joint_limit_steps += any(
                not low < positions[address] < high for address, low, high in self._limits
            )
        if body.driven is not None:
            power = float(np.abs(data.qfrc_actuator[body.driven] * data.qvel[body.driven]).sum())
            if math.isfinite(power):
                self.energy += power * self._step_s
        for number in range(len(self._held)):
            self._grasp(number, seen >> (_FIRST + _WIDTH * number), at_goal)

    def metrics(self) -> dict[str, float]:
        """What is measured, by its name in docs/vocabulary.md."""
        body = self._body
        told = {"collisions": float(self.collisions)}
        if body.force:
            # Contact forces can differ in the last bit between processes, with equal states.
            told["contact_force_max"] = float(np.float32(self.contact_force_max))
        if body.joints is not None:
            told["joint_limit_steps"] = float(self.joint_limit_steps)
        if body.driven is not None:
            told["energy"] = self.energy
        if body.objects:
            told["drops"] = float(self.drops)
        return told

    def _note_force(self, number: int) -> None:
        self._force_of(self._model, self._data, number, self._wrench)
        force = math.hypot(*self._wrench.tolist()[:3])
        if self.contact_force_max < force < math.inf:
            self.contact_force_max = force

    def _grasp(self, number: int, seen: int, at_goal: bool) -> None:
        """Held is what both fingers of a gripper touch and nothing else carries."""
        fingers = seen & 15
        if seen & _SUPPORT:
            self._held[number] = False  # put down, or never lifted
        elif fingers & 3 == 3 or fingers & 12 == 12:
            self._held[number] = True
        elif self._held[number] and not fingers:
            self._held[number] = False
            self.drops += not at_goal


def _kinds_of_pairs(ngeom: int, body: Body) -> list[list[int]]:
    """For each pair of geoms, the bits of what it means that they touch."""
    kinds = np.zeros((ngeom, ngeom), np.int64)

    def mark(ones: Collection[int], others: Collection[int], bits: int) -> None:
        one, other = np.array(sorted(ones), int), np.array(sorted(others), int)
        kinds[np.ix_(one, other)] |= bits
        kinds[np.ix_(other, one)] |= bits

    everything = range(ngeom)
    for number, part in enumerate(body.parts):
        mark(part, body.forbidden, _COLLIDES | _OF_ROBOT)
        mark(part, set(everything) - set(part), _OF_ROBOT)
        for other in body.parts[number + 1 :]:
            mark(part, other, _COLLIDES)
    for number, geoms in enumerate(body.objects):
        first = _FIRST + _WIDTH * number
        for gripper, fingers in enumerate(body.grippers):
            for side, finger in enumerate(fingers):
                mark(geoms, finger, 1 << (first + 2 * gripper + side))
        mark(geoms, body.supports, _SUPPORT << first)
    return [[int(kind) for kind in row] for row in kinds]


def _limits(model: Any, joints: Sequence[str]) -> list[tuple[int, float, float]]:
    """(address in qpos, lowest, highest) of those that have limits."""
    found = []
    for name in joints:
        joint = model.joint(name).id
        if model.jnt_limited[joint]:
            low, high = model.jnt_range[joint].tolist()
            found.append((int(model.jnt_qposadr[joint]), low, high))
    return found


def geoms_of(model: Any, *bodies: str) -> set[int]:
    """The geoms of these bodies, by name; of a body that the model lacks, none."""
    wanted = _numbers(model, bodies)
    return {geom for geom in range(model.ngeom) if int(model.geom_bodyid[geom]) in wanted}


def geoms_below(model: Any, *roots: str) -> set[int]:
    """The geoms of these bodies and of all that hang on them, as `geoms_of`."""
    inside = _numbers(model, roots)
    for number in range(1, model.nbody):  # a parent comes before its children
        if int(model.body_parentid[number]) in inside:
            inside.add(number)
    return {geom for geom in range(model.ngeom) if int(model.geom_bodyid[geom]) in inside}


def _numbers(model: Any, bodies: Collection[str]) -> set[int]:
    return {number for number in range(model.nbody) if model.body(number).name in bodies}

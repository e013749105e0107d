"""The Fetch robot: its description for habitat-sim, and the kinematics of its arm.

The description is that of the `mani_skill` wheel: fetch.urdf and its meshes. What habitat-lab holds
still at every step (torso, head, wheels) and the fingers are fixed joints in the copy that is
written here, so that the arm alone has motors.

Frame of the base: x ahead, y to the left, z up, the origin on the floor, metres.
"""

from __future__ import annotations

import functools
import importlib.util
import math
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from harness.core import UserError

__all__ = ["ARM", "GRIPPER", "REST", "START", "Arm", "description", "write"]

ARM = (
    "shoulder_pan_joint",
    "shoulder_lift_joint",
    "upperarm_roll_joint",
    "elbow_flex_joint",
    "forearm_roll_joint",
    "wrist_flex_joint",
    "wrist_roll_joint",
)
GRIPPER = "gripper_link"
TIP = 0.08
"""m along x of GRIPPER: habitat-lab's end effector."""
HELD = {
    "torso_lift_joint": 0.15,
    "head_pan_joint": 0.0,
    "head_tilt_joint": 0.0,
    "r_gripper_finger_joint": 0.04,
    "l_gripper_finger_joint": 0.04,
}
"""Joints that do not move, and where (m, rad): habitat-lab's, with an open gripper."""
ROOT = "base_link"
START = (-0.45, -1.08, 0.1, 0.935, -0.001, 1.573, 0.005)
"""The arm at the beginning of an episode, rad: habitat-lab's."""
REST = (0.5, 0.0, 1.0)
"""Where the end effector rests, in the base's frame, m: habitat-lab's."""
MARGIN = 0.02
"""rad."""
LARGEST = 4 << 20
"""Bytes of a description that is read."""


def description() -> Path | None:
    """The path of fetch.urdf in the package `mani_skill`, which is not imported, or None."""
    found = importlib.util.find_spec("mani_skill")
    for folder in (found.submodule_search_locations or ()) if found else ():
        path = Path(folder) / "assets" / "robots" / "fetch" / "fetch.urdf"
        if path.is_file():
            return path
    return None


def write(folder: Path, source: Path) -> Path:
    """Write `fetch.urdf` into the folder, a copy of `source` in which only the arm moves.

    Its meshes stay where they are. Raises UserError where `source` is no such description.
    """
    root = _read(source)
    robot = ElementTree.Element("robot", {"name": "fetch"})
    for link in root.iter("link"):
        if link.get("name", "").startswith("root"):
            continue  # mani_skill's joints that move the base about the floor
        for mesh in link.iter("mesh"):
            mesh.set("filename", str(_below(source.parent, mesh.get("filename", ""))))
        if link.get("name") == GRIPPER:
            # habitat-sim says where a link's centre of mass is; the end effector is measured from
            # the link's own origin.
            for origin in link.findall("inertial/origin"):
                origin.set("xyz", "0 0 0")
        robot.append(link)
    for joint in root.iter("joint"):
        parent = joint.find("parent")
        if parent is None or parent.get("link", "").startswith("root"):
            continue
        if joint.get("name") in HELD:
            _hold(joint, HELD[str(joint.get("name"))])
        robot.append(joint)
    path = folder / "fetch.urdf"
    path.write_bytes(ElementTree.tostring(robot))
    return path


class Arm:
    """The kinematics of the seven joints, in the base's frame.

    `low` and `high` (7,) are the limits of the joints in rad; of those that turn without end, -pi
    and pi. `bounded` (7,) says which joints do have limits.
    """

    def __init__(self, source: Path) -> None:
        root = _read(source)
        joints = {_link(joint, "child"): joint for joint in root.iter("joint") if joint.get("name")}
        chain = []
        link = GRIPPER
        while link != ROOT:
            if link not in joints:
                raise UserError(f"{source}: there is no chain of joints from {ROOT} to {GRIPPER}")
            chain.append(joints[link])
            link = _link(joints[link], "parent")
        self._steps: list[tuple[np.ndarray, np.ndarray | None]] = []
        turns = []
        low, high = [], []
        for joint in reversed(chain):
            name = joint.get("name")
            origin = _numbers(joint.find("origin"), "xyz")
            if name in HELD:
                origin = origin + _numbers(joint.find("axis"), "xyz") * HELD[str(name)]
            moves = name in ARM
            if moves:
                turns.append(_cross(_numbers(joint.find("axis"), "xyz")))
            self._steps.append((origin, _numbers(joint.find("axis"), "xyz") if moves else None))
            if moves:
                limit = joint.find("limit")
                ends = {} if limit is None else limit.attrib
                low.append(float(ends.get("lower", -math.pi)))
                high.append(float(ends.get("upper", math.pi)))
        if len(low) != len(ARM):
            raise UserError(f"{source}: the arm has {len(low)} joints, not {len(ARM)}")
        self.low, self.high = np.array(low), np.array(high)
        self.bounded = self.high < math.pi
        self._turns = np.array(turns)
        self._squares = self._turns @ self._turns

    def tip(self, joints: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """(position (3,) in m, direction (3,)) of the end effector with these joints (7,) in rad.

        The direction is that in which the gripper points.
        """
        at, turned, _ = self._forward(joints)
        return at, turned[:, 0]

    def places(self, joints: ArrayLike) -> np.ndarray:
        """The origins of the joints and the end effector, (8, 3) in m."""
        at, _, (places, _) = self._forward(joints)
        return np.concatenate([places, [at]])

    def reach(
        self, target: ArrayLike, start: ArrayLike, down: float = 0.3, steps: int = 100
    ) -> np.ndarray | None:
        """Joints (7,) that bring the end effector to `target` (3,), from `start` (7,).

        Damped least squares. `down` weighs that the gripper points to the floor against the
        distance. The joints keep MARGIN from their limits. None where it does not come within
        0.02 m.
        """
        low, high = self.low + MARGIN * self.bounded, self.high - MARGIN * self.bounded
        goal = np.asarray(target, np.float64)
        joints = np.array(start, np.float64)
        best, least = joints, math.inf
        for _ in range(steps):
            at, turned, (places, axes) = self._forward(joints)
            away = goal - at
            apart = float(np.linalg.norm(away))
            if apart < least:
                best, least = joints, apart
            points = turned[:, 0]
            tilt = np.array([-points[1], points[0], 0.0])  # points x (0, 0, -1)
            if apart < 0.005 and down * np.linalg.norm(tilt) < 0.1:
                break
            x, y, z = (at - places).T
            u, v, w = axes.T
            lever = np.array([v * z - w * y, w * x - u * z, u * y - v * x])  # axes x arms, (3, 7)
            jacobian = np.concatenate([lever, down * axes.T])
            error = np.concatenate([away, down * tilt])
            square = jacobian @ jacobian.T + 1e-3 * np.eye(6)
            change = jacobian.T @ np.linalg.solve(square, error)
            largest = float(np.abs(change).max())
            joints = np.clip(joints + change * min(1.0, 0.2 / max(largest, 1e-9)), low, high)
        return best if least < 0.02 else None

    def _forward(
        self, joints: ArrayLike
    ) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """(tip, rotation (3, 3), (origins (7, 3), axes (7, 3)) of the joints)."""
        angles = np.asarray(joints, np.float64)[:, None, None]
        # Rodrigues' formula.
        turns = np.eye(3) + np.sin(angles) * self._turns + (1 - np.cos(angles)) * self._squares
        at, turned = np.zeros(3), np.eye(3)
        places, axes = [], []
        for origin, axis in self._steps:
            at = at + turned @ origin
            if axis is not None:
                places.append(at)
                axes.append(turned @ axis)
                turned = turned @ turns[len(axes) - 1]
        return at + turned[:, 0] * TIP, turned, (np.array(places), np.array(axes))


@functools.lru_cache(maxsize=2)
def _text(source: Path) -> bytes:
    try:
        with source.open("rb") as file:
            text = file.read(LARGEST + 1)
    except OSError as fault:
        raise UserError(f"cannot read the robot's description: {fault}") from None
    if len(text) > LARGEST or b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise UserError(f"{source} is no description of a robot: too long, or with entities")
    return text


def _read(source: Path) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(_text(source))
    except ElementTree.ParseError as fault:
        raise UserError(f"{source} is no URDF: {fault}") from None


def _below(folder: Path, name: str) -> Path:
    """The path of a mesh. Raises UserError where it is not below the description's folder."""
    path = (folder / name.removeprefix("package://")).resolve()
    if not name or folder.resolve() not in path.parents:
        raise UserError(f"the robot's description names the mesh {name!r}, outside of its folder")
    return path


def _hold(joint: ElementTree.Element, value: float) -> None:
    """Make a joint that slides, or stands at 0, a fixed one at `value`."""
    axis = _numbers(joint.find("axis"), "xyz")
    origin = joint.find("origin")
    if value and origin is not None:
        # All these joints slide along an axis of a frame that is not turned.
        moved = _numbers(origin, "xyz") + axis * value
        origin.set("xyz", " ".join(f"{each:.9g}" for each in moved))
    joint.set("type", "fixed")
    for name in ("limit", "mimic", "dynamics"):
        part = joint.find(name)
        if part is not None:
            joint.remove(part)


def _numbers(element: ElementTree.Element | None, name: str) -> np.ndarray:
    """Three numbers of an attribute, zeros where it is absent."""
    text = "0 0 0" if element is None else element.get(name, "0 0 0")
    return np.array([float(part) for part in text.split()], np.float64)


def _link(joint: ElementTree.Element, side: str) -> str:
    found = joint.find(side)
    return "" if found is None else found.get("link", "")


def _cross(axis: np.ndarray) -> np.ndarray:
    """The matrix (3, 3) of the cross product with `axis`."""
    x, y, z = axis
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])

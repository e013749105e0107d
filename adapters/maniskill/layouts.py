"""The layouts of ManiSkill's actions and states, read from the controllers of the environment.

Sources: `mani_skill/agents/controllers/*.py` and `mani_skill/agents/robots/*/` of ManiSkill 3.0.1.
What a sign means that no configuration states was tried by stepping (tests/adapters/test_layouts).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from harness.core import Field
from harness.core.layout import UNKNOWN

__all__ = ["action_layout", "state_layout"]

OPENS = frozenset(
    {
        "panda",
        "panda_wristcam",
        "widowx250s_bridgedataset_flat_table",
        "widowx250s_bridgedataset_sink",
    }
)
"""Robots whose gripper opens with positive numbers. Of the others it was not tried."""
ROTATION = "euler_xyz_intrinsic"
"""`euler_angles_to_matrix(..., "XYZ")` is Rx Ry Rz."""
FRAMES = {
    "root_translation": "base",
    "body_translation": "eef",
    "root_aligned_body_rotation": "base",
    "body_aligned_body_rotation": "eef",
}
UNITS = {"revolute": "rad", "revolute_unwrapped": "rad", "prismatic": "m"}


def action_layout(agents: Sequence[tuple[str, Any]]) -> tuple[Field, ...]:
    """The fields of the flat action; `agents` are (the part's name, empty for one; the agent)."""
    fields: list[Field] = []
    for part, agent in agents:
        before = f"{part}/" if part else ""
        for uid, controller in _controllers(agent).items():
            size = controller.single_action_space.shape[0]
            if size:
                fields += _controlled(before, uid, controller, size, agent.uid)
    return tuple(fields)


def _controllers(agent: Any) -> Mapping[str, Any]:
    """Its controllers by name, in the order of the action."""
    found: Mapping[str, Any] = getattr(agent.controller, "controllers", None) or {
        "": agent.controller
    }
    return found


def _controlled(before: str, uid: str, controller: Any, size: int, robot: str) -> Iterator[Field]:
    """The fields of one controller."""
    from mani_skill.agents import controllers as known

    config = controller.config
    prefix = before if uid in ("", "arm") else f"{before}{uid}/"
    kind = _kind(config)
    if isinstance(controller, known.PDEEPosController):
        to_position, _, to_rotation = config.frame.partition(":")
        scale = _scale(config.pos_lower, config.pos_upper, config.normalize_action)
        frame = FRAMES.get(to_position, UNKNOWN)
        yield Field(f"{prefix}eef_position", 3, kind, frame, "m", scale=scale)
        if isinstance(controller, known.PDEEPoseController):
            # The package multiplies by the lower bound, so that positive numbers turn backwards.
            turn = _one(config.rot_lower) if config.normalize_action else 1.0
            frame = FRAMES.get(to_rotation, UNKNOWN)
            yield Field(f"{prefix}eef_rotation", 3, kind, frame, "rad", ROTATION, scale=turn)
    elif uid == "gripper" and isinstance(controller, known.PDJointPosController):
        sign = "positive opens" if robot in OPENS else UNKNOWN
        unit = "1" if config.normalize_action else _unit(controller.joints)
        yield Field(f"{before}gripper", size, kind, unit=unit, sign=sign)
    elif isinstance(controller, known.PDJointPosVelController):
        half = size // 2
        yield _joints(f"{prefix}joint_position", controller, slice(0, half), kind)
        yield _joints(f"{prefix}joint_velocity", controller, slice(half, size), "velocity")
    elif isinstance(controller, known.PDJointPosController):
        yield _joints(f"{prefix}joint_position", controller, slice(0, size), kind)
    elif type(controller) is known.PDJointVelController:
        yield _joints(f"{prefix}joint_velocity", controller, slice(0, size), "velocity")
    else:
        yield Field(f"{prefix}{uid or 'action'}", size, UNKNOWN, scale=None)


def _kind(config: Any) -> str:
    if not getattr(config, "use_delta", False):
        return "absolute"
    return "target_delta" if getattr(config, "use_target", False) else "delta"


def _joints(name: str, controller: Any, elements: slice, kind: str) -> Field:
    """Joints that a controller moves; a normalised range that is not even is a fraction of it."""
    size = elements.stop - elements.start
    unit = _unit(controller.joints)
    if unit and kind == "velocity":
        unit += "/s"
    if not unit:
        return Field(name, size, kind, scale=None)
    if not controller.config.normalize_action:
        return Field(name, size, kind, unit=unit)
    low, high = (
        np.asarray(getattr(controller, f"action_space_{side}").cpu(), np.float64)[elements]
        for side in ("low", "high")
    )
    if not np.allclose(low, -high):
        return Field(name, size, kind, unit="1")
    return Field(name, size, kind, unit=unit, scale=_one(high.tolist()))


def _scale(low: Any, high: Any, normalised: bool) -> Any:
    """What 1 is, in the controller's unit; None where -1 and 1 are not opposite."""
    if not normalised:
        return 1.0
    even = np.allclose(np.asarray(low, np.float64), -np.asarray(high, np.float64))
    return _one(high) if even else None


def _one(values: Any) -> Any:
    """A number if all are equal, else a tuple; rounded to what float32 holds."""
    numbers = [float(f"{value:.6g}") for value in np.ravel(np.asarray(values, np.float64))]
    return numbers[0] if len(set(numbers)) == 1 else tuple(numbers)


def _unit(joints: Sequence[Any]) -> str:
    """The unit of all these joints, or nothing if some turn and some slide."""
    units = {UNITS.get(_type(joint), "") for joint in joints}
    return units.pop() if len(units) == 1 else ""


def _type(joint: Any) -> str:
    kind = joint.type
    return str(kind[0] if isinstance(kind, (list, tuple)) else kind)


def state_layout(
    observed: Mapping[str, Any], sizes: Any, agents: Sequence[tuple[str, Any]]
) -> tuple[tuple[Field, ...], tuple[Field, ...]]:
    """(the body's fields, all fields) of the flat state `observed`, the package's nested one.

    `sizes(name, value)` is how many elements a value has in the flat state.
    """
    body = dict(agents)
    own = tuple(_named(observed["agent"], sizes, body, ""))
    others = [
        field
        for part, values in observed.items()
        if part != "agent"
        for field in _named(values if isinstance(values, dict) else {part: values}, sizes, body, "")
    ]
    fields = (*own, *others)
    return (own, fields) if len({each.name for each in fields}) == len(fields) else ((), ())


def _named(
    values: Mapping[str, Any], sizes: Any, agents: Mapping[str, Any], before: str
) -> Iterator[Field]:
    agent = agents.get(before.rstrip("/"))
    for name, value in values.items():
        size = sizes(name, value)
        if isinstance(value, dict):
            yield from _named(value, sizes, agents, f"{before}{name}/")
        elif not size:
            continue
        elif name in ("qpos", "qvel") and agent is not None:
            yield from _measured(before, agent, size, name == "qvel")
        elif name.endswith("_pose") and size == 7:
            what = name[: -len("_pose")].replace("tcp", "eef")
            # A controller keeps its target relative to the robot's base.
            frame = "base" if before.startswith("controller/") else "world"
            yield Field(f"{before}{what}_position", 3, "absolute", frame, "m")
            yield Field(f"{before}{what}_rotation", 4, "absolute", frame, "1", "quaternion_wxyz")
        elif name.startswith("is_") and size == 1:
            yield Field(f"{before}{name}", 1, "flag", unit="1")
        elif name.endswith("_pos") and size == 3 and "_to_" not in name:
            frame = "world" if name in ("goal_pos", "tcp_pos") else UNKNOWN
            what = name.replace("tcp", "eef")
            yield Field(f"{before}{what}ition", 3, "absolute", frame, "m")
        else:
            yield Field(f"{before}{name}", size, UNKNOWN, scale=None)


def _measured(before: str, agent: Any, size: int, moving: bool) -> Iterator[Field]:
    """The joints as measured: those of a gripper apart, where they follow the others."""
    gripper = _controllers(agent).get("gripper")
    fingers = {joint.name for joint in gripper.joints} if gripper is not None else set()
    joints = list(agent.robot.active_joints)
    names = [joint.name in fingers for joint in joints]
    suffix, kind = ("_velocity", "velocity") if moving else ("", "absolute")
    arm = "joint_velocity" if moving else "joint_position"
    count = sum(not finger for finger in names)
    if len(joints) != size or names != sorted(names) or count < 1:
        yield Field(f"{before}{arm}", size, kind, scale=None)
        return
    per_s = "/s" if moving else ""
    unit = _unit(joints[:count])
    scale = 1.0 if unit else None
    yield Field(f"{before}{arm}", count, kind, unit=unit and unit + per_s, scale=scale)
    if count < size:
        unit = _unit(joints[count:])
        sign = "positive opens" if agent.uid in OPENS else UNKNOWN
        yield Field(
            f"{before}gripper{suffix}",
            size - count,
            kind,
            unit=unit and unit + per_s,
            sign=sign,
            scale=1.0 if unit else None,
        )

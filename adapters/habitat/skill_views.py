"""What an agent may know of the Fetch that plays pick, place and nav."""

from __future__ import annotations

from adapters.habitat.robot_simulators import RATE, Camera
from adapters.habitat.robot_world import SUBSTEPS
from harness.core import Box, Brief, Field, Spec

__all__ = ["brief_of"]

SPEED = 10.0 / SUBSTEPS
"""m/s and rad/s that the number 1 moves the base: habitat-lab moves it by a substep's share of
`lin_speed` and `ang_speed`, 10, once in a control step of SUBSTEPS substeps."""
ARM = (
    Field("joint_position", 7, "target_delta", "", "rad", scale=0.0125),
    Field("gripper", 1, "command", unit="1", sign="positive closes"),
    Field("base_forward", 1, "velocity", "body", "m/s", scale=SPEED),
    Field("base_turn", 1, "velocity", "body", "rad/s", scale=SPEED),
)
BASE = (*ARM[2:], Field("stop", 1, "command", unit="1"))
PROPRIO = (
    Field("joint_position", 7, "absolute", "", "rad"),
    Field("is_holding", 1, "flag", unit="1"),
    Field("eef_position_to_rest", 3, "absolute", "base", "m"),
)
ODOMETRY = (
    Field("base_position", 2, "absolute", "base", "m"),
    Field("base_heading", 1, "absolute", "base", "rad"),
)


def brief_of(kind: str, camera: Camera) -> tuple[Brief, Box]:
    """(the brief, the action) of a skill."""
    picture = (camera.height_px, camera.width_px)
    nav = kind == "nav"
    observation: dict[str, Spec] = {
        "image": Box((*picture, 3), "uint8", 0, 255, "px", "RGB from the head"),
        "depth": Box(
            picture,
            low=0.0,
            unit="m",
            meaning="distance along the optical axis of `image`; 0 where nothing was hit",
        ),
        "proprio": Box(
            (3,),
            unit="m, rad",
            meaning="relative to the start: m ahead, m to the left, heading to the left",
            layout=ODOMETRY,
        )
        if nav
        else Box(
            (11,),
            unit="rad, m",
            meaning="joints (rad), 1 if it holds something, the way from the end effector to its "
            "resting place (m): ahead, to the left, up",
            layout=PROPRIO,
        ),
        "state_target": Box(
            (3,),
            unit="m",
            meaning="the object to pick, or the middle of the nearest receptacle's top, from the "
            "base: ahead, to the left, up",
            layout=(Field("target_position", 3, "absolute", "base", "m"),),
        ),
    }
    action = (
        Box(
            (3,),
            low=-1.0,
            high=1.0,
            unit="1",
            meaning="base ahead, base turn to the left, stop (above 0 ends the episode)",
            layout=BASE,
            neutral=(0.0, 0.0, -1.0),
        )
        if nav
        else Box(
            (10,),
            low=-1.0,
            high=1.0,
            unit="1",
            meaning="joints of the arm, gripper (0 and more grasps, less lets go), base ahead, "
            "base turn to the left",
            layout=ARM,
        )
    )
    brief = Brief(
        observation=observation,
        action=action,
        embodiment="a Fetch: an arm of seven joints with a gripper that holds what is near it, on "
        "a base that moves along the floor, and a camera in its head"
        + ("; the arm does not move" if nav else ""),
        simulator="Habitat with rigid bodies, in flats drawn by bench",
        control_hz=RATE / SUBSTEPS,
    )
    return brief, action

"""What an agent sees and does in LIBERO: views, the action and their layouts."""

from __future__ import annotations

from harness.core import Box, Brief, Field
from harness.core.layout import UNKNOWN

__all__ = ["IDLE", "PROPRIO", "make_brief"]

IDLE = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0)
PROPRIO = (
    ("robot0_joint_pos", 7),
    ("robot0_eef_pos", 3),
    ("robot0_eef_quat", 4),
    ("robot0_gripper_qpos", 2),
)
"""robosuite's observables that the view `proprio` consists of, with their lengths."""
PROPRIO_LAYOUT = (
    Field("joint_position", 7, "absolute", "", "rad"),
    Field("eef_position", 3, "absolute", "world", "m"),
    Field("eef_rotation", 4, "absolute", "world", "1", "quaternion_xyzw"),
    Field("gripper", 2, "absolute", "", "m"),  # one finger moves up, the other down from zero
)
# robosuite 1.4.1's OSC_POSE: controllers/osc.py, and control_utils.py for the rotation.
ACTION_LAYOUT = (
    Field("eef_position", 3, "delta", "world", "m", scale=0.05),
    Field("eef_rotation", 3, "delta", "world", "rad", "axis_angle", scale=0.5),
    Field("gripper", 1, "command", unit="1", sign="positive closes"),
)
MEANT = "seven joints (rad), the hand's position (m) and quaternion x, y, z, w, the two fingers (m)"


def make_brief(size: int, state: int) -> tuple[Brief, Box]:
    """The brief, with pictures of `size` px and a state of `state` numbers, and its action."""
    action = Box(
        (7,),
        "float32",
        -1,
        1,
        "1",
        "the hand moves by x, y, z (1 is 0.05 m) and turns about x, y, z (1 is 0.5 rad), "
        "world frame; the gripper closes towards 1, opens towards -1",
        IDLE,
        ACTION_LAYOUT,
    )
    brief = Brief(
        observation={
            "image": Box((size, size, 3), "uint8", 0, 255, "px", "RGB, from the front"),
            "image_wrist": Box((size, size, 3), "uint8", 0, 255, "px", "RGB, from the hand"),
            "proprio": Box((16,), "float32", unit="m, rad", meaning=MEANT, layout=PROPRIO_LAYOUT),
            "state": Box(
                (state,),
                "float32",
                meaning="time (s), positions, velocities: MuJoCo's flattened state",
                layout=(
                    Field("time", 1, "absolute", unit="s"),
                    Field("simulator_state", state - 1, UNKNOWN, scale=None),
                ),
            ),
        },
        action=action,
        embodiment="a Franka Panda arm with a gripper, at a table or a floor with household things",
        simulator="LIBERO on robosuite and MuJoCo",
        control_hz=20.0,
    )
    return brief, action

"""Grasping with a long tail: PickCube of ManiSkill 3, with objects from a stated distribution.

Chosen by us, the protocol of no paper; docs/families/grasp-tail.md states the distribution. The
cases of the tasks have objects of the head; `--perturb tail_mass,tail_friction,tail_shape,
tail_scale,tail` plays the same starts with an object of the tail, paired with them.

Tasks:
    pick           in pd_ee_delta_pose, as most policies act
    pick-planner   in pd_joint_pos, which the package's motion-planning solution needs: the oracle
"""

from __future__ import annotations

from harness.core import Suite, Task

__all__ = ["SUITES"]

STEPS = 200
"""Four times the horizon of the package's PickCube, which is too short for its own solution."""
RULE = (
    "the object within 2.5 cm of the goal while the arm rests, at any step; terminations ignored, "
    "the scene rebuilt for every episode"
)


def _task(name: str, control_mode: str, tags: tuple[str, ...] = ()) -> Task:
    return Task(
        id=f"grasp-tail/{name}@1",
        domain="manipulation",
        adapter="adapters.maniskill:GraspTailAdapter",
        params={
            "id": "PickCube-v1",
            "control_mode": control_mode,
            "instruction": "Pick up the red object and hold it still at the goal.",
        },
        max_steps=STEPS,
        success="once",
        rule=f"{RULE}; {STEPS} steps; {control_mode}",
        score="success",
        control_hz=20.0,
        tags=("grasp-tail", *tags),
    )


SUITES: tuple[Suite, ...] = (
    Suite(
        "grasp-tail",
        "Grasping with a long tail of masses, frictions, shapes and sizes, in ManiSkill 3",
        (
            _task("pick", "pd_ee_delta_pose"),
            _task("pick-planner", "pd_joint_pos", ("planner",)),
        ),
        episodes=100,
        source="ours; the task is PickCube of ManiSkill 3, arXiv 2410.00425",
    ),
)

"""ManiSkill 3: every task that needs no download, by the rule of its own evaluation.

Terminations are ignored: an episode runs to the environment's own horizon, and success counts once
(at any step); the metric `success_at_end` tells whether it holds at the last step. The scene is
rebuilt for every episode. The package has no instructions; they are written here.

Suites:
    maniskill          the table-top tasks, in the package's default control mode
                       (pd_joint_delta_pos), with its own horizon
    maniskill-planner  those with a motion-planning solution, in pd_joint_pos, which the solutions
                       need, with four times the package's horizon, at most 400 steps (20 s):
                       PickCube's solution takes up to 100 steps where the package allows 50
    maniskill-more     dexterous hands, humanoids, drawing, and the ports of dm_control's bodies,
                       which have a return and no success
    maniskill-gpu      the table-top tasks in a GPU simulation of 256 lanes (`bench run --lanes`),
                       which is another protocol than the CPU's
    maniskill-humanoid the humanoids of maniskill-more: the same tasks, under the same ids

Left out: tasks whose objects, robots or scenes are downloads; DrawSVG (needs another package);
Empty and TableTopFreeDraw (which have no goal).

Tag `gea`: the five tasks of ManiSkill2 that the GEA paper evaluates (arXiv 2412.08442, table 8), in
ManiSkill 3.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from harness.core import Normaliser, Suite, Task
from suites.gea_paper import ROWS

__all__ = ["SUITES", "task_of"]

TABLE_TOP: Mapping[str, tuple[int, str]] = {
    "FMBAssembly1Easy": (
        500,
        "Pick up the bridge, turn it with the help of the fixture, and insert it into its slot on "
        "the board.",
    ),
    "LiftPegUpright": (50, "Pick up the peg and stand it upright on the table."),
    "PegInsertionSide": (
        100,
        "Pick up the peg and insert its orange end sideways into the hole of the box.",
    ),
    "PickCube": (50, "Pick up the red cube and hold it still at the goal."),
    "PickCubeSO100": (50, "Pick up the cube and hold it still at the goal."),
    "PlaceSphere": (50, "Pick up the sphere and place it in the shallow bin."),
    "PlugCharger": (200, "Pick up the charger and plug it into the receptacle."),
    "PokeCube": (50, "Pick up the peg and push the cube to the goal with its head."),
    "PullCube": (50, "Pull the cube to the goal region."),
    "PullCubeTool": (100, "Pick up the L-shaped tool and pull the cube within reach with it."),
    "PushCube": (50, "Push the cube to the goal region."),
    "PushT": (100, "Push the T-shaped block onto the T-shaped goal."),
    "RollBall": (
        80,
        "Push the ball so that it rolls to the goal region on the other side of the table.",
    ),
    "SO100GraspCube": (64, "Pick up the cube and return to the rest pose with it."),
    "StackCube": (50, "Pick up the red cube, put it on the green cube and let go."),
    "StackPyramid": (
        250,
        "Push the red cube next to the green one, put the blue cube on both and let go.",
    ),
    "TwoRobotPickCube": (
        100,
        "Push the cube within the other arm's reach; the other arm lifts it to the goal.",
    ),
    "TwoRobotStackCube": (
        100,
        "One arm brings the green cube to the goal region, the other stacks the blue cube on it.",
    ),
}
"""Name -> the environment's own horizon in steps, and the instruction."""

MARKED = ("PickCube", "TwoRobotPickCube", "TriFingerRotateCube")
"""How the names of tasks begin whose goal the package hides from the cameras: since version 2 of
these tasks pictures show it."""
TOLD = ("RotateValve", "RotateSingleObjectInHand")
"""Those whose axis, direction or angle no picture shows: the instruction does since version 2."""

PLANNED = (
    "LiftPegUpright", "PegInsertionSide", "PickCube", "PlaceSphere", "PlugCharger", "PullCube",
    "PullCubeTool", "PushCube", "StackCube", "StackPyramid",
)  # fmt: skip

MORE: Mapping[str, tuple[int, float, str]] = {
    "DrawTriangle": (300, 20.0, "Draw the outline of the triangle that is marked on the canvas."),
    **{
        f"RotateValveLevel{level}": (
            steps,
            20.0,
            f"Turn the valve {way}, seen from above, by more than {angle} degrees with the three "
            "fingers.",
        )
        for level, (steps, way, angle) in enumerate(
            (
                (80, "clockwise", 90),
                (150, "clockwise", 180),
                (150, "clockwise", 180),
                (150, "clockwise", 180),
                (300, "{direction}", 360),  # drawn for each episode: the adapter fills it in
            )
        )
    },
    **{
        f"RotateSingleObjectInHandLevel{level}": (
            300,
            20.0,
            "Turn the object in the palm about the vertical axis, by more than 720 degrees in all, "
            "without dropping it.",
        )
        for level in range(2)
    },
    **{
        f"TriFingerRotateCubeLevel{level}": (
            250,
            20.0,
            "Move and turn the cube to the goal pose with the three fingers.",
        )
        for level in range(5)
    },
    "UnitreeG1PlaceAppleInBowl": (100, 20.0, "Pick up the apple and place it in the bowl."),
    "UnitreeG1TransportBox": (
        100,
        20.0,
        "Lift the box off the one table with both hands and bring it to the other.",
    ),
}
BODIES: Mapping[str, tuple[int, float, str]] = {
    "MS-AntRun": (1000, 40.0, "Run forward."),
    "MS-AntWalk": (1000, 40.0, "Walk forward."),
    "MS-CartpoleBalance": (1000, 20.0, "Keep the pole upright."),
    "MS-CartpoleSwingUp": (1000, 20.0, "Swing the pole up and keep it upright."),
    "MS-HopperHop": (600, 25.0, "Hop forward."),
    "MS-HopperStand": (600, 25.0, "Stand up."),
    "MS-HumanoidRun": (1000, 40.0, "Run."),
    "MS-HumanoidStand": (1000, 40.0, "Stand up straight."),
    "MS-HumanoidWalk": (1000, 40.0, "Walk."),
    "UnitreeG1Stand": (1000, 20.0, "Stand without falling."),
}

HUMANOIDS = (
    "UnitreeG1PlaceAppleInBowl", "UnitreeG1TransportBox", "UnitreeG1Stand", "MS-HumanoidStand",
    "MS-HumanoidWalk", "MS-HumanoidRun",
)  # fmt: skip
"""What the package has for humanoids without a download; UnitreeH1Stand is one."""

ROW = ROWS["ManiSkill"]
DIFFERS = "ours: ManiSkill 3, in another control mode"

LANES = 256
ONCE = "success at any step; terminations ignored, the scene rebuilt for every episode"
SOURCE = "arXiv 2410.00425; ManiSkill 3 documentation, reinforcement learning setup"


def task_of(
    name: str,
    instruction: str,
    steps: int,
    *,
    family: str = "maniskill",
    control_mode: str = "pd_joint_delta_pos",
    make: Mapping[str, Any] | None = None,
    control_hz: float = 20.0,
    success: str | None = "once",
    tags: tuple[str, ...] = (),
) -> Task:
    """A task of ManiSkill.

    `name` is without the package's version, `steps` is the horizon in agent steps, and `make` holds
    additional arguments of gymnasium.make.
    """
    gea = name in ROW.by_task
    version = 2 if name.startswith((*MARKED, *TOLD)) else 1
    return Task(
        id=f"{family}/{name}@{version}",
        domain="manipulation",
        adapter="adapters.maniskill:ManiSkillAdapter",
        params={
            "id": f"{name}-v1",
            "control_mode": control_mode,
            "instruction": instruction,
            **({"make": dict(make)} if make else {}),
        },
        max_steps=steps,
        success=success,
        rule=f"{ONCE if success else 'the return; terminations ignored'}; "
        f"{steps} steps; {control_mode}",
        score="success" if success else "return",
        normaliser=None
        if success
        else Normaliser(0.0, float(steps), "no reward", "the full reward at every step", SOURCE),
        control_hz=control_hz,
        tags=(*tags, *(["gea"] if gea else [])),
        references=ROW.references(name, differs=DIFFERS) if gea else (),
    )


def _default(name: str) -> str:
    """The package's default control mode for a task."""
    if name == "SO100GraspCube":
        return "pd_joint_target_delta_pos"
    return (
        "pd_joint_pos"
        if name.startswith("MS-Humanoid") or name == "UnitreeG1Stand"
        else "pd_joint_delta_pos"
    )


def _more() -> tuple[Task, ...]:
    asked = [
        task_of(name, words, steps, control_hz=hz) for name, (steps, hz, words) in MORE.items()
    ]
    bodies = [
        task_of(
            name,
            words,
            steps,
            control_mode=_default(name),
            control_hz=hz,
            success=None,
            tags=("body",),
        )
        for name, (steps, hz, words) in BODIES.items()
    ]
    return (*asked, *bodies)


def _planned(name: str) -> Task:
    steps, words = TABLE_TOP[name]
    return task_of(
        name,
        words,
        min(4 * steps, 400),
        family="maniskill-planner",
        control_mode="pd_joint_pos",
        tags=("planner",),
    )


def _on_gpu(name: str) -> Task:
    steps, words = TABLE_TOP[name]
    task = task_of(name, words, steps, family="maniskill-gpu", control_mode=_default(name))
    return dataclasses.replace(
        task,
        adapter="adapters.maniskill:ManiSkillBatchedAdapter",
        params={
            **task.params,
            "lanes": LANES,
            "sim_backend": "physx_cuda",
            "render_backend": "gpu",
        },
        rule=f"{task.rule}; GPU simulation of {LANES} lanes, the scene not rebuilt",
    )


_ALONE = [
    task_of(name, words, steps, control_mode=_default(name))
    for name, (steps, words) in TABLE_TOP.items()
]

_MORE = _more()

SUITES: tuple[Suite, ...] = (
    Suite("maniskill", "ManiSkill 3, table-top tasks", tuple(_ALONE), episodes=100, source=SOURCE),
    Suite(
        "maniskill-planner",
        "ManiSkill 3, tasks with a motion planner",
        tuple(map(_planned, PLANNED)),
        episodes=100,
        source=SOURCE,
    ),
    Suite(
        "maniskill-more",
        "ManiSkill 3, hands, humanoids, drawing and bodies",
        _MORE,
        episodes=100,
        in_all=False,
        source=SOURCE,
    ),
    Suite(
        name="maniskill-gpu",
        title="ManiSkill 3, table-top tasks in one GPU simulation",
        tasks=tuple(_on_gpu(name) for name in TABLE_TOP if name != "PegInsertionSide"),
        episodes=100,
        in_all=False,
        source=SOURCE,
    ),
    Suite(
        name="maniskill-humanoid",
        title="ManiSkill 3, humanoids: standing, walking, carrying and placing",
        tasks=tuple(task for task in _MORE if task.params["id"].removesuffix("-v1") in HUMANOIDS),
        episodes=100,
        in_all=False,
        source=SOURCE,
    ),
)

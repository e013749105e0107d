"""Gymnasium-Robotics: PointMaze, AntMaze, Fetch and the Shadow hand with touch sensors.

The package prescribes no evaluation. Here: a hundred episodes per task, the order of magnitude of
D4RL (arXiv 2004.07219) and Plappert et al. (arXiv 1802.09464); horizons are the package's; the
instructions are written here. No published figure is printed: D4RL's mazes have other starts and
goals, and those of Fetch and of the hand are curves.
"""

from __future__ import annotations

from typing import Any

from harness.core import Suite, Task

__all__ = ["SUITES"]

MAPS = {"UMaze": "umaze", "Open": "open", "Medium": "medium", "Large": "large"}
DIVERSE = {"": "", "_Diverse_G": "-diverse-g", "_Diverse_GR": "-diverse-gr"}
POINT_STEPS = {"UMaze": 300, "Open": 300, "Medium": 600, "Large": 800}
ANT_STEPS = {"UMaze": 700, "Open": 700, "Medium": 1000, "Large": 1000}
IMAGES: dict[str, Any] = {"image_size": 224, "multisampling": 0, "shadows": False}
FETCH = {
    "Reach": ("reach", "Move the gripper to the red ball."),
    "Push": ("push", "Push the block to the red ball."),
    "PickAndPlace": (
        "pick-and-place",
        "Bring the block to the red ball, also where that is in the air.",
    ),
    "Slide": ("slide", "Hit the puck so that it slides to the red ball and stops there."),
}
HAND = {
    "BlockRotateZ": ("block-rotate-z", "Turn the block about the vertical until it lies like"),
    "BlockRotateParallel": ("block-rotate-parallel", "Turn the block until it lies like"),
    "BlockRotateXYZ": ("block-rotate-xyz", "Turn the block until it lies like"),
    "Block": ("block", "Bring the block to the place and the rotation of"),
    "EggRotate": ("egg-rotate", "Turn the egg until it lies like"),
    "Egg": ("egg", "Bring the egg to the place and the rotation of"),
    "PenRotate": ("pen-rotate", "Turn the pen until it points like"),
    "Pen": ("pen", "Bring the pen to the place and the direction of"),
}
"""In the package's order: name in its ids -> name here, and how the instruction begins."""


def _hand(name: str, task: str, instruction: str) -> Task:
    where = "" if "Rotate" in name else f" and {'0.05' if name == 'Pen' else '0.01'} m"
    return Task(
        id=f"hand-touch/{task}@1",
        domain="manipulation",
        adapter="adapters.robotics:HandAdapter",
        params={
            "id": f"HandManipulate{name}_ContinuousTouchSensors-v1",
            "instruction": f"{instruction} the copy that is shown.",
            **IMAGES,
        },
        max_steps=100,
        success="end",
        rule=f"within 0.1 rad{where} of the goal at the end, after 100 steps",
        score="success",
        control_hz=25.0,
        tags=("rotate",) if "Rotate" in name else ("place",),
    )


def _maze(
    family: str,
    body: str,
    verb: str,
    version: str,
    map_name: str,
    diverse: str,
    steps: int,
    hz: float,
) -> Task:
    return Task(
        id=f"{family}/{MAPS[map_name]}{DIVERSE[diverse]}@1",
        domain="navigation",
        adapter=f"adapters.robotics:{body}MazeAdapter",
        params={
            "id": f"{body}Maze_{map_name}{diverse}-{version}",
            "instruction": f"{verb} to the red ball.",
            **IMAGES,
        },
        max_steps=steps,
        rule=f"within 0.45 m of the goal, which ends the episode; {steps} steps",
        score="success",
        control_hz=hz,
        tags=("diverse",) if diverse else ("main",),
    )


def _mazes(
    family: str, body: str, verb: str, version: str, steps: dict[str, int], hz: float
) -> tuple[Task, ...]:
    return tuple(
        _maze(family, body, verb, version, map_name, diverse, steps[map_name], hz)
        for map_name in MAPS
        for diverse in DIVERSE
        if not diverse or map_name != "UMaze"
    )


SUITES: tuple[Suite, ...] = (
    Suite(
        name="pointmaze",
        title="PointMaze: a ball finds its way",
        tasks=_mazes("pointmaze", "Point", "Roll", "v3", POINT_STEPS, 100.0),
        episodes=100,
        source="arXiv 2004.07219; gymnasium-robotics 1.4",
    ),
    Suite(
        name="antmaze",
        title="AntMaze: an ant finds its way",
        tasks=_mazes("antmaze", "Ant", "Walk", "v5", ANT_STEPS, 20.0),
        episodes=100,
        source="arXiv 2004.07219; gymnasium-robotics 1.4",
    ),
    Suite(
        name="fetch",
        title="Fetch: reach, push, pick and place, slide",
        tasks=tuple(
            Task(
                id=f"fetch/{task}@1",
                domain="manipulation",
                adapter="adapters.robotics:FetchAdapter",
                params={"id": f"Fetch{name}-v4", "instruction": instruction, **IMAGES},
                max_steps=50,
                success="end",
                rule="within 0.05 m of the goal at the end, after 50 steps",
                score="success",
                control_hz=25.0,
            )
            for name, (task, instruction) in FETCH.items()
        ),
        episodes=100,
        source="arXiv 1802.09464; gymnasium-robotics 1.4",
    ),
    Suite(
        name="hand-touch",
        title="A hand that feels turns a block, an egg, a pen",
        tasks=tuple(_hand(name, *words) for name, words in HAND.items()),
        episodes=100,
        source="arXiv 1802.09464; doi 10.3389/frobt.2021.538773; gymnasium-robotics 1.4",
    ),
)

"""MiniWorld (arXiv 2306.13831): the 23 worlds of Farama's package, at its image size of 80x60.

The package prescribes no evaluation, and no figures measured by a repeatable rule are published.
Here: a hundred episodes per world, seeds from 0, within the package's own step limit. The
instructions are written here. What the package leaves open is drawn by the case: the object to go
to in ThreeRooms and RoomObjects, which have no goal, and colour and shape in Sign, where they are
constructor arguments.
"""

from __future__ import annotations

from harness.core import Suite, Task

__all__ = ["SUITES"]

NEAR = "the agent comes near the {}, within the world's own limit of steps"
RULES = {
    **{
        world: NEAR.format("red box")
        for world in (
            "Hallway", "OneRoom", "OneRoomS6", "OneRoomS6Fast", "FourRooms", "WallGap", "MazeS2",
            "MazeS3", "MazeS3Fast", "Maze", "TMaze", "TMazeLeft", "TMazeRight", "YMaze",
            "YMazeLeft", "YMazeRight",
        )
    },
    "Sidewalk": NEAR.format("red box and never steps onto the street"),
    "ThreeRooms": NEAR.format("object named"),
    "RoomObjects": NEAR.format("object named (250 steps, ours)"),
    "Sign": NEAR.format("object of the sign's colour and the shape named before any other one"),
    "PickupObjects": "all five objects picked up within 400 steps",
    "PutNext": "the red box put down near the yellow one within 250 steps",
    "CollectHealth": "alive after 1000 steps",
}  # fmt: skip

SUITES: tuple[Suite, ...] = (
    Suite(
        name="miniworld",
        title="MiniWorld, 23 worlds",
        tasks=tuple(
            Task(
                id=f"miniworld/{world}@1",
                domain="navigation",
                adapter="adapters.miniworld:MiniWorldAdapter",
                params={"world": world, "width": 80, "height": 60},
                success="end" if world == "CollectHealth" else "ever",
                rule=rule,
                score="success",
            )
            for world, rule in RULES.items()
        ),
        episodes=100,
        source="arXiv 2306.13831",
    ),
)

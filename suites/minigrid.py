"""MiniGrid (arXiv 2306.13831): twelve levels of the Farama package that are not BabyAI's.

The package prescribes no evaluation. Here: ten episodes per level, seeds from 0; success is an
episode that ends with a reward above 0 within the level's own step limit. There is no expert,
because BabyAI's bot reads only BabyAI's instructions.
"""

from __future__ import annotations

from harness.core import Suite, Task

__all__ = ["SUITES"]

LEVELS = (
    ("FourRooms-v0", "navigation"),
    ("SimpleCrossingS9N2-v0", "navigation"),
    ("LavaCrossingS9N2-v0", "navigation"),
    ("LavaGapS7-v0", "navigation"),
    ("MultiRoom-N4-S5-v1", "navigation"),
    ("Dynamic-Obstacles-8x8-v0", "navigation"),
    ("MemoryS11-v0", "navigation"),
    ("GoToDoor-8x8-v0", "navigation"),
    ("DoorKey-8x8-v0", "planning"),
    ("KeyCorridorS3R3-v0", "planning"),
    ("RedBlueDoors-8x8-v0", "planning"),
    ("ObstructedMaze-2Dlhb-v1", "planning"),
)

SUITES: tuple[Suite, ...] = (
    Suite(
        name="minigrid",
        title="MiniGrid, twelve levels",
        tasks=tuple(
            Task(
                id=f"minigrid/{level.rpartition('-v')[0]}@1",
                domain=domain,
                adapter="adapters.minigrid:MiniGridAdapter",
                params={"id": f"MiniGrid-{level}"},
                rule="the episode ends with a reward above 0 within the level's own step limit",
            )
            for level, domain in LEVELS
        ),
        episodes=10,
        source="arXiv 2306.13831",
    ),
)

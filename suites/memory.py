"""Memory (ours, of MiniGrid's Memory levels): pairs of tasks, with the cue hidden and in sight.

`memory/SIZE-hidden` is a level of the package (arXiv 2306.13831): an object in the first room says
which way is right at the end of a hallway, where it cannot be seen any more. `memory/SIZE-visible`
is the same level of the same seed, with the object a second time in the wall ahead of the junction
(adapters/_memory_levels.py). `bench probe memory` compares the two, for one context of the agent
after the other. The picture of the whole map is not offered: it hides nothing.

The package prescribes no evaluation. Here: 100 episodes per task, seeds from 0; success is an
episode that ends with a reward above 0 within the level's own step limit. There is no expert.
"""

from __future__ import annotations

from harness.core import Suite, Task

__all__ = ["SUITES"]

SIZES = ("S7", "S9", "S11", "S13", "S17Random")

SUITES: tuple[Suite, ...] = (
    Suite(
        name="memory",
        title="MiniGrid's Memory levels, with the cue hidden and in sight",
        tasks=tuple(
            Task(
                id=f"memory/{size}-{cue}@1",
                domain="navigation",
                adapter="adapters.minigrid:MiniGridAdapter",
                params={"id": f"MiniGrid-Memory{level}{size}-v0", "image": False},
                rule="the episode ends with a reward above 0 within the level's own step limit",
            )
            for size in SIZES
            for cue, level in (("hidden", ""), ("visible", "Visible"))
        ),
        episodes=100,
        in_all=False,
        source="arXiv 2306.13831; the twins are ours",
    ),
)

"""Starts that the benchmark does not list, drawn as those that it lists once were."""

from __future__ import annotations

import numpy as np

from adapters.libero.spaces import IDLE
from adapters.libero.world import World
from harness.core import Case, UserError

__all__ = ["drawn_start"]

TRIES = 50
SHIFT = 0.001
"""Metres along the table by which a thing may move while the arm is idle. In a scene that comes to
rest where it was placed it is below 0.2 mm; things that were placed into each other fly
apart. The benchmark's list has none of these: its files are called `pruned`."""


def drawn_start(world: World, case: Case, settle: int) -> tuple[np.ndarray, int]:
    """(an initial state, float64 (N,); the seed that placed its fixtures), as World.reset takes it.

    robosuite's samplers place everything by the regions of the BDDL file. A start in which
    something moves along the table during `settle` idle steps is drawn again. Raises UserError
    after 50.
    """
    rng = case.rng("starts")
    for _ in range(TRIES):
        seed = int(rng.integers(2**32))
        world.place(seed)
        start, before = world.state(), world.things()
        for _ in range(settle):
            world.step(np.array(IDLE))
        moved = np.linalg.norm((world.things() - before)[:, :2], axis=1)
        if not moved.size or moved.max() <= SHIFT:
            return start, seed
    raise UserError(
        f"{case.task.id}: no start of {TRIES} comes to rest where its things were placed: play the "
        "task with its prescribed starts"
    )

"""Where an image shows a point of the world: labels of pictures, for training."""

from __future__ import annotations

import numpy as np

from adapters.metaworld import MetaWorldAdapter
from harness.core import Case
from suites.metaworld import SUITES

TASK = next(task for task in SUITES[0].tasks if task.id == "metaworld/pick-place-v3@1")


def test_the_goal_is_seen_where_it_is_drawn() -> None:
    """Its ball is the only thing in pure blue."""
    env = MetaWorldAdapter(TASK)
    try:
        for seed in range(3):
            views = env.reset(Case(TASK, seed)).observation
            image, state = (views[name]() for name in ("image", "state"))
            red, green, blue = np.moveaxis(image.astype(int), 2, 0)
            rows, columns = np.nonzero((blue > 2 * red + 30) & (blue > 2 * green + 30))
            assert len(rows) > 5
            drawn = (np.array([columns.mean(), rows.mean()]) + 0.5) / len(image)
            np.testing.assert_allclose(env.seen_at(state[36:39]), drawn, atol=0.006)
    finally:
        env.close()

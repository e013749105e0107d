"""Procgen's sixteen games in easy mode (arXiv 1912.01588): test levels, and training levels.

Agents are trained on levels 0 to 199 of a game and tested on others: here on levels from 200 on,
one per seed, so that no test level is a training level (most papers draw test levels from all
levels, including the training levels). The score is the return, normalised as in the paper's
appendix: (R - R_min) / (R_max - R_min), where R_min is the return of an agent that sees nothing and
R_max the highest possible return.
"""

from __future__ import annotations

from harness.core import Normaliser, Suite, Task
from suites.gea_paper import ROWS

__all__ = ["SUITES"]

TRAINING_LEVELS = 200
RANGES = {
    "coinrun": (5.0, 10.0),
    "starpilot": (2.5, 64.0),
    "caveflyer": (3.5, 12.0),
    "dodgeball": (1.5, 19.0),
    "fruitbot": (-1.5, 32.4),
    "chaser": (0.5, 13.0),
    "miner": (1.5, 13.0),
    "jumper": (3.0, 10.0),
    "leaper": (3.0, 10.0),
    "maze": (5.0, 10.0),
    "bigfish": (1.0, 40.0),
    "heist": (3.5, 10.0),
    "climber": (2.0, 12.6),
    "plunder": (4.5, 30.0),
    "ninja": (3.5, 10.0),
    "bossfight": (0.5, 13.0),
}
"""Game -> (R_min, R_max) in easy mode."""
ROW = ROWS["Procgen"]
DIFFERS = "ours: between seeing nothing and the best possible (arXiv 1912.01588)"


def _task(family: str, game: str, levels: int | None) -> Task:
    low, high = RANGES[game]
    where = "test level" if levels is None else "training level"
    return Task(
        id=f"{family}/{game}@1",
        domain="games",
        adapter="adapters.procgen:ProcgenAdapter",
        params={"game": game, "mode": "easy", **({} if levels is None else {"levels": levels})},
        success=None,
        rule=f"points on one {where}, easy; the game's own time limit",
        normaliser=Normaliser(
            low,
            high,
            "seeing nothing",
            "the best possible",
            "arXiv 1912.01588, appendix: R_min and R_max",
        ),
        control_hz=15.0,
        first_seed=TRAINING_LEVELS if levels is None else 0,
        tags=("gea",) if levels is None else (),
        references=ROW.references(game, differs=DIFFERS) if levels is None else (),
    )


SUITES: tuple[Suite, ...] = (
    Suite(
        name="procgen",
        title="Procgen's sixteen games, test levels",
        tasks=tuple(_task("procgen", game, None) for game in RANGES),
        episodes=100,
        source="arXiv 1912.01588; episodes as in facebookresearch/gen_dgrl",
    ),
    Suite(
        name="procgen-train",
        title="Procgen's sixteen games, the 200 training levels",
        tasks=tuple(_task("procgen-train", game, TRAINING_LEVELS) for game in RANGES),
        episodes=100,
        in_all=False,
        source="arXiv 1912.01588",
    ),
)

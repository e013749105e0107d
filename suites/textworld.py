"""TextWorld (arXiv 1806.11532): seven grades of the package's challenges; the seed makes the game.

The package prescribes no evaluation and publishes no figures for these. Here: 20 episodes per task
of 100 actions each (its expert needs at most about 30), and an objective that does not tell the
way. Levels and settings are the package's: see its `tw-make --help`.

The score is the points divided by the game's maximum; success is winning the game. Treasure hunter
and coin collector have a single point.
"""

from __future__ import annotations

from typing import Any

from harness.core import Normaliser, Suite, Task

__all__ = ["SUITES"]


def _cooking(ingredients: int, rooms: int, *, cut: bool) -> dict[str, Any]:
    skills = {"open": True, "cook": True, "cut": cut, "drop": False}
    return {
        "recipe": ingredients,
        "take": ingredients,
        "go": rooms,
        **skills,
        "recipe_seed": 0,
        "split": None,
    }


GAMES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("treasure-hunter-5", "treasure_hunter", {"level": 5}),
    ("treasure-hunter-15", "treasure_hunter", {"level": 15}),
    ("treasure-hunter-22", "treasure_hunter", {"level": 22}),
    ("coin-collector-10", "coin_collector", {"level": 10}),
    ("coin-collector-110", "coin_collector", {"level": 110}),
    ("cooking-1", "cooking", _cooking(1, 1, cut=False)),
    ("cooking-3", "cooking", _cooking(3, 6, cut=True)),
)
"""Treasure hunter: 5 empty rooms; 10 with doors and containers; 20 with locks. Coin collector: 10
rooms in a row; 10 more that are dead ends. Cooking: one ingredient in the kitchen; three in six
rooms, to be cut and cooked as the cookbook says."""

SUITES: tuple[Suite, ...] = (
    Suite(
        name="textworld",
        title="TextWorld, seven grades of games",
        tasks=tuple(
            Task(
                id=f"textworld/{name}@1",
                domain="planning",
                adapter="adapters.textworld:TextWorldAdapter",
                params={"challenge": challenge, "settings": settings},
                max_steps=100,
                rule="the game is won within 100 actions",
                score="score",
                normaliser=Normaliser(
                    0.0,
                    1.0,
                    "no points",
                    "all points",
                    "the score is a share of the points of the game",
                ),
            )
            for name, challenge, settings in GAMES
        ),
        episodes=20,
        source="arXiv 1806.11532",
    ),
)

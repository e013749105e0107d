"""NetHack's tasks of NLE (arXiv 2006.13760) and of its contest, and MiniHack (arXiv 2109.13202).

`nethack`: the seven tasks of NLE's paper, played by a human monk in at most 5,000 steps, and the
NetHack Challenge of NeurIPS 2021 (arXiv 2203.11889): any hero, all keys, 1,000,000 steps, of which
10,000 in a row may pass without a turn of the game. No protocol prescribes seeds; 50 games each
here.

`minihack`: of its 161 levels one or several of each kind, with the horizons of the package. Left
out are those that need MiniGrid (MultiRoom, the crossings), those whose levels have to be
downloaded (Boxoban, of which the suite `balrog` has two), and easier or harder forms of those here.
Most papers train an agent for each level and show curves; 20 episodes here, which are generated
anew for each seed, but for the few levels with a fixed map.
"""

from __future__ import annotations

from harness.core import Suite, Task

__all__ = ["SUITES"]

ADAPTER = "adapters.nethack:NetHackAdapter"
NLE_STEPS, CHALLENGE_STEPS, CHALLENGE_PATIENCE = 5_000, 1_000_000, 10_000
SCORES = {
    "Score": "points of the game",
    "Gold": "gold",
    "Eat": "food eaten, in the game's units of nutrition",
    "Scout": "cells seen for the first time",
}
"""Task of NLE's paper without a success -> what its reward is; 0.01 less for an idle step."""
IDLE = "minus 0.01 for each step without a turn"
GOALS = {
    "Staircase": "stands on a staircase down",
    "StaircasePet": "stands on a staircase down, the pet beside",
    "Oracle": "stands beside the Oracle",
}
NAVIGATION = {
    "Room-15x15": 300,
    "Room-Ultimate-15x15": 300,
    "Corridor-R2": 1000,
    "Corridor-R3": 1000,
    "Corridor-R5": 1000,
    "KeyRoom-S5": 200,
    "KeyRoom-S15": 400,
    "KeyRoom-Dark-S15": 400,
    "MazeWalk-9x9": 200,
    "MazeWalk-15x15": 1000,
    "MazeWalk-45x19": 1000,
    "ExploreMaze-Easy": 500,
    "ExploreMaze-Hard": 500,
    "Labyrinth-Small": 400,
    "River": 350,
    "River-MonsterLava": 350,
    "HideNSeek": 200,
    "HideNSeek-Lava": 200,
    "CorridorBattle": 350,
    "CorridorBattle-Dark": 350,
    "Memento-Short-F2": 5000,
    "Memento-F4": 5000,
}
SKILLS = {
    "Eat": 250,
    "Wear": 250,
    "Wield": 250,
    "Zap": 250,
    "Read": 250,
    "Pray": 250,
    "Sink": 250,
    "PutOn": 250,
    "ClosedDoor": 250,
    "LockedDoor": 250,
    "Freeze-Wand-Restricted": 250,
    "Levitate-Potion-Restricted": 250,
    "LavaCross-Restricted": 250,
    "LavaCross-Levitate-Restricted": 400,
    "WoD-Easy-Restricted": 50,
    "WoD-Hard-Restricted": 400,
    "Quest-Easy": 500,
    "Quest-Medium": 1000,
    "Quest-Hard": 1000,
}
"""Level -> its horizon, in steps."""


def _nle(name: str, rule: str, *, solvable: bool) -> Task:
    return Task(
        id=f"nethack/{name.lower()}@1",
        domain="games",
        adapter=ADAPTER,
        params={"id": f"NetHack{name}-v0"},
        max_steps=NLE_STEPS,
        success="ever" if solvable else None,
        rule=f"{rule}; {NLE_STEPS} steps",
        score="success" if solvable else "return",
    )


def _minihack(level: str, steps: int, domain: str) -> Task:
    return Task(
        id=f"minihack/{level.lower()}@1",
        domain=domain,
        adapter=ADAPTER,
        params={"id": f"MiniHack-{level}-v0"},
        max_steps=steps,
        rule=f"the level is solved, by the package's own rule, within {steps} steps",
        score="success",
    )


CHALLENGE = Task(
    id="nethack/challenge@1",
    domain="games",
    adapter=ADAPTER,
    params={"id": "NetHackChallenge-v0", "no_progress": CHALLENGE_PATIENCE},
    max_steps=CHALLENGE_STEPS,
    success=None,
    rule="points of the game; 1,000,000 steps, 10,000 in a row without a turn",
    score="return",
)

SUITES: tuple[Suite, ...] = (
    Suite(
        name="nethack",
        title="NetHack, NLE's tasks and the NetHack Challenge",
        tasks=(
            *(_nle(name, f"{rule}, {IDLE}", solvable=False) for name, rule in SCORES.items()),
            *(_nle(name, rule, solvable=True) for name, rule in GOALS.items()),
            CHALLENGE,
        ),
        episodes=50,
        source="arXiv 2006.13760, arXiv 2203.11889",
    ),
    Suite(
        name="minihack",
        title="MiniHack, navigation and skills",
        tasks=(
            *(_minihack(level, steps, "navigation") for level, steps in NAVIGATION.items()),
            *(_minihack(level, steps, "games") for level, steps in SKILLS.items()),
        ),
        episodes=20,
        source="arXiv 2109.13202",
    ),
)

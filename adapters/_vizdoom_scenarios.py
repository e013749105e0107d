"""ViZDoom's single-player scenarios: what is asked, and at which difficulties they differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adapters._params import levels
from harness.core import SimulatorPerturbation

__all__ = ["DIFFICULTY", "SCENARIOS", "Scenario"]


@dataclass(frozen=True)
class Scenario:
    """What the agent is told, and how the scenario ends."""

    instruction: str
    ends_by_reward: bool = False
    """A positive reward ends it, and that is its success."""
    skills: tuple[int, ...] = ()
    """Those of the engine's skill levels 1, 3 and 5 at which it plays differently from its own.

    2 and 4 play as 3.
    """


SCENARIOS: Mapping[str, Scenario] = {
    "my_way_home": Scenario("Find the green vest in this maze of rooms.", ends_by_reward=True),
    "health_gathering": Scenario(
        "The floor is acid: stay alive by collecting medkits.", skills=(1,)
    ),
    "health_gathering_supreme": Scenario(
        "The floor of this maze is acid: stay alive by collecting medkits, and avoid the poison "
        "vials.",
        skills=(1,),
    ),
    "deadly_corridor": Scenario(
        "Get to the green vest at the end of the corridor alive; enemies stand on both sides.",
        skills=(1, 3),
    ),
    "basic": Scenario("Shoot the monster at the opposite wall.", ends_by_reward=True),
    "defend_the_center": Scenario(
        "Shoot as many of the approaching monsters as you can and stay alive; ammunition is "
        "limited.",
        skills=(1, 5),
    ),
    "defend_the_line": Scenario(
        "Shoot as many of the approaching monsters as you can and stay alive.", skills=(1, 5)
    ),
    "predict_position": Scenario(
        "Hit the moving monster with the only rocket that you have.", ends_by_reward=True
    ),
    "take_cover": Scenario("Stay alive: dodge the fireballs.", skills=(1, 5)),
    "deathmatch": Scenario(
        "Kill as many monsters as you can; weapons, armour and medkits lie around.", skills=(1, 5)
    ),
}
DIFFICULTY = SimulatorPerturbation(
    "difficulty",
    "the skill level of the engine: one of 1, 3 and 5 at which the scenario plays differently from "
    "its own, by its place (from 0) among them",
    levels("place", 0, 1),
)

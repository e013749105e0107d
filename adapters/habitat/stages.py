"""Stages, failure modes and factors of Habitat, read off what its rules measure.

Navigation goes by the geodesic distance to the goal that is left; the skills by what their rules
look at (skill_rules.Seen). Pick and Place of habitat-lab's own data have no stages: their measures
are habitat-lab's, and which of them there are depends on its configuration.
"""

from __future__ import annotations

from pathlib import PurePath

from adapters.habitat.episodes import Episode
from adapters.habitat.metrics import Way
from adapters.habitat.robot_world import GRASP_DISTANCE
from adapters.habitat.skill_rules import NEAR, TURNING, Seen, reached

__all__ = [
    "NAVIGATION", "SKILLS", "factors_of", "modes_of_skill", "on_the_way", "skill_failed",
    "with_the_skill",
]  # fmt: skip

NAVIGATION = ("half way", "goal near", "at the goal", "stopped there")
NEAR_M = 1.0
"""m before the distance at which stopping is a success."""
SKILLS = {
    "pick": ("gripper at the object", "object held", "held at rest"),
    "place": ("held over its place", "let go there", "arm at rest"),
    "nav": ("receptacle near", "beside it", "facing it", "stopped there"),
}


def on_the_way(way: Way) -> tuple[bool, ...]:
    """Which of the stages of NAVIGATION hold now, but for the last, which is the success."""
    left = way.distance
    return left <= way.shortest / 2, left < way.near + NEAR_M, left < way.near


def factors_of(episode: Episode) -> dict[str, str]:
    """The home, and the category that is looked for, where one is."""
    told = {"scene": episode.place or f"scene {PurePath(episode.scene).name}"}
    return {**told, "object": episode.category} if episode.category else told


def with_the_skill(skill: str, seen: Seen, wanted: str) -> tuple[bool, ...]:
    """Which of the stages of a skill hold now, but for the last. wanted: the object that is meant.

    Near a receptacle: closer than 3 m; beside it: 1.5 m, from which stopping may be a success.
    """
    if skill == "pick":
        return seen.tip_to_object < GRASP_DISTANCE, seen.held == wanted
    if skill == "place":
        return seen.at_goal and seen.held == wanted, seen.at_goal and seen.held is None
    facing = reached(seen.goal_distance, seen.goal_angle)
    return seen.goal_distance < TURNING, seen.goal_distance < NEAR, facing


def modes_of_skill(skill: str) -> tuple[str, ...]:
    """The failure modes that `skill_failed` can tell. Drops and collisions are metrics."""
    return {"pick": ("wrong_object",), "place": (), "nav": ("stopped_early",)}[skill]


def skill_failed(skill: str, seen: Seen, wanted: str, success: bool) -> tuple[str, ...]:
    """The modes of an episode that is over, by what was seen last."""
    if skill == "pick" and seen.held not in (None, wanted):
        return ("wrong_object",)
    if skill == "nav" and seen.stop and not success:
        return ("stopped_early",)
    return ()

"""Stages, failure modes and factors of Habitat, read off what its rules measure.

Navigation goes by the geodesic distance to the goal that is left; the skills by what their rules
look at (skill_rules.Seen). Pick and Place of habitat-lab's own data go by its measures
(`ee_to_object_distance`, `obj_at_goal`) and by what its grasp manager holds, as its own success
does (habitat-lab 0.3, `tasks/rearrange/sub_tasks/{pick,place}_sensors.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from adapters.habitat.episodes import Episode
from adapters.habitat.metrics import Way
from adapters.habitat.robot_world import GRASP_DISTANCE
from adapters.habitat.skill_rules import NEAR, TURNING, Seen, reached
from harness.core import UserError

__all__ = [
    "LAB_MODES", "NAVIGATION", "SKILLS", "factors_of", "lab_failed", "lab_seen", "lab_target",
    "modes_of_skill", "on_the_way", "skill_failed", "with_the_skill",
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


LAB_MODES = {"pick": ("wrong_object", "dropped"), "place": ("dropped",)}
"""The failure modes of habitat-lab's own Pick and Place."""
MEASURES = {"pick": "ee_to_object_distance", "place": "obj_at_goal"}
"""Skill -> the measure of its configuration that is looked at: a value for each target."""


def lab_target(env: Any) -> str:
    """Which object habitat-lab's episode is about, as `Seen.held` names it. env: habitat.Env."""
    return str(env.sim.scene_obj_ids[env.task.abs_targ_idx])


def lab_seen(env: Any, skill: str, measured: Mapping[str, Any]) -> Seen:
    """What habitat-lab measures now, of what `with_the_skill` looks at.

    measured: habitat.Env.get_metrics(). Raises UserError where the measure is not among them.
    """
    name = MEASURES[skill]
    if name not in measured:
        raise UserError(
            f"habitat-lab measures no {name}, so the stages of {skill} are not known: its "
            f"benchmark/rearrange/skills/{skill}.yaml is not that of habitat-lab 0.3"
        )
    value, held = measured[name][str(env.task.targ_idx)], env.sim.grasp_mgr.snap_idx
    in_hand = None if held is None else str(held)
    if skill == "pick":
        return Seen(held=in_hand, tip_to_object=float(value))
    return Seen(held=in_hand, at_goal=bool(value))


def lab_failed(skill: str, seen: Seen, wanted: str, carried: bool) -> tuple[str, ...]:
    """The modes of an episode of habitat-lab that is over, of LAB_MODES.

    carried: whether the object that is meant was in the gripper before.
    """
    if seen.held not in (None, wanted):
        return ("wrong_object",) if skill == "pick" else ()
    lost = carried and seen.held is None and not (skill == "place" and seen.at_goal)
    return ("dropped",) if lost else ()

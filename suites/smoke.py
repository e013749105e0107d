"""One or two tasks of every family, about a minute on two cores, to see whether everything works.

Its figures are not for comparison.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from harness.core import Normaliser, Suite, Task
from suites import (
    alfworld,
    aloha,
    atari,
    babyai,
    crafter,
    grasp_tail,
    habitat,
    maniskill,
    metaworld,
    minigrid,
    miniwob,
    miniworld,
    nethack,
    pddl,
    procgen,
    pusht,
    robotics,
    scienceworld,
    textworld,
    vizdoom,
)

__all__ = ["SUITES"]

SHORT_STEPS = 200


def _named(suites: Iterable[Suite], *names: str) -> tuple[Task, ...]:
    found = {task.name: task for suite in suites for task in suite.tasks}
    return tuple(dataclasses.replace(found[name], references=()) for name in names)


def _short(task: Task, name: str = "", what: str = "points") -> Task:
    """A shortened game: another task, to which published figures and human scores do not apply."""
    rule = f"{what} in {SHORT_STEPS} steps, else as {task.id}"
    own, version = task.id.partition("/")[2].split("@")
    return dataclasses.replace(
        task,
        id=f"smoke/{name or own}@{version}",
        max_steps=SHORT_STEPS,
        rule=rule,
        normaliser=None,
        references=(),
        tags=(),
    )


SUITES: tuple[Suite, ...] = (
    Suite(
        name="smoke",
        title="a task or two of every family, in about a minute",
        tasks=(
            *_named(babyai.SUITES, "babyai/GoToRedBall", "babyai/PickupLoc", "babyai/Unlock"),
            *_named(minigrid.SUITES, "minigrid/FourRooms"),
            *_named(metaworld.SUITES, "metaworld/reach-v3", "metaworld/drawer-open-v3"),
            *_named(maniskill.SUITES, "maniskill-planner/PushCube", "maniskill-planner/PickCube"),
            *_named(maniskill.SUITES, "maniskill/UnitreeG1PlaceAppleInBowl"),
            *_named(grasp_tail.SUITES, "grasp-tail/pick-planner"),
            *_named(robotics.SUITES, "pointmaze/umaze", "antmaze/umaze", "fetch/push"),
            *_named(robotics.SUITES, "hand-touch/block-rotate-z"),
            *_named(pusht.SUITES, "pusht/PushT"),
            *_named(aloha.SUITES, "aloha/TransferCube"),
            *_named(miniworld.SUITES, "miniworld/OneRoom", "miniworld/Sign"),
            *_named(habitat.SUITES, "habitat/pointnav-flat"),
            *_named(vizdoom.SUITES, "vizdoom/my_way_home", "vizdoom/basic"),
            *_named(vizdoom.SUITES, "vizdoom-audio/basic_audio"),
            *_named(miniwob.SUITES, "miniwob/click-button", "miniwob/enter-text"),
            *_named(scienceworld.SUITES, "scienceworld/find-animal"),
            *_named(textworld.SUITES, "textworld/treasure-hunter-5"),
            *_named(alfworld.SUITES, "alfworld-synthetic/pick_and_place_simple"),
            *_named(pddl.SUITES, "pddl/blocksworld", "pddl-plan/logistics"),
            *(_short(task) for task in _named(atari.SUITES, "atari/pong", "atari/breakout")),
            *(_short(task) for task in _named(procgen.SUITES, "procgen/starpilot")),
            *(
                _short(task, "crafter", "achievements")
                for task in _named(crafter.SUITES, "crafter/achievements")
            ),
            *_named(nethack.SUITES, "minihack/room-15x15"),
            *(_short(task, "nethack") for task in _named(nethack.SUITES, "nethack/score")),
            Task(
                id="gym/CartPole-v1@1",
                domain="games",
                adapter="adapters.gym:GymAdapter",
                params={"id": "CartPole-v1"},
                success=None,
                rule="steps upright, at most 500",
                normaliser=Normaliser(
                    0,
                    500,
                    "no step",
                    "all 500 steps",
                    "Gymnasium: an episode of CartPole-v1 has at most 500 steps",
                ),
            ),
        ),
        episodes=2,
        in_all=False,
    ),
)

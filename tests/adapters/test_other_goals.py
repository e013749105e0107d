"""Other goals of a scene: said in other words, not met at the start, and reached by the expert."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from simulatorcases import tasks

from adapters._minigrid_goals import LevelGoals
from adapters.libero.goals import SceneGoals, goal_of
from adapters.minigrid import MiniGridAdapter
from harness.core import GOAL, OWN, Case, Perturbation, asked_goal
from harness.core.goals import Goal, drawn_goal
from harness.records.registry import load

OTHER = (Perturbation(GOAL.name, 1, GOAL.levels[0]),)
SCENES = (
    ("babyai/GoToLocalS8N7", 3),
    ("babyai/PutNextLocal", 1),
    ("babyai/GoToSeq", 1),
    ("babyai-worded/EscapeFrom-trained", 1),
    ("babyai-worded/PickUp-heldout", 2),
    ("pddl/blocksworld", 1),
    ("pddl-plan/gripper", 1),
    ("metaworld/faucet-open-v3", 1),
    ("miniwob/click-tab", 1),
    ("miniwob/click-option", 1),
)


def made(name: str) -> tuple[Any, Any]:
    """(the adapter, the task), or the test is skipped."""
    task = tasks()[name]
    kind = load(task.adapter)
    if (missing := kind.missing(task)) is not None:
        pytest.skip(missing.reason)
    return kind(task), task


def expert_play(adapter: Any, case: Case) -> tuple[Goal | None, Any, set[str]]:
    """(the other goal that is asked for, the last timestep, what was met on the way).

    At every step a success is what says that the asked goal is met.
    """
    seen = adapter.reset(case)
    goals = adapter.other_goals(case)
    asked = asked_goal(case, goals)
    if asked is not None:
        assert seen.instruction == asked.instruction
    assert adapter.goals_met(None) == ()
    action, met = None, set[str]()
    for _ in range(300):
        action = adapter.expert(action)
        assert action is not None
        seen = adapter.step(action)
        now = adapter.goals_met(action)
        assert bool(seen.success) == ((OWN if asked is None else asked.id) in now)
        met.update(now)
        if seen.success or seen.terminated or seen.truncated:
            break
    return asked, seen, met


@pytest.mark.parametrize(("name", "seeds"), SCENES, ids=[name for name, _ in SCENES])
def test_the_expert_reaches_both_goals_and_each_is_judged(name: str, seeds: int) -> None:
    adapter, task = made(name)
    try:
        for seed in range(task.first_seed, task.first_seed + seeds):
            case = Case(task, seed)
            asked, seen, met = expert_play(adapter, case)
            assert asked is None
            assert seen.success
            assert OWN in met
            own = adapter.reset(case).instruction
            goals = adapter.other_goals(case)
            wanted = drawn_goal(case, goals)
            assert wanted is not None
            assert own not in {goal.instruction for goal in goals}
            asked, seen, met = expert_play(adapter, Case(task, seed, OTHER))
            assert asked == wanted
            assert seen.success
            assert asked.id in met
            assert adapter.reset(case).instruction == own, "the next episode has its own goal"
    finally:
        adapter.close()


LEVELS = (
    "GoToDoor-8x8-v0", "GoToObject-6x6-N2-v0", "Fetch-8x8-N3-v0", "PutNear-6x6-N2-v0",
    "PutNear-8x8-N3-v0", "MemoryS9-v0", "MemoryVisibleS9-v0",
)  # fmt: skip


@pytest.mark.parametrize("level", LEVELS)
def test_a_shortest_way_reaches_each_goal_of_minigrids_own_levels(level: str) -> None:
    """MiniGrid has no expert: the way that a search found is played, and the level judges it."""
    task = dataclasses.replace(
        tasks()["minigrid/GoToDoor-8x8"], id=f"minigrid/{level}@1",
        params={"id": f"MiniGrid-{level}"},
    )  # fmt: skip
    adapter, offered = MiniGridAdapter(task), 0
    for seed in range(6):
        plain = Case(task, seed)
        said = adapter.reset(plain).instruction
        scene = adapter._missions_of(plain)
        assert isinstance(scene, LevelGoals)
        goals, ways = adapter.other_goals(plain), {}
        offered += len(goals)
        for goal in (OWN, *(goal.id for goal in goals)):
            ways[goal] = scene.way(goal)
        assert all(goal.instruction != said and goal.differs for goal in goals)
        for case in (plain, Case(task, seed, OTHER)):
            seen = adapter.reset(case)
            asked = asked_goal(case, adapter.other_goals(case))
            wanted = OWN if asked is None else asked.id
            assert seen.instruction == (said if asked is None else asked.instruction)
            assert adapter.goals_met(None) == ()
            way = ways[wanted]
            if way is None:
                assert wanted == OWN, "what is offered can be reached"
                continue
            *before, last = way
            for action in before:
                seen = adapter.step(action)
                assert not seen.success
                assert adapter.goals_met(action) == ()
            assert adapter.step(last).success
            assert wanted in adapter.goals_met(last)
    adapter.close()
    assert offered >= 3


def test_in_minigrid_the_other_goal_is_met_where_the_own_one_was_asked_for() -> None:
    task = tasks()["minigrid/GoToDoor-8x8"]
    adapter, case = MiniGridAdapter(task), Case(task, 3)
    adapter.reset(case)
    goal = adapter.other_goals(case)[0]
    scene = adapter._missions_of(case)
    assert isinstance(scene, LevelGoals)
    adapter.goals_met(None)
    for action in scene.way(goal.id) or ():
        seen = adapter.step(action)
        met = adapter.goals_met(action)
    assert not seen.success
    assert met == (goal.id,)
    adapter.close()


@pytest.mark.heavy
def test_the_cubes_are_stacked_either_way() -> None:
    adapter, task = made("maniskill-planner/StackCube")
    for case in (Case(task, 0), Case(task, 0, OTHER)):
        asked, seen, met = expert_play(adapter, case)
        assert seen.success
        assert met == {OWN if asked is None else asked.id}
    adapter.close()


def test_a_goal_is_drawn_of_those_with_the_fewest_other_words() -> None:
    task = tasks()["babyai/GoToLocalS8N7"]
    goals = [
        Goal("1", "a", ("object", "colour")), Goal("2", "b", ("colour",)),
        Goal("3", "c", ("colour",)), Goal("4", "d", ("object",)),
    ]  # fmt: skip
    drawn = [drawn_goal(Case(task, seed), goals) for seed in range(200)]
    counts = {goal.id: drawn.count(goal) for goal in goals}
    assert counts["1"] == 0
    assert 70 <= counts["4"] <= 130, "each kind of difference is as likely"
    assert min(counts["2"], counts["3"]) >= 25
    assert drawn_goal(Case(task, 0), []) is None
    assert asked_goal(Case(task, 0), goals) is None


BDDL = """(define (problem LIBERO_Tabletop_Manipulation)
  (:init (On bowl_1 main_table_bowl_region))
  (:goal
    (And {})
  )
)
"""


class Scene:
    """What a scene of LIBERO says, without the simulator."""

    def __init__(self, things: set[str], facts: set[tuple[str, ...]]) -> None:
        self.things, self.facts = things, facts

    def knows(self, atom: Sequence[str]) -> bool:
        return set(atom[1:]) <= self.things

    def holds(self, atom: Sequence[str]) -> bool:
        return tuple(atom) in self.facts


def test_goals_of_libero_are_those_of_the_other_files_that_the_scene_knows(tmp_path: Path) -> None:
    assert goal_of(BDDL.format("(On plate_1 Stove_Region) (Open cabinet_1)")) == (
        ("on", "plate_1", "stove_region"),
        ("open", "cabinet_1"),
    )
    for name, goal in (
        ("put_it_on", "(On bowl_1 plate_1)"), ("open_it", "(Open cabinet_1)"),
        ("turn_it_on", "(Turnon stove_1)"), ("push_it", "(On plate_1 front_region)"),
    ):  # fmt: skip
        (tmp_path / f"{name}.bddl").write_text(BDDL.format(goal))
    scene = Scene({"bowl_1", "plate_1", "cabinet_1", "stove_1"}, {("turnon", "stove_1")})
    goals = SceneGoals(scene, tmp_path / "put_it_on.bddl")
    assert [goal.instruction for goal in goals.others()] == ["open it"]
    scene.facts = {("on", "bowl_1", "plate_1"), ("open", "cabinet_1")}
    assert goals.met() == (OWN, "open_it")

"""Habitat's skills by name without the simulator: homes, objects, robot, starts, rules.

With the simulator: test_habitat_skills_sim.py.
"""

from __future__ import annotations

import json
import math
import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from habitatplan import PlanWorld

from adapters.habitat import HabitatSkillsAdapter, fetch, homes, things
from adapters.habitat.flat import Rectangle
from adapters.habitat.skill_episodes import (
    ARM_FROM_ABOVE,
    ARM_TOP,
    INSTRUCTIONS,
    Episode,
    arm_is_free,
    draw,
)
from adapters.habitat.skill_rules import Force, Nav, Pick, Place, Seen, Skill, bearing
from harness.core import Case, Task, TimeStep, UserError
from suites.habitat import SUITES

TASKS = {
    task.params["skill"]: task
    for suite in SUITES
    if suite.name == "habitat-skills"
    for task in suite.tasks
}
URDF = fetch.description()
needs_the_robot = pytest.mark.skipif(URDF is None, reason="the package mani-skill is not installed")


def test_ten_receptacles_that_an_arm_reaches() -> None:
    assert len(homes.RECEPTACLES) == 10
    for number in (*homes.SPLITS["train"][:3], *homes.SPLITS["eval"]):
        home = homes.build(number)
        found = homes.receptacles(home)
        assert len({each.name for each in found}) >= 9
        for each in found:
            assert each.piece.floor.contains(each.top)
            assert 0.4 <= each.height <= 0.9
            away = each.before() - each.centre
            assert away @ each.front == pytest.approx(np.linalg.norm(away[[0, 2]]))
            assert away @ each.front < 0.9, "its middle is within reach from its front"
            assert each.above(each.centre) == (0.0, 0.0)
            assert each.above(each.before())[0] == pytest.approx(0.42)


def test_homes_for_training_and_for_evaluation_are_others() -> None:
    train, evaluated = (set(homes.SPLITS[split]) for split in ("train", "eval"))
    assert not train & evaluated
    assert all(task.params["split"] == "eval" for task in TASKS.values())
    plans = {json.dumps([str(piece) for piece in homes.build(n).pieces]) for n in train | evaluated}
    assert len(plans) == len(train) + len(evaluated), "no two homes are furnished alike"
    assert max(homes.build(n).depth for n in train | evaluated) < homes.SPACING - 4


def test_twenty_objects_with_faces_to_the_outside(tmp_path: Path) -> None:
    assert len(things.THINGS) == 20
    paths = things.write(tmp_path)
    for (name, thing), path in zip(things.THINGS.items(), paths):
        config = json.loads(Path(path).read_text())
        assert config["mass"] == thing.mass
        assert (tmp_path / config["render_asset"]).read_bytes()[:4] == b"glTF"
        assert all(0.02 < length < 0.25 for length in things.size(thing)), name
        points = np.concatenate([corners for _, corners in things.quads(thing)])
        assert points.min(0) + points.max(0) == pytest.approx(np.zeros(3), abs=1e-9)
        if len(thing.turned) == 1 and not thing.blocks:
            for _, corners in things.quads(thing):
                normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
                assert normal @ corners.mean(0) > 0, f"a face of the {name} shows to the inside"


@needs_the_robot
def test_the_arm_reaches_what_stands_on_receptacles() -> None:
    assert URDF is not None
    arm = fetch.Arm(URDF)
    at, points = arm.tip(fetch.START)
    assert at == pytest.approx([0.642, -0.241, 0.913], abs=0.001)
    assert points[2] < -0.98, "the gripper points to the floor"
    for height in sorted({height for _, _, height in homes.RECEPTACLES.values()}):
        goal = np.array([0.68, 0.0, height + 0.08])
        joints = arm.reach(goal, fetch.START)
        assert joints is not None
        assert np.linalg.norm(arm.tip(joints)[0] - goal) < 0.02
        assert ((arm.low <= joints) & (joints <= arm.high)).all()
    assert arm.reach((2.0, 0.0, 0.5), fetch.START) is None
    places = arm.places(fetch.START)
    for ahead, left in ARM_FROM_ABOVE:
        near = np.hypot(places[:, 0] - ahead, places[:, 1] - left)
        assert near.min() < 0.02, "the arm's outline is its kinematics'"
    assert places[:, 2].min() > ARM_TOP


@needs_the_robot
def test_in_the_robots_copy_the_arm_alone_moves(tmp_path: Path) -> None:
    assert URDF is not None
    root = ElementTree.parse(fetch.write(tmp_path, URDF)).getroot()
    moving = [joint.get("name") for joint in root.iter("joint") if joint.get("type") != "fixed"]
    assert moving == list(fetch.ARM)
    assert not [link for link in root.iter("link") if str(link.get("name")).startswith("root")]
    torso = next(joint for joint in root.iter("joint") if joint.get("name") == "torso_lift_joint")
    assert torso.find("origin").get("xyz") == "-0.086875 0 0.52743"  # type: ignore[union-attr]
    for mesh in root.iter("mesh"):
        assert Path(str(mesh.get("filename"))).is_file()
    shapes = {str(link.get("name")): len(link.findall("collision")) for link in root.iter("link")}
    assert shapes["base_link"] == shapes["torso_lift_link"] == shapes["head_pan_link"] == 1


def test_objects_start_on_the_surfaces_that_bullet_sees() -> None:
    stage = json.loads(Path(homes.written("eval", os.getpid())).read_text())
    for seed in range(3):
        episode = drawn("pick", seed)
        place, half = episode.placed[0][1], things.size(things.THINGS[episode.thing])[1] / 2
        above = place[1] - half - max(goal.height for goal in episode.goals)
        assert above == pytest.approx(stage["margin"], abs=1e-9)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<robot><link name='a'><mesh filename='../../x.stl'/></link></robot>", "outside of its"),
        ("<robot>", "is no URDF"),
        ("<!DOCTYPE x [<!ENTITY a 'b'>]><robot/>", "entities"),
        ("<robot/>", "no chain of joints"),
    ],
)
def test_a_description_that_is_none_is_refused(text: str, words: str, tmp_path: Path) -> None:
    source = tmp_path / "in" / "fetch.urdf"
    source.parent.mkdir()
    source.write_text(text)

    def read() -> None:
        fetch.write(tmp_path, source)
        fetch.Arm(source)

    with pytest.raises(UserError, match=words):
        read()


def drawn(kind: str, seed: int) -> Episode:
    """An episode, with the plan of the home in place of a navmesh."""

    def snap(point: np.ndarray) -> np.ndarray | None:
        number, z = divmod(point[2], homes.SPACING)
        home = homes.build(homes.SPLITS["eval"][int(number)])
        spot = Rectangle(point[0], z, point[0], z).grown(0.3)
        rooms = (home.corridor, *(room.floor for room in home.rooms))
        free = not any(piece.floor.meets(spot) for piece in home.pieces)
        return point.copy() if free and any(room.contains(spot) for room in rooms) else None

    return draw(Case(TASKS[kind], seed), kind, "eval", snap, lambda start, end: 5.0)


@pytest.mark.parametrize("kind", ["pick", "place", "nav"])
def test_starts(kind: str) -> None:
    episodes = [drawn(kind, seed) for seed in range(40)]
    assert len({each.home for each in episodes}) > 10
    assert {each.home for each in episodes} <= set(homes.SPLITS["eval"])
    assert len({each.receptacle for each in episodes}) >= 8
    errors = []
    for each in episodes:
        assert each.receptacle in each.instruction
        assert each.thing in each.instruction
        assert {goal.name for goal in each.goals} == {each.receptacle}
        names = [name for name, _, _ in each.placed]
        assert len(set(names)) == len(names)
        focus = [goal.centre + each.corner for goal in each.goals]
        if kind == "pick":
            assert names[0] == each.thing
            focus = [each.placed[0][1]]
            on = [goal.above(focus[0] - each.corner) for goal in each.goals]
            assert any(apart == 0.0 and 0.0 < rise < 0.2 for apart, rise in on)
        far, off = min(bearing(each.start, each.heading, point) for point in focus)
        errors.append(abs(off))
        assert far > 3.0 if kind == "nav" else far <= 2.0
    assert max(errors) > 1.5
    if kind != "nav":
        # The mean of |N(0, 1.57)|, wrapped, is 1.2; of any heading it would be 1.57.
        assert np.mean(errors) < 1.45
    again = drawn(kind, 3)
    assert again.instruction == episodes[3].instruction
    assert np.array_equal(again.start, episodes[3].start)


def test_the_arm_keeps_clear_of_walls_and_tall_furniture() -> None:
    home = homes.build(60)
    room = home.rooms[0].floor
    middle = (room.x0 + room.x1) / 2
    assert not arm_is_free(home, room, middle, room.z0 + 0.4, math.pi / 2), "it faces the wall"
    table = home.of("worktop")[0]
    receptacle = next(each for each in homes.receptacles(home) if each.piece == table)
    at = receptacle.before()
    heading = math.atan2(receptacle.front[2], -receptacle.front[0])
    inside = home.rooms[table.room].floor
    assert not arm_is_free(home, inside, at[0], at[2], heading), "it would be in the worktop"


def play(skill: Skill, *seen: Seen) -> list[float]:
    rewards = []
    for each in seen:
        assert not skill.over, "the episode had ended"
        rewards.append(skill.step(each))
    return rewards


NEAR = Seen(tip_to_rest=0.6, tip_to_object=0.1)


def test_pick() -> None:
    skill = Pick(Seen(tip_to_rest=0.3, tip_to_object=0.5), "apple")
    rewards = play(
        skill,
        Seen(tip_to_rest=0.4, tip_to_object=0.4),
        NEAR,
        Seen(held="apple", tip_to_rest=0.6),
        Seen(held="apple", tip_to_rest=0.2),
        Seen(held="apple", tip_to_rest=0.149),
    )
    assert rewards == pytest.approx([-0.005, 0.595, 1.995, 0.795, 10.097])
    assert (skill.success, skill.over) == (True, True)
    assert skill.metrics()["drops"] == 0


@pytest.mark.parametrize(
    ("what", "course", "drops"),
    [
        ("a wrong object", [NEAR, Seen(held="pear", tip_to_rest=0.1)], 0),
        ("a drop", [Seen(held="apple", tip_to_rest=0.5), Seen(slipped=True, tip_to_rest=0.1)], 1),
        ("too much force", [Seen(held="apple", tip_to_rest=0.5, force=10_001.0)], 0),
        ("much force, again and again", [Seen(force=f) for f in (4e3, 0, 4e3, 0, 4e3)], 0),
    ],
)
def test_what_ends_a_pick(what: str, course: list[Seen], drops: int) -> None:
    skill = Pick(Seen(), "apple")
    play(skill, *course)
    assert (skill.success, skill.over) == (False, True), what
    assert skill.metrics()["drops"] == drops


def test_what_is_no_success_of_pick() -> None:
    skill = Pick(Seen(), "apple")
    play(
        skill,
        Seen(tip_to_rest=0.0, tip_to_object=0.0),
        Seen(held="apple", tip_to_rest=0.15),
    )
    assert (skill.success, skill.over) == (False, False), "below 0.15 m, not at it"


def test_place() -> None:
    carried = Seen(held="apple", object_to_goal=0.5, tip_to_rest=0.5)
    skill = Place(carried)
    above = Seen(held="apple", at_goal=True, object_to_goal=0.1, tip_to_rest=0.1)
    play(skill, carried, above)
    assert (skill.success, skill.over) == (False, False), "it still holds the object"
    rewards = play(
        skill,
        Seen(at_goal=True, tip_to_rest=0.5),
        Seen(at_goal=True, tip_to_rest=0.1),
    )
    assert rewards == pytest.approx([4.995, 10.795])
    assert (skill.success, skill.over, skill.drops) == (True, True, 0)


def test_letting_go_elsewhere_ends_a_place() -> None:
    skill = Place(Seen(held="apple"))
    play(skill, Seen(object_to_goal=0.5, tip_to_rest=0.1))
    assert (skill.success, skill.over, skill.drops) == (False, True, 1)


@pytest.mark.parametrize(
    ("seen", "success", "over"),
    [
        (Seen(goal_distance=1.4, goal_angle=0.2, stop=True), True, True),
        (Seen(goal_distance=1.4, goal_angle=0.2), False, False),
        (Seen(goal_distance=1.5, goal_angle=0.2, stop=True), False, True),
        (Seen(goal_distance=1.4, goal_angle=0.27, stop=True), False, True),
    ],
)
def test_nav(seen: Seen, success: bool, over: bool) -> None:
    skill = Nav(Seen(goal_distance=4.0, goal_angle=2.0))
    play(skill, seen)
    assert (skill.success, skill.over) == (success, over)


def test_nav_rewards_the_way_and_near_the_goal_the_turn() -> None:
    skill = Nav(Seen(goal_distance=4.0, goal_angle=2.0))
    rewards = play(
        skill,
        Seen(goal_distance=3.5, goal_angle=1.0),
        Seen(goal_distance=2.5, goal_angle=1.0),
        Seen(goal_distance=2.5, goal_angle=0.7),
    )
    assert rewards == pytest.approx([0.495, 0.995, 0.295])


def test_force_accumulates_where_it_rises_by_more_than_20_n() -> None:
    force = Force(0.0)
    for now in (15.0, 19.0, 60.0, 10.0, 25.0, 45.0):
        force.add(now)
    assert (force.accumulated, force.most) == (60.0 + 35.0, 60.0)


def test_bearing() -> None:
    assert bearing((1.0, 0.0, 1.0), 0.0, (3.0, 0.5, 1.0)) == pytest.approx((2.0, 0.0))
    assert bearing((0.0, 0.0, 0.0), 0.0, (0.0, 0.0, -1.0)) == pytest.approx((1.0, math.pi / 2))
    assert bearing((0.0, 0.0, 0.0), math.pi / 2, (0.0, 0.0, -1.0))[1] == pytest.approx(0.0)


def test_unknown_params_are_refused() -> None:
    for wrong in ({"skill": "dance", "split": "eval"}, {"skill": "pick", "split": "test"}):
        with pytest.raises(UserError, match="wants skill = pick, place, nav and split = train"):
            HabitatSkillsAdapter(Task("habitat/x@1", "manipulation", "a:B", wrong))


def test_every_instruction_names_what_is_wanted() -> None:
    said = {kind: text.format(thing="T", receptacle="R") for kind, text in INSTRUCTIONS.items()}
    assert said == {
        "pick": "Pick up the T from the R.",
        "place": "Place the T on the R.",
        "nav": "Go to the R.",
    }


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], HabitatSkillsAdapter]:
    """Makes an adapter over the plan of the homes, without physics."""
    if URDF is None:
        pytest.skip("the package mani-skill is not installed")
    monkeypatch.setattr("adapters.habitat.skills.RobotWorld", PlanWorld)
    return lambda kind: HabitatSkillsAdapter(TASKS[kind])


def run(adapter: HabitatSkillsAdapter, case: Case) -> tuple[TimeStep, int]:
    """The expert's episode."""
    timestep, steps = adapter.reset(case), 0
    stages, reached = adapter.stages(case.task), [adapter.stage()]
    assert case.task.max_steps is not None
    while not timestep.terminated and steps < case.task.max_steps:
        action = adapter.expert(None)
        assert action is not None, f"the expert is at a loss in {timestep.instruction}"
        assert adapter.brief.action.problem(action) is None
        timestep, steps = adapter.step(action), steps + 1
        reached.append(adapter.stage())
    assert sorted(reached) == reached
    assert reached[-1] == len(stages) - 1, "all but the last, which is the success itself"
    assert adapter.failure_mode() == ()
    return timestep, steps


@pytest.mark.parametrize("kind", ["pick", "place", "nav"])
def test_the_expert_follows_the_plan_of_a_home(
    kind: str, build: Callable[[str], HabitatSkillsAdapter]
) -> None:
    adapter = build(kind)
    for seed in range(2):
        timestep, steps = run(adapter, Case(TASKS[kind], seed))
        assert timestep.success is True, timestep.instruction
        assert timestep.terminated
        assert steps > 20
        assert timestep.metrics["path_length"] > (2.0 if kind == "nav" else 0.0)
        assert timestep.metrics["contact_force_max"] == 0
        assert timestep.metrics.get("drops", 0) == 0


def test_views_and_actions_without_physics(build: Callable[[str], HabitatSkillsAdapter]) -> None:
    for kind in TASKS:
        adapter = build(kind)
        timestep = adapter.reset(Case(TASKS[kind], 1))
        for name, spec in adapter.brief.observation.items():
            assert spec.problem(timestep.observation[name]()) is None, (kind, name)
        proprio = timestep.observation["proprio"]()
        assert proprio == pytest.approx(
            [0, 0, 0] if kind == "nav" else [*fetch.START, float(kind == "place"), *proprio[8:]]
        )
        for _ in range(3):
            still = adapter.step(adapter.brief.action.noop())
            assert (still.success, still.terminated) == (False, False)
        assert still.metrics["path_length"] == 0
        assert (adapter._world.held is not None) == (kind == "place")


def test_a_wrong_object_ends_a_pick(build: Callable[[str], HabitatSkillsAdapter]) -> None:
    adapter = build("pick")
    adapter.reset(Case(TASKS["pick"], 0))
    world: Any = adapter._world
    wrong = adapter._episode.placed[1][0]
    world._places[wrong] = world.tip()
    timestep = adapter.step(np.array([0] * 7 + [1, 0, 0], np.float32))
    assert world.held == wrong
    assert (timestep.success, timestep.terminated) == (False, True)
    assert (adapter.stage(), adapter.failure_mode()) == (0, ("wrong_object",))


def test_a_stop_away_from_the_receptacle_is_early(
    build: Callable[[str], HabitatSkillsAdapter],
) -> None:
    adapter, case = build("nav"), Case(TASKS["nav"], 0)
    adapter.reset(case)
    assert adapter.step(np.array([0, 0, 1], np.float32)).terminated
    assert (adapter.stage(), adapter.failure_mode()) == (0, ("stopped_early",))
    told = adapter.factors(case)
    assert told["object"] == adapter._episode.receptacle
    assert told["scene"] == f"home {adapter._episode.home}"


def test_letting_go_beside_the_receptacle_is_a_drop(
    build: Callable[[str], HabitatSkillsAdapter],
) -> None:
    adapter = build("place")
    adapter.reset(Case(TASKS["place"], 2))
    timestep = adapter.step(np.array([0] * 7 + [-1, 0, 0], np.float32))
    assert (timestep.success, timestep.terminated) == (False, True)
    assert timestep.metrics["drops"] == 1


def test_force_ends_an_episode_and_contacts_count(
    build: Callable[[str], HabitatSkillsAdapter],
) -> None:
    adapter = build("pick")
    adapter.reset(Case(TASKS["pick"], 0))
    still = adapter.brief.action.noop()
    world: Any = adapter._world
    world.force = 60.0
    timestep = adapter.step(still)
    assert timestep.metrics["collisions"] == 1
    assert timestep.metrics["contact_force_max"] == 60.0
    assert not timestep.terminated
    world.force = 10_100.0
    timestep = adapter.step(still)
    assert (timestep.success, timestep.terminated) == (False, True)


def test_what_holds_the_base_up_is_a_collision(
    build: Callable[[str], HabitatSkillsAdapter],
) -> None:
    adapter = build("nav")
    adapter.reset(Case(TASKS["nav"], 0))
    for _ in range(200):
        timestep = adapter.step(np.array([1, 0, -1], np.float32))
    assert timestep.metrics["collisions"] > 20
    assert timestep.metrics["path_length"] < 200 / 12
    stopped = adapter.step(np.array([0, 0, 1], np.float32))
    assert (stopped.success, stopped.terminated) == (False, True)

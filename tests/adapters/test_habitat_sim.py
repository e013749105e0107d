"""Habitat with the simulator: contract, expert, views, and a user's dataset over a flat."""

from __future__ import annotations

import dataclasses
import json
import math
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("habitat_sim")

from adapters.habitat import HabitatAdapter, flat
from adapters.habitat.metrics import pointgoal, yaw
from harness.core import Case, Task, TimeStep
from harness.testing import check_adapter
from suites.habitat import SUITES

TASKS = {task.name: task for task in SUITES[0].tasks}
STOP, FORWARD, LEFT, RIGHT = range(4)


def small(name: str, **params: object) -> Task:
    task = TASKS[name]
    return dataclasses.replace(
        task, params={**task.params, "width_px": 64, "height_px": 48, **params}
    )


@pytest.fixture
def build() -> Iterator:
    built: list[HabitatAdapter] = []

    def build(task: Task) -> HabitatAdapter:
        built.append(HabitatAdapter(task))
        return built[-1]

    yield build
    for adapter in built:
        adapter.close()


def play(adapter: HabitatAdapter, case: Case) -> tuple[TimeStep, int]:
    timestep, steps = adapter.reset(case), 0
    while not timestep.terminated and steps < 500:
        action = adapter.expert(None)
        assert action is not None, (
            f"the expert is stuck in {case.task.id}, seed {case.seed}, step {steps}"
        )
        timestep, steps = adapter.step(action), steps + 1
    return timestep, steps


@pytest.mark.slow
@pytest.mark.parametrize("name", TASKS)
def test_contract(name: str) -> None:
    check_adapter(small(name), steps=25, another_process=name == "habitat/objectnav-flat")


@pytest.mark.parametrize("name", TASKS)
def test_the_expert_reaches_the_goal(name: str, build) -> None:
    task = small(name)
    adapter = build(task)
    for seed in range(5):
        timestep, steps = play(adapter, Case(task, seed))
        assert timestep.success is True
        metrics = timestep.metrics
        assert metrics["distance_to_goal"] < 0.2
        assert 2.0 <= metrics["shortest_path"] <= 20.0
        assert 0.7 < metrics["spl"] <= 1.0
        assert metrics["path_length"] <= 0.25 * steps + 1e-6


def test_the_flats_are_walkable_as_drawn(build) -> None:
    task = small("habitat/pointnav-flat")
    adapter = build(task)
    adapter.reset(Case(task, 0))
    for home in map(flat.build, range(flat.FLATS)):
        corner = flat.corner(home)
        middle = corner + np.array([home.width / 2, 0.0, (home.corridor.z0 + home.corridor.z1) / 2])
        assert adapter._on_floor(middle) == pytest.approx(middle, abs=0.25)
        assert adapter._on_floor(corner + np.array([-1.0, 0.0, 1.0])) is None, "outside"
        for room in home.rooms:
            door = corner + np.array(
                [room.door + flat.DOOR / 2, 0.0, room.floor.z1 if room.north else room.floor.z0]
            )
            assert adapter._on_floor(door) is not None
            assert math.isfinite(adapter._world.way(door, np.array([middle])))
        for category in home.categories:
            for piece in home.of(category):
                alone = dataclasses.replace(home, pieces=(piece,))
                points = [
                    adapter._on_floor(point) for point in flat.view_points(alone, category) + corner
                ]
                assert any(
                    point is not None
                    and math.isfinite(adapter._world.way(point, np.array([middle])))
                    for point in points
                )


def test_the_cameras_are_where_the_body_stands(build) -> None:
    """Along the corridor, the end wall is as far away as the plan says; +x is to the right."""
    task = small("habitat/pointnav-flat")
    adapter = build(task)
    adapter.reset(Case(task, 0))
    home = flat.build(2)
    place = flat.corner(home) + np.array([3.0, 0.2, (home.corridor.z0 + home.corridor.z1) / 2])
    adapter._world.place(place, yaw(-math.pi / 2))
    assert adapter._world.draw("depth")[24, 32] == pytest.approx(home.width - 3.0, abs=0.05)
    adapter._world.place(place, yaw(math.pi / 2))
    assert adapter._world.draw("depth")[24, 32] == pytest.approx(3.0, abs=0.05)
    image = adapter._world.draw("image")
    assert image[:12].mean() > image[36:].mean(), "the ceiling is up, and brighter than the floor"


def test_turns_and_the_goal_in_the_bodys_frame(build) -> None:
    task = small("habitat/pointnav-flat")
    adapter = build(task)
    first = adapter.reset(Case(task, 1))
    distance, angle = first.observation["state_pointgoal"]()
    second = adapter.step(LEFT)
    turned = second.observation["state_pointgoal"]()
    assert turned[0] == pytest.approx(distance, abs=1e-4)
    assert math.remainder(turned[1] - angle + math.radians(10), 2 * math.pi) == pytest.approx(
        0, abs=1e-3
    )
    assert second.observation["proprio"]()[2] == pytest.approx(math.radians(10), abs=1e-3)
    state = second.observation["state"]()
    assert pointgoal(state[:3], yaw(math.atan2(state[4], state[3])), state[5:]) == pytest.approx(
        tuple(turned), abs=1e-3
    )
    for _ in range(36):
        timestep = adapter.step(FORWARD)
    assert timestep.metrics["collisions"] > 0, "nine metres ahead there is a wall"
    assert timestep.metrics["path_length"] < 9.0
    assert timestep.success is False


def test_the_picture_is_what_is_seen_at_the_goal(build) -> None:
    task = small("habitat/imagenav-flat")
    adapter = build(task)
    case = Case(task, 0)
    timestep = adapter.reset(case)
    goal = timestep.observation["image_goal"]()
    assert not np.array_equal(goal, timestep.observation["image"]())
    episode = adapter._drawn(case)
    adapter._world.place(episode.ends[0], yaw(episode.goal_heading))
    assert np.array_equal(adapter._world.draw("image"), goal)


def test_the_camera_tilts_and_is_level_again_after_a_reset(build) -> None:
    task = small("habitat/objectnav-flat")
    adapter = build(task)
    first = adapter.reset(Case(task, 0))
    level = first.observation["image"]()
    assert "find a" in first.instruction.lower()
    up = adapter.step(4)
    assert up.reward == 0
    assert not np.array_equal(up.observation["image"](), level)
    assert np.array_equal(adapter.step(5).observation["image"](), level)
    adapter.step(4)
    assert np.array_equal(adapter.reset(Case(task, 0)).observation["image"](), level)


def test_a_users_dataset_over_a_users_scene(build, tmp_path: Path) -> None:
    home = flat.build(0)
    scenes = tmp_path / "scene_datasets/ours"
    scenes.mkdir(parents=True)
    flat.write(scenes)
    middle = (home.corridor.z0 + home.corridor.z1) / 2
    data = [
        {
            "episode_id": str(number),
            "scene_id": "data/scene_datasets/ours/flats.stage_config.json",
            "start_position": [1.0, 0.05, middle],
            "start_rotation": [0.0, math.sin(angle / 2), 0.0, math.cos(angle / 2)],
            "goals": [{"position": [x, 0.05, middle], "radius": None}],
        }
        for number, (x, angle) in enumerate([(5.0, 0.0), (9.0, -math.pi / 2)])
    ]
    path = tmp_path / "datasets/ours.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"episodes": data}))
    params = {
        name: value
        for name, value in small("habitat/pointnav-flat").params.items()
        if name not in ("scene", "flats")
    }
    task = dataclasses.replace(
        TASKS["habitat/pointnav-flat"],
        id="ours/pointnav@1",
        params={
            **params,
            "data": str(tmp_path),
            "dataset": "datasets/ours.json",
            "scenes": "scene_datasets",
        },
    )
    adapter = build(task)
    for seed, length in ((0, 4.0), (1, 8.0), (2, 4.0)):
        first = adapter.reset(Case(task, seed))
        assert first.metrics["shortest_path"] == pytest.approx(length, abs=0.05)
    distance, angle = adapter.reset(Case(task, 1)).observation["state_pointgoal"]()
    assert (distance, angle) == (pytest.approx(8.0, abs=0.01), pytest.approx(0.0, abs=1e-3)), (
        "it looks along +x, as the file says"
    )
    timestep, steps = play(adapter, Case(task, 1))
    assert timestep.success is True
    assert timestep.metrics["spl"] > 0.98
    assert steps < 40


@pytest.mark.slow
def test_environments_of_one_process_close_in_any_order() -> None:
    task = small("habitat/pointnav-flat")
    one, two, three = (HabitatAdapter(task) for _ in range(3))
    pictures = [
        adapter.reset(Case(task, seed)).observation["image"]()
        for seed, adapter in enumerate((one, two, three))
    ]
    one.close()
    assert np.array_equal(two._world.draw("image"), pictures[1])
    three.close()
    assert np.array_equal(two._world.draw("image"), pictures[1])
    two.close()
    four = HabitatAdapter(task)
    assert np.array_equal(four.reset(Case(task, 0)).observation["image"](), pictures[0])
    four.close()


@pytest.mark.slow
def test_an_adapter_may_be_closed_in_another_thread() -> None:
    task = small("habitat/pointnav-flat")
    made: list = []

    def play_there() -> None:
        adapter = HabitatAdapter(task)
        made.append((adapter, adapter.reset(Case(task, 0)).observation["image"]()))

    worker = threading.Thread(target=play_there)
    worker.start()
    worker.join()
    adapter, picture = made[0]
    adapter.close()
    here = HabitatAdapter(task)
    assert np.array_equal(here.reset(Case(task, 0)).observation["image"](), picture)
    here.close()

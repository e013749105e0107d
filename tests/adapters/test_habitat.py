"""Habitat without the simulator: metrics on known paths, frames, tasks.

With the simulator: test_habitat_sim.py. On a stand-in for habitat-lab: test_habitat_lab.py.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from habitatground import OpenGround

from adapters.habitat import HabitatAdapter
from adapters.habitat.episodes import Episode
from adapters.habitat.metrics import Way, compass, heading, pointgoal, rotate_back, yaw
from adapters.habitat.stages import factors_of
from harness.core import Case, UserError
from suites.habitat import SUITES

TASKS = {task.name: task for suite in SUITES for task in suite.tasks}


def test_metrics_of_a_known_path() -> None:
    way = Way((0.0, 0.0, 0.0), 4.0, near=0.2)
    assert way.metrics()["soft_spl"] == 0
    assert way.moved((3.0, 0.0, 0.0), False, 5.0) == -1.0
    assert way.moved((3.0, 0.0, 0.0), True, 5.0) == 0.0
    assert way.moved((3.0, 0.0, 2.0), False, 0.1) == pytest.approx(4.9)
    assert (way.success, way.metrics()["spl"]) == (False, 0.0)
    way.stopped = True
    assert way.success
    assert way.metrics() == pytest.approx(
        {
            "distance_to_goal": 0.1,
            "spl": 4 / 5,
            "soft_spl": (1 - 0.1 / 4) * 4 / 5,
            "collisions": 1,
            "path_length": 5.0,
            "shortest_path": 4.0,
        }
    )


def test_a_path_shorter_than_the_shortest_has_an_spl_of_one() -> None:
    way = Way((0.0, 0.0, 0.0), 4.0, near=0.5)
    way.moved((0.0, 0.0, -3.6), False, 0.4)
    way.stopped = True
    assert way.metrics()["spl"] == 1.0
    assert way.metrics()["soft_spl"] == pytest.approx(0.9)


def test_stopping_at_the_very_success_distance_is_no_success() -> None:
    way = Way((0.0, 0.0, 0.0), 4.0, near=0.2)
    way.moved((0.0, 0.0, -3.8), False, 0.2)
    way.stopped = True
    assert (way.success, way.metrics()["spl"]) == (False, 0.0), (
        "the distance must be smaller, not equal"
    )
    assert way.metrics()["soft_spl"] == pytest.approx(0.95)


@pytest.mark.parametrize(
    ("what", "steps", "stopped"),
    [
        ("it stops at once", [], True),
        ("it turns on the spot and stops", [(0.0, 4.0)] * 30, True),
        ("it walks away and stops", [(-1.0, 5.0)], True),
        ("it stands at the goal and never stops", [(-3.95, 0.05)], False),
        ("it passes the goal and stops behind it", [(-4.0, 0.0), (-4.3, 0.3)], True),
        ("it stops behind the wall beside the goal", [(-3.9, 3.5)], True),
    ],
)
def test_wrong_behaviours_have_no_success(
    what: str, steps: list[tuple[float, float]], stopped: bool
) -> None:
    """Steps: (z in m, the distance left in m along the floor)."""
    way = Way((0.0, 0.0, 0.0), 4.0, near=0.2)
    for z, left in steps:
        way.moved((0.0, 0.0, z), False, left)
    way.stopped = stopped
    assert not way.success
    assert way.metrics()["spl"] == 0


@pytest.mark.parametrize("distance", [0.0, -1.0, math.inf, math.nan])
def test_a_shortest_path_without_length_cannot_be_scored(distance: float) -> None:
    with pytest.raises(ValueError, match="positive and finite"):
        Way((0.0, 0.0, 0.0), distance, near=0.2)


def test_a_turn_to_the_left_is_positive() -> None:
    left = yaw(math.pi / 2)
    assert heading(left) == pytest.approx(math.pi / 2)
    assert rotate_back(left, (-1.0, 0.0, 0.0)) == pytest.approx([0.0, 0.0, -1.0]), (
        "after a left turn, ahead is -x"
    )
    assert pointgoal((0.0, 0.0, 0.0), yaw(0.0), (0.0, 5.0, -2.0)) == pytest.approx((2.0, 0.0)), (
        "ahead; height does not count"
    )
    assert pointgoal((0.0, 0.0, 0.0), yaw(0.0), (-1.0, 0.0, 0.0)) == pytest.approx(
        (1.0, math.pi / 2)
    ), "to the left"
    assert pointgoal((1.0, 0.0, 1.0), left, (1.0, 0.0, -2.0)) == pytest.approx(
        (3.0, -math.pi / 2)
    ), "to the right"
    assert compass(yaw(3.0), yaw(-3.0)) == pytest.approx(6.0 - 2 * math.pi)


def test_the_protocols_are_those_of_habitat_lab() -> None:
    gibson, hm3d, picture = (
        TASKS[name]
        for name in (
            "habitat-pointnav/gibson-val",
            "habitat-objectnav/hm3d-val",
            "habitat-imagenav/gibson-val",
        )
    )
    assert (
        gibson.max_steps,
        gibson.params["near"],
        gibson.params["turn"],
        gibson.params["forward"],
    ) == (500, 0.2, 10.0, 0.25)
    assert (hm3d.max_steps, hm3d.params["near"], hm3d.params["turn"], hm3d.params["radius"]) == (
        500,
        0.1,
        30.0,
        0.18,
    )
    assert (picture.max_steps, picture.params["near"], picture.params["width_px"]) == (
        1000,
        0.2,
        256,
    )
    assert [TASKS[f"habitat-rearrange/{skill}"].max_steps for skill in ("pick", "place")] == [
        300,
        300,
    ]
    walks = [task for task in TASKS.values() if task.domain == "navigation"]
    assert {task.score for task in walks if task.name != "habitat/nav"} == {"spl"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "pointnaw"}, "there is no kind 'pointnaw'"),
        ({"flats": 11}, "flats from 1 to 10"),
        ({"scene": "house"}, "wants a `dataset`"),
    ],
)
def test_a_wrong_param_is_named(change: dict, said: str) -> None:
    task = TASKS["habitat/pointnav-flat"]
    with pytest.raises(UserError, match=said):
        HabitatAdapter(dataclasses.replace(task, params={**task.params, **change}))


@pytest.mark.parametrize("name", ["habitat/pointnav-flat", "habitat/objectnav-flat"])
def test_stages_count_the_way_and_a_stop_elsewhere_is_early(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.habitat.adapter.World", OpenGround)
    task, stages = TASKS[name], HabitatAdapter.stages(TASKS[name])
    adapter = HabitatAdapter(task)
    adapter.reset(Case(task, 2))
    reached = [adapter.stage()]
    for _ in range(200):
        step = adapter.step(adapter.expert(None))
        reached.append(adapter.stage())
        if step.terminated:
            break
    assert step.success
    assert sorted(reached) == reached
    assert set(reached) == set(range(len(stages))), "the last stage is the success itself"
    assert adapter.failure_mode() == ()
    told = adapter.factors(Case(task, 2))
    assert told["scene"].startswith("flat ")
    assert ("object" in told) == (name == "habitat/objectnav-flat")
    adapter.reset(Case(task, 2))
    assert (adapter.stage(), adapter.factors(Case(task, 2))) == (0, told)
    adapter.step(0)
    assert adapter.failure_mode() == ("stopped_early",)
    assert set(adapter.failure_mode()) <= set(HabitatAdapter.failure_modes(task))


def test_the_scene_of_a_dataset_is_its_file() -> None:
    episode = Episode("7", "/data/gibson/Cantwell.glb", "default", (0.0, 0.0, 0.0),
                      (1.0, 0.0, 0.0, 0.0), np.zeros((1, 3), np.float32), "chair")  # fmt: skip
    assert factors_of(episode) == {"scene": "scene Cantwell.glb", "object": "chair"}

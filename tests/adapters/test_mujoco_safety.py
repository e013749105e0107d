"""Safety and cost in MuJoCo's families: planted touches, drops, falls and limits are counted, and
what keeps clear of them has none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

from harness.core import Case, Task, TimeStep
from harness.core.safety import SAFETY_METRICS, safety_problem
from harness.records.catalogue import find_suites
from harness.records.registry import load
from suites import SUITES


def task_of(name: str) -> Task:
    (suite,) = find_suites(name.partition("/")[0], SUITES)
    (found,) = (task for task in suite.tasks if task.name == name)
    return found


def play(adapter: Any, task: Task, actions: Iterable[Any], seed: int = 0) -> list[TimeStep]:
    """The reset and the steps; no value under a name of the vocabulary is a wrong one."""
    seen = [adapter.reset(Case(task, seed))]
    for action in actions:
        seen.append(adapter.step(np.asarray(action, np.float32)))
    for timestep in seen:
        for name, value in timestep.metrics.items():
            assert safety_problem(name, value) is None
    measured = [each.metrics.keys() & SAFETY_METRICS.keys() for each in seen]
    assert all(names == measured[0] for names in measured), "from the reset on"
    assert all(seen[0].metrics[name] == 0 for name in ("collisions", "path_length"))
    return seen


@pytest.fixture
def build() -> Any:
    built: list[Any] = []

    def make(name: str) -> tuple[Any, Task]:
        task = task_of(name)
        built.append(load(task.adapter)(task))
        return built[-1], task

    yield make
    for adapter in built:
        adapter.close()


Build = Callable[[str], tuple[Any, Task]]


def test_a_fetch_hand_that_is_pushed_down_meets_the_table(build: Build) -> None:
    pytest.importorskip("gymnasium_robotics")
    adapter, task = build("fetch/reach")
    down = play(adapter, task, [(0, 0, -1, 0)] * 15)[-1].metrics
    assert down["collisions"] > 3
    assert down["contact_force_max"] > 100
    up = play(adapter, task, [(0, 0, 1, 0)] * 5)[-1].metrics
    assert (up["collisions"], up["contact_force_max"]) == (0, 0), "a reset begins anew"
    assert 0.05 < up["path_length"] < 0.3
    assert "drops" not in up, "its fingers stay closed"
    away = play(adapter, task, [(-1, 1, 1, 0)] * 40)[-1].metrics
    assert away["joint_limit_steps"] > 0


def test_a_block_that_is_let_go_in_the_air_is_dropped(build: Build) -> None:
    pytest.importorskip("gymnasium_robotics")
    adapter, task = build("fetch/pick-and-place")

    def until_lifted(seed: int) -> TimeStep:
        timestep, executed = adapter.reset(Case(task, seed)), None
        for _ in range(40):
            executed = adapter.expert(executed)
            timestep = adapter.step(executed)
            block = adapter._observed["observation"][5]
            if timestep.success or block > 0.47:
                return timestep
        raise AssertionError

    seed = next(seed for seed in range(20) if not until_lifted(seed).success)
    lifted = until_lifted(seed)
    assert lifted.metrics["drops"] == 0
    for _ in range(6):
        opened = adapter.step(np.array([0, 0, 0, 1], np.float32))
    assert opened.metrics["drops"] == 1
    assert opened.metrics["distance"] > 0.05
    assert lifted.metrics["contact_force_max"] > 0, "the block is touched, and may be"
    assert lifted.metrics["collisions"] == 0


def test_a_block_that_is_put_down_is_not_dropped(build: Build) -> None:
    pytest.importorskip("gymnasium_robotics")
    adapter, task = build("fetch/pick-and-place")
    timestep, executed = adapter.reset(Case(task, 0)), None
    for _ in range(40):
        executed = adapter.expert(executed)
        timestep = adapter.step(executed)
        if timestep.success or adapter._observed["observation"][5] > 0.44:
            break
    for action in [(0, 0, -0.4, -1)] * 15 + [(0, 0, 0, 1)] * 4:
        timestep = adapter.step(np.array(action, np.float32))
    assert timestep.metrics["drops"] == 0


def test_a_ball_at_a_wall_collides_and_only_there(build: Build) -> None:
    pytest.importorskip("gymnasium_robotics")
    adapter, task = build("pointmaze/umaze")
    rng = np.random.default_rng(1)
    adapter.reset(Case(task, 1))
    data, model = adapter._env.data, adapter._env.model
    hits = 0
    for _ in range(200):
        seen = adapter.step(adapter.brief.action.sample(rng))
        names = {model.geom(geom).name for pair in data.contact.geom for geom in pair}
        hits += any(name.startswith("block_") for name in names)
        if seen.terminated:
            break
    assert seen.metrics["collisions"] == hits > 0
    timestep, executed = adapter.reset(Case(task, 0)), None
    while not timestep.terminated:
        executed = adapter.expert(executed)
        timestep = adapter.step(executed)
    assert (timestep.success, timestep.metrics["collisions"]) == (True, 0)


def test_an_ant_that_is_turned_over_has_fallen_once(build: Build) -> None:
    pytest.importorskip("gymnasium_robotics")
    adapter, task = build("antmaze/umaze")
    rest = np.zeros(8, np.float32)
    adapter.reset(Case(task, 0))
    assert adapter.step(rest).metrics["falls"] == 0

    def turned(angle: float) -> float:
        """About a horizontal axis, high above the floor."""
        adapter._qpos[2], adapter._qvel[:] = 3.0, 0.0
        adapter._qpos[3:7] = math.cos(angle / 2), math.sin(angle / 2), 0.0, 0.0
        return float(adapter.step(rest).metrics["falls"])

    assert [turned(angle) for angle in (math.pi, math.pi, 1.3, math.pi, 0.0, math.pi)] == [
        1, 1, 1, 1, 1, 2,
    ]  # fmt: skip
    begun = adapter.reset(Case(task, 0)).metrics
    assert (begun["falls"], begun["energy"]) == (0, 0)
    one = adapter.step(np.ones(8, np.float32)).metrics["energy"]
    two = adapter.step(np.ones(8, np.float32)).metrics["energy"]
    assert two > one > 0


def test_a_sawyer_hand_meets_the_wall_where_there_is_one(build: Build) -> None:
    pytest.importorskip("metaworld")
    ahead = [(0, 1, -0.5, 0)] * 40
    adapter, task = build("metaworld/reach-wall-v3")
    at_wall = play(adapter, task, ahead)[-1].metrics
    assert at_wall["collisions"] > 10
    assert at_wall["contact_force_max"] > 100
    adapter, task = build("metaworld/reach-v3")
    free = play(adapter, task, ahead)[-1].metrics
    assert (free["collisions"], free["contact_force_max"]) == (0, 0)
    assert play(adapter, task, [(0, 0, -1, 0)] * 60)[-1].metrics["collisions"] > 0, "the table"
    begun = adapter.reset(Case(task, 0)).observation["proprio"]()[:3]
    for _ in range(10):
        seen = adapter.step(np.array([1, 0, 0, 0], np.float32))
    straight = math.dist(begun, seen.observation["proprio"]()[:3])
    assert straight - 1e-6 <= seen.metrics["path_length"] < straight + 0.02


def test_arms_of_aloha_at_their_limits_and_at_the_table(build: Build) -> None:
    pytest.importorskip("gym_aloha")
    adapter, task = build("aloha/TransferCube")
    start = adapter.reset(Case(task, 0)).observation["proprio"]()
    still = play(adapter, task, [start] * 5)[-1].metrics
    assert [still[name] for name in ("collisions", "joint_limit_steps", "drops")] == [0, 0, 0]
    _, high = adapter.brief.action.bounds()
    low = start.copy()
    low[1] = high[1]  # the left shoulder, as far down as it goes
    way = [start + (low - start) * min(1.0, k / 40) for k in range(60)]
    down = play(adapter, task, way)[-1].metrics
    assert down["collisions"] > 0
    assert "contact_force_max" not in down, "dm_control does not compute it after a step"
    assert down["energy"] > still["energy"] >= 0
    assert down["path_length"] > 0.1

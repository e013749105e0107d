"""Habitat's skills by name with the simulator: contract, experts, wrong behaviours, views.

They need habitat-sim with Bullet, and the files of the Fetch in the package mani-skill.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
import pytest

pytest.importorskip("habitat_sim")

from adapters.habitat import HabitatSkillsAdapter, fetch
from harness.core import Case, Task, TimeStep
from harness.testing import check_adapter
from suites.habitat import SUITES

if fetch.description() is None:
    pytest.skip("the package mani-skill is not installed", allow_module_level=True)

TASKS = {
    task.params["skill"]: dataclasses.replace(
        task, params={**task.params, "width_px": 64, "height_px": 48}
    )
    for suite in SUITES
    if suite.name == "habitat-skills"
    for task in suite.tasks
}
kinds = pytest.mark.parametrize("kind", TASKS)
Play = Callable[..., tuple[TimeStep, int]]


@pytest.fixture(scope="module")
def adapter() -> Iterator[HabitatSkillsAdapter]:
    built = HabitatSkillsAdapter(TASKS["pick"])
    yield built
    built.close()


def play(
    adapter: HabitatSkillsAdapter, task: Task, seed: int, act: Callable[[], np.ndarray | None]
) -> tuple[TimeStep, int]:
    """An episode to its end, the horizon, or the first None."""
    timestep, steps = adapter.reset(Case(task, seed)), 0
    assert task.max_steps is not None
    while not timestep.terminated and steps < task.max_steps:
        action = act()
        if action is None:
            break
        timestep, steps = adapter.step(action), steps + 1
    return timestep, steps


@pytest.mark.slow
@kinds
def test_contract(kind: str) -> None:
    check_adapter(TASKS[kind], steps=12)


@pytest.mark.slow
@kinds
def test_the_expert_succeeds(kind: str, adapter: HabitatSkillsAdapter) -> None:
    done = [play(adapter, TASKS[kind], seed, lambda: adapter.expert(None)) for seed in range(3)]
    assert sum(timestep.success is True for timestep, _ in done) >= 2
    for timestep, _ in done:
        assert timestep.metrics["contact_force_max"] < 10_000


@kinds
def test_doing_nothing_is_no_success(kind: str, adapter: HabitatSkillsAdapter) -> None:
    still = TASKS[kind]
    first = adapter.reset(Case(still, 0))
    start = np.frombuffer(adapter.state()[: 8 * 11])
    for _ in range(20):
        timestep = adapter.step(adapter.brief.action.noop())
        assert timestep.success is False
        assert not timestep.terminated
    assert timestep.instruction == first.instruction
    assert timestep.metrics["path_length"] == 0
    now = np.frombuffer(adapter.state()[: 8 * 11])
    assert now == pytest.approx(start, abs=0.03), "the arm and the base hold their place"


def test_objects_lie_still_where_the_episode_puts_them(adapter: HabitatSkillsAdapter) -> None:
    for seed in range(3):
        case = Case(TASKS["pick"], seed)
        adapter.reset(case)
        start = np.frombuffer(adapter.state()[: 8 * 18])[11:14]
        for _ in range(10):
            adapter.step(adapter.brief.action.noop())
        assert np.frombuffer(adapter.state()[: 8 * 18])[11:14] == pytest.approx(start, abs=2e-3)


def test_stopping_at_once_is_no_success(adapter: HabitatSkillsAdapter) -> None:
    timestep, steps = play(adapter, TASKS["nav"], 1, lambda: np.array([0, 0, 1], np.float32))
    assert (timestep.success, timestep.terminated, steps) == (False, True, 1)
    assert timestep.metrics["distance_to_goal"] > 3.0


def test_letting_go_at_once_is_a_drop(adapter: HabitatSkillsAdapter) -> None:
    action = np.array([0] * 7 + [-1, 0, 0], np.float32)
    drops = []
    for seed in range(3):
        timestep, _ = play(adapter, TASKS["place"], seed, lambda: action)
        drops.append((timestep.success, timestep.terminated, timestep.metrics["drops"]))
    assert (False, True, 1.0) in drops


def test_a_wall_holds_the_base_up(adapter: HabitatSkillsAdapter) -> None:
    timestep, _ = play(adapter, TASKS["nav"], 0, lambda: np.array([1, 0, -1], np.float32))
    assert timestep.metrics["collisions"] > 20
    assert timestep.success is False


def test_views(adapter: HabitatSkillsAdapter) -> None:
    timestep = adapter.reset(Case(TASKS["pick"], 0))
    views = {name: view() for name, view in timestep.observation.items()}
    for name, spec in adapter.brief.observation.items():
        assert spec.problem(views[name]) is None, name
    assert views["image"].std() > 10
    assert 0.1 < views["depth"].max() < 20
    assert views["proprio"][:7] == pytest.approx(fetch.START, abs=0.05)
    assert np.hypot(*views["state_target"][:2]) <= 2.05
    turned = adapter.step(np.array([0] * 8 + [0, 1], np.float32))
    after = turned.observation["state_target"]()
    assert np.hypot(*after[:2]) == pytest.approx(np.hypot(*views["state_target"][:2]), abs=0.01)
    angle = np.arctan2(after[1], after[0]) - np.arctan2(*views["state_target"][1::-1])
    assert (angle + np.pi) % (2 * np.pi) - np.pi == pytest.approx(-1 / 12, abs=0.01)
    assert not np.array_equal(turned.observation["image"](), views["image"])

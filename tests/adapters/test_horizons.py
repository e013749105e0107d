"""A horizon beyond the simulator's own limit raises that limit, or is refused in one line.

A task of a user's own may have any `max_steps`. An episode that ends before that although nothing
happened in it would make the horizon that stands in the report a wrong one.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from adapters.procgen import ProcgenAdapter
from harness.core import Adapter, Case, UserError
from harness.host.loading import load_adapter
from harness.records.catalogue import find_suites
from suites import SUITES


def longer(suite: str, name: str, steps: int | None, seed: int = 0) -> Case:
    """A case of a task of one of our suites, renamed, with another horizon."""
    (task,) = [task for task in find_suites(suite, SUITES)[0].tasks if task.name == name]
    own = dataclasses.replace(task, id=f"own/{name.replace('/', '-')}-{steps}@1", max_steps=steps)
    return Case(own, task.first_seed + seed)


def length(adapter: Adapter, case: Case, most: int) -> tuple[int, bool]:
    """(steps until the end, whether the simulator truncated) of an episode that does nothing."""
    step = adapter.reset(case)
    neutral: Any = adapter.brief.action.noop()
    steps = 0
    while not (step.terminated or step.truncated) and steps < most:
        step, steps = adapter.step(neutral), steps + 1
    assert not step.terminated
    return steps, step.truncated


def open_for(case: Case) -> Adapter:
    kind = load_adapter(case.task.adapter)
    missing = kind.missing(case.task)
    if missing is not None:
        pytest.skip(missing.reason)
    adapter: Adapter = kind(case.task)
    return adapter


OWN_LIMITS = [
    # Suite, task, the own limit in steps, a longer horizon.
    ("minigrid", "minigrid/FourRooms", 100, 130),
    ("babyai", "babyai/GoToRedBallGrey", 64, 90),
    ("miniworld", "miniworld/OneRoomS6Fast", 50, 70),
    ("miniworld", "miniworld/TMazeLeft", 280, 300),
    ("vizdoom", "vizdoom/basic", 75, 100),
    ("maniskill", "maniskill/PickCube", 50, 60),
]


@pytest.mark.parametrize(("suite", "name", "own", "horizon"), OWN_LIMITS)
def test_a_longer_horizon_raises_the_limit_for_its_own_episodes_alone(
    suite: str, name: str, own: int, horizon: int
) -> None:
    short, long = longer(suite, name, None), longer(suite, name, horizon)
    adapter = open_for(short)
    shared = type(adapter).env_key(short.task) == type(adapter).env_key(long.task)
    other = adapter if shared else open_for(long)
    try:
        assert length(other, long, horizon)[0] == horizon
        assert length(adapter, short, horizon) == (own, True)
    finally:
        for each in {adapter, other}:
            each.close()


@pytest.mark.parametrize(
    ("suite", "name", "horizon"),
    [
        ("fetch", "fetch/reach", 70),
        ("pointmaze", "pointmaze/umaze", 320),
        ("antmaze", "antmaze/umaze", 720),
        ("atari", "atari/freeway", 200),
        ("textworld", "textworld/treasure-hunter-5", 120),
        ("scienceworld", "scienceworld/boil", 320),
        ("alfworld-synthetic", "alfworld-synthetic/look_at_obj_in_light", 70),
        ("miniwob", "miniwob/click-button", 60),
        ("pddl", "pddl/blocksworld", 80),
    ],
)
def test_a_simulator_without_a_limit_plays_to_the_horizon(
    suite: str, name: str, horizon: int
) -> None:
    case = longer(suite, name, horizon)
    adapter = open_for(case)
    try:
        assert length(adapter, case, horizon)[0] == horizon
    finally:
        adapter.close()


def test_a_horizon_beyond_a_limit_that_stays_is_refused() -> None:
    # The library is not needed for this.
    with pytest.raises(UserError, match="maze ends every level after 500 steps: set max_steps to"):
        ProcgenAdapter(longer("procgen", "procgen/maze", 501).task)


def test_collect_health_is_survived_at_the_horizon_of_the_task() -> None:
    case = longer("miniworld", "miniworld/CollectHealth", 20)
    adapter = open_for(case)
    try:
        step = adapter.reset(case)
        for _ in range(20):
            assert not step.success
            step = adapter.step(adapter.brief.action.noop())
        assert step.truncated
        assert step.success
    finally:
        adapter.close()

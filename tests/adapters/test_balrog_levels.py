"""BALROG's levels of BabyAI: what they ask, that the bot solves them, and that they are levels."""

from __future__ import annotations

import re

import pytest

from adapters._balrog_levels import KEPT_FOR_TEST, KINDS, PREFIX
from adapters.minigrid import MiniGridAdapter
from harness.core import Case, Perturbation, Task
from harness.testing import check_adapter
from suites.balrog import BABYAI, SUITES

if (absent := MiniGridAdapter.missing()) is not None:
    pytest.skip(absent.reason, allow_module_level=True)

(SUITE,) = SUITES
TASKS = {
    task.params["id"].removeprefix(PREFIX).removesuffix("-v0"): task
    for task in SUITE.tasks
    if task.adapter.endswith("MiniGridAdapter")
}
THING = r"(?:the|a) (red|green|blue|purple|yellow|grey) (ball|box|key)"
MISSIONS = {
    "goto": rf"go to {THING}",
    "pickup": rf"pick up {THING}",
    "open": r"open the (?:(yellow|green|blue|purple) )?door",
    "putnext": rf"put {THING} next to {THING}",
    "pick_up_seq_go_to": rf"pick up {THING}, then go to {THING}"
    rf"|go to {THING} after you pick up {THING}",
}


def test_there_is_a_task_for_each() -> None:
    assert tuple(TASKS) == KINDS == tuple(MISSIONS)


@pytest.mark.parametrize("kind", KINDS)
def test_contract(kind: str) -> None:
    check_adapter(TASKS[kind], another_process=kind == "open")


@pytest.mark.parametrize("kind", KINDS)
def test_missions_limits_and_the_bot(kind: str) -> None:
    task = TASKS[kind]
    adapter = MiniGridAdapter(task)
    missions = set()
    for seed in range(30):
        step, executed = adapter.reset(Case(task, seed)), None
        missions.add(step.instruction)
        assert re.fullmatch(MISSIONS[kind], step.instruction), step.instruction
        assert not any(f"{colour} {what}" in step.instruction for what, colour in KEPT_FOR_TEST)
        assert adapter._env.max_steps == BABYAI[kind], "the limit of BALROG's own episodes"
        things = sum(
            cell is not None and cell.type in {"ball", "box", "key"}
            for cell in adapter._env.grid.grid
        )
        assert things == (2 if kind in {"putnext", "pick_up_seq_go_to"} else 1)
        while not (step.terminated or step.truncated):
            executed = adapter.expert(executed)
            step = adapter.step(executed)
        assert step.success is True, (seed, step.instruction)
    assert len(missions) > (3 if kind == "open" else 8)
    adapter.close()


def test_the_locked_door_is_opened_with_the_key_on_this_side() -> None:
    task = TASKS["open"]
    adapter = MiniGridAdapter(task)
    for seed in range(20):
        adapter.reset(Case(task, seed))
        env = adapter._env
        assert (env.width, env.height) == (15, 8)
        places = {
            cell.type: (number % env.width, cell)
            for number, cell in enumerate(env.grid.grid)
            if cell is not None and cell.type in {"key", "door"}
        }
        (wall, door), (place, key) = places["door"], places["key"]
        assert door.is_locked
        assert key.color == door.color
        assert wall == 7
        assert (place < wall) == (env.agent_pos[0] < wall)
    adapter.close()


@pytest.mark.parametrize(
    ("name", "params"), [("size", {"cells": 2}), ("distractors", {"count": 3})]
)
def test_native_perturbations(name: str, params: dict[str, int]) -> None:
    task: Task = TASKS["goto"]
    adapter = MiniGridAdapter(task)
    adapter.reset(Case(task, 1, (Perturbation(name, 1, params),)))
    things = [cell for cell in adapter._env.grid.grid if cell is not None and cell.type != "wall"]
    if name == "size":
        assert (adapter._env.width, len(things)) == (10, 1)
    else:
        assert (adapter._env.width, len(things)) == (8, 4)
    adapter.close()

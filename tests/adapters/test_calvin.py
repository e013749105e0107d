"""CALVIN's chains, all of them, and its adapter on a small fake of calvin_env's interface.

`Table` stands for PlayTableSimEnv and `Oracle` for Tasks, with hydra and omegaconf around them.
This tests the protocol: which instruction holds, when a chain ends, what is counted. It shows
nothing about the simulator, on which check_adapter was run separately
(docs/reproductions/calvin.md).
"""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from adapters.calvin import CalvinAdapter, adapter
from adapters.calvin.chains import ARM, CHAINS, LENGTH, TASKS, chains, drawn, scene_of, starts
from harness.core import Case, Missing, UserError
from harness.records.catalogue import find_suites
from suites import SUITES

CHAIN = find_suites("calvin", SUITES)[0].tasks[0]
FIRST = find_suites("calvin-first", SUITES)[0].tasks[0]
ONE_BY_ONE = find_suites("calvin-instructions", SUITES)[0]


def test_there_are_a_thousand_chains_of_five_tasks() -> None:
    found = chains()
    assert len(found) == CHAINS
    assert len(TASKS) == 34
    for chain in found:
        assert len(chain.tasks) == LENGTH
        assert len({TASKS[name].category for name in chain.tasks}) == LENGTH
    assert {name for chain in found for name in chain.tasks} == TASKS.keys()


def test_each_start_has_its_share_of_chains_in_the_order_of_a_seeded_shuffle() -> None:
    share = np.repeat(
        np.arange(len(starts())),
        [len(part) for part in np.array_split(np.arange(CHAINS), len(starts()))],
    )
    order = [*range(CHAINS)]
    np.random.RandomState(0).shuffle(order)
    assert [chain.start for chain in chains()] == [starts()[share[k]] for k in order]
    assert len(starts()) == 192
    place = {k: at for at, k in enumerate(order)}
    assert [chains()[place[k]].tasks for k in range(3)] == drawn(0, 3), (
        "chains.txt holds what is drawn"
    )


def test_a_task_follows_only_where_it_is_possible() -> None:
    """Only what is there is lifted, only a light that is off turned on, what is held put down."""
    for chain in chains():
        held = 0
        light = chain.start["lightbulb"]
        for name in chain.tasks:
            if name.startswith(("lift", "unstack")):
                assert not held
            if name in ("turn_on_lightbulb", "turn_off_lightbulb"):
                assert light == (name == "turn_off_lightbulb")
                light = 1 - int(light)
            if name.startswith(("place", "stack")):
                assert held
            held = int(name.startswith("lift"))


def test_the_scene_is_that_of_the_start() -> None:
    first = next(
        start
        for start in starts()
        if (start["slider"], start["drawer"], start["lightbulb"], start["led"])
        == ("left", "open", 1, 0)
    )
    scene = scene_of(first)
    assert scene.shape == (24,)
    assert scene[[0, 1, 3, 4, 5]].tolist() == [0.28, 0.22, 0.088, 1.0, 0.0]
    for start in starts():
        scene = scene_of(start)
        blocks = {
            colour: scene[at : at + 6] for at, colour in zip((6, 12, 18), ("red", "blue", "pink"))
        }
        for colour, block in blocks.items():
            assert np.pi * 3 / 8 <= block[5] <= np.pi * 5 / 8
            assert (block[1] > 0) == str(start[f"{colour}_block"]).startswith("slider"), (
                "the slider is behind the middle of the table"
            )
        assert len({tuple(block[:3]) for block in blocks.values()}) == 3, (
            "no two blocks lie in one place"
        )
    assert len(ARM) == 15


class Table:
    """Its state is the number of steps; a task is done at every third one."""

    def __init__(self) -> None:
        self.cameras = [
            SimpleNamespace(name=name, height=size, width=size, render=self._render(size))
            for name, size in (("static", 200), ("gripper", 84))
        ]
        self.robot = SimpleNamespace(gripper_action=-1)
        self.steps, self.actions = 0, list[np.ndarray]()

    @staticmethod
    def _render(size: int) -> Any:
        return lambda: (np.zeros((size, size, 3), np.uint8), np.ones((size, size)))

    def load(self) -> None:
        self.steps = 0

    def address(self) -> None:
        pass

    def reset(self, robot_obs: np.ndarray, scene_obs: np.ndarray) -> dict[str, np.ndarray]:
        assert self.steps == 0, "loaded before the first step"
        assert self.robot.gripper_action == 1
        self.robot_obs, self.scene_obs = robot_obs, scene_obs
        return self.seen()

    def seen(self) -> dict[str, np.ndarray]:
        return {"robot_obs": self.robot_obs + self.steps, "scene_obs": self.scene_obs}

    def get_info(self) -> int:
        return self.steps

    def step(self, action: np.ndarray) -> tuple[Any, int, bool, int]:
        self.steps += 1
        self.actions.append(action)
        return self.seen(), 0, False, self.steps

    def close(self) -> None:
        pass


class Oracle:
    every = 3

    def get_task_info_for_set(self, before: int, now: int, wanted: set[str]) -> set[str]:
        assert len(wanted) == 1
        return wanted if now - before == self.every else set()


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Table:
    made, oracle = Table(), Oracle()
    words = tmp_path / "calvin_models" / "conf" / "annotations" / "new_playtable_validation.yaml"
    words.parent.mkdir(parents=True)
    words.touch()
    monkeypatch.setenv("CALVIN_ROOT", str(tmp_path))
    fakes: dict[str, Any] = {
        name: ModuleType(name) for name in ("calvin_env", "hydra", "omegaconf")
    }
    fakes["calvin_env"].__file__ = str(tmp_path / "calvin_env" / "calvin_env" / "__init__.py")
    fakes["hydra"].initialize_config_dir = lambda *_, **__: contextlib.nullcontext()
    fakes["hydra"].compose = lambda name, overrides: SimpleNamespace(tasks=overrides)
    fakes["hydra"].utils = SimpleNamespace(instantiate=lambda tasks: oracle)
    fakes["omegaconf"].OmegaConf = SimpleNamespace(
        load=lambda path: {name: [f"please {name}", "or so"] for name in TASKS}
    )
    for name, module in fakes.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(adapter, "open_table", lambda config, egl: made)
    return made


def move(hand: float = 1.0) -> np.ndarray:
    return np.array([0, 0, 0, 0, 0, 0, hand], np.float32)


def test_five_instructions_follow_one_another(table: Table) -> None:
    played = CalvinAdapter(CHAIN)
    step = played.reset(Case(CHAIN, 4))
    asked = [f"please {name}" for name in chains()[4].tasks]
    assert (table.robot_obs == np.array(ARM)).all()
    assert (table.scene_obs == scene_of(chains()[4].start)).all()
    for done, words in enumerate(asked):
        for at in range(3):
            assert step.instruction == words
            assert step.metrics["chain_length"] == done
            assert not step.terminated
            step = played.step(move())
            assert step.reward == float(at == 2)
    assert step.terminated
    assert step.success
    assert step.metrics == {**{f"reached_{k}": 1.0 for k in range(1, 6)}, "chain_length": 5.0}


def test_the_first_failure_ends_the_chain(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    played = CalvinAdapter(CHAIN)
    step = played.reset(Case(CHAIN, 0))
    for _ in range(3):
        step = played.step(move())
    monkeypatch.setattr(Oracle, "every", 10_000)
    for count in range(1, 361):
        step = played.step(move())
        assert step.terminated == (count == 360), "360 steps per instruction"
    assert (
        step.success,
        step.metrics["chain_length"],
        step.metrics["reached_1"],
        step.metrics["reached_2"],
    ) == (False, 1.0, 1.0, 0.0)


def test_the_first_instruction_alone(table: Table) -> None:
    played = CalvinAdapter(FIRST)
    step = played.reset(Case(FIRST, CHAINS + 2))
    assert step.instruction == f"please {chains()[2].tasks[0]}", "wraps around after the last chain"
    for _ in range(3):
        step = played.step(move())
    assert (step.terminated, step.success, step.metrics) == (
        True,
        True,
        {"reached_1": 1.0, "chain_length": 1.0},
    )


def test_the_tasks_of_single_instructions_play_the_thousand_chains_once_each(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sum(ONE_BY_ONE.episodes_of(task) for task in ONE_BY_ONE.tasks) == CHAINS
    begun: dict[str, list[Any]] = {}
    for chain in chains():
        begun.setdefault(chain.tasks[0], []).append(chain)
    assert {task.params["first"] for task in ONE_BY_ONE.tasks} == begun.keys()
    played = CalvinAdapter(ONE_BY_ONE.tasks[0])
    for task in ONE_BY_ONE.tasks:
        wanted = begun[task.params["first"]]
        assert ONE_BY_ONE.episodes_of(task) == len(wanted)
        for seed in (0, 1, len(wanted) - 1, len(wanted)):
            step = played.reset(Case(task, seed))
            assert step.instruction == f"please {task.params['first']}"
            assert (table.scene_obs == scene_of(wanted[seed % len(wanted)].start)).all()
            table.steps = 0


def test_an_instruction_that_no_chain_begins_with_is_named(table: Table) -> None:
    task = dataclasses.replace(FIRST, params={**FIRST.params, "first": "stack_block"})
    with pytest.raises(UserError, match="no chain of CALVIN begins with 'stack_block'; they begin"):
        CalvinAdapter(task).reset(Case(task, 0))


def test_a_horizon_beyond_the_steps_of_the_instructions_is_refused(table: Table) -> None:
    task = dataclasses.replace(FIRST, max_steps=361)
    with pytest.raises(UserError, match="set max_steps to at most 360, or leave it out; got 361"):
        CalvinAdapter(task).reset(Case(task, 0))


def test_what_does_something_else_scores_nothing(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An oracle that saw another task done, or this one before it was asked for, changes nothing.

    Doing the second instruction first, or all of them at once, completes the first one at most.
    """
    asked: list[tuple[int, int, set[str]]] = []

    def answer(self: Oracle, before: int, now: int, wanted: set[str]) -> set[str]:
        asked.append((before, now, wanted))
        return {chains()[0].tasks[1]} & wanted

    monkeypatch.setattr(Oracle, "get_task_info_for_set", answer)
    played = CalvinAdapter(CHAIN)
    played.reset(Case(CHAIN, 0))
    for _ in range(360):
        step = played.step(move())
    assert step.terminated
    assert (step.success, step.metrics["chain_length"]) == (False, 0.0)
    assert {tuple(wanted) for _, _, wanted in asked} == {(chains()[0].tasks[0],)}
    assert {before for before, _, _ in asked} == {0}, "changes since the instruction began"


def test_the_gripper_command_is_open_or_closed(table: Table) -> None:
    played = CalvinAdapter(CHAIN)
    played.reset(Case(CHAIN, 0))
    for hand in (-1.0, -0.1, 0.0, 0.3):
        played.step(move(hand))
    assert [action[6] for action in table.actions] == [-1, -1, 1, 1]
    assert played.brief.action.noop()[6] == 1


def test_cameras_render_only_when_they_are_read(table: Table) -> None:
    cameras = {camera.name: camera for camera in table.cameras}
    played = CalvinAdapter(FIRST)
    assert table.cameras == []
    drawn_now: list[str] = []
    cameras["static"].render = lambda: (
        drawn_now.append("static"),
        (np.zeros((200, 200, 3), np.uint8), np.ones((200, 200))),
    )[1]
    step = played.reset(Case(FIRST, 0))
    assert drawn_now == []
    views: Any = step.observation
    for name in ("image", "depth", "image"):
        assert played.brief.observation[name].problem(views[name]()) is None
    assert drawn_now == ["static"], "once a step"


def test_a_missing_dataset_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CalvinAdapter, "packages", ())
    monkeypatch.delenv("CALVIN_ROOT", raising=False)
    if "calvin_env" not in sys.modules:
        assert CalvinAdapter.missing(CHAIN) == Missing(
            "the package calvin_env is not installed", CalvinAdapter.guide
        )

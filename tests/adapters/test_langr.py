"""LangR's adapter on a small fake of the interface of ml-llarp and habitat-lab.

It tests which episode a seed is, what a skill does, and what is counted. It shows nothing about
the simulator, which was not available: see docs/reproductions/langr.md.
"""

from __future__ import annotations

import dataclasses
import os
import random
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from adapters.langr import SMALLEST, LangRAdapter
from harness.core import BadAction, Case, UserError
from harness.records.catalogue import find_suites
from suites import SUITES

TASK = find_suites("langr", SUITES)[0].tasks[1]
SKILLS = (("nav", ["table"]), ("pick_apple", []), ("open_fridge", []))


class Env:
    """The goal holds once the apple is picked at the table."""

    def __init__(self, config: Mapping[str, str]) -> None:
        self.config, self.where = config, os.getcwd()
        self.episodes = [f"episode {k}" for k in range(3)]
        self.task = SimpleNamespace(
            actions={"pddl_hl_action": SimpleNamespace(_action_datas=SKILLS)}, lang_goal=""
        )
        self.observation_space = {"head_rgb": SimpleNamespace(shape=(224, 224, 3))}
        self.seeds: list[int] = []

    def seed(self, seed: int) -> None:
        random.seed(seed)
        np.random.seed(seed)
        self.seeds.append(seed)
        self.drawn = list[float]()

    def reset(self) -> dict[str, np.ndarray]:
        self.task.lang_goal = f"do {next(self.episode_iterator)}"
        self.at_table = self.solved = self.episode_over = False
        self.invalid = self.steps = 0
        return self.seen()

    def seen(self) -> dict[str, np.ndarray]:
        assert os.getcwd() == self.where, "paths of the configuration start in the checkout"
        return {"head_rgb": np.full((224, 224, 3), self.steps, np.uint8)}

    def step(self, action: Mapping[str, int]) -> dict[str, np.ndarray]:
        self.steps += 1
        self.drawn.append(random.random() + np.random.rand())
        name = SKILLS[action["action"]][0]
        self.at_table |= name == "nav"
        if name == "pick_apple" and not self.at_table:
            self.invalid += 1
        self.solved = self.at_table and name == "pick_apple"
        self.episode_over = self.solved or self.steps == 32
        return self.seen()

    def get_metrics(self) -> dict[str, Any]:
        found = {
            "predicate_task_success": self.solved,
            "task_progress": float(self.at_table),
            "num_invalid_actions": self.invalid,
        }
        return {**found, "subgoal_reward": 10.0 * self.solved}

    def close(self) -> None:
        pass


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    modules = (
        "habitat",
        "habitat.config",
        "habitat.config.default",
        "llarp",
        "llarp.config",
        "llarp.config.default_structured_configs",
    )
    fakes: dict[str, Any] = {
        name: ModuleType(name)
        for name in (*modules, "llarp.dataset", "llarp.dataset.episodes", "llarp.task")
    }
    for name, module in fakes.items():
        monkeypatch.setitem(sys.modules, name, module)
        above, _, below = name.rpartition(".")
        if above:
            setattr(fakes[above], below, module)
    fakes["llarp.config"].__file__ = str(tmp_path / "llarp" / "config" / "__init__.py")
    fakes["habitat"].Env = Env
    fakes["habitat.config.default"].get_config = lambda path, overrides, configs_dir: {
        "path": path,
        "configs": configs_dir,
        **dict(override.split("=") for override in overrides),
    }
    monkeypatch.setenv("LLARP_ROOT", str(tmp_path))
    monkeypatch.setattr(LangRAdapter, "packages", ())
    monkeypatch.setattr("importlib.util.find_spec", lambda name: SimpleNamespace(origin="here"))
    for folder in ("data/replica_cad", "data/objects/ycb", "data/hf_llama_7B", "datasets"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "datasets" / "rephrasing.pickle").write_bytes(bytes(SMALLEST))
    return tmp_path


def test_each_split_has_its_environment(root: Path) -> None:
    before = os.getcwd()
    adapter = LangRAdapter(TASK)
    config = adapter._env.config
    assert config["path"] == "task/language_rearrangement.yaml"
    assert config["configs"] == str(root / "llarp" / "config")
    assert config["habitat.dataset.data_path"] == str(root / "datasets" / "rephrasing.pickle")
    assert adapter._env.where == str(root)
    assert os.getcwd() == before
    assert adapter.brief.action.names == ("nav table", "pick_apple", "open_fridge")


def test_an_episode_is_chosen_by_index_and_has_its_skills(root: Path) -> None:
    adapter = LangRAdapter(TASK)
    step = adapter.reset(Case(TASK, 4))
    assert step.instruction == "do episode 1", "wraps around after the last"
    assert (step.success, step.terminated, step.metrics) == (
        False,
        False,
        {"invalid_actions": 0.0, "task_progress": 0.0},
    )
    states = [adapter.state()]
    for skill, told in (
        (1, (False, 1.0, 0.0, 0.0)),
        (0, (False, 1.0, 1.0, 0.0)),
        (1, (True, 1.0, 1.0, 10.0)),
    ):
        step = adapter.step(skill)
        assert (
            step.success,
            step.metrics["invalid_actions"],
            step.metrics["task_progress"],
            step.reward,
        ) == told
        assert step.terminated == step.success
        states.append(adapter.state())
    assert len(set(states)) == 4
    image: Any = step.observation["image"]
    assert adapter.brief.observation["image"].problem(image()) is None
    with pytest.raises(BadAction):
        adapter.step(3)


@pytest.mark.parametrize(
    ("what", "skills"),
    [
        ("it picks up without going there", [1] * 32),
        ("it goes there and does nothing", [0] * 32),
        ("it opens what was not asked for", [0, 2] * 16),
        ("it does the right things in the wrong order", [1, 2, 0] + [2] * 29),
    ],
)
def test_wrong_behaviours_have_no_success(root: Path, what: str, skills: list[int]) -> None:
    adapter = LangRAdapter(TASK)
    adapter.reset(Case(TASK, 0))
    steps = [adapter.step(skill) for skill in skills]
    assert not any(step.success for step in steps)
    assert steps[-1].terminated
    assert sum(step.reward for step in steps) == 0


def test_the_environment_has_the_tasks_horizon(root: Path) -> None:
    adapter = LangRAdapter(TASK)
    adapter.reset(Case(TASK, 0))
    assert [adapter.step(2).terminated for _ in range(32)] == [False] * 31 + [True]
    assert TASK.max_steps == 32


def test_the_robots_start_depends_on_the_case_alone(root: Path) -> None:
    adapter = LangRAdapter(TASK)
    other = LangRAdapter(TASK)
    drawn = []
    for seed in (0, 1, 0):
        before = random.getstate()
        adapter.reset(Case(TASK, seed))
        for _ in range(3):
            adapter.step(2)
            other.reset(Case(TASK, 9))  # another lane's reset in between
        assert random.getstate() == before, "the process's random state is unchanged"
        drawn.append(adapter._env.drawn)
    first, second, third = adapter._env.seeds
    assert first == third != second
    assert drawn[0] == drawn[2] != drawn[1]


def test_missing_data_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert LangRAdapter.missing(TASK) is None
    pointer = root / "datasets" / "rephrasing.pickle"
    pointer.write_text("version https://git-lfs.github.com/spec/v1")
    missing = LangRAdapter.missing(TASK)
    assert missing is not None
    assert missing.reason == f"there is no {pointer}"
    monkeypatch.delenv("LLARP_ROOT")
    missing = LangRAdapter.missing(TASK)
    assert missing is not None
    assert "LLARP_ROOT" in missing.reason


def test_a_horizon_beyond_the_32_steps_of_ml_llarp_is_refused(root: Path) -> None:
    longer = dataclasses.replace(TASK, max_steps=33)
    with pytest.raises(UserError, match="ml-llarp ends every episode after 32 steps"):
        LangRAdapter(longer).reset(Case(longer, 0))

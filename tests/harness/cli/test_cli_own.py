"""Agents and suites of the user's own, on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import toysuite
from conftest import Said, bench_there, planned, refused, results_of

Bench = Callable[..., Said]

QUICK = ("--suite", "toysuite:QUICK", "--workers", 0)
MINE = """
from harness.core import Agent

class MyAgent(Agent):
    reads = ("state",)

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def act(self, turns):
        return [int(self.gain * turn.observation["state"][2] > 0) for turn in turns]
"""


def test_an_agent_in_a_file_here(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    words = (
        "run",
        "--agent",
        "mine:MyAgent",
        "--suite",
        "gym:CartPole-v1",
        "--episodes",
        3,
        "--workers",
        0,
        "--out",
        "run",
    )
    said = bench_there(*words, "--agent-arg", "gain=-1", cwd=tmp_path)
    assert said.code == 0, said.err
    assert "mine:MyAgent" in said.out
    assert [line["task"] for line in results_of(tmp_path / "run")] == ["gym/CartPole-v1@1"] * 3
    assert planned(tmp_path / "run")["agent"]["args"] == {"gain": -1}


def test_an_agent_that_cannot_be_built_leaves_no_run(bench_here: Bench) -> None:
    Path("mine.py").write_text(MINE.replace("self.gain = gain", "raise ValueError('no weights')"))
    said = bench_here("run", "--agent", "mine:MyAgent", *QUICK)
    assert "the agent mine:MyAgent cannot be built: ValueError: no weights" in said.err
    assert said.code == 2
    assert not list(Path().glob("runs/*"))


SUITE = """
from harness.core import Suite, Task

GYM = "adapters.gym:GymAdapter"
POLE = Task("mine/pole@1", "games", GYM, {"id": "CartPole-v1"}, 30, None, "steps")
SUITES = [Suite("mine", "mine", (POLE,), 2)]
"""
TOML = """
name = "mine"
episodes = 2

[[task]]
id = "mine/pole@1"
domain = "games"
adapter = "adapters.gym:GymAdapter"
params = {id = "CartPole-v1"}
max_steps = 30
success = "none"
rule = "thirty steps"
"""


@pytest.mark.parametrize("suite", ["mysuite", "mysuite:SUITES", "mine.toml"])
def test_own_agent_and_own_suite_in_workers(bench_here: Bench, ray_here: None, suite: str) -> None:
    Path("mine.py").write_text(MINE)
    Path("mysuite.py").write_text(SUITE)
    Path("mine.toml").write_text(TOML)
    said = bench_here(
        "run", "--agent", "mine:MyAgent", "--suite", suite, "--workers", 1, "--out", "run"
    )
    assert said.code == 0, said.err
    assert [(line["task"], line["status"]) for line in results_of(Path("run"))] == [
        ("mine/pole@1", "finished")
    ] * 2
    assert json.loads(bench_here("report", "run", "--format", "json").out)["run"]["suites"] == [
        "mine"
    ]


def test_several_suites_at_once(bench_here: Bench) -> None:
    Path("mine.toml").write_text(TOML)
    said = bench_here(
        "run",
        "--agent",
        "uniform",
        "--suite",
        "toysuite:QUICK,mine.toml,gym:CartPole-v1",
        "--episodes",
        1,
        "--workers",
        0,
    )
    assert said.code == 0, said.err
    (run,) = Path("runs").iterdir()
    assert len(results_of(run)) == len(toysuite.QUICK.tasks) + 2


def test_blind_plays_the_habit_of_a_recorded_run(bench_here: Bench) -> None:
    assert bench_here("run", "--agent", "toys:GoodAgent", *QUICK, "--out", "seen").code == 0
    words = ("run", "--agent", "blind", *QUICK, "--agent-arg", "record=seen", "--out", "blind")
    assert bench_here(*words).code == 0
    seen, blind = results_of(Path("seen")), results_of(Path("blind"))
    assert (
        0
        < sum(bool(line["success"]) for line in blind)
        < sum(bool(line["success"]) for line in seen)
    )
    said = bench_here(
        "run", "--agent", "blind", *QUICK, "--agent-arg", "record=nowhere", "--out", "other"
    )
    assert said.code == 2
    assert "nowhere has no recorded actions" in said.err


TOY = """
name = "{}"
episodes = 1
[[task]]
id = "toys/{}@1"
domain = "navigation"
adapter = "toys:ToyAdapter"
max_steps = 9
"""


@pytest.mark.parametrize("change", ["size = 6", "rule = 'another'"])
def test_two_tasks_of_one_id_are_refused(bench_here: Bench, change: str) -> None:
    Path("a.toml").write_text(TOY.format("a", "goal"))
    changed = f"params = {{{change}}}" if "size" in change else change
    Path("b.toml").write_text(TOY.format("b", "goal") + changed)
    refused(
        bench_here("run", "--agent", "uniform", "--suite", "a.toml,b.toml", "--workers", 0),
        "toys/goal@1",
    )


def test_two_suites_of_one_name_are_refused(bench_here: Bench) -> None:
    for name in ("a", "b"):
        Path(f"{name}.toml").write_text(TOY.format("a", name))
    refused(
        bench_here("run", "--agent", "uniform", "--suite", "a.toml,b.toml", "--workers", 0),
        "b.toml",
    )


@pytest.mark.parametrize(
    "change",
    [
        ("episodes = 2", "episodes = 0"),
        ("episodes = 2", "episodes = -3"),
        ("max_steps = 30", "max_steps = 'thirty'"),
        ("max_steps = 30", "max_steps = 0"),
        ('{id = "CartPole-v1"}', "3"),
        ('{id = "CartPole-v1"}', '{id = "CartPole-v1", since = 2020-01-01}'),
        ('"adapters.gym:GymAdapter"', '"json:dumps"'),
    ],
    ids=str,
)
def test_a_suite_with_a_wrong_value_is_refused(bench_here: Bench, change: tuple[str, str]) -> None:
    assert change[0] in TOML
    Path("mine.toml").write_text(TOML.replace(*change))
    refused(bench_here("run", "--agent", "uniform", "--suite", "mine.toml", "--workers", 0), "mine")

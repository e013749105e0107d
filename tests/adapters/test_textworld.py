"""The TextWorld adapter on games made by the real generator."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from adapters.textworld import UNHEARD, TextWorldAdapter
from harness.core import Case, Task, TimeStep, UserError
from harness.testing import check_adapter
from suites.textworld import SUITES

TASKS = {task.name.partition("/")[2]: task for task in SUITES[0].tasks}


@pytest.fixture(scope="module")
def adapter() -> Any:
    made = TextWorldAdapter(TASKS["treasure-hunter-5"])
    yield made
    made.close()


def play_expert(adapter: TextWorldAdapter, case: Case) -> tuple[TimeStep, list[str]]:
    timestep, done = adapter.reset(case), list[str]()
    while (
        not timestep.terminated
        and (wanted := adapter.expert(done[-1] if done else None)) is not None
    ):
        assert wanted in timestep.observation["admissible"]()
        done.append(wanted)
        timestep = adapter.step(wanted)
    return timestep, done


def test_contract() -> None:
    check_adapter(TASKS["treasure-hunter-5"], steps=12, seeds=[0, 1])


@pytest.mark.heavy
def test_contract_cooking() -> None:
    check_adapter(TASKS["cooking-3"], steps=20, seeds=[0, 1], others=[TASKS["treasure-hunter-5"]])


@pytest.mark.parametrize("name", ["treasure-hunter-5", "coin-collector-10", "cooking-1"])
def test_expert_wins(adapter: TextWorldAdapter, name: str) -> None:
    last, done = play_expert(adapter, Case(TASKS[name], 0))
    assert (last.success, last.metrics) == (True, {"score": 1.0, "invalid_actions": 0.0})
    assert len(done) <= 20


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["treasure-hunter-15", "treasure-hunter-22", "coin-collector-110", "cooking-3"]
)
def test_expert_wins_harder_games(adapter: TextWorldAdapter, name: str) -> None:
    assert play_expert(adapter, Case(TASKS[name], 0))[0].success


def test_expert_recovers_from_random_commands(adapter: TextWorldAdapter) -> None:
    case = Case(TASKS["coin-collector-10"], 0)
    timestep = adapter.reset(case)
    for _ in range(3):
        adapter.step(str(adapter.expert(None)))
    back = [command for command in timestep.observation["admissible"]() if command.startswith("go")]
    timestep = adapter.step(back[0])
    while not timestep.terminated:
        timestep = adapter.step(str(adapter.expert(None)))
    assert timestep.success


def test_a_spoilt_meal_loses_the_game(adapter: TextWorldAdapter) -> None:
    """An ingredient cooked twice is burnt; that ends the game, and the expert gives up."""
    case = Case(TASKS["cooking-1"], 0)
    last, done = play_expert(adapter, case)
    assert last.success
    cook = next(command for command in done if command.startswith("cook"))
    timestep = adapter.reset(case)
    for command in (*done[: done.index(cook) + 1], cook):
        assert not timestep.terminated
        timestep = adapter.step(command)
    assert (timestep.terminated, timestep.success) == (True, False)
    assert adapter.expert(cook) is None
    assert adapter.reset(case).metrics == {"score": 0.0, "invalid_actions": 0.0}
    assert adapter.expert(None) == done[0]


def test_text_has_no_banner_and_no_prompt(adapter: TextWorldAdapter) -> None:
    timestep = adapter.reset(Case(TASKS["treasure-hunter-5"], 0))
    text = timestep.observation["text"]()
    assert text.startswith(timestep.instruction[:20])
    assert "$$" not in text
    assert not text.rstrip().endswith(("/1", ">"))
    assert "go" not in timestep.instruction.split(), "the objective names the goal, not the way"


def test_commands_to_the_interpreter_do_not_reach_it(
    adapter: TextWorldAdapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    timestep = adapter.reset(Case(TASKS["treasure-hunter-5"], 0))
    before = timestep.observation["admissible"]()
    told = (
        "save",
        "script",
        "restart",
        "quit",
        "undo",
        "tw-print state",
        "look. go north",
        "go north then go south",
        "go\nnorth;",
        "\u2603",
    )
    for count, command in enumerate(told, 1):
        timestep = adapter.step(command)
        if command != "go\nnorth;":
            assert timestep.observation["text"]() == UNHEARD
        assert timestep.observation["admissible"]() == before
        assert timestep.metrics["invalid_actions"] == count
    assert os.listdir(tmp_path) == []


def test_the_adapters_files_are_deleted_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.textworld.MOST_GAMES", 1)
    made = TextWorldAdapter(TASKS["treasure-hunter-5"])
    folder = Path(made._folder)
    first = made.reset(Case(TASKS["treasure-hunter-5"], 0)).instruction
    made.reset(Case(TASKS["treasure-hunter-5"], 1))
    assert len(list(folder.iterdir())) == 1
    assert made.reset(Case(TASKS["treasure-hunter-5"], 0)).instruction == first
    made.close()
    assert not folder.exists()


def test_an_unknown_challenge_is_answered_with_the_known_ones(adapter: TextWorldAdapter) -> None:
    with pytest.raises(UserError, match="coin_collector"):
        adapter.reset(
            Case(
                Task(
                    "test/none@1",
                    "planning",
                    "adapters.textworld:TextWorldAdapter",
                    {"challenge": "chess", "settings": {}},
                ),
                0,
            )
        )


def test_a_generator_that_fails_says_why(adapter: TextWorldAdapter) -> None:
    task = Task(
        "test/bad@1",
        "planning",
        "adapters.textworld:TextWorldAdapter",
        {"challenge": "treasure_hunter", "settings": {"level": 99}},
    )
    with pytest.raises(RuntimeError, match="level to be within"):
        adapter.reset(Case(task, 0))

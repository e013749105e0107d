"""The suite `balrog`: BALROG's own protocol, and its board's figures."""

from __future__ import annotations

from collections import Counter

import pytest

from adapters.textworld import TextWorldAdapter
from harness.core import Case
from suites.balrog import ENVIRONMENTS, RESULTS, SUITES, TABLE

(SUITE,) = SUITES
BABA_IS_AI = {"GPT-4o": 33.66, "DeepSeek R1": 50.83, "Grok 4": 45.83}
AVERAGE = {"GPT-4o": 32.34, "DeepSeek R1": 34.89, "Grok 4": 43.55}
"""Model -> its figure in the environment that is left out, and its average over all six, %."""


def test_episodes_and_horizons() -> None:
    by_environment: Counter[str] = Counter()
    for task in SUITE.tasks:
        (environment,) = {reference.row for reference in task.references}
        by_environment[environment] += SUITE.episodes_of(task)
    assert by_environment == {
        "BabyAI": 50, "Crafter": 10, "TextWorld": 30, "MiniHack": 40, "NetHack": 5
    }  # fmt: skip
    horizons = {task.name: task.max_steps for task in SUITE.tasks}
    assert horizons["balrog/crafter"] == 2000
    assert horizons["balrog/nethack"] == 100_000
    assert {steps for name, steps in horizons.items() if "minihack" in name} == {100}
    assert {steps for name, steps in horizons.items() if "textworld" in name} == {80}


def test_every_task_carries_the_board_of_its_environment() -> None:
    rows = Counter()
    for task in SUITE.tasks:
        assert {reference.label for reference in task.references} == set(RESULTS)
        assert {reference.table for reference in task.references} == {TABLE}
        assert not any(reference.same_rule for reference in task.references)
        rows[task.references[0].row] += 1
    for task in SUITE.tasks:
        for reference in task.references:
            assert reference.tasks == rows[reference.row]
    assert tuple(rows) == ENVIRONMENTS


@pytest.mark.parametrize("model", AVERAGE)
def test_the_figures_and_the_one_left_out_make_the_boards_average(model: str) -> None:
    six = [*RESULTS[model], BABA_IS_AI[model]]
    assert sum(six) / 6 == pytest.approx(AVERAGE[model], abs=0.01)


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("treasure-hunter", marks=pytest.mark.heavy),  # minutes on a busy machine
        pytest.param("cooking", marks=pytest.mark.slow),
        pytest.param("coin-collector", marks=pytest.mark.slow),
    ],
)
def test_the_expert_gets_all_points_of_a_game(kind: str) -> None:
    if (absent := TextWorldAdapter.missing()) is not None:
        pytest.skip(absent.reason)
    (task,) = [task for task in SUITE.tasks if task.name == f"balrog/textworld-{kind}"]
    adapter = TextWorldAdapter(task)
    step, steps = adapter.reset(Case(task, 0)), 0
    while not step.terminated and steps < 200:
        command = adapter.expert(None)
        assert command is not None
        step, steps = adapter.step(command), steps + 1
    assert (step.success, step.metrics["score"]) == (True, 1.0)
    assert steps <= 80, "it can be done within the horizon"
    adapter.close()

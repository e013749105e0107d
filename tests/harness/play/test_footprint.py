"""What an agent takes: its parameters and its memory, told by a few lines of a run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import toys
from conftest import Run
from toytimes import Modelled

from harness.play.footprint import footprint
from harness.records.results import read_results
from leaderboards.footprint import Footprint
from leaderboards.render import render
from leaderboards.report import load_report


@pytest.mark.parametrize("workers", [0, 1])
def test_parameters_count_once_and_memory_is_that_of_the_process(
    play_toys: Callable[..., Run], ray_here: None, workers: int
) -> None:
    run = play_toys("toytimes:Modelled", [toys.TASKS[0]], 5, workers=workers)
    told = [each.timing.get("footprint") for each in read_results(run.path)]
    assert sum(each is not None for each in told) == 3  # the 1st, the 2nd and the 4th
    found = load_report(run.path).footprint
    assert found is not None
    assert found.parameters == 55
    assert found.memory is not None
    assert 20e6 < found.memory < 20e9
    page = json.loads(render(load_report(run.path), "json"))
    assert page["footprint"]["parameters"] == 55


def test_an_agent_without_a_model_has_no_parameters() -> None:
    found = footprint(toys.RandomAgent())
    assert "parameters" not in found
    assert found["memory"] > 20e6


def test_a_large_buffer_costs_no_time() -> None:
    agent = Modelled()
    agent.buffer = [[{}] * 10_000] * 10_000  # type: ignore[attr-defined]
    assert footprint(agent)["parameters"] == 55


def test_what_holds_itself_is_no_trap() -> None:
    agent = toys.RandomAgent()
    agent.itself = [agent]  # type: ignore[attr-defined]
    assert "memory" in footprint(agent)


def test_hostile_lines_are_left_out(play_toys: Callable[..., Run]) -> None:
    run = play_toys("RandomAgent", [toys.TASKS[0]], 1)
    file = Path(run.path) / "episodes.jsonl"
    line = json.loads(file.read_text())
    for told, found in (
        ("much", None),
        ({"memory": "much", "parameters": True}, None),
        ({"memory": -1, "parameters": 1 << 70}, None),
        ({"memory": 5, "more": 3}, Footprint(memory=5)),
    ):
        line["timing"]["footprint"] = told
        file.write_text(json.dumps(line) + "\n")
        assert load_report(run.path).footprint == found

"""What an agent takes: its parameters and its memory, told by a few lines of a run."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import toys
from conftest import Run
from policyservers import bench_server, stock_server
from toytimes import Modelled

from harness.host.agents import HostedAgentSpec
from harness.host.footprint import checked_footprint, footprint
from harness.records.results import read_results
from leaderboards.footprint import Footprint, footprint_lines
from leaderboards.render import render
from leaderboards.report import load_report

POLICY = "harness.policies.openpi:OpenPI"


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


@pytest.mark.parametrize("workers", [0, 1])
def test_a_server_of_ours_tells_what_its_agent_takes(
    play_toys: Callable[..., Run], ray_here: None, workers: int
) -> None:
    with bench_server(Modelled()) as url:
        run = play_toys(POLICY, [toys.TASKS[0]], 2, args={"address": url}, workers=workers)
    found = load_report(run.path).footprint
    assert found is not None
    assert (found.elsewhere, found.parameters) == (True, 55)
    assert found.memory is not None
    assert 20e6 < found.memory < 20e9
    assert "in its own process" in footprint_lines(found)[0]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_server_of_others_does_not_tell_it(
    play_toys: Callable[..., Run], ray_here: None, workers: int
) -> None:
    with stock_server(lambda observation: {"actions": np.zeros((1, 2))}) as url:
        tasks = [toys.toy_task("glide", action="box", size=20, max_steps=3)]
        run = play_toys(POLICY, tasks, 1, args={"address": url}, workers=workers)
    found = load_report(run.path).footprint
    assert found == Footprint(elsewhere=True)
    assert "does not tell what it takes" in footprint_lines(found)[0]
    assert json.loads(render(load_report(run.path), "json"))["footprint"]["elsewhere"] is True


def test_a_served_agent_of_this_run_is_asked_where_it_is(
    play_toys: Callable[..., Run], ray_here: None
) -> None:
    run = play_toys("toytimes:ServedModelled", [toys.TASKS[0]], 2, workers=1)
    found = load_report(run.path).footprint
    assert found is not None
    assert (found.elsewhere, found.parameters) == (False, 55)


def test_an_agent_in_another_interpreter_is_asked_there() -> None:
    spec = HostedAgentSpec("toytimes:Modelled", "toytimes:Modelled", {}, sys.executable)
    agent = spec.build()
    try:
        assert footprint(agent) == {"elsewhere": True}
        agent.end(["e"])
        found = footprint(agent)
        assert found["parameters"] == 55
        assert found["memory"] > 20e6
    finally:
        agent.close()


@pytest.mark.parametrize("told", ["much", [5], {"memory": True, "parameters": -1, "more": 5}, None])
def test_what_a_strangers_server_tells_is_checked(told: object) -> None:
    assert checked_footprint(told) == {}


def test_what_a_users_class_calls_a_footprint_is_not_run() -> None:
    class Odd(toys.RandomAgent):
        @property
        def footprint(self) -> dict[str, int]:  # type: ignore[override]
            raise ValueError("this is about feet")

    assert footprint(Odd())["memory"] > 20e6


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

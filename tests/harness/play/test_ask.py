"""Agents that let the expert act in some steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import toys
from conftest import Notes, Run, read_lines

from harness.core import Answer, Box, Discrete, Task
from harness.play.runner import RunOptions
from harness.play.values import AgentFault, Chunk, taken
from harness.policies.wire.nouns import answer_of, as_answer
from harness.policies.wire.packing import Malformed, pack, unpack
from harness.verify.knowledge import Knowledge
from harness.verify.replay import verify
from leaderboards.render import render
from leaderboards.report import load_report

ASKER = "askers:Asker"


def asked(run: Run) -> list[float]:
    return [line["metrics"]["expert_steps"] for line in run.results]


def test_the_expert_acts_where_it_is_asked(play_toys: Callable[..., Run]) -> None:
    expert = play_toys("ExpertAgent", [toys.toy_task()], 4, out="expert")
    always = play_toys(ASKER, [toys.toy_task()], 4, out="always")
    assert [line["digest"] for line in always.results] == [
        line["digest"] for line in expert.results
    ]
    assert asked(always) == [line["steps"] for line in always.results]
    assert all(line["timing"]["privileged"] == ["expert"] for line in read_lines(always.path))
    never = play_toys(ASKER, [toys.toy_task()], 4, out="never", args={"every": 0})
    assert asked(never) == [0.0] * 4
    assert not any("privileged" in line["timing"] for line in read_lines(never.path))


def test_it_is_the_same_however_it_is_played_and_is_replayed(
    play_toys: Callable[..., Run], ray_here: None
) -> None:
    tasks = [toys.toy_task()]
    here = play_toys(ASKER, tasks, 4, out="here", args={"every": 2})
    there = play_toys(ASKER, tasks, 4, out="there", args={"every": 2}, workers=2, lanes=2)
    assert there.results == here.results
    assert 0 < sum(asked(here)) < sum(line["steps"] for line in here.results)
    assert "the expert acted where it was asked" in render(load_report(here.path), "text")
    options, known = RunOptions(), Knowledge()
    found = verify(here.path, sample=None, options=options, progress=Notes(), known=known)
    assert found.differences == []


def test_who_may_not_ask_fails(play_toys: Callable[..., Run]) -> None:
    run = play_toys("askers:Uncalled", [toys.toy_task()], 1)
    (line,) = run.results
    assert line["status"] == "agent_error"
    assert "name `ask` in reads" in line["error"]


def test_a_task_without_an_expert_is_not_played(play_toys: Callable[..., Run]) -> None:
    params = {"id": "Acrobot-v1"}
    without = Task("gym/Acrobot-v1@1", "games", "adapters.gym:GymAdapter", params)
    run = play_toys(ASKER, [without, toys.toy_task()], 1)
    assert [line["task"] for line in run.results] == ["toys/goal@1"]


@pytest.mark.parametrize("ask", [1, "yes", None])
def test_what_is_no_answer_whether_to_ask_is_a_fault(ask: Any) -> None:
    assert isinstance(taken(Answer([0], ask=ask), Discrete(2)), AgentFault)


def test_a_request_passes_through_a_server() -> None:
    chunk = taken(Answer([], ask=True), Box((2,)))
    assert isinstance(chunk, Chunk)
    found = answer_of(unpack(pack(as_answer(chunk))), Box((2,)))
    assert isinstance(found, Chunk)
    assert found.ask
    np.testing.assert_array_equal(found.moves[0][0], chunk.moves[0][0])
    for wrong in ({"ask": 1}, {"ask": True, "chunk": [[np.zeros(2), False]] * 2}):
        with pytest.raises(Malformed):
            answer_of({"chunk": [[np.zeros(2), False]], **wrong}, Box((2,)))

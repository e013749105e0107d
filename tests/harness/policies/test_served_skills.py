"""An agent that calls skills behind `bench serve`: equal results, and no side is trusted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import toys
from conftest import Run, read_lines
from policyservers import bench_server, turn_of_a_toy
from toyskills import PLACES, SKILLS, Caller, Planning

from harness.core import Agent, Box, SkillCall, SkillsNow
from harness.play.values import Chunk
from harness.policies.wire.nouns import answer_of, as_answer, as_turn, revive, turn_of
from harness.policies.wire.packing import Malformed, pack, unpack

POLICY = "harness.policies.openpi:OpenPI"
TASKS = [toys.toy_task("skilled", adapter="toyskills:SkilledToy")]
NOW = SkillsNow(SKILLS, PLACES, (SkillCall("rest"),), SkillCall("fail"), "it failed", None)


def served(play_toys: Callable[..., Run], agent: Agent, **more: Any) -> Run:
    with bench_server(agent, batch=2) as url:
        return play_toys(POLICY, TASKS, out="there", args={"address": url}, **more)


@pytest.mark.parametrize("lanes", [1, 3])
def test_calls_and_what_became_of_them_go_through(
    play_toys: Callable[..., Run], lanes: int
) -> None:
    args = {"calls": "rest, trip, go corner", "then": "go goal"}
    here = play_toys("toyskills:Caller", TASKS, out="here", args=args, lanes=lanes)
    there = served(play_toys, Caller(**args), lanes=lanes)
    assert there.results == here.results
    assert all(line["success"] for line in there.results)
    for line in read_lines(there.path):
        assert line["timing"]["asked"] == 2
        assert line["timing"]["agent"]["failed"] == 1.0


def test_the_experts_plan_goes_through(play_toys: Callable[..., Run]) -> None:
    here = play_toys("toyskills:Planning", TASKS, out="here")
    there = served(play_toys, Planning())
    assert there.results == here.results
    assert all(line["success"] for line in there.results)


@pytest.mark.parametrize("skills", [None, NOW])
def test_a_turn_keeps_its_skills(skills: SkillsNow | None) -> None:
    turn = turn_of_a_toy(skills=skills)
    sent = unpack(pack(as_turn(turn, "b", 0)), revive)
    found, _ = turn_of(sent, {"b": turn.brief}, 1)
    assert found.skills == skills


@pytest.mark.parametrize(
    "skills",
    [
        7,
        "skills",
        SkillCall("rest"),
        SkillsNow(7, PLACES),  # type: ignore[arg-type]
        SkillsNow(("go",), PLACES),  # type: ignore[arg-type]
        SkillsNow(SKILLS, {"place": 7}),  # type: ignore[dict-item]
        SkillsNow(SKILLS, [("place", ("goal",))]),  # type: ignore[arg-type]
        SkillsNow(SKILLS, PLACES, (7,)),  # type: ignore[arg-type]
        SkillsNow(SKILLS, PLACES, (), SkillCall("go", (7,))),  # type: ignore[arg-type]
        SkillsNow(SKILLS, PLACES, why=7),  # type: ignore[arg-type]
        SkillsNow(SKILLS, PLACES, plan=(SkillCall(7),)),  # type: ignore[arg-type]
    ],
)
def test_skills_of_a_stranger_that_are_none_are_refused(skills: Any) -> None:
    turn = turn_of_a_toy(skills=skills)
    sent = unpack(pack(as_turn(turn, "b", 0)), revive)
    with pytest.raises(Malformed, match="skills that are none"):
        turn_of(sent, {"b": turn.brief}, 1)


def test_calls_are_what_they_were() -> None:
    sent = Chunk([], None, [], {"usd": 0.5}, "so be it", (SkillCall("go", ("goal",)),))
    assert answer_of(unpack(pack(as_answer(sent)), revive), Box((2,))) == sent


@pytest.mark.parametrize(
    "answer",
    [
        {"chunk": [], "calls": 7},
        {"chunk": [], "calls": ()},
        {"chunk": [], "calls": ("go",)},
        {"chunk": [], "calls": (SkillCall("go", [1]),)},  # type: ignore[arg-type]
        {"chunk": [], "calls": (SkillCall("go"),) * 1001},
        {"chunk": [[[0.0, 0.0], False]], "calls": (SkillCall("go"),)},
    ],
)
def test_calls_of_a_stranger_that_are_none_are_refused(answer: dict[str, Any]) -> None:
    with pytest.raises(Malformed, match=r"calls that are none|no actions"):
        answer_of(answer, Box((2,)))

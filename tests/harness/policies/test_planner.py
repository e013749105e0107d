"""A planner: its plans are checked, carried out by skills, and made anew where they fail."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from chatserver import chat_server
from conftest import Notes, read_lines

from harness.cli.names import agent_named
from harness.core import BadAction, Skill, SkillCall, SkillsNow, Suite
from harness.perturb.parse import parse_conditions
from harness.play.planning import make_plan
from harness.play.runner import RunOptions, play
from harness.policies.planner import PlannerAgent, plans
from harness.testing import check_agent
from harness.verify.episode_replay import EpisodeReplay, find_episode
from suites import babyai, pddl

TASKS = {task.name: task for each in (babyai, pddl) for s in each.SUITES for task in s.tasks}
BLOCKS = "pddl/blocksworld"
QUICK = {"backoff_s": 0.01, "timeout_s": 5.0}
NOW = SkillsNow(
    skills=(
        Skill("pick-up", (("x", "block"),), "pick up a block"),
        Skill("stack", (("x", "block"), ("y", "block")), "put one on another"),
        Skill("rest", (), "do nothing"),
    ),
    objects={"block": ("b1", "b2")},
)
PICK = {"skill": "pick-up", "x": "b1"}

Play = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def played(tmp_path: Path) -> Play:
    """Plays tasks by their names: the lines of episodes.jsonl."""

    def go(
        agent: str, *names: str, episodes: int = 1, out: str = "run", perturb: str = "", **args: Any
    ) -> list[dict[str, Any]]:
        spec = agent_named(agent, args)
        chosen = tuple(TASKS[name] for name in names)
        suite = Suite("some", "some", chosen, episodes)
        conditions = parse_conditions(perturb, ()) if perturb else ()
        plan = make_plan(
            [(suite, task) for task in chosen],
            spec,
            episodes=episodes,
            seed=0,
            perturb=conditions,
        )
        play(spec, ["some"], plan, tmp_path / out, RunOptions(), Notes())
        return read_lines(tmp_path / out)

    return go


def test_the_contract_of_agents() -> None:
    check_agent(PlannerAgent, [TASKS[BLOCKS], TASKS["babyai/Unlock"]], args={"address": "expert"})


def last_text(body: Mapping[str, Any]) -> str:
    return str(body["messages"][-1]["content"])


def ready(body: Mapping[str, Any]) -> bool:
    """Whether this is the question that finds out what the endpoint can do."""
    return "ready" in last_text(body)


@pytest.mark.parametrize(
    "names",
    [
        ("babyai/GoToLocalS8N7", "babyai/PickupLoc", "babyai/PutNextLocal", "babyai/Open"),
        ("babyai/UnblockPickup", "babyai/Unlock", "babyai/GoToSeq", "babyai/SynthSeq"),
        tuple(name for name in TASKS if name.startswith("pddl/")),
    ],
)
def test_the_experts_plans_reach_the_experts_rate(played: Play, names: tuple[str, ...]) -> None:
    planned = played("planner:expert", *names, episodes=3)
    acted = played("oracle", *names, episodes=3, out="oracle")
    by_case = {line["case"]: line for line in acted}
    assert len(planned) == len(acted) == 3 * len(names)
    for line in planned:
        other = by_case[line["case"]]
        assert (line["success"], line["steps"]) == (other["success"], other["steps"]), line["task"]
        assert line["digest"] == other["digest"]
        assert line["timing"]["agent"]["plans"] == 1, line["task"]


def test_it_plans_again_where_actions_do_not_come_out(played: Play) -> None:
    lines = played("planner:expert", BLOCKS, episodes=8, perturb="action_dropout:5", plans=50)
    hurt = [line for line in lines if line["perturbations"]]
    clean = [line for line in lines if not line["perturbations"]]
    assert all(line["success"] for line in lines)
    assert sum(line["timing"]["agent"]["replans"] for line in clean) == 0
    assert sum(line["timing"]["agent"]["failed_calls"] for line in hurt) > 0
    assert sum(line["timing"]["agent"]["replans"] for line in hurt) > 0


@pytest.mark.parametrize(
    "abilities", [("tools", "json_schema"), ("json_schema",), ("json_object",), ()]
)
def test_a_failed_call_is_told_and_the_next_plan_may_do_better(
    played: Play, abilities: tuple[str, ...], tmp_path: Path
) -> None:
    # Seed 0: b1 lies on the table, clear, and is to stand on b2.
    right = [PICK, {"skill": "stack", "x": "b1", "y": "b2"}]

    def model(body: Mapping[str, Any]) -> Any:
        if ready(body):
            return "ready"
        return right if "failed" in last_text(body) else [right[1], right[0]]

    with chat_server(model, abilities) as server:
        (line,) = played(f"planner:{server.address}", BLOCKS, **QUICK)
    told = line["timing"]["agent"]
    assert line["success"]
    assert (told["plans"], told["replans"], told["failed_calls"], told["calls"]) == (2, 1, 1, 4)
    assert (told["answers"], told["invalid"]) == (2, 0)
    asked = [last_text(each) for each in server.requests if not ready(each)]
    assert "failed" not in asked[0]
    assert "stack(b1, b2) failed: needed, and not so: " in asked[1]
    assert "Not tried: pick-up(b1)." in asked[1]
    episode = find_episode(tmp_path / "run", "pddl/blocksworld:0")
    assert list(episode.actions) == ["(stack b1 b2)", "(pick-up b1)", "(stack b1 b2)"]
    assert [json.loads(each)["step"] for each in episode.said.splitlines()] == [0, 1]
    with EpisodeReplay(episode) as replay:
        assert len(list(replay.steps([]))) == 4
    assert replay.as_recorded


def test_a_schema_lists_the_skills_and_their_objects(played: Play) -> None:
    with chat_server(lambda body: "ready" if ready(body) else [PICK], ("json_schema",)) as server:
        played(f"planner:{server.address}", BLOCKS, plans=1, max_calls=5, **QUICK)
    schema = server.requests[-1]["response_format"]["json_schema"]["schema"]["properties"]["plan"]
    assert (schema["minItems"], schema["maxItems"]) == (1, 5)
    stack = next(
        each
        for each in schema["items"]["anyOf"]
        if each["properties"]["skill"]["enum"] == ["stack"]
    )
    assert stack["properties"]["y"]["enum"] == ["b1", "b2", "b3"]
    assert stack["required"] == ["skill", "x", "y"]
    opening = server.requests[-1]["messages"][0]["content"]
    assert "- stack(x: block, y: block): " in opening
    assert '{"skill": "stack", "x": "<block>", "y": "<block>"}' in opening


def test_an_invalid_plan_is_repaired_once_then_counted(played: Play) -> None:
    with chat_server(
        lambda body: [PICK] if "no valid plan" in last_text(body) else "raw:nonsense", ()
    ) as server:
        (repaired,) = played(f"planner:{server.address}", BLOCKS, plans=1, mode="text", **QUICK)
    told = repaired["timing"]["agent"]
    assert (told["answers"], told["invalid"], told["repaired"], told["calls"]) == (1, 1, 1, 1)
    with chat_server(lambda body: "raw:nonsense", ()) as server:
        (line,) = played(
            f"planner:{server.address}", BLOCKS, plans=3, mode="text", out="bad", **QUICK
        )
    told = line["timing"]["agent"]
    assert (line["status"], line["ended"], line["success"]) == ("finished", "horizon", False)
    assert (told["answers"], told["invalid"], told["repaired"]) == (3, 3, 0)
    assert (told["plans"], told["calls"]) == (3, 0)


def test_an_empty_plan_after_a_plan_that_was_carried_out_ends_the_asking(played: Play) -> None:
    def model(body: Mapping[str, Any]) -> Any:
        return [] if "nothing is left to do" in last_text(body) else [PICK]

    with chat_server(model, ()) as server:
        (line,) = played(f"planner:{server.address}", BLOCKS, mode="text", **QUICK)
    assert not line["success"]
    assert (line["timing"]["agent"]["answers"], len(server.requests)) == (2, 2)
    assert line["timing"]["agent"]["invalid"] == 0


def test_an_endpoint_that_is_gone_is_no_fault_of_the_model(played: Play) -> None:
    with chat_server(lambda body: [PICK], ()) as server:
        address = server.address
    (line,) = played(f"planner:{address}", BLOCKS, mode="text", retries=0, **QUICK)[:1]
    assert line["status"] == "error"


def test_privilege_is_that_of_the_controllers(played: Play) -> None:
    def walk(body: Mapping[str, Any]) -> Any:
        return [{"skill": "go_to", "object": "red ball"}]

    with chat_server(walk, ()) as server:
        (grid,) = played(
            f"planner:{server.address}", "babyai/GoToRedBall", mode="text", out="grid", **QUICK
        )
    assert grid["success"]
    assert grid["timing"]["privileged"] == ["skills"]
    with chat_server(lambda body: [PICK], ()) as server:
        (words,) = played(f"planner:{server.address}", BLOCKS, mode="text", plans=1, **QUICK)
    assert "privileged" not in words["timing"]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([], "the plan holds no call"),
        ({}, "expected a JSON list"),
        (None, "expected a JSON list"),
        (7, "expected a JSON list"),
        ([PICK] * 9, "the plan holds 9 calls; 8 are allowed"),
        ([[PICK]], 'call 1: expected an object with "skill"'),
        ([{"x": "b1"}], 'call 1: expected an object with "skill"'),
        ([{"skill": 3}], 'call 1: expected an object with "skill"'),
        ([{"skill": "fly"}], "call 1: there is no skill 'fly'"),
        ([PICK, {"skill": "stack", "x": "b1"}], "call 2: stack(x, y) needs 'y'"),
        ([{"skill": "pick-up", "x": "b9"}], "'b9' is no block"),
        ([{"skill": "pick-up", "x": ["b1"]}], "needs 'x', a text"),
        ([{**PICK, "speed": "fast"}], "takes no 'speed'"),
        (["__import__('os').system('touch pwned')"], "is no call"),
        (["pick-up(b1); rm -rf /"], "is no call"),
        (["eval(b1)"], "there is no skill 'eval'"),
        (["pick-up()"], "takes 1 arguments, got 0"),
        (["(" * 100_000], "is no call"),
        ([{"skill": "\u202epick-up", "x": "b1"}], "there is no skill"),
        ([{"skill": "x" * 1_000_000}], "there is no skill"),
    ],
)
def test_what_is_no_plan_is_refused_in_a_line(value: Any, words: str) -> None:
    with pytest.raises(BadAction) as told:
        plans.plan_of(value, False, NOW, 8)
    assert words in str(told.value)
    assert len(str(told.value)) < 400


@pytest.mark.parametrize("text", ["", "no list", "[", "]" * 50_000, "[" * 50_000, "[1,]", '["a"'])
def test_what_is_no_list_in_words_is_refused(text: str) -> None:
    with pytest.raises(BadAction):
        plans.plan_of(text, True, NOW, 8)


@pytest.mark.parametrize(
    "value",
    [
        [PICK, {"skill": "stack", "x": "b1", "y": "b2"}],
        ["pick-up(b1)", "stack(b1, b2)"],
        ["Pick_Up( b1 )", "(stack(b1,b2))"],
        '```json\n[{"skill": "pick-up", "x": "b1"}, "stack(b1, b2)"]\n```',
    ],
)
def test_what_is_a_plan_is_read(value: Any) -> None:
    expected = (SkillCall("pick-up", ("b1",)), SkillCall("stack", ("b1", "b2")))
    assert plans.plan_of(value, isinstance(value, str), NOW, 8) == expected

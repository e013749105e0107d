"""Calls of skills are played like actions: recorded, perturbed, bounded and judged."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import toys
from conftest import Notes, Run, read_lines, results_of

from harness.core import Answer, Discrete, Skill, SkillCall, Suite
from harness.core.skills import problem_of
from harness.host import interpreters
from harness.host.agents import HostedAgentSpec
from harness.perturb.parse import parse_conditions
from harness.play.planning import make_plan
from harness.play.runner import RunOptions, play
from harness.play.values import AgentFault, Chunk, taken
from harness.records.control_clock import ControlClock
from harness.records.identity import AgentSpec
from harness.verify.episode_replay import EpisodeReplay, find_episode

PlayToys = Callable[..., Run]


def skilled(adapter: str = "SkilledToy", **params: Any) -> Any:
    return toys.toy_task("skilled", adapter=f"toyskills:{adapter}", **params)


@pytest.mark.parametrize("adapter", ["SkilledToy", "SkilledBatch"])
@pytest.mark.parametrize("action", ["discrete", "box"])
@pytest.mark.parametrize("lanes", [1, 3])
def test_a_skill_plays_what_the_expert_plays(
    play_toys: PlayToys, adapter: str, action: str, lanes: int
) -> None:
    tasks = [skilled(adapter, action=action)]
    called = play_toys("toyskills:Caller", tasks, lanes=lanes).results
    acted = play_toys("GoodAgent", tasks, out="acted", lanes=lanes).results
    assert [line["success"] for line in called] == [True] * 4
    for one, other in zip(called, acted):
        assert {**one, "case": 0} == {**other, "case": 0}


def test_the_agent_is_asked_once_for_all_calls_of_an_answer(play_toys: PlayToys) -> None:
    run = play_toys("toyskills:Caller", [skilled()], args={"calls": "rest, go corner, go goal"})
    for line in read_lines(run.path):
        assert line["success"]
        assert line["timing"]["asked"] == 1


def test_the_calls_after_a_failed_one_are_not_tried(play_toys: PlayToys) -> None:
    args = {"calls": "rest, trip, go corner, go goal", "then": "go goal"}
    run = play_toys("toyskills:Caller", [skilled()], args=args)
    for line in read_lines(run.path):
        assert line["success"]
        assert line["timing"]["asked"] == 2
        assert line["timing"]["agent"] == {"failed": 1.0, "done": 1.0}
        episode = find_episode(run.path, line["case"])
        assert episode.actions[0] == 1
        assert episode.said.endswith("it is meant to fail")


@pytest.mark.parametrize("calls", ["rest", "fail", "rest, rest, fail"])
def test_calls_that_do_nothing_cost_a_step(play_toys: PlayToys, calls: str) -> None:
    run = play_toys("toyskills:Caller", [skilled(max_steps=6)], 2, args={"calls": calls})
    for line in read_lines(run.path):
        assert (line["ended"], line["steps"], line["timing"]["asked"]) == ("horizon", 6, 6)
        assert list(find_episode(run.path, line["case"]).actions) == [0] * 6


@pytest.mark.parametrize(
    ("agent", "calls", "words"),
    [
        ("Caller", "fly", "there is no skill 'fly'; there is go, rest, fail"),
        ("Caller", "go", "go(to) takes 1 arguments, got 0"),
        ("Caller", "go moon", "'moon' is no place, which to of go(to) is; there is goal, corner"),
        ("Stranger", "rest", "it calls skills, and does not read `skills`"),
    ],
)
def test_what_is_no_call_is_the_agents_error(
    play_toys: PlayToys, agent: str, calls: str, words: str
) -> None:
    run = play_toys(f"toyskills:{agent}", [skilled()], 1, args={"calls": calls})
    (line,) = run.results
    assert (line["status"], line["steps"]) == ("agent_error", 0)
    assert words in line["error"]


@pytest.mark.parametrize(
    ("calls", "words"),
    [
        ("babble", "babble() gave an action that is none"),
        ("break", "the controller broke"),
    ],
)
def test_what_a_controller_does_wrong_is_the_simulators_fault(
    play_toys: PlayToys, calls: str, words: str
) -> None:
    run = play_toys("toyskills:Caller", [skilled()], 1, args={"calls": calls})
    (line,) = run.results
    assert line["status"] == "error"
    assert words in line["error"]


def test_a_task_without_skills_is_a_row(play_toys: PlayToys) -> None:
    tasks = [skilled(), toys.toy_task()]
    run = play_toys("toyskills:Caller", tasks, 1)
    assert [line["task"] for line in run.results] == ["toys/skilled@1"]
    spec = AgentSpec("caller", "toyskills:Caller", {})
    suite = Suite("toys", "toys", tuple(tasks), 1)
    plan = make_plan([(suite, task) for task in tasks], spec, episodes=1, seed=0)
    (row,) = plan.not_run
    assert row.reason == "this task has no skills"


def test_who_has_skills_played_is_privileged_unless_the_adapter_says_otherwise(
    play_toys: PlayToys, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = play_toys("toyskills:Caller", [skilled()], 1)
    assert read_lines(run.path)[0]["timing"]["privileged"] == ["skills"]
    monkeypatch.setattr("toyskills.SkilledToy.privileged_skills", False)
    plain = play_toys("toyskills:Caller", [skilled()], 1, out="plain")
    assert "privileged" not in read_lines(plain.path)[0]["timing"]


def test_the_experts_plan_is_shown_to_who_reads_both(play_toys: PlayToys) -> None:
    run = play_toys("toyskills:Planning", [skilled()])
    assert all(line["success"] for line in run.results)
    assert all(line["timing"]["asked"] == 1 for line in read_lines(run.path))


def test_a_replay_needs_no_controller(play_toys: PlayToys, monkeypatch: pytest.MonkeyPatch) -> None:
    run = play_toys("toyskills:Caller", [skilled()], 1, args={"calls": "go corner, go goal"})

    def gone(*_: object) -> None:
        raise AssertionError("it was asked")

    monkeypatch.setattr("toyskills.SkilledToy.skill", gone)
    with EpisodeReplay(find_episode(run.path, "toys/skilled:0")) as replay:
        assert len(list(replay.steps(["state"]))) == run.results[0]["steps"] + 1
    assert replay.as_recorded


def played(path: Path, calls: str = "go goal", **options: Any) -> list[dict[str, Any]]:
    spec = AgentSpec("caller", "toyskills:Caller", {"calls": calls})
    suite = Suite("toys", "toys", (skilled(control_hz=10.0),), 6)
    plan = make_plan([(suite, suite.tasks[0])], spec, episodes=6, seed=0, **options)
    play(spec, ["toys"], plan, path, RunOptions(), Notes())
    return read_lines(path)


def test_actions_of_skills_are_perturbed_as_an_agents_own(tmp_path: Path) -> None:
    conditions = parse_conditions("action_dropout:5", ())
    lines = played(tmp_path / "run", perturb=conditions)
    clean = {line["seed"]: line for line in lines if not line["perturbations"]}
    hurt = [line for line in lines if line["perturbations"]]
    assert len(hurt) == len(clean) == 6
    assert all(line["success"] for line in lines)
    assert sum(line["steps"] for line in hurt) > sum(line["steps"] for line in clean.values())


def test_a_late_answer_holds_the_body_first(tmp_path: Path) -> None:
    lines = played(tmp_path / "late", clock=ControlClock(latencies=(0.2,)))
    on_time = {line["seed"]: line["steps"] for line in played(tmp_path / "run")}
    assert all(line["success"] for line in lines)
    assert {line["seed"]: line["steps"] - 2 for line in lines} == on_time


def test_skills_of_an_adapter_in_another_interpreter(play_toys: PlayToys, tmp_path: Path) -> None:
    here = play_toys("toyskills:Caller", [skilled()], args={"calls": "rest, go goal"}).results
    with interpreters.configured([f"toyskills:SkilledToy={sys.executable}"]):
        there = play_toys("toyskills:Planning", [skilled()], out="there", args={}).results
        again = play_toys(
            "toyskills:Caller", [skilled()], out="again", args={"calls": "rest, go goal"}
        ).results
    assert again == here
    assert all(line["success"] for line in there)


def test_an_agent_in_another_interpreter_calls_skills(play_toys: PlayToys, tmp_path: Path) -> None:
    here = play_toys("toyskills:Caller", [skilled()], args={"calls": "trip", "then": "go goal"})
    args = {"calls": "trip", "then": "go goal"}
    spec = HostedAgentSpec("there", "toyskills:Caller", args, sys.executable)
    suite = Suite("toys", "toys", (skilled(),), 4)
    plan = make_plan([(suite, suite.tasks[0])], spec, episodes=None, seed=0)
    play(spec, ["toys"], plan, tmp_path / "there", RunOptions(), Notes())
    assert results_of(tmp_path / "there") == here.results
    assert all(line["success"] for line in here.results)
    told = [line["timing"]["agent"] for line in read_lines(tmp_path / "there")]
    assert told == [line["timing"]["agent"] for line in read_lines(here.path)]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer([1], calls=[SkillCall("rest")]), "holds actions or calls, and not both"),
        (Answer((), calls="rest"), "must be a list of at most 1000 SkillCalls"),  # type: ignore[arg-type]
        (Answer((), calls=[SkillCall("rest")] * 1001), "must be a list of at most 1000"),
        (Answer((), calls=None), "must be a list of at most 1000"),  # type: ignore[arg-type]
        (Answer((), calls=[]), "an Answer needs at least one action"),
    ],
)
def test_an_answer_of_calls_is_checked(answer: Answer, words: str) -> None:
    fault = taken(answer, Discrete(5))
    assert isinstance(fault, AgentFault)
    assert words in fault.reason
    plain = taken(Answer([1], calls=[]), Discrete(5))
    assert isinstance(plain, Chunk)
    assert plain.moves == [(1, False)]


def test_a_call_is_checked_as_a_strangers() -> None:
    skills = (Skill("go", (("to", "place"),)),)
    objects = {"place": ("goal",)}
    assert problem_of(SkillCall("go", ("goal",)), skills, objects) is None
    odd: list[Any] = [
        None, "go(goal)", SkillCall("go", "goal"), SkillCall("go", ["goal"]),  # type: ignore[arg-type]
        SkillCall(None, ()), SkillCall("go", (None,)), SkillCall("go", ("goal", "goal")),  # type: ignore[arg-type]
        SkillCall("g" * 100_000), SkillCall("go", ("x" * 100_000,)),
    ]  # fmt: skip
    for each in odd:
        said = problem_of(each, skills, objects)
        assert said is not None
        assert len(said) < 300

"""`import bench` as a library: live policies, lazy views, runs that never resume."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toys
import toysuite
from conftest import Said, results_of

import bench
from harness.core import Agent, Case, Suite, Task, TimeStep, Turn, UserError
from harness.host import interpreters

SHORT = Suite("short", "one task", (toys.toy_task(max_steps=12),), 3)
ALL_TOYS = Suite("all toys", "all forms of adapter", toys.SUITE_TASKS, 2)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def still(turns: Sequence[Turn]) -> list[Any]:
    return [turn.brief.action.noop() for turn in turns]


def good(turns: Sequence[Turn]) -> list[Any]:
    """Goes straight to the goal, by what it sees."""
    states = [turn.observation["state"] for turn in turns]
    actions = [turn.brief.action for turn in turns]
    return [toys.towards(spec, s[:2], s[2:]) for spec, s in zip(actions, states)]


class Policy(Agent):
    """A policy whose weights change between calls."""

    reads = ("state",)

    def __init__(self, good: bool = False) -> None:
        self.good = good
        self.asked_in: set[int] = set()
        self.closed = False

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        self.asked_in.add(os.getpid())
        return good(turns) if self.good else still(turns)

    def close(self) -> None:
        self.closed = True


def test_a_function_plays_every_form_of_adapter() -> None:
    assert bench.evaluate(good, ALL_TOYS, lanes=2).success_rate == 1.0
    assert bench.evaluate(still, ALL_TOYS).success_rate == 0.0


def _table_of(text: str) -> list[list[str]]:
    """The first five columns of the rows of tasks: those without times."""
    return [line.split()[:5] for line in text.splitlines() if line.startswith("toys/")]


def test_the_figures_are_those_of_the_command_line(bench_here: Callable[..., Said]) -> None:
    words = ["--agent", "toys:GoodAgent", "--suite", "toysuite:QUICK", "--workers", 0]
    said = bench_here("run", *words, "--out", "cli")
    evaluation = bench.evaluate(toys.GoodAgent, toysuite.QUICK, workers=0, out="api")
    assert results_of(Path("api")) == results_of(Path("cli"))
    assert _table_of(str(evaluation)) == _table_of(said.out)
    by_name = bench.evaluate("toys:GoodAgent", "toysuite:QUICK", workers=0, out="cli")
    assert by_name.report.run["agent"] == evaluation.report.run["agent"]
    assert by_name.summary.missing == 0


def test_rows_intervals_results_and_frame() -> None:
    evaluation = bench.evaluate(good, SHORT, out="run")
    row = evaluation["toys/goal"]
    assert row is evaluation["toys/goal@1"]
    assert row.interval is not None
    assert row.interval.value == 1.0
    assert row.interval.low < 1.0 == row.interval.high
    assert evaluation.interval is not None
    assert [each.task for each in evaluation] == ["toys/goal@1"]
    results = list(evaluation.results())
    assert [result.seed for result in results] == [0, 1, 2]
    assert list(bench.load_run("run").results()) == results
    assert repr(evaluation).splitlines() == [
        "good: 3 of 3 episodes scored, 1 of 1 task",
        "3 of 3 succeeded; mean of task rates 100.0 % [43.9, 100.0]",
    ]
    frame = evaluation.to_frame()
    assert list(frame["task"]) == ["toys/goal@1"]
    assert list(frame["n"]) == [3]
    with pytest.raises(UserError, match="no result of a task 'toys/gaol'; there are toys/goal"):
        evaluation["toys/gaol"]


def test_a_change_between_two_calls_is_seen() -> None:
    policy = Policy()
    first = bench.evaluate(policy, SHORT)
    policy.good = True
    second = bench.evaluate(policy, SHORT)
    assert (first.success_rate, second.success_rate) == (0.0, 1.0)
    assert first.path != second.path
    assert not policy.closed, "its owner goes on with it"
    assert policy.asked_in == {os.getpid()}
    assert second.report.run["agent"]["fingerprint"] == "unnamed"
    assert "unnamed" in str(second)


def test_an_unnamed_policy_never_resumes() -> None:
    bench.evaluate(still, SHORT, out="run")
    before = Path("run/episodes.jsonl").read_bytes()
    for policy in (still, good, Policy()):
        with pytest.raises(UserError, match="never goes on: choose another place"):
            bench.evaluate(policy, SHORT, out="run")
    assert Path("run/episodes.jsonl").read_bytes() == before
    with pytest.raises(UserError, match="holds another run"):
        bench.evaluate(toys.GoodAgent, SHORT, out="run", workers=0)


def test_an_object_that_names_its_files_resumes_until_they_change(tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    weights.write_text("1")

    class Filed(Policy):
        files = (str(weights),)

    first = bench.evaluate(Filed(), SHORT)
    again = bench.evaluate(Filed(), SHORT)
    assert first.path == again.path
    weights.write_text("2")
    assert bench.evaluate(Filed(), SHORT).path != first.path
    with pytest.raises(UserError, match="source or weights changed"):
        bench.evaluate(Filed(), SHORT, out=first.path)


def test_a_class_goes_by_its_name_and_takes_arguments() -> None:
    evaluation = bench.evaluate(toys.ChunkAgent, SHORT, agent_args={"length": 2}, workers=0)
    agent = evaluation.report.run["agent"]
    assert (agent["entry"], agent["args"]) == ("toys:ChunkAgent", {"length": 2})
    assert agent["fingerprint"] != "unnamed"

    class Local(Policy):
        pass

    local = bench.evaluate(Local, SHORT, agent_args={"good": True})
    assert local.success_rate == 1.0
    assert local.report.run["agent"]["fingerprint"] == "unnamed"


@pytest.mark.slow
def test_in_ray_a_live_policy_is_a_copy_of_what_it_was_at_the_call(ray_here: None) -> None:
    policy = Policy(good=True)
    evaluation = bench.evaluate(policy, SHORT, workers=1)
    assert evaluation.success_rate == 1.0
    assert policy.asked_in == set(), "the copy was asked, elsewhere"
    assert bench.evaluate(good, SHORT, workers=2).success_rate == 1.0


class CountingAdapter(toys.ToyAdapter):
    """Counts how often the picture is drawn; draws none on the task "torn"."""

    drawn = 0

    def draw(self, point: np.ndarray, goal: np.ndarray) -> np.ndarray:
        type(self).drawn += 1
        if "torn" in self.task.id:
            raise RuntimeError("the canvas is torn")
        return super().draw(point, goal)


def counted(name: str = "goal") -> Suite:
    task = toys.toy_task(name, adapter=f"{__name__}:CountingAdapter", max_steps=4)
    return Suite("counted", "counted", (task,), 2)


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> type[CountingAdapter]:
    monkeypatch.setitem(sys.modules, __name__, sys.modules[CountingAdapter.__module__])
    monkeypatch.setattr(CountingAdapter, "drawn", 0)
    return CountingAdapter


def test_views_are_drawn_when_they_are_touched(counting: type[CountingAdapter]) -> None:
    bench.evaluate(still, counted())
    assert counting.drawn == 0

    def looks_once(turns: Sequence[Turn]) -> list[Any]:
        for turn in turns:
            if turn.step == 1:
                first, again = turn.observation["image"], turn.observation["image"]
                assert first is again
                assert set(turn.observation) == set(turn.brief.observation) == {"state", "image"}
        return still(turns)

    bench.evaluate(looks_once, counted())
    assert counting.drawn == 2, "once in each episode"
    bench.evaluate(still, counted(), reads=("image",))
    assert counting.drawn == 2 + 2 * 4, "what is named is read at every turn"


def test_a_view_that_was_not_read_is_gone_after_the_step(
    counting: type[CountingAdapter],
) -> None:
    kept: dict[int, Any] = {}

    def looks_back(turns: Sequence[Turn]) -> list[Any]:
        for turn in turns:
            if turn.step and kept:
                with pytest.raises(KeyError, match="not read before the next step"):
                    kept[0]["image"]
                assert kept[0]["state"].shape == (4,)
            else:
                kept[0] = turn.observation
                assert kept[0]["state"].shape == (4,)
        return still(turns)

    evaluation = bench.evaluate(looks_back, counted())
    assert evaluation.report.overall.agent_errors == 0


def test_a_view_that_the_simulator_cannot_draw_is_its_fault(
    counting: type[CountingAdapter],
) -> None:
    def looks(turns: Sequence[Turn]) -> list[Any]:
        return [turn.observation["image"] and turn.brief.action.noop() for turn in turns]

    evaluation = bench.evaluate(looks, counted("torn"))
    overall = evaluation.report.overall
    assert (overall.agent_errors, overall.errors, overall.n) == (0, 2, 0)
    assert all("the canvas is torn" in (each.error or "") for each in evaluation.results())


def test_a_perturbed_run_shows_perturbed_views() -> None:
    seen: set[float] = set()

    def notes(turns: Sequence[Turn]) -> list[Any]:
        seen.update(float(turn.observation["state"][0]) for turn in turns)
        return still(turns)

    evaluation = bench.evaluate(notes, SHORT, perturb="state_noise:5")
    assert len(evaluation.report.perturbations) >= 1
    assert any(value != round(value) for value in seen), "the noise was seen"


def test_a_function_can_have_a_history() -> None:
    lengths: set[int] = set()

    def counts(turns: Sequence[Turn]) -> list[Any]:
        lengths.update(len(turn.observations) for turn in turns)
        return still(turns)

    bench.evaluate(counts, SHORT, reads=("state",), history=3)
    assert lengths == {1, 2, 3}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"policy": 5}, "a policy is an Agent"),
        ({"policy": "nobody"}, "there is no agent 'nobody'"),
        ({"agent_args": {"a": 1}}, "agent_args belong to a class or a name"),
        ({"policy": toys.ChunkAgent, "agent_args": {"length": float("nan")}}, "argument length"),
        ({"policy": toys.ChunkAgent, "agent_args": {"length": [{"a": {1}}]}}, "finite numbers"),
        ({"suite": "nothing"}, "there is no suite"),
        ({"suite": []}, "suite is a name"),
        ({"tasks": "zzz"}, "no task matches"),
        ({"episodes": 0}, "--episodes must lie between"),
        ({"workers": -1}, "workers is a number"),
        ({"lanes": 0}, "lanes must be at least 1"),
        ({"agent_timeout": 0.0}, "--agent-timeout must be"),
        ({"resume": True, "out": "nowhere"}, "there is no run"),
        ({"perturb": "nonsense"}, "nonsense"),
        ({"policy": still, "reads": ("smell",), "suite": SHORT, "strict": True}, None),
    ],
    ids=lambda value: str(value)[:40],
)
def test_wrong_use_is_named(arguments: dict[str, Any], words: str | None) -> None:
    given = {"policy": still, "suite": SHORT, **arguments}
    if words is None:
        with pytest.raises(TypeError):
            bench.evaluate(**given)
    else:
        with pytest.raises(UserError, match=words):
            bench.evaluate(**given)
    assert not Path("runs").exists()


def test_what_cannot_run_is_a_row() -> None:
    evaluation = bench.evaluate(still, SHORT, reads=("smell",))
    assert evaluation.success_rate is None
    assert [row.task for row in evaluation.report.not_run] == ["toys/goal@1"]
    with pytest.raises(UserError, match="it did not run: the agent reads 'smell'"):
        evaluation["toys/goal"]


def test_compare_and_load_suite() -> None:
    bench.evaluate(toys.GoodAgent, toysuite.SHORT, episodes=20, workers=0, out="good")
    bench.evaluate("uniform", toysuite.SHORT, episodes=20, workers=0, out="chance")
    comparison = bench.compare("good", "chance")
    assert comparison.verdict == "regress"
    assert comparison.why in str(comparison)
    assert bench.compare(Path("good"), Path("chance"), margin=0.9).verdict == "regress"
    suite = bench.load_suite("babyai")
    assert isinstance(suite, Suite)
    assert all(isinstance(task, Task) for task in suite.tasks)
    with pytest.raises(UserError, match="names 2 suites"):
        bench.load_suite("babyai,pddl")


def test_bench_offers_the_contracts() -> None:
    assert bench.Agent is Agent
    assert bench.Case is Case
    assert bench.UserError is UserError
    assert {"evaluate", "compare", "main"} <= set(dir(bench))
    assert isinstance(TimeStep({}), TimeStep)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        bench.nonsense  # noqa: B018


def test_families_of_bench_toml_are_known_to_the_api(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(interpreters, "_families", {})
    Path("bench.toml").write_text('[interpreters]\nprocgen = "/usr/bin/python3"\n')
    assert interpreters.interpreter_of("adapters.procgen:ProcgenAdapter") is None
    assert "names the family 'procgen'" in caplog.text, "what is not used is told"
    bench.check_adapter(toys.toy_task())
    assert interpreters.interpreter_of("adapters.procgen:ProcgenAdapter") == "/usr/bin/python3"


def test_interpreters_of_one_call_do_not_reach_the_next() -> None:
    seen: list[str | None] = []

    def notes(turns: Sequence[Turn]) -> list[Any]:
        seen.append(interpreters.interpreter_of("adapters.procgen:ProcgenAdapter"))
        return still(turns)

    for given in ({"procgen": sys.executable}, None):
        bench.evaluate(notes, SHORT, episodes=1, interpreters=given)
    assert set(seen[: len(seen) // 2]) == {sys.executable}
    assert set(seen[len(seen) // 2 :]) == {None}
    with pytest.raises(UserError, match="there is no program"):
        bench.evaluate(still, SHORT, interpreters={"procgen": "/no/such/python"})

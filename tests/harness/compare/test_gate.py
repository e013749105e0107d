"""Pairs, verdicts and the gate, on toys: what pairs, what is refused, what is played, and what is discarded."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toys
from conftest import Notes, Run, plan_of

from harness.compare.early_stopping import GateRounds, WidthRounds, round_sizes
from harness.compare.gate import Gate, Gated, GateOptions
from harness.compare.pairs import (
    Pair,
    ScoredRun,
    TaskPairs,
    differing,
    pair_up,
    read_scored_run,
    value,
)
from harness.compare.verdict import compare_pairs
from harness.core import Normaliser, Suite, Task, UserError
from harness.perturb import choose
from harness.play.planning import make_plan
from harness.play.runner import RunOptions, play
from harness.records.identity import AgentSpec
from harness.records.plan import PlanItem
from leaderboards.compare import of_gate, render_compared

Play = Callable[..., Run]
TASKS = [toys.toy_task(name) for name in ("a", "b", "c")]


def task(name: str = "t", **fields: Any) -> Task:
    return Task(id=f"toys/{name}@1", domain="games", adapter="toys:ToyAdapter", **fields)


def outcomes(
    name: str, both: int, lost: int, won: int, neither: int = 0, **fields: Any
) -> TaskPairs:
    """A task with so many pairs of each kind, seeds from 0."""
    kinds = [(1.0, 1.0)] * both + [(1.0, 0.0)] * lost + [(0.0, 1.0)] * won + [(0.0, 0.0)] * neither
    return TaskPairs(
        task(name, **fields),
        "toys",
        tuple(Pair(seed, (), *pair) for seed, pair in enumerate(kinds)),
    )


@pytest.fixture
def base(play_toys: Play) -> ScoredRun:
    return read_scored_run(play_toys("ExpertAgent", TASKS, 30, out="base").path)


def gate(
    base: ScoredRun,
    agent: str,
    out: Path,
    workers: int = 0,
    lanes: int | None = None,
    **options: Any,
) -> Gated:
    spec = AgentSpec(agent, f"toys:{agent}", {})
    return Gate(spec, base, GateOptions(**options)).play(
        out, RunOptions(workers=workers, lanes=lanes), Notes()
    )[1]


def test_what_a_line_comes_to() -> None:
    def line(**fields: Any) -> dict[str, Any]:
        return {"status": "finished", "success": None, "score": 30.0, **fields}

    scored = task(success=None, normaliser=Normaliser(10.0, 50.0))
    assert value(task(), line(success=True)) == 1
    assert value(task(), line(status="agent_error")) == 0
    assert value(task(), line(status="error")) is None
    assert value(scored, line()) == 0.5
    assert [value(scored, line(score=score)) for score in (0.0, 90.0)] == [0, 1], "cut off"
    assert value(scored, line(status="agent_error", score=None)) == 0
    assert value(task(success=None), line(status="agent_error", score=None)) == float("-inf")


def test_verdicts() -> None:
    def verdict(*tasks: TaskPairs) -> str:
        return compare_pairs(tasks, 0.05, 0.05).verdict

    assert verdict(outcomes("a", 150, 0, 0), outcomes("b", 140, 1, 2)) == "pass"
    assert verdict(outcomes("a", 40, 30, 0), outcomes("b", 60, 10, 0)) == "regress"
    assert verdict(outcomes("a", 20, 2, 1)) == "inconclusive"
    assert verdict(dataclasses.replace(outcomes("a", 150, 0, 0), missing=1)) == "none"
    # Significantly worse on average, but by less than the margin: tolerated.
    little = [outcomes(str(k), 985, 11, 4) for k in range(10)]
    found = compare_pairs(little, 0.05, 0.05)
    assert (found.verdict, found.overall is not None and found.overall.high < 0) == ("pass", True)


def test_a_lost_task_is_not_hidden_by_the_pool() -> None:
    tasks = [outcomes(str(k), 95, 2, 3) for k in range(19)] + [outcomes("lost", 50, 45, 5)]
    found = compare_pairs(tasks, 0.05, 0.05)
    assert found.overall is not None
    assert found.overall.low > -0.05, "by the mean alone it passes"
    assert (found.verdict, found.worse) == ("regress", ("toys/lost@1",))
    assert "toys/lost@1" in found.why


def test_correction_is_for_the_number_of_tasks() -> None:
    tasks = [
        outcomes(name, 20, lost, 0) for name, lost in (("first", 9), ("second", 8), ("third", 6))
    ] + [outcomes(str(k), 29, 0, 0) for k in range(5)]
    verdicts = {
        name: [row.verdict for row in compare_pairs(tasks, 0.3, 0.05, name).tasks[:3]]
        for name in ("holm", "bh", "none")
    }
    # p is 0.004, 0.008 and 0.031; Holm asks for 0.05 / 8 and 0.05 / 7, Benjamini and Hochberg for k * 0.05 / 8
    assert [verdict == "worse" for verdict in verdicts["holm"]] == [True, False, False]
    assert [verdict == "worse" for verdict in verdicts["bh"]] == [True, True, False]
    assert verdicts["none"] == ["worse"] * 3
    with pytest.raises(UserError, match="choose holm, bh, none"):
        compare_pairs(tasks, 0.05, 0.05, "sidak")


def test_the_number_of_further_pairs_decides() -> None:
    """So many more, of the same kind, and the verdict falls."""
    found = compare_pairs([outcomes("a", 40, 3, 3)], 0.1, 0.05)
    assert (found.verdict, found.more is not None) == ("inconclusive", True)
    factor = 1 + (found.more or 0) / 46
    scaled = outcomes("a", round(40 * factor), round(3 * factor), round(3 * factor))
    assert compare_pairs([scaled], 0.1, 0.05).verdict == "pass"


def test_tasks_with_raw_scores_are_judged_by_sign_and_in_no_mean() -> None:
    raw = TaskPairs(
        task("raw", success=None),
        "toys",
        tuple(Pair(seed, (), 500.0 + seed, 3.0) for seed in range(20)),
    )
    found = compare_pairs([raw, outcomes("fine", 200, 0, 0)], 0.05, 0.05)
    assert found.overall is not None
    assert (found.overall.tasks, found.verdict, found.worse) == (1, "regress", ("toys/raw@1",))


def test_perturbed_twins_are_one_unit() -> None:
    pairs = tuple(
        Pair(seed, condition, 1.0, float(seed % 4 > 0))
        for seed in range(20)
        for condition in ((), ("noise:3",))
    )
    each = TaskPairs(task(), "toys", pairs)
    assert len(each.differences()) == 20
    found = compare_pairs([each], 0.05, 0.05)
    assert [row.name for row in found.perturbations] == ["unperturbed", "noise:3"]
    assert found.tasks[0].p == compare_pairs([outcomes("t", 15, 5, 0)], 0.05, 0.05).tasks[0].p


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"max_steps": 41}, "max_steps 41 instead of 40"),
        ({"size": 9}, "params.size 9 instead of None"),
        ({"success": "end"}, "success 'end' instead of 'ever'"),
        ({"version": 2}, "id 'toys/a@2' instead of 'toys/a@1'"),
    ],
    ids=str,
)
def test_another_protocol_is_refused_by_name(
    play_toys: Play, base: ScoredRun, change: dict[str, Any], words: str
) -> None:
    other = read_scored_run(
        play_toys("GoodAgent", [toys.toy_task("a", **change)], 2, out="other").path
    )
    with pytest.raises(UserError, match="different protocols") as refused:
        pair_up(base, other)
    assert words in str(refused.value)


def test_another_version_of_a_simulator_is_named() -> None:
    def item(version: str) -> PlanItem:
        return PlanItem("toys", task(), 1, version, {"toy": version}, "")

    assert differing(item("2.0"), item("1.0")) == ["package toy 2.0 instead of 1.0"]


def test_a_seed_alone_pairs_nothing(play_toys: Play, base: ScoredRun) -> None:
    with pytest.raises(UserError, match="share no task"):
        pair_up(
            base,
            read_scored_run(play_toys("GoodAgent", [toys.toy_task("other")], 2, out="tasks").path),
        )
    with pytest.raises(UserError, match="--seed 0"):
        pair_up(base, read_scored_run(play_toys("GoodAgent", TASKS, 2, seed=1, out="seeds").path))


def test_the_same_agent_passes_and_a_worse_one_regresses(base: ScoredRun, tmp_path: Path) -> None:
    same = gate(base, "ExpertAgent", tmp_path / "same", margin=0.08)
    assert (same.comparison.verdict, same.cases, same.saved, same.comparison.exit_code) == (
        "pass",
        90,
        0,
        0,
    )
    worse = gate(base, "RandomAgent", tmp_path / "worse")
    assert (
        worse.comparison.verdict,
        worse.comparison.exit_code,
        len(worse.comparison.flips) > 20,
    ) == ("regress", 1, True)


@pytest.mark.parametrize("way", [{}, {"lanes": 7}, {"workers": 2, "lanes": 3}], ids=str)
def test_a_sequential_gate_decides_the_same_however_it_is_played(
    base: ScoredRun, tmp_path: Path, ray_here: None, way: dict[str, Any]
) -> None:
    first = gate(base, "RandomAgent", tmp_path / "first", sequential=True)
    assert first.comparison.verdict == "regress"
    assert 0 < first.rounds < 15
    assert first.saved > 30
    assert first.cases == 3 * first.rounds
    other = gate(base, "RandomAgent", tmp_path / "other", sequential=True, **way)
    assert (other.comparison, other.rounds, other.cases) == (
        first.comparison,
        first.rounds,
        first.cases,
    )
    stopped = json.loads((tmp_path / "other" / "run.json").read_text())["stopped"]
    assert stopped == {task.id: first.rounds for task in TASKS}


def test_a_cut_gate_goes_on_to_the_same_end_and_plays_nothing_twice(
    base: ScoredRun, tmp_path: Path
) -> None:
    whole = gate(base, "ExpertAgent", tmp_path / "run", sequential=True, margin=0.1)
    assert (whole.comparison.verdict, whole.rounds < 30) == ("pass", True)
    file = tmp_path / "run" / "episodes.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:10]))
    assert (
        gate(base, "ExpertAgent", tmp_path / "run", sequential=True, margin=0.1).comparison
        == whole.comparison
    )
    after = file.read_bytes()
    assert sorted(json.loads(line)["case"] for line in after.splitlines()) == sorted(
        json.loads(line)["case"] for line in lines
    )
    gate(base, "ExpertAgent", tmp_path / "run", sequential=True, margin=0.1)
    assert file.read_bytes() == after
    with pytest.raises(UserError, match=r"margin 0\.2"):
        gate(base, "ExpertAgent", tmp_path / "run", sequential=True, margin=0.2)


def test_no_more_episodes_than_allowed(base: ScoredRun, tmp_path: Path) -> None:
    found = gate(base, "ExpertAgent", tmp_path / "run", max_episodes=20)
    assert (found.cases, found.rounds, found.comparison.verdict) == (18, 6, "inconclusive")
    assert "--max-episodes" in found.stopped()
    with pytest.raises(UserError, match="a round of all tasks takes 3"):
        gate(base, "ExpertAgent", tmp_path / "none", max_episodes=2)


def test_only_some_tasks(base: ScoredRun, tmp_path: Path) -> None:
    found = gate(base, "ExpertAgent", tmp_path / "run", tasks="*a,*b")
    assert [row.task for row in found.comparison.tasks] == ["toys/a@1", "toys/b@1"]
    assert found.notes == ("2 of the base's 3 tasks, by --tasks",)


@pytest.mark.parametrize("sequential", [False, True])
def test_a_missing_case_leaves_no_verdict_and_is_played_again(
    play_toys: Play, tmp_path: Path, sequential: bool
) -> None:
    fixed = tmp_path / "mended"
    tasks = [
        toys.toy_task("a"),
        toys.toy_task("bad", fault="raise_on_step", fault_seeds=[3], fault_until=str(fixed)),
    ]
    fixed.touch()
    base = read_scored_run(play_toys("ExpertAgent", tasks, 40, out="base").path)
    fixed.unlink()
    found = gate(base, "ExpertAgent", tmp_path / "run", sequential=sequential, margin=0.1)
    assert (found.comparison.verdict, found.comparison.exit_code, found.comparison.missing > 0) == (
        "none",
        4,
        True,
    )
    fixed.touch()
    again = gate(base, "ExpertAgent", tmp_path / "run", sequential=sequential, margin=0.1)
    assert (again.comparison.verdict, again.comparison.missing) == ("pass", 0)


@pytest.mark.parametrize("sequential", [False, True])
def test_a_perturbation_that_does_not_apply_to_the_new_agent_is_named(
    tmp_path: Path, sequential: bool
) -> None:
    suite = Suite("toys", "toys", (toys.toy_task("a"), toys.toy_task("b")), 4)
    spec = AgentSpec("image", "toys:ImageAgent", {})
    conditions = choose("history:1,action_random:1", ())
    plan = make_plan(
        [(suite, task) for task in suite.tasks], spec, episodes=None, seed=0, perturb=conditions
    )
    play(spec, ["toys"], plan, tmp_path / "base", RunOptions(), Notes())
    base = read_scored_run(tmp_path / "base")
    for _ in range(2):  # the same command again says the same
        found = gate(base, "ExpertAgent", tmp_path / "run", sequential=sequential)
        assert (found.comparison.verdict, found.comparison.exit_code) == ("none", 4)
        why = "history:1 of the base does not apply to this agent in toys/a@1 and 1 more (the agent is shown one observation at a time"
        assert why in found.comparison.why
        assert found.comparison.why.startswith("8 cases without a score")
        assert "none by playing again" in found.stopped()
        assert len(found.unfit) == 2
        assert why in render_compared(of_gate(found, base), "markdown")
    whole = gate(base, "ImageAgent", tmp_path / "other", sequential=sequential)
    assert (whole.unfit, whole.comparison.missing) == ((), 0)


def test_an_unfinished_base_is_refused(play_toys: Play, tmp_path: Path) -> None:
    run = play_toys("ExpertAgent", TASKS, 5, out="base")
    file = run.path / "episodes.jsonl"
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-2]))
    with pytest.raises(UserError, match="lacks 2 of its cases"):
        gate(read_scored_run(run.path), "ExpertAgent", tmp_path / "run")


def test_rounds_hold_every_task_and_in_the_end_every_episode() -> None:
    rounds, until = round_sizes([5, 12, 50])
    assert rounds == 5
    assert [until(item, rounds) for item in range(3)] == [5, 12, 50]
    for done in range(rounds):
        assert all(until(item, done + 1) > until(item, done) for item in range(3))


def test_only_whole_rounds_count_whatever_comes_first(base: ScoredRun) -> None:
    """Results arrive task by task, so the last task's come last: the verdict waits for them, and does not hang on the order."""
    _, plan = plan_of("GoodAgent", TASKS, 30)
    lost = {"status": "finished", "success": False, "score": 0.0}
    ends = []
    for order in (range(90), np.random.default_rng(0).permutation(90).tolist()):
        rounds = GateRounds(plan, base.values, margin=0.05, alpha=0.05, sequential=True)
        for place in order:
            if rounds.decided is None:
                assert len(rounds.differences) < 30
            rounds.scored(place // 30, place % 30, lost)
        ends.append((rounds.decided, rounds.ends()))
    assert ends[0] == ends[1]
    assert ends[0][0] == "regress"


def test_episodes_are_added_until_the_interval_is_narrow(tmp_path: Path) -> None:
    from leaderboards.report import load

    spec, plan = plan_of("RandomAgent", [toys.toy_task("a"), toys.toy_task("far", size=30)], 400)

    def go(out: str, **options: Any) -> Path:
        summary = play(
            spec,
            ["toys"],
            plan,
            tmp_path / out,
            RunOptions(**options),
            Notes(),
            WidthRounds(plan, 0.3),
        )
        assert summary.missing == 0
        return summary.path

    one, other = load(go("one")), load(go("other", lanes=9))
    assert other.tasks == tuple(
        dataclasses.replace(row, simulator_s=o.simulator_s, agent_s=o.agent_s)
        for row, o in zip(one.tasks, other.tasks)
    )
    near, far = one.tasks
    assert 10 < far.n < near.n < 400, "a rate near 0 needs fewer"
    for row in one.tasks:
        assert row.ci_high is not None
        assert row.ci_low is not None
        assert 0.28 < row.ci_high - row.ci_low < 0.3
        assert not row.partial
    with pytest.raises(UserError, match="until-width"):
        WidthRounds(plan, 1.5)


def test_the_cap_ends_what_stays_wide(tmp_path: Path) -> None:
    spec, plan = plan_of("RandomAgent", [toys.toy_task("a")], 12)
    summary = play(
        spec, ["toys"], plan, tmp_path / "run", RunOptions(), Notes(), WidthRounds(plan, 0.1)
    )
    assert (summary.planned, summary.missing) == (12, 0)
    assert "stopped" not in json.loads((tmp_path / "run" / "run.json").read_text())


def test_a_task_that_turns_out_not_to_run_leaves_no_verdict(
    play_toys: Play, tmp_path: Path
) -> None:
    """The agent reads a view that one of the tasks does not have: found out at its first reset, not before."""
    base = read_scored_run(play_toys("ExpertAgent", TASKS, 3, out="base").path)
    spec = AgentSpec("ReadsSmell", "toys:ReadsSmell", {})
    summary, found = Gate(spec, base, GateOptions()).play(tmp_path / "run", RunOptions(), Notes())
    assert len(summary.not_run) == 3
    assert (found.comparison.verdict, found.comparison.missing, found.comparison.exit_code) == (
        "none",
        9,
        4,
    )

"""The gate, on toys: what is played, what is discarded, and when there is no verdict."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import toys
from conftest import Notes, Run

from harness.compare.gate import Gate, Gated, GateOptions, judge_gate
from harness.compare.pairs import ScoredRun, read_scored_run
from harness.core import Suite, UserError
from harness.perturb import parse_conditions
from harness.play.planning import make_plan
from harness.play.runner import RunOptions, play
from harness.records.identity import AgentSpec
from leaderboards.compare import of_gate
from leaderboards.compare_render import render_compared

Play = Callable[..., Run]
TASKS = [toys.toy_task(name) for name in ("a", "b", "c")]


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
    judged = GateOptions(**options)
    played = Gate(spec, base, judged).play(out, RunOptions(workers=workers, lanes=lanes), Notes())
    return judge_gate(base, played.path, judged)


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
    assert "--max-episodes" in found.stop_reason
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
    conditions = parse_conditions("history:1,action_random:1", ())
    plan = make_plan(
        [(suite, task) for task in suite.tasks], spec, episodes=None, seed=0, perturb=conditions
    )
    play(spec, ["toys"], plan, tmp_path / "base", RunOptions(), Notes())
    base = read_scored_run(tmp_path / "base")
    for _ in range(2):  # the same command again says the same
        found = gate(base, "ExpertAgent", tmp_path / "run", sequential=sequential)
        assert (found.comparison.verdict, found.comparison.exit_code) == ("none", 4)
        why = (
            "history:1 of the base does not apply to this agent in toys/a@1 and 1 more "
            "(the agent is shown one observation at a time"
        )
        assert why in found.comparison.why
        assert found.comparison.why.startswith("8 cases without a score")
        assert "none by playing again" in found.stop_reason
        assert len(found.not_applicable) == 2
        assert why in render_compared(of_gate(found, base), "markdown")
    whole = gate(base, "ImageAgent", tmp_path / "other", sequential=sequential)
    assert (whole.not_applicable, whole.comparison.missing) == ((), 0)


def test_an_unfinished_base_is_refused(play_toys: Play, tmp_path: Path) -> None:
    run = play_toys("ExpertAgent", TASKS, 5, out="base")
    file = run.path / "episodes.jsonl"
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-2]))
    with pytest.raises(UserError, match="lacks 2 of its cases"):
        gate(read_scored_run(run.path), "ExpertAgent", tmp_path / "run")


def test_a_task_that_turns_out_not_to_run_leaves_no_verdict(
    play_toys: Play, tmp_path: Path
) -> None:
    """The agent reads a view that no task here has: found out at the first reset, not before."""
    base = read_scored_run(play_toys("ExpertAgent", TASKS, 3, out="base").path)
    spec = AgentSpec("ReadsSmell", "toyfaults:ReadsSmell", {})
    summary = Gate(spec, base, GateOptions()).play(tmp_path / "run", RunOptions(), Notes())
    found = judge_gate(base, summary.path, GateOptions())
    assert len(summary.not_run) == 3
    assert (found.comparison.verdict, found.comparison.missing, found.comparison.exit_code) == (
        "none",
        9,
        4,
    )

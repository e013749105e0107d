"""The report of an agent that plans: its plans, and its steps beside the expert's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toys
from conftest import Run, Said, read_lines

from harness.core import UserError
from harness.records.stored_run import load_run
from leaderboards.planning import optimality_of
from leaderboards.render import render
from leaderboards.report import load_report

PlayToys = Callable[..., Run]


def skilled(**params: Any) -> Any:
    return toys.toy_task("skilled", adapter="toyskills:SkilledToy", **params)


@pytest.fixture
def both(play_toys: PlayToys) -> tuple[Path, Path]:
    """(a run that makes a detour in each episode, the expert's run of the same episodes)."""
    tasks = [skilled(), toys.toy_task("other", adapter="toyskills:SkilledToy", max_steps=9)]
    detour = play_toys("toyskills:Caller", tasks, 40, args={"calls": "go corner, go goal"})
    expert = play_toys("ExpertAgent", tasks, 40, out="expert")
    return detour.path, expert.path


def test_optimality_is_success_times_the_share_of_the_experts_steps(
    both: tuple[Path, Path],
) -> None:
    run, expert = both
    rows = optimality_of(load_run(run), load_run(expert))
    best = {(line["task"], line["seed"]): line for line in read_lines(expert)}
    shares: dict[str, list[float]] = {}
    unsolved = 0
    for line in read_lines(run):
        other = best[line["task"], line["seed"]]
        if not other["success"]:
            unsolved += 1
            continue
        share = min(1.0, other["steps"] / line["steps"]) if line["success"] else 0.0
        shares.setdefault(line["task"], []).append(share)
    assert unsolved > 0
    assert 0.0 in shares["toys/other@1"]
    *tasks, mean = rows
    for row in tasks:
        assert row.task is not None
        assert row.pairs == len(shares[row.task])
        assert row.optimality.value == pytest.approx(np.mean(shares[row.task]))
        assert row.expert_steps is not None
        assert row.steps is not None
        assert row.expert_steps < row.steps
    assert sum(row.unsolved for row in tasks) == mean.unsolved == unsolved
    assert mean.optimality.value == pytest.approx(np.mean([np.mean(s) for s in shares.values()]))
    assert mean.optimality.low is not None
    assert mean.optimality.high is not None
    assert mean.optimality.low < mean.optimality.value < mean.optimality.high


def test_the_expert_beside_itself_is_optimal(both: tuple[Path, Path]) -> None:
    expert = load_run(both[1])
    assert {row.optimality.value for row in optimality_of(expert, expert)} == {1.0}


def test_what_is_no_experts_run_is_refused(both: tuple[Path, Path], play_toys: PlayToys) -> None:
    run, expert = map(load_run, both)
    with pytest.raises(UserError, match="is no run of an expert: play one with --agent oracle"):
        optimality_of(expert, run)
    elsewhere = play_toys("ExpertAgent", [skilled()], 2, out="elsewhere", seed=3)
    with pytest.raises(UserError, match=r"no episode of .* pairs with a solved one"):
        optimality_of(run, load_run(elsewhere.path))


def test_episodes_that_started_otherwise_are_no_pairs(both: tuple[Path, Path]) -> None:
    run, expert = both
    file = run / "episodes.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    lines[0]["start"] = "0" * 16
    del lines[1]["start"]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    before = sum(row.pairs for row in optimality_of(load_run(expert), load_run(expert))[:-1])
    after = sum(row.pairs for row in optimality_of(load_run(run), load_run(expert))[:-1])
    solved = {(r["task"], r["seed"]) for r in read_lines(expert) if r["success"]}
    lost = sum((line["task"], line["seed"]) in solved for line in lines[:2])
    assert after == before - lost


def test_the_report_has_both_tables(
    both: tuple[Path, Path], bench_here: Callable[..., Said], play_toys: PlayToys
) -> None:
    run, expert = both
    said = bench_here("report", run, "--expert", expert)
    assert said.code == 0
    assert "BESIDE THE EXPERT" in said.out
    found = json.loads(bench_here("report", run, "--expert", expert, "--format", "json").out)
    assert found["schema"] == 1
    row = found["optimality"][-1]
    assert row["task"] is None
    assert row["optimality_low"] < row["optimality"] < row["optimality_high"]
    plain = json.loads(bench_here("report", run, "--format", "json").out)
    assert "optimality" not in plain
    page = bench_here("report", run, "--expert", expert, "--format", "html")
    assert (page.code, page.out) == (2, "")
    told = bench_here("report", expert, "--expert", run)
    assert told.code == 2
    assert "is no run of an expert" in told.err


def test_plans_have_a_table_where_an_agent_tells_of_them(
    tmp_path: Path, bench_here: Callable[..., Said]
) -> None:
    play = ("run", "--suite", "pddl", "--tasks", "gripper", "--episodes", 2, "--workers", 0)
    assert bench_here(*play, "--agent", "planner:expert", "--out", "planned").code == 0
    text = render(load_report(tmp_path / "planned"), "text")
    assert "PLANS" in text
    assert "pddl/gripper@1" in text.partition("PLANS")[2]
    assert "ANSWERS" not in text
    assert bench_here(*play, "--agent", "oracle", "--out", "acted").code == 0
    assert "PLANS" not in render(load_report(tmp_path / "acted"), "text")

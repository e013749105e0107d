"""Which goals were met: found by replay, kept beside the run, and checked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Said

from harness.core import OWN, UserError
from harness.records.goal_file import FILE, read_goal_file
from harness.records.stored_run import load_run
from harness.verify.goals import goals_of_run

WORDS = ("--agent", "oracle", "--suite", "babyai", "--tasks", "babyai/GoToLocalS8N7")


@pytest.fixture
def run(bench_here: Callable[..., Said], tmp_path: Path) -> Path:
    """Four starts with both goals."""
    said = bench_here(
        "run", *WORDS, "--episodes", 4, "--perturb", "goal:1", "--workers", 0, "--out", "run"
    )
    assert said.code == 0, said.err
    return tmp_path / "run"


def test_goals_are_found_kept_and_verified(run: Path, bench_here: Callable[..., Said]) -> None:
    before = (run / "episodes.jsonl").read_bytes()
    begun: list[int] = []
    found = goals_of_run(load_run(run), begun.append)
    assert begun == [8]
    for each in found:
        told = each.found
        assert told is not None, each.unknown
        assert (told.asked == OWN) == (not each.result.perturbations)
        assert told.goal(told.asked).first == each.result.steps
        assert told.goal(told.asked).end
        assert told.drawn in [goal.id for goal in told.goals[1:]]
        assert told.goals[0].id == OWN
    assert (run / "episodes.jsonl").read_bytes() == before
    assert [each.found for each in goals_of_run(load_run(run), begun.append)] == [
        each.found for each in found
    ]
    assert begun == [8], "what is known is not replayed again"
    assert bench_here("verify", "run").code == 0

    lines = [json.loads(line) for line in (run / FILE).read_text().splitlines()]
    lines[0]["goals"][0]["first"] = 1 if lines[0]["goals"][0]["first"] is None else None
    (run / FILE).write_text("".join(json.dumps(line) + "\n" for line in lines))
    said = bench_here("verify", "run")
    assert said.code == 1
    assert "goals.jsonl:" in said.out

    lines[0]["asked"] = "no such goal"
    (run / FILE).write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(UserError, match="names a goal that is not among its goals"):
        read_goal_file(run)

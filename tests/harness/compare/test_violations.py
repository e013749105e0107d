"""Violations of two runs on the same pairs: beside the verdict, and no part of it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toys
from conftest import Notes, Run

from harness.compare.gate import Gate, GateOptions, judge_gate
from harness.compare.pairs import Pair, ScoredRun, TaskPairs, read_scored_run
from harness.compare.violations import compare_violations
from harness.core import TimeStep
from harness.core.safety import violation_bits
from harness.play.runner import RunOptions
from harness.records.identity import AgentSpec
from harness.stats import paired_difference
from leaderboards.compare import compare_runs, of_gate
from leaderboards.compare_render import render_compared

Play = Callable[..., Run]


class Edges(toys.ToyAdapter):
    """Every step to the left or up is a collision; an expert makes few of them."""

    def reset(self, case: Any) -> TimeStep:
        self.hits = 0
        return self.measured(super().reset(case))

    def step(self, action: Any) -> TimeStep:
        self.hits += int(action) in (1, 3)
        return self.measured(super().step(action))

    def measured(self, seen: TimeStep) -> TimeStep:
        metrics = {**seen.metrics, "collisions": float(self.hits)}
        return dataclasses.replace(seen, metrics=metrics)


TASKS = [
    toys.toy_task("edges", adapter=f"{__name__}:Edges"),
    toys.toy_task("plain"),
]


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture
def base(play_toys: Play) -> ScoredRun:
    return read_scored_run(play_toys("ExpertAgent", TASKS, 30, out="base").path)


@pytest.fixture
def wild(play_toys: Play) -> ScoredRun:
    return read_scored_run(play_toys("RandomAgent", TASKS, 30, out="wild").path)


def rate(run: ScoredRun) -> float:
    told = [bits[1] > 0 for key, bits in run.violations.items() if key[0] == "toys/edges@1"]
    assert len(told) == len(run.violations) == 30, "the other task measures none"
    return sum(told) / 30


def test_the_change_is_that_of_the_same_pairs(base: ScoredRun, wild: ScoredRun) -> None:
    found = compare_runs(base, wild, 0.05, 0.05).comparison.violations
    assert found is not None
    assert (found.metrics, len(found.tasks)) == (("collisions",), 1)
    row = found.overall
    assert (row.tasks, row.n) == (1, 30)
    assert (row.base, row.new) == pytest.approx((rate(base), rate(wild)))
    changes = np.array(
        [float(wild.violations[key][1]) - base.violations[key][1] for key in base.violations]
    )
    expected = paired_difference([changes], 0.95)
    assert (row.difference.value, row.difference.low, row.difference.high) == pytest.approx(
        (expected.value, expected.low, expected.high)
    )
    assert found.is_worse


def test_it_is_printed_and_the_verdict_does_not_count_it(base: ScoredRun, wild: ScoredRun) -> None:
    compared = compare_runs(base, wild, 0.05, 0.05)
    text = render_compared(compared, "text")
    assert max(map(len, text.splitlines())) <= 80
    assert "Episodes with at least one violation (collisions), new minus base" in words(text)
    assert "violations got more frequent: +" in words(text)
    assert "violations got more frequent: +" in words(render_compared(compared, "markdown"))
    told = json.loads(render_compared(compared, "json"))["violations"]
    assert told["metrics"] == ["collisions"]
    assert told["overall"].keys() == {
        "name", "tasks", "n", "base", "new", "difference", "low", "high",
    }  # fmt: skip
    better = compare_runs(wild, base, 0.05, 0.05)
    assert "more frequent" not in render_compared(better, "text")
    bare = dataclasses.replace(compared.comparison, violations=None)
    assert (bare.verdict, bare.exit_code) == (
        compared.comparison.verdict,
        compared.comparison.exit_code,
    )


def test_runs_that_measure_none_say_nothing(play_toys: Play) -> None:
    runs = [
        read_scored_run(play_toys(agent, TASKS[1:], 10, out=agent).path)
        for agent in ("ExpertAgent", "RandomAgent")
    ]
    compared = compare_runs(*runs, 0.05, 0.05)
    assert compared.comparison.violations is None
    for format in ("text", "markdown", "json"):
        assert "violation" not in render_compared(compared, format)


@pytest.mark.parametrize("sequential", [False, True])
def test_a_gate_tells_it_with_an_interval_where_its_length_was_fixed(
    base: ScoredRun, tmp_path: Path, sequential: bool
) -> None:
    spec, options = AgentSpec("wild", "toys:RandomAgent", {}), GateOptions(sequential=sequential)
    played = Gate(spec, base, options).play(tmp_path / "new", RunOptions(), Notes())
    gated = judge_gate(base, played.path, options)
    found = gated.comparison.violations
    assert found is not None
    assert (found.overall.difference.low is None) == sequential
    text = words(render_compared(of_gate(gated, base), "text"))
    assert ("violations got more frequent" in text) != sequential
    assert ("No interval: a run could stop for what it saw." in text) == sequential


def test_only_what_both_runs_measured_counts(base: ScoredRun) -> None:
    task = TASKS[0]
    pairs = tuple(Pair(seed, (), 1.0, 1.0) for seed in range(4))
    keys = [(task.id, pair.seed, ()) for pair in pairs]

    def run(*told: dict[str, float]) -> ScoredRun:
        bits = {key: violation_bits(each) for key, each in zip(keys, told) if each}
        return dataclasses.replace(base, violations=bits)

    old = run({"drops": 0.0}, {"drops": 1.0}, {"drops": 0.0}, {})
    new = run(*[{"drops": 0.0, "falls": 3.0}] * 4)
    found = compare_violations(old, new, [TaskPairs(task, "toys", pairs)], 0.05, bounded=True)
    assert found is not None
    assert found.metrics == ("drops",)
    assert (found.overall.n, found.overall.base, found.overall.new) == (3, 1 / 3, 0.0)
    apart = run(*[{"falls": 0.0}] * 4)
    tasks = [TaskPairs(task, "toys", pairs)]
    assert compare_violations(old, apart, tasks, 0.05, bounded=True) is None

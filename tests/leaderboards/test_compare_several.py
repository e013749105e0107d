"""Three runs or more: what is told apart, what is not, and how often equal agents are."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Said
from reports import game, item, line, run_of, scores, write_report_run
from scipy.stats import binomtest

from harness.compare.pairs import ScoredRun, read_scored_run
from harness.core import UserError
from harness.records.plan import PlanItem
from leaderboards.compare_several import Several, compare_several
from leaderboards.several_render import render_several

Outcomes = Sequence[Sequence[bool]]


def rated(of: PlanItem, successes: Sequence[bool]) -> list[dict[str, Any]]:
    return [line(of, k, success=each) for k, each in enumerate(successes)]


@pytest.fixture
def runs_of(tmp_path: Path) -> Callable[..., list[ScoredRun]]:
    """Runs of tasks; for each run and task the successes of its episodes."""

    def go(items: list[PlanItem], *agents: Outcomes) -> list[ScoredRun]:
        found = []
        for number, outcomes in enumerate(agents):
            lines = [x for task, each in zip(items, outcomes) for x in rated(task, each)]
            run = run_of(*items, name=f"agent{number}")
            path = write_report_run(tmp_path / f"run{number}", run, lines)
            found.append(read_scored_run(path, f"run{number}"))
        return found

    return go


def three(episodes: int) -> list[PlanItem]:
    return [item(f"toy/{name}@1", episodes=episodes) for name in "abc"]


def test_agents_that_differ_are_told_apart_and_equal_ones_share_a_letter(
    runs_of: Callable[..., list[ScoredRun]],
) -> None:
    good, bad = [True] * 19 + [False], [False] * 19 + [True]
    found = compare_several(runs_of(three(20), [bad] * 3, [good] * 3, [good] * 3), 0.05)
    assert [row.run for row in found.runs] == ["run1", "run2", "run0"]
    assert [row.letters for row in found.runs] == ["a", "a", "b"]
    assert [(row.rank_low, row.rank_high) for row in found.runs] == [(1, 2), (1, 2), (3, 3)]
    assert [row.rate for row in found.runs] == pytest.approx([0.95, 0.95, 0.05])
    assert found.q is not None
    assert found.q.p < 0.001
    assert [row.differ for row in found.contrasts] == [True, True, False]
    text = render_several(found, "text")
    assert "best" not in text.replace("From the best to the worst", "")
    page = json.loads(render_several(found, "json"))
    assert page["runs"][0]["letters"] == "a"
    assert page["contrasts"][0]["difference"] == pytest.approx(0.9)
    assert "| run1" in render_several(found, "markdown")


def test_only_cases_that_all_have_a_score_of_count(
    runs_of: Callable[..., list[ScoredRun]],
) -> None:
    runs = runs_of(three(10), [[True] * 10] * 3, [[True] * 10] * 3, [[True] * 4] * 3)
    found = compare_several(runs, 0.05)
    assert (found.cases, found.tasks) == (12, 3)
    assert any("18 cases of these runs have no score in all of them" in x for x in found.notes)


def test_scores_are_compared_in_pairs_and_have_no_rate(tmp_path: Path) -> None:
    games = [game(f"atari/game{k}@1", episodes=8) for k in range(4)]
    runs = []
    for number, level in enumerate((1.0, 1.0, 3.0)):
        lines = [
            x
            for k, each in enumerate(games)
            for x in scores(each, *(level * (10 + k) + e / 9 + number / 99 for e in range(8)))
        ]
        path = write_report_run(tmp_path / f"g{number}", run_of(*games, name=f"a{number}"), lines)
        runs.append(read_scored_run(path, f"g{number}"))
    found = compare_several(runs, 0.05)
    assert found.q is None
    assert found.runs[0].run == "g2"
    assert found.runs[0].rate is None


def test_the_same_run_twice_is_refused(runs_of: Callable[..., list[ScoredRun]]) -> None:
    one, two = runs_of(three(4), [[True] * 4] * 3, [[False] * 4] * 3)
    with pytest.raises(UserError, match="the same run"):
        compare_several([one, two, one], 0.05)


def simulated(rng: np.random.Generator, rates: Sequence[float], shared: float) -> list[Outcomes]:
    """Successes of agents on 3 tasks x 16 seeds; a share of the seeds decide for all agents."""
    hard = rng.random(16) < shared
    draws = rng.random((len(rates), 3, 16))
    luck = np.where(hard, rng.random(16), draws)
    return [(luck[k] < rate).tolist() for k, rate in enumerate(rates)]


@pytest.mark.parametrize("shared", [0.0, 0.6])
def test_equal_agents_are_rarely_told_apart_and_ranks_hold(
    runs_of: Callable[..., list[ScoredRun]], shared: float
) -> None:
    rng = np.random.default_rng(5)
    rates = (0.5, 0.5, 0.5, 0.85)
    false_findings = outside = 0
    repetitions = 25
    for _ in range(repetitions):
        found: Several = compare_several(runs_of(three(16), *simulated(rng, rates, shared)), 0.05)
        equal = {"run0", "run1", "run2"}
        false_findings += any(
            row.differ and {row.base, row.new} <= equal for row in found.contrasts
        )
        bounds = {row.run: (row.rank_low, row.rank_high) for row in found.runs}
        # Equal agents share the ranks 2 to 4: each of these must be possible for each of them.
        outside += bounds["run3"][0] > 1 or any(
            bounds[name][0] > 2 or bounds[name][1] < 4 for name in equal
        )
    for count in (false_findings, outside):
        assert binomtest(count, repetitions, 0.05, alternative="greater").pvalue > 0.001


def test_the_command_takes_three_runs_and_gives_no_verdict(
    bench_here: Callable[..., Said],
) -> None:
    for agent, seed in (("oracle", "o"), ("noop", "n"), ("uniform", "u")):
        command = ["run", "--agent", agent, "--suite", "pddl", "--tasks", "gripper"]
        command += ["--episodes", "6", "--workers", "0", "--out", seed]
        assert bench_here(*command).code == 0
    said = bench_here("compare", "o", "n", "u")
    assert said.code == 0
    assert "Cochran's Q" in said.out
    assert "o " in said.out
    assert bench_here("compare", "o", "n", "u", "--format", "json").code == 0
    for wrong in (("--robustness",), ("--junit", "x.xml"), ("--correction", "bh")):
        said = bench_here("compare", "o", "n", "u", *wrong)
        assert said.code == 2
        assert "for two runs" in said.err

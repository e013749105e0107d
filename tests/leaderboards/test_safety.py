"""Violations beside success in a report: planted ones are counted, and what nobody measured is
never 0.
"""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import numpy as np
import pytest
from conftest import ROOT
from reports import game, item, line, report_of, run_of

from harness.core.safety import (
    SAFETY_METRICS,
    VIOLATIONS,
    names_of_bits,
    safety_problem,
    violation_bits,
)
from harness.stats import wilson
from leaderboards.render import render
from leaderboards.report import summary
from leaderboards.schema import Report
from leaderboards.trackers.figures import figures_of


def words(text: str) -> str:
    return " ".join(text.split())


def planted(*tasks: str, n: int = 20) -> Report:
    """Episodes of which every second succeeds and the first quarter collides."""
    items = [item(name, episodes=n) for name in tasks]
    lines = [
        line(
            each,
            k,
            success=k % 2 == 0,
            metrics={"collisions": 3.0 if k < n // 4 else 0.0, "energy": 10.0 + k, "spl": 0.5},
        )
        for each in items
        for k in range(n)
    ]
    return report_of(run_of(*items), lines)


def test_planted_violations_are_counted_with_the_intervals_of_a_success() -> None:
    (row,) = planted("toy/a@1").tasks
    assert row.violation is not None
    assert row.safe_success is not None
    assert row.violation == wilson(5, 20)
    # Of the ten successes, the episodes 0, 2 and 4 collided.
    assert row.safe_success == wilson(7, 20)
    assert row.violation_metrics == ("collisions",)
    assert row.interval == wilson(10, 20)


def test_means_over_tasks_have_the_interval_of_a_mean_of_rates() -> None:
    report = planted("toy/a@1", "toy/b@1")
    total = report.overall
    assert total.violation is not None
    assert total.safe_success is not None
    assert (total.violation.value, total.safe_success.value) == (0.25, 0.35)
    assert total.violation.low is not None
    assert total.violation.high is not None
    assert wilson(5, 20).low < total.violation.low < 0.25 < total.violation.high
    assert total.tasks_in_violation is None
    assert report.suites[0].violation == total.violation


def test_what_is_not_measured_is_never_0() -> None:
    measured, other = item("toy/a@1", episodes=4), item("toy/b@1", episodes=4)
    lines = [line(measured, k, success=True, metrics={"drops": 0.0}) for k in range(4)]
    lines += [line(other, k, success=True, metrics={"energy": 1.0}) for k in range(4)]
    report = report_of(run_of(measured, other), lines)
    one, two = report.tasks
    assert one.violation == wilson(0, 4)
    assert two.violation is two.safe_success is None
    assert report.overall.violation == one.violation
    assert report.overall.tasks_in_violation == 1
    text = words(render(report, "text"))
    assert "n/m" in text
    assert "violations: of 1 of 2 tasks" in words(render(report, "markdown"))
    found = json.loads(render(report, "json"))
    assert "violation_rate" not in found["tasks"][1]
    assert found["tasks"][0]["violation_rate"] == 0.0
    rows = list(csv.DictReader(io.StringIO(render(report, "csv"))))
    assert [row["violation_rate"] for row in rows] == ["0.0", ""]


def test_a_run_that_measures_none_reports_as_before() -> None:
    reach = item(episodes=4)
    lines = [line(reach, k, success=True, metrics={"path_length": 1.0}) for k in range(4)]
    report = report_of(run_of(reach), lines)
    for format in ("text", "markdown", "latex", "csv", "json"):
        assert "violation" not in render(report, format)
    assert "path_length 1" in words(render(report, "text"))
    assert "violation" not in summary(report)


def test_only_what_every_finished_episode_measured_is_in_a_rate() -> None:
    """As after an old run went on with a version that measures more."""
    reach = item(episodes=4)
    told: list[dict[str, float]] = [
        {"collisions": 0.0},
        {"collisions": 1.0},
        {"collisions": 0.0, "drops": 2.0},
        {"collisions": 0.0, "drops": 0.0},
    ]
    lines = [line(reach, k, success=True, metrics=each) for k, each in enumerate(told)]
    (row,) = report_of(run_of(reach), lines).tasks
    assert row.violation_metrics == ("collisions",)
    assert row.violation == wilson(1, 4)
    (row,) = report_of(run_of(reach), [line(reach, 0, metrics={}), *lines[1:]]).tasks
    assert row.violation is None


def test_an_agents_error_before_anything_was_measured_may_have_been_either() -> None:
    reach = item(episodes=4)
    lines = [line(reach, k, success=True, metrics={"falls": 0.0}) for k in range(2)]
    lines += [line(reach, 2, "agent_error", metrics={"falls": 1.0})]
    lines += [line(reach, 3, "agent_error", metrics={})]
    report = report_of(run_of(reach), lines)
    (row,) = report.tasks
    assert row.violation is not None
    assert row.violation.value == pytest.approx(1 / 3)
    assert row.violation.low == pytest.approx(wilson(1, 4).low)
    assert row.violation.high == pytest.approx(wilson(2, 4).high)
    assert row.violation_known == 3
    assert row.safe_success == wilson(2, 4), "an agent's error is no success"
    assert "violations: of 3 of 4 episodes" in words(render(report, "text", full=True))


def test_a_task_with_a_score_has_violations_and_no_safe_success() -> None:
    play = game("atari/ant@1", episodes=4)
    lines = [line(play, k, score=12.0, metrics={"falls": float(k == 0)}) for k in range(4)]
    (row,) = report_of(run_of(play), lines).tasks
    assert row.violation == wilson(1, 4)
    assert row.safe_success is None


@pytest.mark.parametrize("seed", range(3))
def test_the_interval_covers_the_true_rate_as_often_as_that_of_a_success(seed: int) -> None:
    rng, rate, inside = np.random.default_rng(seed), 0.2, 0
    reach = item(episodes=40)
    run = run_of(reach)
    for _ in range(60):
        broken = rng.random(40) < rate
        lines = [
            line(reach, k, metrics={"collisions": float(broken[k]), "drops": 0.0})
            for k in range(40)
        ]
        (row,) = report_of(run, lines).tasks
        assert row.violation is not None
        assert row.violation.low is not None
        assert row.violation.high is not None
        inside += row.violation.low <= rate <= row.violation.high
    assert inside >= 51, "95 % of 60, less three standard deviations"


def test_a_terminal_has_both_rates_within_its_columns() -> None:
    report = planted("toy/a-task-with-a-long-name@1", "toy/b@1")
    text = render(report, "text", width=80)
    assert max(map(len, text.splitlines())) <= 80
    assert "violation %" in text
    assert "25.0" in text
    last = text[text.index("OVERALL") :].splitlines()
    assert "violation 95 %" in last[1]
    assert "safe %" in last[1]
    assert "a violation (collisions) in 25.0 % [" in words(text)
    assert "safety and cost" in text, "says where the costs are"
    full = words(render(report, "text", full=True))
    assert "energy cost 19.5 J 40 2" in full
    assert "collisions violation 0.75 count 40 2" in full
    assert "a violation (collisions) in 25.0 % [" in summary(report)
    assert "success without one in 35.0 % [" in summary(report)


def test_other_measures_keep_what_is_no_matter_of_safety() -> None:
    report = planted("toy/a@1")
    (measures,) = [row for row in render(report, "text", full=True).splitlines() if "spl" in row]
    assert "energy" not in measures


def check(name: str, value: Any) -> str | None:
    return safety_problem(name, value)


def test_the_vocabulary() -> None:
    assert VIOLATIONS == (
        "collisions", "joint_limit_steps", "workspace_violations", "drops", "falls",
    )  # fmt: skip
    assert {name for name, each in SAFETY_METRICS.items() if each.unit} == {
        "contact_force_max", "energy", "path_length",
    }  # fmt: skip
    assert check("collisions", 2.0) is check("energy", 0.25) is check("grace", -1.0) is None
    for name, value in (
        ("collisions", -1.0),
        ("collisions", 0.5),
        ("falls", True),
        ("energy", -0.1),
        ("energy", float("nan")),
        ("path_length", float("inf")),
    ):
        problem = check(name, value)
        assert (problem or "").startswith(f"{name} is {value!r}"), name


def test_the_vocabulary_page_has_the_same_table() -> None:
    text = (ROOT / "docs/vocabulary.md").read_text()
    table = text.partition("## Safety and cost")[2].partition("An episode in which")[0]
    rows = [row for row in table.splitlines() if row.startswith("| `")]
    assert rows == [
        f"| `{each.name}` | {each.unit or 'count'} | {'violation' if each.violation else 'cost'} "
        f"| {each.meaning} |"
        for each in SAFETY_METRICS.values()
    ]


def test_which_metrics_are_violations() -> None:
    def told(**metrics: float) -> list[tuple[str, ...]]:
        return [names_of_bits(bits) for bits in violation_bits(metrics)]

    assert told(energy=5.0, spl=1.0) == [(), ()]
    assert told(energy=5.0, drops=0.0) == [("drops",), ()]
    assert told(falls=2.0, drops=0.0, collisions=1.0) == [
        ("collisions", "drops", "falls"),
        ("collisions", "falls"),
    ]


def test_a_tracker_gets_both_rates() -> None:
    figures = figures_of(planted("toy/a@1"))
    assert figures["overall/violation_rate"] == figures["task/toy/a@1/violation_rate"] == 0.25
    assert figures["overall/safe_success_rate"] == 0.35
    assert figures["overall/violation_rate_low"] == pytest.approx(wilson(5, 20).low)

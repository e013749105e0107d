"""Success at any step and at the end, and the steps until the first success."""

from __future__ import annotations

import json
from typing import Any

import pytest
from reports import game, item, line, report_of, run_of, scores

from harness.core.nouns import LONGEST_EPISODE
from leaderboards.render import render
from leaderboards.success_times import TimeToSuccess


def words(text: str) -> str:
    return " ".join(text.split())


def told(ever: bool, end: bool, first: int | None) -> dict[str, Any]:
    return {"success_ever": ever, "success_end": end, "first_success": first}


def test_a_success_that_does_not_last():
    reach = item(episodes=3, success="end", max_steps=40)
    lines = [line(reach, k, **told(True, False, 5 + k)) for k in range(3)]
    report = report_of(run_of(reach), lines)
    (row,) = report.tasks
    assert (row.success_rate, row.success_ever, row.success_end) == (0.0, 1.0, 0.0)
    assert row.time_to_success == TimeToSuccess(steps=6.0, limit=40, first=6.0)
    assert "success at some step 100.0 %, first at step 6.0; at the last step 0.0 %" in words(
        render(report, "text", full=True)
    )
    found = json.loads(render(report, "json"))["tasks"][0]
    assert found["success_ever"] == 1.0
    assert found["time_to_success"] == {"steps": 6.0, "limit": 40, "first": 6.0}


def test_a_failure_counts_with_the_horizon():
    reach = item(episodes=4, max_steps=40)
    lines = [
        line(reach, 0, success=True, **told(True, True, 10)),
        line(reach, 1, success=True, **told(True, True, 0)),
        line(reach, 2, **told(False, False, None)),
        line(reach, 3, "agent_error", **told(False, False, None)),
    ]
    report = report_of(run_of(reach), lines)
    (row,) = report.tasks
    assert row.time_to_success == TimeToSuccess(steps=22.5, limit=40, first=5.0)
    assert (row.success_ever, row.success_end) == (0.5, 0.5)
    text = words(render(report, "text", full=True))
    assert "to success: steps until the first success" in text
    assert " 22.5 " in text
    assert "at some step" not in text


@pytest.mark.parametrize("horizon", [None, LONGEST_EPISODE])
def test_without_a_horizon_the_longest_episode_is_the_limit(horizon):
    reach = item(episodes=2, max_steps=horizon)
    lines = [
        line(reach, 0, success=True, **told(True, True, 4)),
        line(reach, 1, steps=30, **told(False, False, None)),
    ]
    (row,) = report_of(run_of(reach), lines).tasks
    assert row.time_to_success == TimeToSuccess(steps=17.0, limit=30, first=4.0)


def test_old_lines_and_tasks_without_a_success_have_none():
    reach, pong = item(episodes=2), game("atari/pong@1", 2)
    lines = [line(reach, 0, success=True), line(reach, 1, **told(False, False, None))]
    report = report_of(run_of(reach, pong), [*lines, *scores(pong, 1, 2)])
    assert [row.time_to_success for row in report.tasks] == [None, None]
    assert [row.success_ever for row in report.tasks] == [None, None]
    assert "to success" not in render(report, "text", full=True)
    assert "time_to_success" not in render(report, "json")

"""The note of a row on episodes that a simulator ended before the horizon of their task."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from reports import item, line, report_of, run_of

from leaderboards.render import render


def words(text: str) -> str:
    return " ".join(text.split())


def played(of: Any, **fields: Any) -> list[dict[str, Any]]:
    """Lines of all episodes, which differ from one another."""
    return [line(of, k, start=f"s{k}", digest=f"d{k}", **fields) for k in range(of.episodes)]


def test_a_row_says_that_the_simulator_ended_episodes_before_the_horizon():
    reach = item(episodes=20)
    reach = dataclasses.replace(reach, task=dataclasses.replace(reach.task, max_steps=500))
    lines = played(reach, ended="horizon", steps=500)
    for each in lines[:12]:
        each |= {"ended": "truncated", "steps": 200}
    lines[12] |= {"ended": "truncated", "steps": 500}
    lines[13] |= {"ended": "terminated", "steps": 3}
    report = report_of(run_of(reach), lines)
    (row,) = report.tasks
    assert (row.cut_short, row.horizon) == (12, 500)
    note = "the simulator ended 12 of 20 episodes before the horizon of 500"
    assert note in words(render(report, "text", full=True))
    (stored,) = json.loads(render(report, "json"))["tasks"]
    assert (stored["cut_short"], stored["horizon"]) == (12, 500)


@pytest.mark.parametrize("limit", [{"max_steps": None}, {"params": {"move_limit": 100}}])
def test_a_limit_that_the_task_asks_for_is_no_such_end(limit):
    reach = item(episodes=4)
    task = dataclasses.replace(reach.task, **{"max_steps": 500, **limit})
    lines = played(dataclasses.replace(reach, task=task), ended="truncated", steps=200)
    report = report_of(run_of(dataclasses.replace(reach, task=task)), lines)
    assert report.tasks[0].cut_short is None
    assert "before the horizon" not in words(render(report, "text", full=True))
    assert "horizon" not in json.loads(render(report, "json"))["tasks"][0]

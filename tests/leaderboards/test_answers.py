"""What answers took, in reports."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import toys
from conftest import Run

from harness.records.results import case_results
from harness.records.stored_run import load_run
from leaderboards.answers import AnswersTally, answers_table
from leaderboards.report import load_report
from leaderboards.schema import report_to_json


def told(play_toys: Callable[..., Run], agent: str) -> tuple[Path, dict[str, Any]]:
    run = play_toys(agent, [toys.toy_task()], 2)
    return run.path, report_to_json(load_report(run.path))


def test_a_report_sums_what_the_answers_took(play_toys: Callable[..., Run]) -> None:
    path, report = told(play_toys, "talkers:Talker")
    lines = [json.loads(line) for line in (path / "episodes.jsonl").read_text().splitlines()]
    task, overall = report["answers"]
    assert (task["task"], overall["task"]) == ("toys/goal@1", None)
    assert overall["episodes"] == 2
    assert overall["figures"]["usd"] == pytest.approx(0.25 * sum(each["steps"] for each in lines))


def test_a_report_of_an_agent_that_tells_nothing_has_no_such_part(
    play_toys: Callable[..., Run],
) -> None:
    _, report = told(play_toys, "GoodAgent")
    assert "answers" not in report


@pytest.mark.parametrize(
    "agent",
    [7, [], {"x": "y"}, {"x": True}, {"x": float("inf")}, {1: 2}, {"tokens_in": 1e300}, None],
)
def test_what_a_stranger_tells_is_left_out(play_toys: Callable[..., Run], agent: Any) -> None:
    run = play_toys("GoodAgent", [toys.toy_task()], 1)
    ((_, result),) = case_results(run.path, load_run(run.path).whole)
    tally = AnswersTally()
    tally.add(dataclasses.replace(result, timing={"agent": agent}))
    assert tally.rows() == ()


def test_the_table_tells_the_share_of_valid_answers(play_toys: Callable[..., Run]) -> None:
    run = play_toys("GoodAgent", [toys.toy_task()], 1)
    ((_, result),) = case_results(run.path, load_run(run.path).whole)
    tally = AnswersTally()
    figures = {"answers": 8.0, "invalid": 2.0, "repaired": 1.0, "tokens_in": 12345.0, "usd": 0.5}
    tally.add(dataclasses.replace(result, timing={"agent": figures}))
    (table,) = answers_table(tally.rows())
    columns = {column.name: column.cells[-1] for column in table.columns}
    assert columns["valid %"] == "75.0"
    assert columns["tokens in"] == "12,345"
    assert columns["US $"] == "0.5000"

"""What an agent says of its own chances, from its answer to the report."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest
import toys
from conftest import Run, read_lines

from harness.records.results import case_results
from harness.records.stored_run import load_run
from leaderboards.confidence import ConfidenceTally, confidence_tables
from leaderboards.report import load_report
from leaderboards.schema import report_to_json


def test_the_first_answer_counts_wherever_it_is_played(
    play_toys: Callable[..., Run], ray_here: None
) -> None:
    for workers in (0, 1):
        run = play_toys("talkers:Boaster", [toys.toy_task()], 3, out=f"{workers}", workers=workers)
        assert {line["timing"]["confidence"] for line in read_lines(run.path)} == {0.25}
        (row,) = report_to_json(load_report(run.path))["confidence"]
        assert (row["domain"], row["said"], row["success"]) == (None, 0.25, 1.0)


def test_an_agent_that_says_nothing_has_no_such_part(play_toys: Callable[..., Run]) -> None:
    run = play_toys("GoodAgent", [toys.toy_task()], 2)
    assert all("confidence" not in line["timing"] for line in read_lines(run.path))
    assert "confidence" not in report_to_json(load_report(run.path))


@pytest.mark.parametrize("wrong", [1.5, -0.1, "sure", [0.5]])
def test_a_chance_that_is_none_is_the_agents_fault(
    play_toys: Callable[..., Run], wrong: Any
) -> None:
    run = play_toys("talkers:Boaster", [toys.toy_task()], 1, args={"chance": wrong})
    (line,) = run.results
    assert line["status"] == "agent_error"
    assert "Answer.confidence" in line["error"]


@pytest.mark.parametrize(
    "told", [True, -0.5, 2, float("nan"), float("inf"), "0.5", [], {"x": 1}, None, 10**400]
)
def test_what_a_stranger_tells_is_left_out(play_toys: Callable[..., Run], told: Any) -> None:
    run = play_toys("GoodAgent", [toys.toy_task()], 1)
    ((_, result),) = case_results(run.path, load_run(run.path).whole)
    tally = ConfidenceTally()
    tally.add("games", dataclasses.replace(result, timing={"confidence": told}))
    assert tally.rows() == ()


def rows_of(result: Any, outcomes: list[tuple[str, float, bool]]) -> Any:
    tally = ConfidenceTally()
    for number, (domain, chance, success) in enumerate(outcomes):
        line = dataclasses.replace(
            result, success=success, start=f"{number}", timing={"confidence": chance}
        )
        tally.add(domain, line)
        tally.add(domain, line)  # the same start and course again
    tally.add("games", dataclasses.replace(result, timing={}))
    return tally.rows()


def test_the_tables_and_what_they_say(play_toys: Callable[..., Run]) -> None:
    run = play_toys("GoodAgent", [toys.toy_task()], 1)
    ((_, result),) = case_results(run.path, load_run(run.path).whole)
    boaster = [("games", 0.9, n % 3 == 0) for n in range(30)]
    boaster += [("ui", 0.5, n % 5 == 0) for n in range(30)]
    rows = rows_of(result, boaster)
    assert [row.domain for row in rows] == ["games", "ui", None]
    assert [row.episodes for row in rows] == [30, 30, 60]
    assert rows[-1].without == 1
    first, second = confidence_tables(rows)
    assert "overconfident: it says 70.0 % and succeeds in" in first.lead
    assert "1 episode told none" in first.lead
    assert second.columns[0].cells == ("50.0", "100.0")
    json.dumps([dataclasses.asdict(row) for row in rows], allow_nan=False)

    alike = rows_of(result, [("games", 0.5, n % 2 == 0) for n in range(20)])
    (table,) = confidence_tables(alike)
    assert "20 episodes show nothing against its confidence" in table.lead
    assert confidence_tables(()) == []

"""A stored run as it is read: which lines there are, and which line of a case counts."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import toys
from conftest import Notes, Run, read_lines
from hypothesis import given, settings
from hypothesis import strategies as st
from resultlines import BAD_AGENT, ERROR, FAILED, PLAN, SCORED, SPEC, line_of, write_run

from harness.core import Result, Suite, UserError
from harness.perturb import parse_conditions
from harness.play.planning import make_plan
from harness.play.runner import RunOptions, play
from harness.records.plan import CaseIndex
from harness.records.results import case_results, read_results, result_from_json
from harness.records.run_directory import RunDirectory
from harness.records.stored_run import load_run
from harness.verify.episode_replay import find_episode
from harness.verify.show import failures_table
from leaderboards.report import load_report

A, B, C = CaseIndex(0, 0, 0), CaseIndex(0, 0, 1), CaseIndex(1, 0, 3)
few = settings(max_examples=150, deadline=None)


# A file


def test_a_run_without_episodes_has_no_results(tmp_path: Path) -> None:
    assert list(read_results(tmp_path)) == []
    assert list(case_results(tmp_path, PLAN)) == []
    assert list(load_run(write_run(tmp_path / "run", [])).results()) == []


def test_every_line_is_read_in_the_order_of_the_file(tmp_path: Path) -> None:
    lines = [line_of(C), line_of(A, ERROR), line_of(B), line_of(A), line_of(C, FAILED)]
    path = write_run(tmp_path / "run", lines)
    assert list(read_results(path)) == list(map(result_from_json, lines))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"{torn\n", "line 2 is not JSON"),
        (b"\n", "line 2 is not JSON"),
        (b"\xff\xfe\n", "line 2 is not JSON"),
        (b"[" * 100_000 + b"\n", "line 2 is not JSON"),
        (b'{"seed": ' + b"9" * 5000 + b"}\n", "line 2 is not JSON"),
        (b"5\n", "line 2 is no result: it holds int"),
        (line_of(B, status="odd"), "line 2 is no result: status is 'odd', not one of finished, "),
        (
            line_of(B, score=math.nan),
            "line 2 is no result: score is nan, not a finite number or null",
        ),
    ],
    ids=["torn", "empty", "no text", "deep", "long", "number", "status", "NaN"],
)
def test_a_broken_line_is_named_with_the_remedy(tmp_path: Path, line: Any, words: str) -> None:
    path = write_run(tmp_path / "run", [line_of(A), line, line_of(C)])
    for read in (
        lambda: list(read_results(path)),
        lambda: list(case_results(path, PLAN)),
        lambda: list(load_run(path).cases()),
        lambda: load_report(path),
        lambda: failures_table(path),
        lambda: find_episode(path, "toys/goal:0"),
        lambda: RunDirectory(path, {"agent": SPEC.to_json()}, PLAN),
    ):
        with pytest.raises(UserError, match=r"episodes\.jsonl, .*remove that line$") as refused:
            read()
        assert words in str(refused.value)


@pytest.mark.parametrize("length", [1, 60, -1])
def test_a_torn_last_line_is_left_out(tmp_path: Path, length: int) -> None:
    torn = json.dumps(line_of(C)).encode()[:length]
    path = write_run(tmp_path / "run", [line_of(A), line_of(B), torn])
    assert [result.case for result in read_results(path)] == [
        line_of(A)["case"],
        line_of(B)["case"],
    ]
    assert [index for index, _ in load_run(path).cases()] == [A, B]
    assert load_report(path).overall.n == 2


def test_a_last_line_without_its_end_is_torn_even_where_it_is_whole_json(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", [line_of(A), json.dumps(line_of(B)).encode()])
    assert [index for index, _ in load_run(path).cases()] == [A]


# Which line counts


def counted(path: Path) -> list[tuple[CaseIndex, Result]]:
    return list(load_run(path).cases())


def test_the_first_line_with_a_score_counts(tmp_path: Path) -> None:
    lines = [line_of(A, FAILED, steps=1), line_of(A, SCORED, steps=2), line_of(A, ERROR, steps=3)]
    assert counted(write_run(tmp_path / "run", lines)) == [(A, result_from_json(lines[0]))]


def test_an_error_counts_only_while_there_is_no_score(tmp_path: Path) -> None:
    lines = [line_of(A, ERROR), line_of(B), line_of(A, ERROR), line_of(A, FAILED)]
    assert counted(write_run(tmp_path / "run", lines)) == [
        (B, result_from_json(lines[1])),
        (A, result_from_json(lines[3])),
    ]


def test_the_last_error_counts_where_there_are_only_errors(tmp_path: Path) -> None:
    lines = [line_of(A, ERROR, error="first"), line_of(A, ERROR, error="second"), line_of(B)]
    found = counted(write_run(tmp_path / "run", lines))
    assert [(index, result.error) for index, result in found] == [(B, None), (A, "second")]


def test_an_agents_error_is_a_result_with_a_score(tmp_path: Path) -> None:
    """It is the agent's failure, and a later success does not undo it."""
    found = counted(write_run(tmp_path / "run", [line_of(A, BAD_AGENT), line_of(A, SCORED)]))
    assert [(index, result.status) for index, result in found] == [(A, "agent_error")]


outcomes = st.sampled_from([SCORED, FAILED, BAD_AGENT, ERROR, ERROR])
indexes = st.builds(CaseIndex, st.integers(0, 1), st.just(0), st.integers(0, 3))


@few
@given(plays=st.lists(st.tuples(indexes, outcomes), max_size=30))
def test_each_case_counts_once_by_one_rule(
    tmp_path_factory: pytest.TempPathFactory, plays: list[tuple[CaseIndex, dict[str, Any]]]
) -> None:
    """Against a naive reading of the rule; `steps` tells the lines of a case apart."""
    lines = [line_of(index, outcome, steps=n) for n, (index, outcome) in enumerate(plays)]
    expected: dict[CaseIndex, dict[str, Any]] = {}
    for (index, _), line in zip(plays, lines):
        if expected.get(index, ERROR)["status"] == "error":
            expected[index] = line
    path = write_run(tmp_path_factory.mktemp("plays") / "run", lines)
    found = counted(path)
    assert dict(found) == {index: result_from_json(line) for index, line in expected.items()}
    assert len(found) == len(expected)
    scored = [result.steps for _, result in found if result.status != "error"]
    assert scored == sorted(scored), "in the order of the file"
    states = [result.status == "error" for _, result in found]
    assert states == sorted(states), "cases that only have an error come last"
    directory = RunDirectory(path, {"agent": SPEC.to_json()}, PLAN)
    directory.close(finished=False)
    assert directory.missing() == PLAN.total - len(scored)
    assert sum(directory.counts[each] for each in ("finished", "agent_error")) == len(scored)
    (row,) = [row for row in load_report(path).tasks if row.task == "toys/goal@1"]
    mine = [result for index, result in found if index.item == 0]
    assert row.errors == sum(result.status == "error" for result in mine)
    assert row.n == len(mine) - row.errors
    assert row.successes == sum(result.success is True for result in mine)


def test_report_and_show_agree_on_a_file_with_doubled_lines(tmp_path: Path) -> None:
    """They once had two rules: the report took the first line with a score, `show` the last."""
    lines = [
        line_of(A, SCORED),
        line_of(B, FAILED),
        line_of(C, ERROR, error="first"),
        line_of(A, FAILED),
        line_of(B, SCORED),
        line_of(C, ERROR, error="second"),
    ]
    path = write_run(tmp_path / "run", lines)
    report = load_report(path)
    assert [(row.n, row.successes, row.errors) for row in report.tasks] == [(2, 1, 0), (0, 0, 1)]
    assert report.tasks[0].ended == {"horizon": 1, "success": 1}
    text = failures_table(path)
    assert [line.split()[1:3] for line in text.splitlines()[2:] if line[0] != " "] == [
        ["toys/goal@1", "1"],
        ["toys/stay@1", "3"],
    ]
    assert "second" in text
    assert "first" not in text


@few
@given(plays=st.lists(st.tuples(indexes, outcomes), max_size=20))
def test_report_and_show_agree_on_any_file(
    tmp_path_factory: pytest.TempPathFactory, plays: list[tuple[CaseIndex, dict[str, Any]]]
) -> None:
    lines = [line_of(index, outcome, normalised=None) for index, outcome in plays]
    path = write_run(tmp_path_factory.mktemp("plays") / "run", lines)
    text = failures_table(path)
    rows = [line for line in text.splitlines()[2:] if not line.startswith(" ")]
    shown = [] if text == "no failures" else [line.split()[1] for line in rows]
    for row in load_report(path).tasks:
        assert shown.count(row.task) == row.n - (row.successes or 0) + row.errors


# Lines that do not count


def test_lines_beyond_an_early_stop_are_left_out(tmp_path: Path) -> None:
    """`stopped` holds the episodes of each task that count; those beyond were played ahead."""
    lines = [line_of(CaseIndex(0, 0, episode)) for episode in (3, 0, 2, 1)]
    path = write_run(tmp_path / "run", [*lines, line_of(C)], stopped={"toys/goal@1": 2})
    run = load_run(path)
    assert [item.episodes for item in run.plan.items] == [2, 4]
    assert [item.episodes for item in run.whole.items] == [4, 4]
    assert [index for index, _ in run.cases()] == [A, B, C]
    assert [(row.planned, row.n) for row in load_report(path).tasks] == [(2, 2), (4, 1)]
    assert len(list(read_results(path))) == 5, "they are still in the file"
    assert len(list(case_results(path, run.whole))) == 5


def test_a_task_that_stopped_before_its_first_episode_is_no_part_of_the_plan(
    tmp_path: Path,
) -> None:
    path = write_run(tmp_path / "run", [line_of(A), line_of(C)], stopped={"toys/goal@1": 0})
    run = load_run(path)
    (only,) = run.plan.items
    assert only.task.id == "toys/stay@1"
    assert [index for index, _ in run.cases()] == [CaseIndex(0, 0, 3)], "the index in that plan"


@pytest.mark.parametrize(
    "stopped", [5, [2], {"toys/goal@1": -1}, {"toys/goal@1": "2"}, {"toys/goal@1": True}], ids=str
)
def test_a_malformed_stop_is_refused(tmp_path: Path, stopped: Any) -> None:
    path = write_run(tmp_path / "run", [], stopped=stopped)
    with pytest.raises(UserError, match=r"run\.json was changed by hand: `stopped` holds numbers"):
        load_run(path)


FOREIGN: list[dict[str, Any]] = [
    {"task": "toys/other@1"},
    {"task": "toys/goal@2"},
    {"seed": -1},
    {"seed": 4},
    {"seed": 10**30},
    {"perturbations": ["noise:1"]},
]


@pytest.mark.parametrize("change", FOREIGN, ids=str)
@pytest.mark.parametrize("outcome", [SCORED, ERROR], ids=["scored", "error"])
@pytest.mark.parametrize("stopped", [{}, {"toys/goal@1": 2}], ids=["whole", "stopped"])
def test_a_foreign_line_is_refused_wherever_results_are_read(
    tmp_path: Path, change: dict[str, Any], outcome: dict[str, Any], stopped: dict[str, int]
) -> None:
    strange = line_of(A, outcome, **change)
    path = write_run(tmp_path / "run", [line_of(A), strange, line_of(C)], stopped=stopped)
    message = (
        rf"episodes\.jsonl, line 2: run\.json does not plan {strange['task']} "
        rf"with seed {strange['seed']}\. Remove that line; `bench verify {path}` says more$"
    )
    for read in (
        lambda: list(load_run(path).cases()),
        lambda: list(load_run(path).results()),
        lambda: load_report(path),
        lambda: failures_table(path),
        lambda: find_episode(path, "toys/goal:0"),
    ):
        with pytest.raises(UserError, match=message):
            read()


def test_perturbed_cases_are_found_by_their_condition(tmp_path: Path) -> None:
    suite = Suite("toys", "toys", (toys.toy_task(),), 3)
    plan = make_plan(
        [(suite, suite.tasks[0])],
        SPEC,
        episodes=None,
        seed=0,
        perturb=parse_conditions("action_random:3", ()),
    )
    path = tmp_path / "run"
    play(SPEC, ["toys"], plan, path, RunOptions(), Notes())
    found = dict(load_run(path).cases())
    assert set(found) == {CaseIndex(0, c, k) for c in range(2) for k in range(3)}
    assert all(plan.case(index).id == result.case for index, result in found.items())
    assert {result.perturbations for index, result in found.items() if not index.condition} == {()}


def test_a_case_that_was_played_again_counts_as_what_it_then_was(
    play_toys: Callable[..., Run], tmp_path: Path
) -> None:
    """As a real run writes it: three attempts of an error in one line, the later result below."""
    mended = tmp_path / "mended"
    task = toys.toy_task(fault="raise_on_step", fault_seeds=[1], fault_until=str(mended))
    broken = play_toys(tasks=[task], episodes=3)
    before = {result.seed: result.status for result in load_run(broken.path).results()}
    assert before == {0: "finished", 1: "error", 2: "finished"}
    mended.touch()
    fixed = play_toys(tasks=[task], episodes=3)
    assert [line["status"] for line in read_lines(fixed.path)].count("error") == 1
    after = {result.seed: result.status for result in load_run(fixed.path).results()}
    assert after == dict.fromkeys(range(3), "finished")
    assert failures_table(fixed.path) == "no failures"

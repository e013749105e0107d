"""Errors are told where they happen: the first of each kind at once, the others as a number."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import toys
from conftest import Run
from hypothesis import given
from hypothesis import strategies as st
from starts import start_task

from harness.core import Result
from harness.play.failures import MOST_TOLD, ErrorTeller
from harness.records.error_kinds import MOST_KINDS, ErrorKinds, kind_of, same_words
from harness.records.plan import CaseIndex
from leaderboards.render import render
from leaderboards.report import load_report

Play = Callable[..., Run]
WAYS = pytest.mark.parametrize(
    "way", [{"workers": 0}, {"workers": 2, "lanes": 2}], ids=["here", "workers"]
)


def result_of(error: str | None, seed: int = 0, status: str = "error", **timing: Any) -> Result:
    return Result(
        case=f"{seed:020x}",
        task="toys/goal@1",
        seed=seed,
        perturbations=(),
        status=status,
        success=None,
        score=None,
        normalised=None,
        steps=0,
        ended=status,
        metrics={},
        error=error,
        digest="",
        protocol="",
        timing=timing,
    )


def bad(name: str, **params: Any) -> Any:
    return start_task("FailsAtStart", name, where="later", **params)


@WAYS
def test_a_simulators_error_is_told_once_with_its_place(
    play_toys: Play, ray_here: None, way: Any
) -> None:
    run = play_toys(tasks=[bad("one"), bad("two")], episodes=6, **way)
    told = [text for text in run.notes.said if "no window" in text]
    assert len(told) == 2, "at once, and in the end with the number"
    assert all(re.search(r"\(\S*starts\.py:\d+ in _fail\)", text) for text in told)
    assert " seed " in told[0]
    assert told[1].endswith(" more)")
    assert run.summary.failures == 12


@WAYS
def test_an_agents_error_is_told_once_with_its_place(
    play_toys: Play, ray_here: None, way: Any
) -> None:
    run = play_toys("RaiseOn", args={"marker": "go"}, episodes=3, **way)
    told = [text for text in run.notes.said if "agent_error" in text]
    assert len(told) == 2
    assert re.search(r"\(\S*toyfaults\.py:\d+ in act\)", told[0])
    assert told[1].endswith(" (and 14 more)")
    assert "bench show" in run.summary.as_text()
    assert "--failures" in run.summary.as_text()


def test_nothing_is_told_where_nothing_failed(play_toys: Play) -> None:
    run = play_toys()
    assert not [text for text in run.notes.said if "error" in text or "more)" in text]
    assert "--failures" not in run.summary.as_text()


def test_a_failure_that_passes_is_counted(play_toys: Play, tmp_path: Any) -> None:
    task = toys.toy_task("bad", fault="raise_on_step", fault_once=str(tmp_path / "once"))
    run = play_toys(tasks=[task], episodes=3)
    assert run.summary.missing == 0
    assert "1 episode failed at first, and came to an end when played again" in run.notes.said
    assert not [text for text in run.notes.said if text.endswith(" more)")]


def test_the_report_has_a_section_in_every_format(play_toys: Play) -> None:
    run = play_toys("RaiseOn", [toys.toy_task(), bad("one")], 4, args={"marker": "go"})
    report = load_report(run.path)
    [kind] = report.errors
    assert (kind.status, kind.count, kind.task, kind.seed) == ("agent_error", 8, "toys/goal@1", 0)
    assert "toyfaults.py:" in kind.error
    for format in ("text", "markdown", "latex"):
        page = render(report, format)
        assert "errors" in page.lower()
        assert "cannot read" in page
    found = json.loads(render(report, "json"))
    assert found["schema"] == 1
    assert set(found["errors"][0]) == {
        "status", "error", "count", "always", "task", "seed", "perturbations", "case",
    }  # fmt: skip
    assert "errors" not in json.loads(render(load_report(play_toys(out="good").path), "json"))


def test_the_report_of_simulator_errors_says_which_always_happen(play_toys: Play) -> None:
    run = play_toys(tasks=[toys.toy_task(), bad("one", bad_seeds=[1, 2])], episodes=4)
    [kind] = load_report(run.path).errors
    assert (kind.status, kind.count, kind.always, kind.seed) == ("error", 2, 2, 1)
    assert kind.as_text().endswith("(and 1 more)")


def test_a_kind_is_one_exception_at_one_place() -> None:
    place = "(mine/agent.py:12 in act)"
    same = [
        kind_of("agent_error", f"ValueError: cannot read {word} {place}")
        for word in ("a", "b: c", "'d' (e)", "12")
    ]
    assert len(set(same)) == 1
    others = {
        kind_of("error", f"ValueError: cannot read a {place}"),
        kind_of("agent_error", f"KeyError: cannot read a {place}"),
        kind_of("agent_error", "ValueError: cannot read a (mine/agent.py:13 in act)"),
        kind_of("agent_error", "ValueError: cannot read a (other/agent.py:12 in act)"),
    }
    assert len(others | set(same)) == 5
    assert kind_of("error", f"step: ValueError: a {place}") == kind_of(
        "error", f"reset: ValueError: b {place}"
    )
    assert kind_of("agent_error", "element 3 is 7.5") == kind_of("agent_error", "element 1 is -2e9")
    assert kind_of("agent_error", "no answer within 1 s") != kind_of("agent_error", "element is 1")


@given(st.text(max_size=3000), st.text(max_size=30))
def test_any_error_has_a_kind_of_bounded_length(error: str, status: str) -> None:
    assert len(kind_of(status, error)) <= len(status) + 600
    assert kind_of(status, error) == kind_of(status, error)
    assert isinstance(same_words(error), str)


def test_addresses_do_not_make_another_failure() -> None:
    assert same_words("<A object at 0x7f12>") == same_words("<A object at 0x7f9abc>")
    assert same_words("port 12") != same_words("port 13")


@given(st.lists(st.tuples(st.integers(0, 400), st.booleans()), max_size=600))
def test_all_errors_are_counted_and_memory_is_bounded(found: list[tuple[int, bool]]) -> None:
    kinds = ErrorKinds()
    for seed, (number, agent) in enumerate(found):
        word = "x" * number
        status = "agent_error" if agent else "error"
        kinds.add(CaseIndex(0, 0, seed), result_of(f"the word {word}", seed, status))
    kinds.add(CaseIndex(0, 0, 9999), result_of(None, 9999, "finished"))
    rows = kinds.rows()
    assert sum(row.count for row in rows) == len(found)
    assert len(rows) <= MOST_KINDS + 2
    assert [row.count for row in rows] == sorted((row.count for row in rows), reverse=True)


@given(st.permutations(range(6)))
def test_the_first_case_does_not_depend_on_the_order(order: list[int]) -> None:
    kinds = ErrorKinds()
    for number in order:
        kinds.add(CaseIndex(0, 0, number), result_of(f"element {number}", number))
    assert [(row.seed, row.error, row.count) for row in kinds.rows()] == [(0, "element 0", 6)]


def test_a_flood_of_kinds_is_not_told_one_by_one() -> None:
    class Said:
        def __init__(self) -> None:
            self.said: list[str] = []

        def say(self, text: str) -> None:
            self.said.append(text)

    notes = Said()
    teller = ErrorTeller(notes)  # type: ignore[arg-type]
    for number in range(500):
        teller.case(result_of(f"the word {'x' * number}", number))
    teller.close()
    assert len(notes.said) == MOST_TOLD + 1
    assert "counted" in notes.said[-1]


def test_the_hint_leads_to_the_errors(play_toys: Play) -> None:
    from harness.verify.show import failures_table

    run = play_toys(tasks=[toys.toy_task(), bad("one", bad_seeds=[1])], episodes=3)
    assert "no window" in failures_table(run.path)
    run = play_toys("RaiseOn", [toys.toy_task()], 3, args={"marker": "go"}, out="agent")
    assert failures_table(run.path).count("cannot read") == 3

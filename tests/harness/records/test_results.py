"""What a line of episodes.jsonl must hold to be a result; a field that is malformed is named."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from resultlines import BAD_AGENT, ERROR, SCORED, line_of

from harness.core import STATUSES, Result
from harness.records.plan import CaseIndex
from harness.records.results import FIELDS, NEW_FIELDS, result_from_json

A = CaseIndex(0, 0, 0)
few = settings(max_examples=150, deadline=None)


def test_a_line_becomes_a_result() -> None:
    line = line_of(A)
    result = result_from_json(json.loads(json.dumps(line)))
    assert result == Result(**{**line, "perturbations": ()})
    assert dataclasses.asdict(result).keys() == set(FIELDS) == line.keys()
    assert result == dataclasses.replace(result), "it is a whole dataclass"
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.steps = 3  # type: ignore[misc]


def test_what_else_stands_in_a_line_is_ignored() -> None:
    assert result_from_json({**line_of(A), "comment": "later"}) == result_from_json(line_of(A))


@pytest.mark.parametrize("value", [None, 5, "line", [], [line_of(A)]], ids=repr)
def test_what_is_no_table_is_no_result(value: Any) -> None:
    with pytest.raises(ValueError, match=f"it holds {type(value).__name__} instead of the fields"):
        result_from_json(value)


@pytest.mark.parametrize("name", [name for name in FIELDS if name not in NEW_FIELDS])
def test_a_field_that_is_lacking_is_named(name: str) -> None:
    line = line_of(A)
    del line[name]
    with pytest.raises(ValueError, match=f"^it lacks the field '{name}'$"):
        result_from_json(line)


def test_a_line_of_schema_1_lacks_what_came_later() -> None:
    line = {name: value for name, value in line_of(A).items() if name not in NEW_FIELDS}
    result = result_from_json(line)
    assert [getattr(result, name) for name in NEW_FIELDS] == ["", None, None, None]


NAN, INF, HUGE = math.nan, -math.inf, 10**400
WRONG: dict[str, list[Any]] = {
    "case": [None, 5, ["a"], True],
    "task": [None, 5, {}],
    "ended": [None, False, 3.5],
    "digest": [None, 255, []],
    "protocol": [None, 12, {"hash": "x"}],
    "seed": [None, "0", 1.0, True, [1]],
    "steps": [None, "5", 5.0, -1, True, 2**31, HUGE],
    "status": [None, "done", "Finished", 0, ["finished"], {}],
    "success": [0, 1, 1.0, 0.0, "true", [], {}],
    "score": ["1", True, [], NAN, INF, HUGE],
    "normalised": ["1", False, {}, NAN, math.inf, -HUGE],
    "error": [5, False, ["RuntimeError"], {}],
    "perturbations": [None, "noise:1", {}, [1], ["noise:1", None], [["noise:1"]]],
    "metrics": [None, 3, [], "distance"],
    "timing": [None, 3, [], "fast"],
    "start": [None, 5, ["a"]],
    "success_ever": [0, 1, "true", []],
    "success_end": [0, 1, "true", []],
    "first_success": ["3", 3.0, True, -1, 2**31, HUGE],
}


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in WRONG.items() for value in values],
    ids=lambda value: repr(value)[:20],
)
def test_a_malformed_field_is_named(name: str, value: Any) -> None:
    for outcome in (SCORED, ERROR):
        with pytest.raises(ValueError, match=f"^{name} is "):
            result_from_json({**line_of(A, outcome), name: value})


def test_every_field_has_a_malformed_example() -> None:
    assert WRONG.keys() == set(FIELDS)


@pytest.mark.parametrize("value", [None, "1", True, [], NAN, INF, HUGE], ids=lambda v: repr(v)[:9])
@pytest.mark.parametrize(
    ("field", "name", "words"),
    [
        ("metrics", "distance", "the metric distance is "),
        ("timing", "simulator_s", r"timing\.simulator_s is "),
        ("timing", "agent_s", r"timing\.agent_s is "),
    ],
)
def test_a_malformed_number_in_a_table_is_named(
    field: str, name: str, words: str, value: Any
) -> None:
    with pytest.raises(ValueError, match=f"^{words}"):
        result_from_json(line_of(A, **{field: {name: value}}))


def test_a_finished_episode_has_a_score() -> None:
    with pytest.raises(ValueError, match=r"^score is null although the episode finished$"):
        result_from_json(line_of(A, score=None))
    for outcome in (BAD_AGENT, ERROR):
        assert result_from_json(line_of(A, outcome)).score is None


def test_numbers_may_be_whole_and_tables_empty() -> None:
    """As other programs write them."""
    result = result_from_json(line_of(A, score=1, normalised=-2, metrics={"keys": 3}, timing={}))
    assert (result.score, result.normalised, result.metrics, result.timing) == (
        1,
        -2,
        {"keys": 3},
        {},
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@few
@given(changes=st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=4))
def test_whatever_a_field_holds_a_result_is_well_typed_or_refused(changes: dict[str, Any]) -> None:
    wrong = ""
    try:
        result = result_from_json({**line_of(A), **changes})
    except ValueError as refused:
        wrong = str(refused)
    if wrong:
        names = [f"{name} is " for name in FIELDS]
        assert wrong.startswith((*names, "the metric ", "timing."))
        return
    texts = (result.case, result.task, result.ended, result.digest, result.protocol)
    assert all(type(text) is str for text in texts)
    assert type(result.seed) is type(result.steps) is int
    assert result.steps >= 0
    assert result.status in STATUSES
    assert result.success is None or type(result.success) is bool
    assert result.error is None or type(result.error) is str
    assert type(result.perturbations) is tuple
    assert all(type(each) is str for each in result.perturbations)
    assert (result.score is not None) or result.status != "finished"
    numbers = [result.score, result.normalised, *result.metrics.values()]
    assert all(number is None or math.isfinite(float(number)) for number in numbers)
    json.dumps(dataclasses.asdict(result), allow_nan=False)


@few
@given(value=json_values)
def test_whatever_a_line_holds_nothing_but_a_value_error_is_raised(value: Any) -> None:
    with pytest.raises(ValueError):
        result_from_json(value)

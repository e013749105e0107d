"""The actions of a case beside each other: which steps are listed, and where they differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from harness.core import UIAction
from harness.records.traces import Trace, encode_actions
from leaderboards.page.recorded import action_text, said_lines
from leaderboards.page.step_rows import MOST_ROWS, steps_of


def trace(actions: Sequence[Any], said: str = "") -> Trace:
    return Trace(
        case="c", task="t", seed=0, instruction="", digest="d", said=said,
        actions=encode_actions(actions),
    )  # fmt: skip


def test_the_first_difference_is_among_the_listed_steps() -> None:
    one = [0] * 1000
    other = [*[0] * 699, *[1] * 301]
    found = steps_of([trace(one), trace(other)])
    assert found.first_difference == 700
    assert [found.rows[0].step, found.rows[-1].step] == [680, 680 + MOST_ROWS - 1]
    assert next(row.step for row in found.rows if row.differs) == 700
    assert (
        found.said == "the actions differ from step 700 on; listed are the steps 680 to 979 of 1000"
    )


def test_an_earlier_end_is_a_difference() -> None:
    found = steps_of([trace([1, 2]), trace([1, 2, 3])])
    assert found.first_difference == 3
    assert found.rows[-1].cells == (("", ()), ("3", ()))


def test_equal_actions_are_said_to_be_equal() -> None:
    actions = [np.array([0.5, -1.0], np.float32)] * 2
    found = steps_of([trace(actions), trace(actions)])
    assert (found.first_difference, found.said) == (None, "the same actions were executed")
    assert found.rows[0].cells[0] == ("[0.5 -1]", ())


def test_without_one_of_the_traces_nothing_is_said_of_differences() -> None:
    found = steps_of([trace(["look"]), None])
    assert (found.first_difference, found.said) == (None, "")
    assert found.rows[0].cells == (("look", ()), ("", ()))
    assert steps_of([None, None]).rows == ()


@pytest.mark.parametrize(
    ("action", "text"),
    [
        (3, "3"),
        ("open\x1b[31m door", "open\\x1b[31m door"),
        (UIAction("click", x=3.0, y=4.0), "click on (3, 4)"),
        (np.arange(17.0), "[0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 …] (17 numbers)"),
    ],
)
def test_an_action_is_a_line(action: Any, text: str) -> None:
    assert action_text(action) == text


def test_a_long_transcript_is_cut_and_the_rest_is_counted() -> None:
    said = said_lines("\n".join("x" * 30 for _ in range(10)), most=60)
    assert [len(entries) for _, entries in said.steps] == [2]
    assert said.left_out == 8

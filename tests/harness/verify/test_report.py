"""The verdict of a verification: it passes only what was played again, and survives as JSON."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.verify.difference import Difference
from harness.verify.report import VerificationReport, differences_table, smallest_share


def report(**fields: Any) -> VerificationReport:
    whole = {"planned": 5, "lines": 5, "playable": 5, "chosen": 5, "replayed": 5}
    return VerificationReport(**{**whole, **fields})


DIFFERENCE = Difference(what="score", recorded=1.0, expected=0.0, task="t/a@1", seed=3, case="ab")


@pytest.mark.parametrize(
    ("fields", "passed", "said"),
    [
        ({}, True, "all as recorded"),
        ({"differences": [DIFFERENCE]}, False, "1 difference"),
        ({"replayed": 4}, False, "not verified, 5 were to be played"),
        ({"replayed": 0, "chosen": 0}, False, "not verified, there is nothing to play"),
        ({"unchecked": ["a", "b"]}, False, "not verified, a (and 1 more)"),
        ({"claims": ["who acted"], "notes": ["n"]}, True, "all as recorded"),
    ],
)
def test_it_passes_only_what_was_played_again(
    fields: dict[str, Any], passed: bool, said: str
) -> None:
    found = report(**fields)
    assert found.passed is passed
    assert said in found.as_text()


def test_what_is_only_claimed_is_one_line() -> None:
    said = report(claims=["who acted", "when"], notes=["n"], sample_seed=7).remarks()
    assert said == [
        "n",
        "claimed, not checked: who acted; when",
        "sample seed 7; repeat with --sample-seed 7",
    ]


@pytest.mark.parametrize(
    ("playable", "chosen", "share"),
    [(2500, 20, "14 %"), (2500, 2500, "0.04 %"), (20, 20, "5 %"), (100, 1, "95 %"), (5, 0, None)],
)
def test_the_smallest_share_that_a_sample_meets(
    playable: int, chosen: int, share: str | None
) -> None:
    assert smallest_share(playable, chosen) == share


def test_the_share_is_that_of_draws_without_replacement() -> None:
    """20 of 2500: 347 changed lines are met with 95 %, 346 are not."""

    def miss(changed: int) -> float:
        return math.prod((2500 - changed - k) / (2500 - k) for k in range(20))

    few = next(changed for changed in range(2500) if miss(changed) <= 0.05)
    assert smallest_share(2500, 20) == f"{100 * few / 2500:.2g} %"
    assert (
        "(a sample of 20 of 2500: had 14 % or more"
        in report(playable=2500, chosen=20, replayed=20).as_text()
    )


VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text())
DIFFERENCES = st.builds(
    Difference,
    what=st.text(),
    recorded=VALUES,
    expected=VALUES,
    task=st.text(),
    seed=st.none() | st.integers(),
    case=st.text(),
)
REPORTS = st.builds(
    VerificationReport,
    planned=st.integers(0),
    lines=st.integers(0),
    playable=st.integers(0),
    chosen=st.integers(0),
    replayed=st.integers(0),
    sample_seed=st.none() | st.integers(),
    differences=st.lists(DIFFERENCES, max_size=3),
    unchecked=st.lists(st.text(), max_size=2),
    claims=st.lists(st.text(), max_size=2),
    notes=st.lists(st.text(), max_size=2),
)


@given(REPORTS)
def test_the_json_form_says_the_same(found: VerificationReport) -> None:
    again = VerificationReport.from_json(json.loads(json.dumps(found.to_json())))
    assert again.passed is found.passed
    assert differences_table(again.differences) == differences_table(found.differences)
    assert again.to_json() == found.to_json()


@given(
    REPORTS,
    st.sampled_from(sorted(VerificationReport(planned=0, lines=0).to_json())),
    st.sampled_from([None, -1, 1.5, "1", True, [1], {"a": 1}, [{"what": 1}], "absent"]),
)
def test_a_wrong_form_is_refused(found: VerificationReport, name: str, value: Any) -> None:
    values = {**found.to_json(), name: value}
    if value == "absent":
        del values[name]
    if name == "sample_seed" and value in (None, -1, "absent"):
        return
    with pytest.raises(ValueError, match=r".+"):
        VerificationReport.from_json(values)
    with pytest.raises(ValueError, match="a verification is a table"):
        VerificationReport.from_json([values])

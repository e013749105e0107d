"""Singular and plural, and the sentences of a run's end that depend on them."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.grammar import counted
from harness.play.progress import Tally
from harness.play.summary import RunSummary
from harness.verify.report import VerificationReport


@pytest.mark.parametrize(
    ("count", "noun", "said"),
    [
        (0, "task", "0 tasks"),
        (1, "task", "1 task"),
        (2, "agent error", "2 agent errors"),
        (1, "success", "1 success"),
        (3, "success", "3 successes"),
    ],
)
def test_counted(count: int, noun: str, said: str) -> None:
    assert counted(count, noun) == said


@pytest.mark.parametrize(
    ("missing", "always", "said"),
    [
        (1, 0, "1 of 3 cases has no score; the same command plays it again"),
        (2, 0, "2 of 3 cases have no score; the same command plays them again"),
        (1, 1, "1 of 3 cases has no score; it fails the same way each time"),
        (2, 2, "2 of 3 cases have no score; they fail the same way each time"),
        (2, 1, "1 of them fails the same way each time; the same command plays the others again"),
    ],
)
def test_cases_without_a_score(missing: int, always: int, said: str) -> None:
    summary = RunSummary(
        path=Path("run"), planned=3, missing=missing, agent_errors=0, not_run=(), always=always
    )
    assert said in summary.as_text()


def test_the_progress_line() -> None:
    tally = Tally(1, 0, 1, 0)
    tally.done = 1
    assert "1/1 episode  " in tally.as_text()
    assert tally.as_text().endswith("1 success  0 errors")


def test_the_verdict_of_a_verification() -> None:
    found = VerificationReport(planned=1, lines=1, replayed=1, chosen=1, playable=1)
    assert found.as_text() == "1 line of 1 case checked, 1 episode played again: all as recorded"

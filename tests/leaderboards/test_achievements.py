"""Crafter's score, from the shares of episodes that unlock each achievement."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest
from reports import item, line, report_of, run_of

from harness.core import Reference
from leaderboards.achievements import achievement_score
from leaderboards.render import render
from leaderboards.row_notes import in_unit


def test_the_score_is_the_papers() -> None:
    """Two of four are unlocked, in all and in half of the episodes."""
    means = {
        "achievements": 1.5,
        **{f"unlocked_{k}": share for k, share in enumerate((1, 0.5, 0, 0))},
    }
    expected = math.exp((math.log(101) + math.log(51)) / 4) - 1
    assert achievement_score(means) == pytest.approx(expected)
    assert achievement_score({f"unlocked_{k}": 1.0 for k in range(22)}) == pytest.approx(100.0)
    assert achievement_score({f"unlocked_{k}": 0.0 for k in range(22)}) == 0.0


def test_random_play_of_the_paper_scores_what_the_paper_prints() -> None:
    """Random play of 1,000,000 steps, in percent, mean of five runs: 1.6 in the paper.

    From danijar/crafter, scores/crafter_noreward-random.json; its own analysis gives 1.53 to 1.57
    for the five.
    """
    percents = (
        0.0, 0.0, 9.3, 0.0, 50.2, 0.0, 24.4, 0.0, 0.1, 0.4, 0.0,
        0.0, 0.0, 0.0, 0.0, 0.3, 0.3, 0.0, 44.6, 0.0, 4.4, 93.6,
    )  # fmt: skip
    means = {f"unlocked_{k}": percent / 100 for k, percent in enumerate(percents)}
    assert achievement_score(means) == pytest.approx(1.55, abs=0.03)


def test_other_metrics_have_no_such_score() -> None:
    assert achievement_score({"spl": 0.5}) is None
    assert achievement_score({"unlocked_one": 0.5}) is None


def test_a_report_shows_it_over_episodes_and_names_it_beside_published_ones() -> None:
    played = item(episodes=4, domain="games")
    published = Reference("human experts", 50.5, "achievement_score", "a paper", tasks=1)
    task = dataclasses.replace(
        played.task, success=None, score="achievements", references=(published,)
    )
    played = dataclasses.replace(played, task=task)
    lines = [
        line(
            played,
            k,
            score=float(1 + k % 2),
            start=f"s{k}",
            digest=f"d{k}",
            metrics={"unlocked_a": 1.0, "unlocked_b": float(k % 2), "achievements": 1.0 + k % 2},
        )
        for k in range(4)
    ]
    report = report_of(run_of(played), lines)
    expected = math.exp((math.log(101) + math.log(51)) / 2) - 1
    (row,) = report.tasks
    assert next(iter(row.metrics)) == "achievement_score"
    assert row.metrics["achievement_score"] == pytest.approx(expected)
    (stored,) = json.loads(render(report, "json"))["tasks"]
    assert stored["metrics"]["achievement_score"] == pytest.approx(expected)
    text = " ".join(render(report, "text").split())
    assert f"achievement_score {expected:.4g}" in text
    assert in_unit(50.5, "achievement_score", row) == "50.5 achievement_score"

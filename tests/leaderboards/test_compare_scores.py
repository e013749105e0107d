"""Comparisons of runs with scores, from result lines written by hand to what is printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from reports import HUMAN, game, item, line, run_of, scores, successes, write_report_run

from harness.compare.pairs import read_scored_run
from harness.records.plan import PlanItem
from leaderboards.compare import Compared, compare_runs
from leaderboards.compare_render import junit, render_compared

Compare = Callable[..., Compared]


def human(share: float) -> float:
    """The score that is this share of a human's above random play."""
    return HUMAN.low + share * (HUMAN.high - HUMAN.low)


@pytest.fixture
def compared(tmp_path: Path) -> Compare:
    def go(items: list[PlanItem], base: list[object], new: list[object], margin: float) -> Compared:
        runs = []
        for name, lines in (("base", base), ("new", new)):
            run = run_of(*items, name=name)
            path = write_report_run(tmp_path / name, run, lines)  # type: ignore[arg-type]
            runs.append(read_scored_run(path, name))
        return compare_runs(*runs, margin, 0.05)

    return go


def test_a_fall_from_950_to_155_percent_of_human_on_57_games(compared: Compare) -> None:
    games = [game(f"atari/game{k}@1", episodes=2) for k in range(57)]
    base = [x for k, g in enumerate(games) for x in scores(g, human(9.4 + k / 99), human(9.5))]
    new = [x for k, g in enumerate(games) for x in scores(g, human(1.5), human(1.6 + k / 999))]
    found = compared(games, base, new, 0.05)
    assert (found.comparison.verdict, found.comparison.exit_code) == ("regress", 1)
    assert [(row.losses, row.wins) for row in found.comparison.tasks] == [(2, 0)] * 57
    text = " ".join(render_compared(found, "text", full=True).split())
    assert "with probability 0.00 (0.00 to 0.0" in text
    assert "155.1" in text, "means are not cut off at 100 %"
    rows = json.loads(render_compared(found, "json"))
    assert rows["overall"]["difference"] == pytest.approx(-0.84, abs=0.02)
    assert rows["overall"]["high"] < -0.7
    back = compared(games, new, base, 0.05)
    assert (back.comparison.verdict, back.comparison.worse) == ("pass", ())


def test_one_game_that_is_lost_in_all_cases_is_worse(compared: Compare) -> None:
    """By a hundredth of the scale, far above it and far below it."""
    for level in (7.0, -3.0):
        games = [game("atari/lost@1", 12), game("atari/same@1", 12)]
        same = scores(games[1], *[human(5.0)] * 12)
        base = scores(games[0], *(human(level + k) for k in range(12))) + same
        new = scores(games[0], *(human(level + k - 0.01) for k in range(12))) + same
        found = compared(games, base, new, 0.05).comparison
        assert (found.verdict, found.worse) == ("regress", ("atari/lost@1",))


def test_an_agent_that_fails_is_worse_than_one_below_random_play(compared: Compare) -> None:
    (lost,) = games = [game("atari/lost@1", 12)]
    base = scores(lost, *(human(-0.5) - k for k in range(12)))
    new = [line(lost, k, "agent_error") for k in range(12)]
    found = compared(games, base, new, 0.05).comparison
    assert (found.verdict, found.tasks[0].losses) == ("regress", 12)


def test_raw_scores_have_a_verdict_of_their_own(compared: Compare) -> None:
    (raw,) = items = [item("toy/raw@1", episodes=60, success=None)]
    base, more = ([line(raw, k, score=k * by) for k in range(60)] for by in (1.0, 1.5))
    found = compared(items, base, more, 0.1)
    assert found.comparison.verdict == "pass"
    text = " ".join(render_compared(found, "text", full=True).split())
    assert "the share of cases won minus that lost" in text
    assert "with probability 0.99" in text
    assert compared(items, more, base, 0.1).comparison.verdict == "regress"
    noise = [line(raw, k, score=float(k * 7919 % 61)) for k in range(60)]
    unsure = render_compared(compared(items, base, noise, 0.1), "text", full=True)
    assert "\n\nVERDICT\ninconclusive" in unsure
    assert "more pairs would decide" in unsure
    assert "<testcase" in junit(found)


def test_nothing_is_estimated_from_very_unequal_numbers(compared: Compare) -> None:
    few, many = items = [item("toy/few@1", episodes=5), item("toy/many@1", episodes=60)]
    base = successes(few, 4) + successes(many, 40)
    new = successes(few, 3) + successes(many, 41)
    found = compared(items, base, new, 0.05)
    text = " ".join(render_compared(found, "text", full=True).split())
    assert found.comparison.verdict == "inconclusive"
    assert "how many more would decide is not estimated" in text
    assert "find an overall difference" not in text
    alone = compared([many], successes(many, 40), successes(many, 41), 0.05)
    assert "60 pairs find an overall difference of" in " ".join(
        render_compared(alone, "text", full=True).split()
    )


def test_a_run_that_stopped_for_what_it_saw_is_compared_by_bounds_for_every_look(
    tmp_path: Path,
) -> None:
    items = [item("toy/short@1", episodes=80), item("toy/long@1", episodes=80)]
    ends = {"toy/short@1": 30, "toy/long@1": 70}
    sides = []
    for name, hits in (("base", 60), ("new", 20)):
        run = run_of(*items, name=name)
        if name == "base":
            run |= {"stopping": "until width 0.3", "stopped": ends}
        lines = [x for each in items for x in successes(each, hits)[: ends[each.task.id]]]
        sides.append(read_scored_run(write_report_run(tmp_path / name, run, lines), name))
    found = compare_runs(*sides, 0.05, 0.05)
    assert (found.comparison.method, found.comparison.verdict) == ("anytime", "regress")
    assert [row.n for row in found.comparison.tasks] == [30, 30], "as many as every task has"
    text = " ".join(render_compared(found, "text", full=True).split())
    assert "base stopped early for what it saw (until width 0.3)" in text
    assert "hold at every look" in text

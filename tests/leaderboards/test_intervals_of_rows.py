"""What a row's rate, score and interval speak of: different episodes, whole parts of the plan."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from perturbedruns import PLAN, WINS, fill
from perturbedruns import row as perturbed_row
from reports import game, item, line, report_of, run_of, scores, successes

from harness.core import Reference
from harness.stats import Estimate, Interval, mean_of_rates, mean_of_scores, wilson
from leaderboards.no_interval import FEW_SCORES, NOT_FIRST, REPEATED, STOPPED
from leaderboards.render import render
from leaderboards.report import summary
from leaderboards.robustness import robustness


def words(text: str) -> str:
    return " ".join(text.split())


def played(of: Any, *, start: str = "", digest: str = "", **fields: Any) -> list[dict[str, Any]]:
    """Lines of all episodes; `{k}` in start and digest is the number of the episode."""
    return [
        line(of, k, start=start.format(k=k), digest=digest.format(k=k), **fields)
        for k in range(of.episodes)
    ]


def test_the_same_episode_counts_once_in_the_interval():
    reach = item(episodes=50)
    report = report_of(run_of(reach), played(reach, start="s", digest="d", success=True))
    (row,) = report.tasks
    assert (row.n, row.successes, row.distinct, row.distinct_starts) == (50, 50, 1, 1)
    assert row.interval == report.overall.interval == wilson(1, 1)
    assert "50 episodes, 1 distinct" in words(render(report, "text", full=True))


@pytest.mark.parametrize("full", [True, False])
def test_a_report_says_where_the_interval_of_few_episodes_fails(full):
    few, many = item(episodes=19), item(episodes=20)
    said = "with fewer than 20 episodes, a task's interval misses a true rate near 0 or 100 %"
    known = [(few, "", True), (many, "", False), (many, "one start, one course", True)]
    for of, digest, expected in known:
        report = report_of(run_of(of), played(of, start=digest, digest=digest))
        assert (said in words(render(report, "text", full=full))) is expected
    stopped = run_of(few) | {"stopping": "--until-width 0.1"}
    assert said not in words(render(report_of(stopped, played(few)), "text", full=full))
    without_success = game("atari/pong@1", 3)
    scored = report_of(run_of(without_success), scores(without_success, 1, 2, 3))
    assert said not in words(render(scored, "text", full=full))


def test_different_episodes_from_one_start_speak_of_that_start():
    reach = item(episodes=50)
    report = report_of(run_of(reach), played(reach, start="s", digest="d{k}"))
    (row,) = report.tasks
    assert (row.distinct, row.distinct_starts) == (None, 1)
    assert row.interval == wilson(0, 50)
    text = words(render(report, "text", full=True))
    assert "50 episodes from 1 distinct start" in text
    assert "the row speaks of those starts only" in text


def test_the_interval_of_repeated_episodes_encloses_their_rate():
    reach = item(episodes=10)
    lines = played(reach, start="s{k}", digest="d{k}")
    for each in lines[:8]:
        each |= {"start": "same", "digest": "same", "success": True}
    (row,) = report_of(run_of(reach), lines).tasks
    assert (row.distinct, row.distinct_starts, row.success_rate) == (3, 3, 0.8)
    once = wilson(1, 3)
    assert once.high < 0.8
    assert row.interval == Interval(0.8, once.low, 0.8)


@pytest.mark.parametrize("start", ["", "s{k}"])
def test_unknown_and_different_starts_are_different_episodes(start):
    reach = item(episodes=6)
    report = report_of(run_of(reach), played(reach, start=start, digest="d"))
    (row,) = report.tasks
    assert (row.distinct, row.distinct_starts, row.interval) == (None, None, wilson(0, 6))
    assert "distinct" not in render(report, "text", full=True)
    assert "distinct" not in render(report, "json")
    assert "distinct" not in render(report, "csv")


def test_repeated_scores_count_once():
    pong = game("atari/pong@1", 200)
    lines = scores(pong, *[10, 30] * 100)
    for k, each in enumerate(lines):
        each |= {"start": "s", "digest": str(k % 150)}
    report = report_of(run_of(pong), lines)
    (row,) = report.tasks
    once = mean_of_scores([np.repeat([10.0, 30.0], 75)])
    assert (row.score.value, row.score.low, row.score.high) == (20, once.low, once.high)
    assert report.overall.scores.mean == Estimate(0.5, None, None)
    assert report.overall.no_interval == REPEATED
    for k, each in enumerate(lines):
        each |= {"start": "s", "digest": str(k % 99)}
    (row,) = report_of(run_of(pong), lines).tasks
    assert (row.score, row.no_interval) == (Estimate(20.0, None, None), FEW_SCORES)


def test_a_partial_row_that_is_no_prefix_of_the_plan_has_no_interval():
    """Half of the episodes end at once in a success: what is there first is no random part."""
    reach, far = item(episodes=40), item("toy/far@1")
    lines = [line(reach, k, success=True) for k in range(0, 40, 2)]
    report = report_of(run_of(reach, far), [*lines, *successes(far, 2)])
    row, whole = report.tasks
    assert (row.interval, row.no_interval) == (Estimate(1.0, None, None), NOT_FIRST)
    assert whole.interval == wilson(2, 4)
    assert (report.overall.interval, report.overall.no_interval) == (
        Estimate(0.75, None, None),
        NOT_FIRST,
    )
    assert words(render(report, "text", full=True)).count(NOT_FIRST) == 3  # task, domain, overall
    assert "75.0 %; no interval" in summary(report)
    assert json.loads(render(report, "json"))["tasks"][0]["ci_low"] is None


def test_a_partial_row_that_is_a_prefix_has_one():
    reach = item(episodes=40)
    (row,) = report_of(run_of(reach), [line(reach, k, success=True) for k in range(7)]).tasks
    assert (row.partial, row.interval, row.no_interval) == (True, wilson(7, 7), "")


def test_an_episode_without_a_result_may_have_been_either():
    reach, far = item(episodes=4), item("toy/far@1", first_seed=1000)
    lines = successes(reach, 3)
    lines[1] |= {"status": "error", "success": None, "score": None}
    report = report_of(run_of(reach, far), [*lines, *successes(far, 2)])
    (row, _) = report.tasks
    assert (row.n, row.successes, row.interval.value) == (3, 2, 2 / 3)
    assert (row.interval.low, row.interval.high) == (wilson(2, 4).low, wilson(3, 4).high)
    assert report.overall.interval.low == mean_of_rates([2, 2], [4, 4]).low
    assert report.overall.interval.high == mean_of_rates([3, 2], [4, 4]).high


def test_a_run_that_stops_when_it_has_seen_enough_has_no_interval_of_a_mean():
    reach, far = item(), item("toy/far@1", first_seed=1000)
    pong = game("atari/pong@1")
    lines = [*successes(reach, 4), *successes(far, 2), *scores(pong, 10, 20, 30, 60)]
    run = run_of(reach, far, pong) | {"stopping": "until width 0.2"}
    report = report_of(run, lines)
    assert report.overall.interval == Estimate(0.75, None, None)
    assert report.overall.no_interval == STOPPED
    first, _, game_row = report.tasks
    assert 0 < first.interval.low < wilson(4, 4).low  # valid at every look, therefore wider
    assert (game_row.score, game_row.no_interval) == (Estimate(30.0, None, None), STOPPED)
    assert report.overall.scores.mean.low is None
    assert report_of(run_of(reach, far), lines[:8]).overall.interval == mean_of_rates(
        [4, 2], [4, 4]
    )


def test_tasks_that_share_rooms_are_not_independent():
    """Sister levels: whoever fails in the room of a seed fails in it in both of them."""
    tasks = (
        item(episodes=20, own_streams=False),
        item("toy/far@1", episodes=20, own_streams=False),
    )
    lines = [x for task in tasks for x in successes(task, 12)]
    shared = report_of(run_of(*tasks), lines).overall.interval
    once = mean_of_rates([12, 12], [20, 20], design=2.0)
    assert (shared.low, shared.high) == pytest.approx((once.low, once.high))
    assert (shared.low, shared.high) == pytest.approx((wilson(12, 20).low, wilson(12, 20).high))
    apart = item(episodes=20), item("toy/far@1", episodes=20)
    lines = [x for task in apart for x in successes(task, 12)]
    assert report_of(run_of(*apart), lines).overall.interval == mean_of_rates([12, 12], [20, 20])
    lines = [x for task in tasks for x in successes(task, 20)]
    solved = report_of(run_of(*tasks), lines).overall.interval
    assert solved.low == pytest.approx(wilson(20, 20).low), "nothing tells what they share"


def test_perturbed_rows_follow_the_same_rules():
    arrays = fill(PLAN, WINS)
    reach = ("action_noise", 1, "manipulation", "toy/reach@1")
    assert perturbed_row(robustness(arrays), *reach).difference.low is not None
    for found, why in (
        (robustness(arrays, stopped=True), STOPPED),
        (robustness(arrays, repeated={0}), REPEATED),
    ):
        row = perturbed_row(found, *reach)
        assert (row.no_interval, row.interval.value) == (why, 0.8)
        bounds = (row.interval, row.difference, row.retention, row.relative_drop)
        assert {(each.low, each.high) for each in bounds} == {(None, None)}
        assert perturbed_row(found, "action_noise", 1).no_interval == why
    assert perturbed_row(robustness(arrays, repeated={0}), "burst", 3, "navigation").recovery.low
    arrays.state[0][1, 3] = -2
    row = perturbed_row(robustness(arrays), *reach)
    assert (row.no_interval, row.interval) == (NOT_FIRST, Estimate(7 / 9, None, None))


def test_measures_and_scores_count_the_episodes_that_the_rate_counts():
    go = item("nav/go@1", "nav", "navigation", 5, score="spl")
    lines = [
        line(go, k, success=True, score=0.75, metrics={"spl": 0.75, "path": 4.0, "hits": 1.0})
        for k in range(3)
    ]
    lines += [line(go, 3, "agent_error", metrics={"path": 2.0}), line(go, 4, "agent_error")]
    report = report_of(run_of(go), lines)
    (row,) = report.tasks
    assert row.success_rate == 0.6
    assert row.metrics == pytest.approx({"spl": 0.45, "path": 3.5, "hits": 1.0})
    assert row.measured == {"path": 4, "hits": 3}
    assert (row.score.value, row.scored) == (pytest.approx(0.45), None)
    assert row.score_name == "spl"
    for format in ("text", "markdown"):
        assert "spl 0.45" in words(render(report, format)).lower().partition("other measures")[0]
    assert "hits 1 (3 of 5 episodes); path 3.5 (4 of 5 episodes); spl 0.45" in words(
        render(report, "text", full=True)
    )


def test_a_score_that_an_error_leaves_unknown_says_of_how_many_episodes_it_is():
    free = game("free/run@1", normaliser=None)
    report = report_of(run_of(free), [*scores(free, 5, 7, 9), line(free, 3, "agent_error")])
    assert (report.tasks[0].score.value, report.tasks[0].scored) == (7.0, 3)
    assert "score: of 3 of 4 episodes" in words(render(report, "text", full=True))


def test_a_mean_says_which_tasks_it_covers():
    reach, games = item(), [game(f"atari/game{k}@1", normaliser=None) for k in range(3)]
    lines = [*successes(reach, 2), *(x for g in games for x in scores(g, 1, 2, 3, 4))]
    report = report_of(run_of(reach, *games), lines)
    assert (report.overall.tasks_in_rate, report.overall.tasks_in_normalised) == (1, 1)
    text = words(render(report, "text", full=True))
    assert "1 of 4 tasks has a success; normalised: of 1 of 4 tasks" in text
    assert "2 of 4 succeeded; the rate of 1 task 50.0 %" in summary(report)
    assert report_of(run_of(reach), lines[:4]).overall.tasks_in_rate is None


def test_published_figures_have_the_unit_of_their_column():
    def figures(metric: str, value: float) -> tuple[Reference, ...]:
        return tuple(Reference(name, value, metric, "them", tasks=1) for name in ("A", "B"))

    reach = item(references=figures("success_rate", 0.88))
    norm = game("atari/norm@1", 100, references=figures("human_normalised", 1.5))
    free = game("free/run@1", 100, references=figures("success_rate", 0.5))
    many = [1, 2, 3, 4] * 25
    lines = [*successes(reach, 4), *scores(norm, *many), *scores(free, *many)]
    text = words(render(report_of(run_of(reach, norm, free), lines), "text", full=True))
    assert "A 88.0*; B 88.0*" in text
    assert "A 1.500*; B 1.500*" in text
    assert "A 50.0 % success*; B 50.0 % success*" in text

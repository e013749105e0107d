"""The figures of a report, from the results of a run."""

from __future__ import annotations

import random
import tracemalloc
from pathlib import Path

import pytest
from reports import game, item, line, report_of, run_of, scores, successes, write_report_run

from harness.core import DOMAINS, UserError
from harness.records.plan import NotRun
from harness.stats import Estimate, mean_of_rates
from leaderboards.no_interval import FEW_SCORES
from leaderboards.render import render
from leaderboards.report import load_report


def test_every_planned_case_is_accounted_for():
    reach = item(episodes=6)
    lines = [
        line(reach, 0, success=True),
        line(reach, 1),
        line(reach, 2, "agent_error", steps=1),
        line(reach, 3, "error"),
        line(reach, 5, success=True),
    ]
    (row,) = report_of(run_of(reach), lines).tasks
    assert (row.planned, row.n, row.successes, row.agent_errors, row.errors, row.partial) == (
        6,
        4,
        2,
        1,
        1,
        True,
    )
    # Episode 4 was not played although episode 5 was: what is missing is no random part.
    assert row.interval == Estimate(0.5, None, None)
    assert row.rate_if_missing_fail == 2 / 6
    assert row.steps_mean == 10  # an episode that an error cut short says nothing of the length
    assert row.ended == {"agent_error": 1, "horizon": 1, "success": 2}
    assert (row.simulator_s, row.agent_s) == (2.0, 1.0)


def test_an_error_that_was_played_again_counts_as_what_it_then_was(tmp_path: Path):
    reach = item(episodes=3)
    lines = [
        line(reach, 0, "error"),
        line(reach, 1, "error"),
        line(reach, 0, "error"),
        line(reach, 1, success=True),
        line(reach, 2),
    ]
    (row,) = load_report(write_report_run(tmp_path, run_of(reach), lines)).tasks
    assert (row.n, row.successes, row.errors) == (2, 1, 1)


@pytest.mark.parametrize("hits", [0, 5])
def test_none_and_all_of_n_show_their_bounds(hits):
    reach = item(episodes=5)
    report = report_of(run_of(reach), successes(reach, hits))
    for row in (report.tasks[0], report.overall):
        assert row.success_rate == hits / 5
        assert row.interval.high - row.interval.low == pytest.approx(0.4345, abs=1e-4)


def test_domains_and_overall_are_means_of_task_rates():
    small, large, other = (
        item(),
        item("toy/far@1", episodes=40),
        item("nav/go@1", "nav", "navigation", 10),
    )
    report = report_of(
        run_of(small, large, other),
        [*successes(small, 4), *successes(large, 10), *successes(other, 5)],
    )
    domains = {group.domain: group for group in report.domains}
    assert tuple(domains) == DOMAINS
    assert domains["planning"].success_rate == (1.0 + 0.25) / 2
    assert (
        report.overall.success_rate
        == report.overall.normalised
        == pytest.approx((1.0 + 0.25 + 0.5) / 3)
    )
    assert report.overall.interval == mean_of_rates([4, 10, 5], [4, 40, 10])
    assert (
        domains["ui"].tasks,
        domains["ui"].n,
        domains["ui"].success_rate,
        domains["ui"].successes,
    ) == (0, 0, None, None)
    assert [group.suite for group in report.suites] == ["toy", "nav"]


def test_a_task_without_results_is_in_no_mean_but_lowers_the_worst_case():
    done, open_ = item(), item("toy/far@1")
    overall = report_of(run_of(done, open_), successes(done, 3)).overall
    assert (
        overall.tasks,
        overall.tasks_with_result,
        overall.planned,
        overall.n,
        overall.partial,
    ) == (2, 1, 8, 4, True)
    assert (overall.success_rate, overall.rate_if_missing_fail) == (0.75, 0.375)


def test_scores():
    pong = game("atari/pong@1")
    report = report_of(run_of(pong), scores(pong, 10, 20, 30, 60))
    (row,) = report.tasks
    assert (row.successes, row.interval, row.rate_if_missing_fail) == (None, None, None)
    assert (row.score.value, row.score_median, row.normalised) == (30.0, 25.0, 1.0)
    assert (row.score.low, row.no_interval) == (None, FEW_SCORES)
    assert report.overall.normalised == 1.0
    assert report.overall.success_rate is None


def test_an_agents_error_scores_the_low_end_or_nothing_where_there_is_none():
    pong, free = game("atari/pong@1"), game("free/run@1", normaliser=None)
    lines = [
        *scores(pong, 30, 30, 30),
        line(pong, 3, "agent_error"),
        *scores(free, 5, 7, 9),
        line(free, 3, "agent_error"),
    ]
    report = report_of(run_of(pong, free), lines)
    pong_row, free_row = report.tasks
    assert (pong_row.n, pong_row.agent_errors, pong_row.score.value, pong_row.normalised) == (
        4,
        1,
        25.0,
        0.75,
    )
    assert (free_row.n, free_row.agent_errors, free_row.score.value, free_row.normalised) == (
        4,
        1,
        7.0,
        None,
    )
    assert report.overall.normalised == 0.75


def test_normalised_scores_over_tasks():
    games = [game(f"atari/game{k}@1") for k in range(3)]
    report = report_of(
        run_of(*games),
        [x for k, g in enumerate(games) for x in scores(g, 10, 20 + k, 30, 40 + 20 * k)],
    )
    found = report.suites[0].scores
    means = [0.75, (0 + 0.55 + 1 + 2.5) / 4, (0 + 0.6 + 1 + 3.5) / 4]
    assert (found.tasks, found.episodes, found.low_name, found.high_name) == (
        3,
        4,
        "random",
        "human",
    )
    assert found.mean.value == pytest.approx(sum(means) / 3)
    assert found.median.value == pytest.approx(means[1])
    assert found.iqm.value == pytest.approx((0.5 + 0.55 + 0.6 + 1 + 1 + 1) / 6)
    assert found.optimality_gap.value == pytest.approx((1 + 0.5 + 1 + 0.45 + 1 + 0.4) / 12)
    assert found.iqm.low is None, "three games of four episodes are too few for an interval"
    assert report.domains[DOMAINS.index("games")].scores == found


def test_ragged_scores_have_no_iqm_and_no_interval_and_say_so():
    one, two = game("atari/one@1"), game("atari/two@1")
    report = report_of(run_of(one, two), [*scores(one, 10, 20, 30, 40), *scores(two, 30, 30)])
    found = report.overall.scores
    assert (found.episodes, found.iqm) == (None, None)
    assert found.mean == found.median == Estimate(0.875, None, None)
    assert found.optimality_gap.value == pytest.approx(0.1875)
    assert "differ in their number of episodes" in " ".join(render(report, "text").split())


def test_one_score_a_task_has_no_interval():
    one = game("atari/one@1", episodes=1)
    report = report_of(run_of(one), scores(one, 20))
    assert report.tasks[0].score.low is None
    assert report.overall.scores.iqm == Estimate(0.5, None, None)


def test_the_mean_of_both_kinds():
    reach, pong = item(), game("atari/pong@1")
    overall = report_of(
        run_of(reach, pong), [*successes(reach, 1), *scores(pong, 20, 20, 20, 20)]
    ).overall
    assert (overall.success_rate, overall.normalised) == (0.25, 0.375)


def test_the_order_of_the_lines_changes_nothing():
    tasks = [item(episodes=20), *(game(f"atari/game{k}@1", 20) for k in range(4))]
    rng = random.Random(1)
    lines = [
        line(t, k, success=rng.random() < 0.5, score=rng.random() * 40)
        for t in tasks
        for k in range(20)
    ]
    first = render(report_of(run_of(*tasks), lines), "json")
    rng.shuffle(lines)
    assert render(report_of(run_of(*tasks), lines), "json") == first


def test_tasks_that_cannot_run():
    played, absent, resumed = item(), item("toy/lost@1"), item("toy/found@1")
    rows = [
        NotRun(t.task.id, "planning", "toy", "no browser", "install one") for t in (absent, resumed)
    ]
    report = report_of(
        run_of(played, absent, resumed, not_run=rows),
        [*successes(played, 1), *successes(resumed, 2)],
    )
    assert [row.task for row in report.tasks] == ["toy/reach@1", "toy/found@1"]
    assert [row.task for row in report.not_run] == [
        "toy/lost@1"
    ]  # a later resume, elsewhere, could play the other one


def test_perturbed_episodes_never_blend_into_the_clean_row():
    reach = item()
    run = run_of(reach)
    run["plan"]["perturbations"] = [[{"name": "noise", "severity": 2, "params": {}}]]
    lines = [*successes(reach, 4), *(line(reach, k, perturbations=["noise:2"]) for k in range(4))]
    (row,) = report_of(run, lines).tasks
    assert (row.n, row.success_rate) == (4, 1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": "toy/other@1"}, "line 2: .* toy/other@1"),
        ({"seed": 0}, "line 2: run.json does not plan"),
        ({"perturbations": ["noise:1"]}, "line 2: run.json does not plan"),
        ({"timing": None}, "line 2 is no result: timing is None"),
        ({"score": None}, "line 2 is no result: score is null although the episode finished"),
        ({"score": float("nan")}, "line 2 is no result: score is nan, not a finite number"),
    ],
    ids=str,
)
def test_evidence_that_was_tampered_with_is_refused(tmp_path: Path, change, message):
    reach = item()
    path = write_report_run(tmp_path, run_of(reach), [line(reach, 0), line(reach, 1, **change)])
    with pytest.raises(UserError, match=message):
        load_report(path)


def test_a_line_without_a_field_is_refused(tmp_path: Path):
    reach = item()
    bad = line(reach, 0)
    del bad["status"]
    path = write_report_run(tmp_path, run_of(reach), [bad])
    with pytest.raises(UserError, match="line 1 is no result: it lacks the field 'status'"):
        load_report(path)


def test_load_reads_a_run_directory_and_leaves_out_a_torn_line(tmp_path: Path):
    reach = item()
    file = write_report_run(tmp_path, run_of(reach), successes(reach, 2)) / "episodes.jsonl"
    file.write_text(file.read_text()[:-20])
    (row,) = load_report(tmp_path).tasks
    assert (row.n, row.successes, row.partial) == (3, 2, True)
    with pytest.raises(UserError, match="not a run directory"):
        load_report(tmp_path / "elsewhere")


def test_memory_does_not_grow_with_the_lines(tmp_path: Path):
    reach = item(episodes=30_000)
    report_of(run_of(reach), [])
    lines = (line(reach, 0) | {"seed": 3_000_000 + k} for k in range(30_000))
    path = write_report_run(tmp_path, run_of(reach), lines)
    tracemalloc.start()
    (row,) = load_report(path).tasks
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert row.n == 30_000
    assert peak < 60 * row.n  # a dict a line would take thousands of bytes

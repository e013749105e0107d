"""Figures of perturbed runs: on small runs written by hand, where every number can be counted."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core import Normaliser, Perturbation, Task, UserError
from harness.records.plan import NotRun, Plan, PlanItem
from harness.stats import Estimate, mean_score, value_of, wilson
from leaderboards.curves import draw_curves, figure_of
from leaderboards.perturbed_results import CaseArrays
from leaderboards.ratio import ratio_of_means
from leaderboards.render import FORMATS, render
from leaderboards.report import build
from leaderboards.robustness import robustness
from leaderboards.robustness_compare import difference_in_differences, render_deltas
from leaderboards.robustness_tables import robustness_tables
from leaderboards.schema import PerturbationRow
from leaderboards.score_effects import mean_of_means

NOISE, STRONG = (
    (Perturbation("action_noise", 1, {"sigma": 0.05}),),
    (Perturbation("action_noise", 4, {"sigma": 0.3}),),
)
LATE, BURST = (
    (Perturbation("action_delay", 2, {"steps": 2}),),
    (Perturbation("burst", 3, {"steps": 5}),),
)
BOTH = (*NOISE, *LATE)


def item(
    name: str,
    domain: str = "manipulation",
    episodes: int = 10,
    conditions: tuple[int, ...] | None = None,
    **fields: Any,
) -> PlanItem:
    task = Task(f"toy/{name}@1", domain, "toys:ToyAdapter", rule="it is there", **fields)
    return PlanItem("toy", task, episodes, f"protocol of {name}", {"toy": "1"}, name, conditions)


def fill(plan: Plan, wins: dict[tuple[str, int], int | list[float]], **more: Any) -> CaseArrays:
    """`wins[name, arm]`: how many of the first episodes succeed, or the scores; an arm that is not named has no lines."""
    outcomes = CaseArrays(plan)
    for line in lines(plan, wins, **more):
        outcomes.add(*plan.locate(line["task"], line["seed"], line["perturbations"]), line)  # type: ignore[misc]
    return outcomes


def lines(
    plan: Plan, wins: dict[tuple[str, int], int | list[float]], burst_steps: float = 5.0
) -> list[dict[str, Any]]:
    found = []
    for number, entry in enumerate(plan.items):
        for condition, parts in enumerate(plan.conditions):
            won = wins.get((entry.task.name.partition("/")[2], condition))
            if won is None:
                continue
            for episode in range(entry.episodes):
                case = plan.case(number, condition * entry.episodes + episode)
                success = None if isinstance(won, list) else episode < won
                score = won[episode] if isinstance(won, list) else float(bool(success))
                metrics = {"burst_steps": burst_steps} if parts == BURST else {}
                found.append(
                    {
                        "case": case.id,
                        "task": entry.task.id,
                        "seed": case.seed,
                        "perturbations": list(map(str, parts)),
                        "status": "finished",
                        "success": success,
                        "score": score,
                        "normalised": None,
                        "steps": 7,
                        "ended": "horizon",
                        "metrics": metrics,
                        "error": None,
                        "digest": "d",
                        "protocol": entry.protocol,
                        "timing": {"simulator_s": 0.1, "agent_s": 0.2},
                    }
                )
    return found


def row(
    rows: tuple[PerturbationRow, ...],
    perturbation: str,
    severity: int | None,
    domain: str | None = None,
    task: str | None = None,
) -> PerturbationRow:
    (found,) = [
        r
        for r in rows
        if (r.perturbation, r.severity, r.domain, r.task) == (perturbation, severity, domain, task)
    ]
    return found


PLAN = Plan(
    (item("reach"), item("walk", "navigation")), perturbations=(NOISE, STRONG, LATE, BURST, BOTH)
)
WINS: dict[tuple[str, int], int | list[float]] = {
    ("reach", 0): 10, ("reach", 1): 8, ("reach", 2): 2, ("reach", 3): 6, ("reach", 4): 5, ("reach", 5): 1,
    ("walk", 0): 5, ("walk", 1): 5, ("walk", 2): 0, ("walk", 3): 4, ("walk", 4): 4, ("walk", 5): 4,
}  # fmt: skip


def test_rates_drops_and_what_is_kept() -> None:
    rows = robustness(fill(PLAN, WINS))
    reach = row(rows, "action_noise", 4, "manipulation", "toy/reach@1")
    assert (reach.success_rate, reach.control_rate, reach.n, reach.pairs, reach.tasks) == (
        0.2,
        1.0,
        10,
        10,
        1,
    )
    assert value_of(reach.relative_drop) == pytest.approx(0.8)
    assert value_of(reach.retention) == pytest.approx(0.2)
    assert reach.interval == wilson(2, 10)
    assert reach.difference is not None
    assert reach.difference.value == pytest.approx(-0.8)
    assert -1 <= reach.difference.low < -0.8 < reach.difference.high < 0
    overall = row(rows, "action_noise", 4)
    assert overall.success_rate == pytest.approx(0.1)  # the mean over tasks
    assert overall.control_rate == pytest.approx(0.75)
    assert value_of(overall.retention) == pytest.approx(0.1 / 0.75)
    assert value_of(row(rows, "action_noise", 4, "navigation").retention) == 0


def test_the_area_and_the_corruption_error() -> None:
    mine, baseline = fill(PLAN, WINS), fill(PLAN, {**WINS, ("reach", 1): 5, ("reach", 2): 5})
    curve = row(robustness(mine, baseline), "action_noise", None, "manipulation", "toy/reach@1")
    # Points (0, 1), (1, .8), (4, .2): .9 * 1 + .5 * 3, over 4.
    assert curve.area == pytest.approx(2.4 / 4)
    assert curve.corruption_error == pytest.approx((0.2 + 0.8) / (0.5 + 0.5))
    assert row(robustness(mine), "action_noise", None).corruption_error is None
    perfect = fill(PLAN, {("reach", 0): 10, ("reach", 1): 10, ("reach", 2): 10})
    assert (
        row(
            robustness(mine, perfect), "action_noise", None, "manipulation", "toy/reach@1"
        ).corruption_error
        is None
    )


def test_recovery_counts_bursts_that_happened_and_twins_that_won() -> None:
    rows = robustness(fill(PLAN, WINS))
    walk = row(rows, "burst", 3, "navigation", "toy/walk@1")
    assert (walk.recovery_n, walk.recovery) == (5, wilson(4, 5))
    assert row(rows, "burst", 3).recovery_n == 15
    assert row(rows, "action_noise", 1).recovery_n is None
    none = row(robustness(fill(PLAN, WINS, burst_steps=0.0)), "burst", 3)
    assert (none.recovery_n, none.recovery) == (0, None)


def test_the_interaction_of_two() -> None:
    rows = robustness(fill(PLAN, WINS))
    both = row(rows, "action_noise:1+action_delay", 2, "manipulation", "toy/reach@1")
    assert both.interaction is not None
    assert both.interaction.value == pytest.approx((0.1 - 1) - (0.8 - 1) - (0.6 - 1))
    assert both.interaction.low < both.interaction.value < both.interaction.high
    assert row(rows, "action_delay", 2).interaction is None
    alone = Plan(PLAN.items, perturbations=(NOISE, BOTH))
    found = robustness(fill(alone, {("reach", 0): 5, ("reach", 1): 5, ("reach", 2): 5}))
    assert (
        row(found, "action_noise:1+action_delay", 2).interaction is None
    )  # the delay alone was not played


def test_where_the_control_is_0_nothing_can_be_lost() -> None:
    rows = robustness(fill(PLAN, {**WINS, ("reach", 0): 0, ("reach", 1): 0}))
    reach = row(rows, "action_noise", 1, "manipulation", "toy/reach@1")
    assert value_of(reach.difference) == 0.0
    assert (reach.relative_drop, reach.retention) == (None, None)
    assert row(rows, "action_noise", 1).relative_drop is not None  # overall the control is not 0


def test_unpaired_and_failed_cases_are_partial_and_in_no_pair() -> None:
    outcomes = fill(PLAN, {("reach", 0): 10, ("reach", 1): 10})
    outcomes.state[0][1, :3] = -1  # three perturbed cases ended in errors
    outcomes.state[0][0, 9] = -2  # and a twin was not played
    reach = row(robustness(outcomes), "action_noise", 1, "manipulation", "toy/reach@1")
    assert (reach.n, reach.errors, reach.pairs, reach.partial) == (7, 3, 6, True)
    assert reach.rate_if_missing_fail == pytest.approx(0.7)
    empty = row(robustness(outcomes), "action_noise", 4)
    assert (empty.success_rate, empty.difference, empty.n, empty.partial) == (None, None, 0, True)


def test_tasks_with_a_score_only() -> None:
    plan = Plan(
        (item("pong", "games", 4, success=None, normaliser=Normaliser(0, 10)),),
        perturbations=(NOISE,),
    )
    rows = robustness(fill(plan, {("pong", 0): [4.0, 5, 6, 7], ("pong", 1): [2.0, 4, 3, 7]}))
    pong = row(rows, "action_noise", 1, "games", "toy/pong@1")
    assert (pong.score_mean, pong.success_rate, pong.difference, pong.normalised) == (
        4.0,
        None,
        None,
        0.4,
    )
    assert pong.score_difference == mean_score([-2, -1, -3, 0])
    assert row(rows, "action_noise", 1).tasks == 0


GAMES = Plan(
    (
        item("pong", "games", 4, success=None, normaliser=Normaliser(0, 10)),
        item(
            "snake",
            "games",
            4,
            success=None,
            normaliser=Normaliser(100, 200, "standing still", "the best"),
        ),
        item("raw", "games", 4, success=None),
        item("reach", episodes=4),
    ),
    perturbations=(NOISE, STRONG),
)
SCORES: dict[tuple[str, int], int | list[float]] = {
    ("pong", 0): [4.0, 5, 6, 7], ("pong", 1): [2.0, 4, 3, 7], ("pong", 2): [0.0, 1, 2, 1],
    ("snake", 0): [200.0, 250, 200, 150], ("snake", 1): [200.0, 200, 150, 150], ("snake", 2): [100.0, 100, 100, 100],
    ("raw", 0): [3.0, 4, 5, 6], ("raw", 1): [3.0, 3, 3, 3], ("raw", 2): [3.0, 2, 3, 3],
    ("reach", 0): 4, ("reach", 1): 2, ("reach", 2): 1,
}  # fmt: skip


def test_normalised_scores_stand_beside_the_rates() -> None:
    rows = robustness(fill(GAMES, SCORES))
    found = row(rows, "action_noise", 1, "games")
    assert (found.tasks, found.pairs, found.success_rate, found.control_rate, found.n) == (
        0,
        0,
        None,
        None,
        12,
    )
    games = found.scores
    assert games is not None
    assert (games.tasks, games.pairs) == (2, 8), "the one with raw scores alone is in no mean"
    assert games.low_name == "random or standing still"
    assert games.control == pytest.approx((0.55 + 1.0) / 2)
    assert games.mean is not None
    assert games.mean.value == pytest.approx((0.4 + 0.75) / 2)
    assert value_of(games.difference) == pytest.approx(games.mean.value - games.control)
    assert games.optimality_gap == pytest.approx((0.6 + 0.25) / 2)
    assert games.mean.low is not None
    assert games.mean.high is not None
    assert games.mean.low < games.mean.value < games.mean.high
    assert found.normalised == pytest.approx(games.mean.value)
    overall = row(rows, "action_noise", 1)
    assert overall.scores == games
    assert (overall.tasks, overall.success_rate, overall.pairs) == (1, 0.5, 4), (
        "rates are of the task with a success"
    )
    assert overall.normalised == pytest.approx((0.4 + 0.75 + 0.5) / 3)
    assert row(rows, "action_noise", 1, "manipulation").scores is None
    assert row(rows, "action_noise", 1, "games", "toy/raw@1").scores is None


def test_area_and_corruption_error_of_scores() -> None:
    """Under the normalised score; shortfalls from 1 take the place of failures, and what exceeds 1 makes up for nothing."""
    baseline = fill(GAMES, {**SCORES, ("snake", 1): [300.0, 200, 150, 150], ("reach", 1): 0})
    curve = row(robustness(fill(GAMES, SCORES), baseline), "action_noise", None, "games")
    assert (curve.area, curve.corruption_error, curve.scores is None) == (None, None, False)
    assert curve.scores is not None
    # Points (0, .775), (1, .575), (4, .05): .675 * 1 + .3125 * 3, over 4.
    assert curve.scores.area == pytest.approx((0.675 + 0.9375) / 4)
    assert curve.scores.corruption_error == pytest.approx((0.425 + 0.95) / (0.425 + 0.95)), (
        "300 points are no more than 200 here"
    )
    worse = row(
        robustness(fill(GAMES, SCORES), fill(GAMES, {**SCORES, ("snake", 1): [100.0] * 4})),
        "action_noise",
        None,
        "games",
    )
    assert worse.scores is not None
    assert worse.scores.corruption_error == pytest.approx((0.425 + 0.95) / (0.8 + 0.95))
    rates = row(robustness(fill(GAMES, SCORES), baseline), "action_noise", None)
    assert rates.area == pytest.approx((0.75 * 1 + 0.375 * 3) / 4)
    assert rates.corruption_error == pytest.approx((0.5 + 0.75) / (1 + 0.75))
    raw = Plan((GAMES.items[2],), perturbations=GAMES.perturbations)
    assert not [r for r in robustness(fill(raw, SCORES)) if r.severity is None], (
        "raw scores have no area"
    )


def test_the_interval_of_a_mean_of_means() -> None:
    one = np.array([0.1, 0.4, 0.2, 0.7])
    found, student = mean_of_means([one]), mean_score(one)
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx(
        (student.value, student.low, student.high)
    )
    assert mean_of_means([]) is None
    for few, mean in (([one, np.array([0.5])], 0.425), ([np.full(5, 0.1), np.full(9, 0.3)], 0.2)):
        assert mean_of_means(few) == Estimate(pytest.approx(mean), None, None)  # type: ignore[arg-type]
    from scipy import stats

    other = np.array([0.9, 0.3, 0.8, 0.1, 0.6, 0.2])
    half = mean_of_means([one, -other])  # half of Welch's interval of the difference
    bounds = stats.ttest_ind(one, other, equal_var=False).confidence_interval()
    assert half is not None
    assert (half.low, half.high) == pytest.approx((bounds.low / 2, bounds.high / 2))
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(400):
        drawn = mean_of_means([rng.normal(0.2, 0.1, 5), rng.normal(0.8, 0.4, 12)])
        assert drawn is not None
        assert drawn.low is not None
        assert drawn.high is not None
        inside += drawn.low <= 0.5 <= drawn.high
    assert 370 <= inside <= 390


def test_what_is_not_played_in_a_task_is_in_no_figure() -> None:
    other = (Perturbation("hue", 1, {"degrees": 15}),)
    plan = Plan(
        (item("reach", conditions=(0,)), item("walk", "navigation")), perturbations=(NOISE, other)
    )
    assert plan.total == 10 * (2 + 3)
    rows = robustness(
        fill(
            plan,
            {("reach", 0): 10, ("reach", 1): 4, ("walk", 0): 10, ("walk", 1): 10, ("walk", 2): 10},
        )
    )
    assert (row(rows, "hue", 1).planned, row(rows, "hue", 1).tasks) == (10, 1)
    assert not [r for r in rows if r.perturbation == "hue" and r.domain == "manipulation"]
    late = NotRun("toy/walk@1", "navigation", "toy", "no picture", "leave it out", "hue:1")
    found = Plan(plan.items, perturbations=plan.perturbations, not_run=(late,))
    assert found.total == 10 * (2 + 2)
    assert "hue" not in {r.perturbation for r in robustness(fill(found, {("walk", 0): 10}))}


def test_who_loses_less() -> None:
    base, new = fill(PLAN, WINS), fill(PLAN, {**WINS, ("reach", 2): 9, ("walk", 2): 5})
    effects = {
        (each.perturbation, each.severity, each.domain): each
        for each in difference_in_differences(base, new)
    }
    strong = effects["action_noise", 4, None]
    assert (
        strong.base_control,
        strong.base_rate,
        strong.new_control,
        strong.new_rate,
    ) == pytest.approx((0.75, 0.1, 0.75, 0.7))
    assert strong.difference.value == pytest.approx(0.6)
    assert strong.difference.low is not None
    assert strong.difference.high is not None
    assert 0 < strong.difference.low < 0.6 < strong.difference.high <= 2
    assert (strong.tasks, strong.pairs) == (2, 20)
    assert effects["action_noise", 1, "navigation"].difference.value == 0
    back = {(e.perturbation, e.severity, e.domain): e for e in difference_in_differences(new, base)}
    assert back["action_noise", 4, None].difference.value == pytest.approx(-0.6)
    for format in ("text", "markdown"):
        assert "+60.0" in render_deltas(list(effects.values()), format)
    assert len(json.loads(render_deltas(list(effects.values()), "json"))["effects"]) == len(effects)
    elsewhere = fill(Plan(PLAN.items, seed=1, perturbations=PLAN.perturbations), WINS)
    with pytest.raises(UserError, match="share no perturbed case"):
        difference_in_differences(base, elsewhere)


def test_who_loses_less_of_the_score() -> None:
    base, new = (
        fill(GAMES, SCORES),
        fill(GAMES, {**SCORES, ("pong", 2): [4.0, 4, 6, 6], ("reach", 2): 4}),
    )
    effects = {
        (each.severity, each.domain, each.measure): each
        for each in difference_in_differences(base, new)
    }
    games = effects[4, "games", "normalised"]
    assert (games.tasks, games.pairs) == (2, 8)
    assert (
        games.base_control,
        games.base_rate,
        games.new_control,
        games.new_rate,
    ) == pytest.approx((0.775, 0.05, 0.775, 0.25))
    assert games.difference.value == pytest.approx(0.2)
    assert games.difference.low is not None
    assert games.difference.high is not None
    assert games.difference.low < 0.2 < games.difference.high
    assert effects[4, None, "success"].difference.value == pytest.approx(0.75)
    assert (4, "games", "success") not in effects
    text = render_deltas(list(effects.values()), "text")
    assert "WHO LOSES LESS OF THE SCORE" in text
    assert "+0.200" in text
    assert "+75.0" in text
    raw = fill(Plan((GAMES.items[2],), perturbations=GAMES.perturbations), SCORES)
    with pytest.raises(UserError, match="a success or a normalised score"):
        difference_in_differences(raw, raw)


def test_the_ratios_interval_covers() -> None:
    """Donner & Zou's interval with a correlation, over tasks that weigh the same: close to what it promises."""
    rng, inside, total = np.random.default_rng(0), 0, 0
    for _ in range(60):
        truth = np.array([[0.9, 0.6], [0.7, 0.35], [0.95, 0.8]])
        rng = rng.random((3, 25, 1))
        shared = (rng < truth[:, None]).astype(float)  # twins share their luck
        alone = (rng.random((3, 25, 2)) < truth[:, None]).astype(float)
        for draw in (shared, alone):
            found = ratio_of_means(list(draw[..., 0]), list(draw[..., 1]))
            assert found is not None
            low, high = found.low, found.high or math.inf
            assert low is not None
            assert 0 <= low <= found.value <= high
            inside += low <= truth[:, 1].mean() / truth[:, 0].mean() <= high
            total += 1
    assert inside / total > 0.9


def report_lines() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    rows = (
        NotRun(
            "toy/walk@1", "navigation", "toy", "there is no picture here", "leave it out", "hue:1"
        ),
    )
    return run_of(
        Plan(
            PLAN.items,
            perturbations=(*PLAN.perturbations, (Perturbation("hue", 1, {"degrees": 15}),)),
            not_run=rows,
        ),
        WINS,
    )


def run_of(
    plan: Plan, wins: dict[tuple[str, int], int | list[float]]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    agent = {
        "name": "mine",
        "entry": "toys:GoodAgent",
        "args": {},
        "reads": ["image"],
        "history": 1,
        "privileged": False,
        "fingerprint": "f",
    }
    run = {
        "schema": 1, "bench": "0.1.0", "commit": None, "command": "bench run", "agent": agent, "suites": ["toy"], "machine": {},
        "created": "2026-01-01T00:00:00+00:00", "finished": "2026-01-01T00:00:01+00:00", "plan": plan.to_json(),
    }  # fmt: skip
    return run, lines(plan, wins)


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_has_them(format: str) -> None:
    run, episodes = report_lines()
    text = render(build(run, episodes), format)
    assert text
    if format == "json":
        rows = json.loads(text)["perturbations"]
        assert {
            "perturbation",
            "severity",
            "task",
            "domain",
            "suite",
            "rule",
            "planned",
            "n",
            "successes",
            "agent_errors",
            "errors",
        } <= set(rows[0])
        assert {
            "partial",
            "success_rate",
            "ci_low",
            "ci_high",
            "rate_if_missing_fail",
            "difference",
            "difference_low",
            "reference",
        } <= set(rows[0])
        assert [r["perturbation"] for r in json.loads(text)["not_run"]] == ["hue:1"]
    else:
        plain = text.replace("\\_", "_")
        assert "action_noise" in plain
        assert "action_noise:1+action_delay" in plain


def test_the_text_says_what_matters() -> None:
    run, episodes = report_lines()
    text = render(build(run, episodes), "text")
    assert "recovered: 60.0" in text
    assert "interaction " in text
    assert "there is no picture here" in text
    clean = next(line for line in text.splitlines() if line.startswith("toy/reach@1"))
    assert " 100.0 " in clean  # the table of tasks is of unperturbed cases


def test_every_domain_of_the_run_is_told_of() -> None:
    absent = (
        NotRun(
            "toy/doom@1", "games", "toy", "this task has no expert", "play it with another agent"
        ),
        NotRun("toy/press@1", "ui", "toy", "this task has no expert", "play it with another agent"),
        NotRun("toy/type@1", "ui", "toy", "this task has no expert", "play it with another agent"),
    )
    run, episodes = run_of(
        Plan(GAMES.items, perturbations=GAMES.perturbations, not_run=absent), SCORES
    )
    for format in FORMATS:
        assert render(build(run, episodes), format)
    (cell,) = {
        line["scores"]
        for line in csv.DictReader(io.StringIO(render(build(run, episodes), "csv")))
        if (line["perturbation"], line["severity"], line["domain"], line["task"])
        == ("action_noise", "4", "games", "")
    }
    assert json.loads(cell)["mean"] == pytest.approx(0.05)
    text = render(build(run, episodes), "text")
    tables = {part.partition("\n")[0]: " ".join(part.split()) for part in text.split("\n\n\n")}
    assert {
        "ROBUSTNESS",
        "ROBUSTNESS OF NORMALISED SCORES",
        "ROBUSTNESS OF SCORES",
    } <= tables.keys()
    rates = tables["ROBUSTNESS"]
    assert "action_noise 4 manipulation 4 100.0 25.0" in rates
    columns = {
        column.name: column.cells for column in robustness_tables(build(run, episodes))[0].columns
    }
    assert dict(zip(columns[""][-2:], columns["notes"][-2:])) == {
        "games": "1 task: this task has no expert; 3 tasks: no success here, a score: see below",
        "ui": "2 tasks: this task has no expert",
    }
    scores = tables["ROBUSTNESS OF NORMALISED SCORES"]
    assert "action_noise 4 games 2 8 0.775 0.050" in scores
    assert "manipulation" not in scores
    assert "overall 1, 4 100.0 46.9" in tables["SUCCESS RATE OVER ALL SEVERITIES"]
    assert "games 1, 4 0.775 0.403" in tables["NORMALISED SCORE OVER ALL SEVERITIES"]
    alone, few = run_of(Plan(GAMES.items[:3], perturbations=GAMES.perturbations), SCORES)
    assert "\nROBUSTNESS\n" not in render(build(alone, few), "text"), "there are no rates"


def test_success_and_score_never_share_an_axis() -> None:
    pytest.importorskip("matplotlib")
    figure = figure_of(robustness(fill(GAMES, SCORES)), "mine")
    rates, scores = figure.axes
    assert (rates.get_title(), scores.get_title()) == ("manipulation", "games: score")
    assert rates.get_ylabel() == "success rate, %"
    assert (
        scores.get_ylabel() == "normalised score\n0: random or standing still, 1: human or the best"
    )
    assert [list(axes.containers[0].lines[0].get_ydata()) for axes in (rates, scores)] == [
        pytest.approx([100, 50, 25]),
        pytest.approx([0.775, 0.575, 0.05]),
    ]
    (bars,) = scores.containers[0].lines[2]
    games = row(robustness(fill(GAMES, SCORES)), "action_noise", 1, "games").scores
    assert games is not None
    assert games.mean is not None
    assert bars.get_segments()[1][:, 1] == pytest.approx([games.mean.low, games.mean.high])
    assert scores.get_ylim()[0] < 0
    assert scores.get_ylim()[1] < 1.5
    high = figure_of(
        robustness(fill(GAMES, {**SCORES, ("pong", 1): [90.0, 91, 89, 90]})), "mine"
    ).axes[1]
    assert high.get_ylim()[1] > 4.8, "nothing is cut off"
    with pytest.raises(UserError, match="no curve"):
        figure_of(robustness(fill(Plan((GAMES.items[2],), perturbations=(NOISE,)), SCORES)), "mine")


@pytest.mark.parametrize("name", ["curves.png", "curves.svg"])
def test_curves_are_drawn(tmp_path: Path, name: str) -> None:
    pytest.importorskip("matplotlib")
    draw_curves(robustness(fill(PLAN, WINS)), tmp_path / name, "mine")
    content = (tmp_path / name).read_bytes()
    assert content.startswith(b"\x89PNG" if name.endswith("png") else b"<?xml")
    assert len(content) > 5000
    draw_curves(robustness(fill(PLAN, WINS)), tmp_path / f"again-{name}", "mine")
    with pytest.raises(UserError, match="ending in"):
        draw_curves((), tmp_path / "curves.txt", "mine")
    with pytest.raises(UserError, match="no curve"):
        draw_curves((), tmp_path / name, "mine")

"""What perturbations do to the scores of tasks without a success."""

from __future__ import annotations

import numpy as np
import pytest
from perturbedruns import GAMES, NOISE, SCORES, fill, item, row

from harness.core import Normaliser
from harness.records.plan import Plan
from harness.stats import Estimate, design_effects, mean_of_scores, value_of
from leaderboards.robustness import robustness


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
    assert pong.score_difference == Estimate(-1.5, None, None), "too few for an interval"
    assert row(rows, "action_noise", 1).tasks == 0


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
    assert games.mean.low is None, "eight scores are too few"
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
    """Of normalised scores.

    Shortfalls from 1 take the place of failures, and a score above 1 makes up for nothing.
    """
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


def test_the_scores_of_many_episodes_have_intervals() -> None:
    rng = np.random.default_rng(0)
    normaliser = Normaliser(0, 10)
    games = tuple(
        item(name, "games", 300, own_streams=False, success=None, normaliser=normaliser)
        for name in ("pong", "snake")
    )
    scores = {name: [rng.random(300) * 10 for _ in range(2)] for name in ("pong", "snake")}
    plan = Plan(games, perturbations=(NOISE,))
    wins = {
        (name, k): each.tolist() for name, both in scores.items() for k, each in enumerate(both)
    }
    rows = robustness(fill(plan, wins))
    pong = row(rows, "action_noise", 1, "games", "toy/pong@1")
    control, perturbed = scores["pong"]
    assert pong.score_difference == mean_of_scores([np.sort(perturbed - control)])
    found = row(rows, "action_noise", 1, "games").scores
    assert found is not None
    assert found.mean is not None
    columns = [each[1] / 10 for each in scores.values()]
    seeds = [np.arange(300)] * 2
    once = mean_of_scores(columns)
    shared = mean_of_scores(columns, design=design_effects(columns, seeds, ["a", "a"]))
    assert found.mean.low == pytest.approx(shared.low)
    assert found.mean.low is not None
    assert once.low is not None
    assert found.mean.low < once.low, "they share their seeds"

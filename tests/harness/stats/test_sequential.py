"""Tests that hold at every look: against their definitions, and that they decide as they should."""

from __future__ import annotations

import math

import numpy as np
import pytest
from calibration import gates
from calibration.worlds import World, lowered

from harness.compare.sequential_gate import SequentialTest, patience
from harness.stats import anytime_mean, anytime_rate, by_family, log_stake, mean_of_drawn
from harness.stats.sequential import FRACTIONS


def test_a_rates_bounds_are_where_robbins_inequality_turns():
    """Robbins (1970): the p with (n + 1) C(n, k) p^k (1 - p)^(n - k) > alpha."""
    found = anytime_rate(7, 20, 0.05, prior=1.0)
    for p in (found.low, found.high):
        assert 21 * math.comb(20, 7) * p**7 * (1 - p) ** 13 == pytest.approx(0.05, rel=1e-6)
    assert (anytime_rate(0, 9).low, anytime_rate(9, 9).high, anytime_rate(0, 0).high) == (
        0.0,
        1.0,
        1.0,
    )
    assert anytime_rate(0, 50).high < anytime_rate(0, 50, prior=1.0).high
    with pytest.raises(ValueError, match="successes"):
        anytime_rate(3, 2)


def test_a_stake_grows_by_its_bets():
    values = np.array([[1.0], [0.25]])
    by_hand = np.mean(
        [
            [1 + c * (1 / 0.5 - 1), (1 + c * (1 / 0.5 - 1)) * (1 + c * (0.25 / 0.5 - 1))]
            for c in FRACTIONS
        ],
        axis=0,
    )
    assert np.exp(log_stake(values, 0.5)) == pytest.approx(by_hand)


def test_a_fair_bet_earns_nothing():
    """The expected stake after each round is 1.

    Over all outcomes of two rounds of two tasks, whose unequal rates have the mean that is bet
    against.
    """
    rates, expected = (0.3, 0.7), np.zeros(2)
    for outcome in np.ndindex(2, 2, 2, 2):
        rounds = np.array(outcome, dtype=float).reshape(2, 2)
        chance = np.prod(
            [rate if won else 1 - rate for row in rounds for won, rate in zip(row, rates)]
        )
        expected += chance * np.exp(log_stake(rounds, 0.5))
    assert (expected <= 1).all()
    assert expected[0] > 0.9


def test_a_fair_bet_on_tasks_that_share_rounds_earns_nothing():
    """Whatever three tasks of one family and another task have in common within their own.

    The means 0.2, 0.4, 0.6 and 0.8 are bet against; the three succeed and fail together as far as
    their rates allow.
    """
    families, expected = "aaab", 0.0
    for low, high in zip((0.0, 0.2, 0.4, 0.6), (0.2, 0.4, 0.6, 1.0)):
        together = np.array([0.2, 0.4, 0.6]) > low
        for other, chance in ((1.0, 0.8), (0.0, 0.2)):
            means, weights = by_family(np.array([[*together, other]], dtype=float), families)
            stake = np.exp(log_stake(means, 0.5, weights))[0]
            expected += (high - low) * chance * stake
    assert 0.9 < expected <= 1
    assert weights.tolist() == pytest.approx([1, 1 / 3])
    assert means.shape == (1, 2)


def test_bounds_of_a_mean_are_where_the_stake_is_large_enough():
    values = np.random.default_rng(0).beta(8, 4, 60)
    low, high = anytime_mean(values)
    assert low < values.mean() < high
    assert log_stake(values[:, None], low).max() == pytest.approx(math.log(40), abs=1e-3)
    assert log_stake(1 - values[:, None], 1 - high).max() == pytest.approx(math.log(40), abs=1e-3)
    wider = anytime_mean(values[:20])
    assert wider[0] <= low + 1e-9
    assert wider[1] >= high - 1e-9


def test_bounds_for_other_tasks_allow_for_tasks_that_were_not_drawn():
    """One in twenty is lost altogether: most samples of ten have none of these."""
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        values = np.where(rng.random(10) < 0.05, 0.05, 0.5) + rng.normal(0, 0.01, 10)
        low, high = mean_of_drawn(values)
        assert low < values.mean() < high
        covered += low <= 0.95 * 0.5 + 0.05 * 0.05 <= high
    assert covered >= 190
    assert mean_of_drawn(values[::-1]) == pytest.approx((low, high), abs=1e-9), "in any order"
    many = mean_of_drawn(np.tile(values, 10))
    assert many[1] - many[0] < (high - low) / 2


def test_patience_is_the_round_in_which_a_lost_task_is_found():
    for tasks in (1, 10, 50):
        test = SequentialTest(range(tasks), 0.05, 0.05)
        row = np.zeros(tasks)
        row[0] = -1
        for _ in range(patience(tasks, 0.05) - 1):
            test.add(row)
            assert test.worse() == []
        test.add(row)
        assert test.worse() == [0]
        assert test.look() == "regress"


def test_an_early_pass_waits_for_a_task_under_suspicion():
    test = SequentialTest(range(40), 0.1, 0.05)
    row = np.zeros(40)
    row[0] = -1
    looks = []
    for number in range(30):
        test.add(row if number < 8 else np.zeros(40))
        looks.append(test.look())
    assert test._evidence["pass"] > math.log(40)
    assert looks[patience(40, 0.05)] is None, "its own test alone would call it worse"
    assert "pass" not in looks[: patience(40, 0.05) + 1]


@pytest.mark.parametrize("loss", [0.0, 0.1, 0.3])
def test_the_simulations_play_by_the_gates_rules(loss):
    """The vectorised tests of the simulation script decide as the gate's own, run by run."""
    from harness.compare.pairs import Pair, TaskPairs
    from harness.compare.verdict import compare_pairs
    from harness.core import Task

    base = np.array([0.5, 0.7, 0.95])
    draws = World("", base, lowered(base, loss), 40).draw(12, seed=3)
    fast, taken = gates.sequential(draws)
    fixed = gates.fixed(draws)
    words = {gates.PASS: "pass", gates.REGRESS: "regress", gates.OPEN: None}
    for run, rounds in enumerate(draws.astype(float)):
        test, verdict, number = SequentialTest(range(3), 0.05, 0.05), None, 0
        for number, row in enumerate(rounds, 1):
            test.add(row)
            verdict = test.look(last=number == 40)
            if verdict:
                break
        assert (verdict, number) == (words[fast[run]], taken[run])
        tasks = [
            TaskPairs(
                Task(id=f"toys/t{k}@1", domain="games", adapter=f"a:B{k}"),
                "toys",
                tuple(
                    Pair(seed, (), float(d < 0), float(d < 0) + float(d))
                    for seed, d in enumerate(rounds[:, k])
                ),
            )
            for k in range(3)
        ]
        assert compare_pairs(tasks, 0.05, 0.05).verdict == (words[fixed[run]] or "inconclusive")

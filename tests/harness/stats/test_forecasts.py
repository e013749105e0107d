"""Forecasts of success: worked examples, and how often what is said of them is true."""

from __future__ import annotations

import numpy as np
import pytest
from calibration.forecasts import forecasts, simulate

from harness.stats.forecasts import Forecasts


def of(chances: list[float], outcomes: list[int]) -> Forecasts:
    return forecasts(np.array(chances), np.array(outcomes, bool))


def test_a_worked_example() -> None:
    # 5 episodes at 0.8 of which 3 succeed, 5 at 0.2 of which 2 do.
    found = of([0.8] * 5 + [0.2] * 5, [1, 1, 1, 0, 0, 1, 1, 0, 0, 0])
    assert found.n == 10
    assert found.said == pytest.approx(0.5)
    assert found.succeeded().value == 0.5
    # Both groups are off by 0.2; Brier: (3 x 0.04 + 2 x 0.64 + 2 x 0.64 + 3 x 0.04) / 10.
    assert found.calibration_error().error == pytest.approx(0.2)
    assert found.brier == pytest.approx(0.28)
    # Of 25 pairs of a success and a failure: 3 x 3 won, 3 x 2 + 2 x 3 tied, 2 x 2 lost.
    discrimination = found.discrimination()
    assert discrimination is not None
    assert discrimination.value == pytest.approx((9 + 6) / 25)
    surest = found.surest(0.25)
    assert (surest.share, surest.above) == (0.5, pytest.approx(0.8))
    assert surest.success.value == 0.6
    assert found.surest(1.0).success.value == 0.5


def test_bins_hold_about_as_many_episodes_each() -> None:
    chances = np.linspace(0.0005, 0.9995, 1000)
    found = forecasts(chances, chances > 0.5)
    # Ten bins of 100: in each of the lower half the mean forecast is the error, and so on.
    means = chances.reshape(10, 100).mean(axis=1)
    expected = np.minimum(means, 1 - means).mean()
    assert found.calibration_error().error == pytest.approx(expected, abs=2e-3)


def test_what_cannot_be_told_is_none() -> None:
    assert of([0.3, 0.9], [1, 1]).discrimination() is None
    perfect = of([0.9] * 6 + [0.1] * 6, [1] * 6 + [0] * 6).discrimination()
    assert perfect is not None
    assert (perfect.value, perfect.low, perfect.high) == (1.0, None, None)
    few = of([0.9, 0.4, 0.2, 0.5], [1, 1, 0, 0]).discrimination()
    assert few is not None
    assert few.low is None


@pytest.mark.parametrize(("world", "n"), [("most are likely", 40), ("three answers", 100)])
def test_what_is_said_of_confidences_is_true_as_often_as_it_claims(world: str, n: int) -> None:
    shares = simulate(world, n, 200)
    # Three standard errors of 5 % of 200 are 4.6 points.
    assert shares.rate >= 95 - 4.6
    assert shares.which >= 95 - 4.6
    assert shares.accused <= 5 + 4.6
    assert shares.found >= 50

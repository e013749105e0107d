"""How often what reports say of confidences is true: `python -m calibration.forecasts`.

Run it in the folder tests. An agent draws the chance of each episode, says it or another one, and
succeeds with that chance.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from harness.stats.forecasts import Forecasts

WORLDS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "any chance": lambda rng, n: rng.random(n),
    "most are likely": lambda rng, n: rng.beta(6, 2, n),
    "nearly sure": lambda rng, n: rng.choice([0.05, 0.95], n),
    "three answers": lambda rng, n: rng.choice([0.2, 0.5, 0.9], n),
    "one answer": lambda rng, n: np.full(n, 0.7),
}


class Shares(NamedTuple):
    """Percent of the runs."""

    rate: float
    """In which the interval of the success rate holds the mean chance."""
    which: float
    """In which that of the discrimination holds its value over all episodes, if it has bounds."""
    accused: float
    """In which a calibrated agent has a p of at most 5 %."""
    found: float
    """In which an agent does that says x and succeeds with a chance of 0.7 x."""


def forecasts(chances: np.ndarray, outcomes: np.ndarray) -> Forecasts:
    """They as the report takes them."""
    found = Forecasts()
    for chance, success in zip(chances, outcomes):
        found.add(float(chance), bool(success))
    return found


def simulate(world: str, n: int, runs: int) -> Shares:
    """Runs of n episodes."""
    rng = np.random.default_rng(17)
    many = WORLDS[world](rng, 200_000)
    truth = forecasts(many, rng.random(many.size) < many).discrimination()
    rate, which, accused, found = [], [], [], []
    for _ in range(runs):
        chances, luck = WORLDS[world](rng, n), rng.random(n)
        one = forecasts(chances, luck < chances)
        mean, known = one.succeeded(), one.discrimination()
        assert mean.low is not None
        assert mean.high is not None
        rate.append(mean.low <= chances.mean() <= mean.high)
        if truth and known and known.low is not None and known.high is not None:
            which.append(known.low <= truth.value <= known.high)
        accused.append(one.calibration_error().p <= 0.05)
        found.append(forecasts(chances, luck < 0.7 * chances).calibration_error().p <= 0.05)
    shares = (
        100 * float(np.mean(each)) if each else np.nan for each in (rate, which, accused, found)
    )
    return Shares(*shares)


if __name__ == "__main__":
    from tabulate import tabulate

    RUNS = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    rows = [
        (world, n, *(f"{share:.1f}" for share in simulate(world, n, RUNS)))
        for world in WORLDS
        for n in (20, 50, 200)
    ]
    heads = [
        "confidences",
        "n",
        "rate covered %",
        "which covered %",
        "accused %",
        "boaster found %",
    ]
    print(tabulate(rows, heads, tablefmt="github", disable_numparse=True))

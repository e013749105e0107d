"""How often the intervals of `bench probe consistency` cover: `python -m calibration.repeated`."""

from __future__ import annotations

import sys

import numpy as np

from harness.stats import mean_of_scores
from harness.stats.intervals import rate_bounds
from harness.stats.repeated import all_of, any_of, discordance, variance_between_cases

WORLDS = {
    "any chance (1, 1)": (1.0, 1.0),
    "never or always (0.2, 0.2)": (0.2, 0.2),
    "mostly (8, 1)": (8.0, 1.0),
    "all alike (50, 50)": (50.0, 50.0),
    "rarely (0.3, 4)": (0.3, 4.0),
    "nearly all (20, 1)": (20.0, 1.0),
}
"""Of the chances of the cases: a and b of a beta distribution."""
SIZES = ((1, 10, 2), (1, 20, 5), (1, 50, 5), (1, 100, 10), (5, 10, 3), (10, 20, 5))
"""Tasks, cases of each, plays."""


def moment(a: float, b: float, number: int) -> float:
    """The mean of p^number."""
    return float(np.prod([(a + k) / (a + b + k) for k in range(number)]))


def shares(runs: int) -> list[list[str]]:
    """Rows: world, size, percent covered of all-k, all-2, any-k and the noise floor."""
    rows = []
    for name, (a, b) in WORLDS.items():
        for tasks, cases, plays in SIZES:
            rng = np.random.default_rng(5)
            successes = rng.binomial(plays, rng.beta(a, b, (runs, tasks, cases)))
            noise = 2 * (moment(a, b, 1) - moment(a, b, 2))
            row = [name, f"{tasks} x {cases} x {plays}"]
            for values, truth in (
                (all_of(successes, plays, plays), moment(a, b, plays)),
                (all_of(successes, plays, 2), moment(a, b, 2)),
                (any_of(successes, plays, plays), 1 - moment(b, a, plays)),
                (discordance(successes, plays), noise),
            ):
                low, high = rate_bounds(values.mean(axis=-1), np.full((runs, tasks), float(cases)))
                row.append(f"{100 * np.mean((low <= truth) & (truth <= high)):.1f}")
            rows.append(row)
    return rows


def variances(runs: int) -> list[list[str]]:
    """Rows: world, size, percent covered of the variance between cases."""
    rows = []
    for name, (a, b) in WORLDS.items():
        truth = a * b / ((a + b) ** 2 * (a + b + 1))
        for tasks, cases, plays in ((1, 200, 4), (1, 400, 3), (1, 800, 2), (5, 60, 3)):
            rng = np.random.default_rng(6)
            covered = 0
            for _ in range(runs):
                counts = rng.binomial(plays, rng.beta(a, b, (tasks, cases)))
                columns = [variance_between_cases(each, plays) for each in counts]
                found = mean_of_scores(columns)
                covered += found.low is not None and found.low <= truth <= (found.high or 0.0)
            rows.append([name, f"{tasks} x {cases} x {plays}", f"{100 * covered / runs:.1f}"])
    return rows


def main() -> None:
    """Print both tables as Markdown; the argument is the number of runs."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    head = ["chances", "tasks x cases x plays"]
    for columns, rows in (
        ([*head, "all k", "all 2", "any k", "noise floor"], shares(runs)),
        ([*head, "between cases"], variances(runs)),
    ):
        print("| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))
        print("\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n")


if __name__ == "__main__":
    main()

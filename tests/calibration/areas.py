"""How often the interval of the gain of an area covers (`bench probe rl-robustness`).

Run it in the folder tests: `python -m calibration.areas`. Two agents play the same cases
undisturbed and at three severities; what is lost at one severity is lost at the next.
"""

from __future__ import annotations

import sys

import numpy as np

from leaderboards.robustness import mean_of_halves

WORLDS = {
    "both lose alike": ((0.8, 0.7, 0.5, 0.3), (0.8, 0.7, 0.5, 0.3)),
    "the new one loses less": ((0.6, 0.4, 0.2, 0.1), (0.9, 0.85, 0.8, 0.7)),
    "hardly a success": ((0.05, 0.04, 0.02, 0.0), (0.1, 0.1, 0.05, 0.05)),
    "nothing is lost": ((1.0, 1.0, 1.0, 1.0), (1.0, 1.0, 1.0, 1.0)),
}
"""The chances of the base and of the new agent, undisturbed and at the severities 1, 2 and 4."""
LEVELS = np.array([0, 1, 2, 4])


def area(won: np.ndarray) -> np.ndarray:
    """Under successes (severities, cases), less the undisturbed ones, as the probe computes it."""
    widths = np.diff(LEVELS)[:, None]
    found: np.ndarray = (widths * (won[1:] + won[:-1]) / 2).sum(axis=0) / LEVELS[-1] - won[0]
    return found


def coverage(runs: int, world: str, tasks: int, cases: int) -> float:
    """The share of runs whose interval covers the true gain."""
    base, new = (np.array(each) for each in WORLDS[world])
    truth = float(area(new[:, None])[0] - area(base[:, None])[0])
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(runs):
        values = []
        for _ in range(tasks):
            luck = rng.random((2, cases))
            shared = rng.random(cases) < 0.5
            luck[1, shared] = luck[0, shared]
            one, other = (
                (luck[k] < chances[:, None]).astype(float) for k, chances in enumerate((base, new))
            )
            values.append(area(other) - area(one))
        found = mean_of_halves(values, np.ones(tasks))
        assert found is not None
        covered += found.low - 1e-12 <= truth <= found.high + 1e-12
    return covered / runs


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    for tasks, cases in ((1, 20), (3, 10), (3, 40)):
        shown = " | ".join(f"{100 * coverage(number, each, tasks, cases):.1f}" for each in WORLDS)
        print(f"| {tasks} x {cases} | {shown} |", flush=True)

"""What the intervals cover and how often the tests are wrong: the tables of docs/statistics.md.

    python tests/calibration/simulate.py [RUNS]    # 2,000 unless given; a minute or two

Everything is drawn from fixed seeds. An agent's outcome in a case is a Bernoulli variable with its
own rate in that task. In a share `common` of the cases both agents share the random draw, so that
pairs are correlated. All functions take and give arrays over runs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import bdtr

from harness.compare.sequential_gate import patience
from harness.stats import (
    anytime_rate,
    bootstrap_tasks,
    clopper_pearson,
    mean_of_rates,
    newcombe,
    paired_bounds,
    pairs_needed,
    wilson,
)
from harness.stats.sequential import FRACTIONS, log_stakes

MARGIN, ALPHA = 0.05, 0.05
REGRESS, OPEN, PASS = -1, 0, 1


@dataclass(frozen=True)
class World:
    """Tasks, and two agents' rates on them."""

    name: str
    base: np.ndarray
    new: np.ndarray
    episodes: int
    common: float = 0.5

    @property
    def difference(self) -> float:
        return float((self.new - self.base).mean())

    def draw(self, runs: int, seed: int = 1, episodes: int | None = None) -> np.ndarray:
        """Paired differences, shape (runs, episodes, tasks)."""
        rng = np.random.default_rng(seed)
        shape = (runs, episodes or self.episodes, len(self.base))
        drawn = rng.random(shape)
        other = np.where(rng.random(shape) < self.common, drawn, rng.random(shape))
        return (other < self.new).astype(np.int8) - (drawn < self.base).astype(np.int8)


def lowered(base: Sequence[float] | np.ndarray, loss: float) -> np.ndarray:
    """Rates that are `loss` lower on average, as evenly as rates can be."""
    rates = np.array(base, dtype=float)
    for _ in range(20):
        left = loss - (np.asarray(base) - rates).mean()
        open_ = rates > 0 if left > 0 else rates < 1
        if abs(left) < 1e-12 or not open_.any():
            break
        rates[open_] = np.clip(rates[open_] - left * len(rates) / open_.sum(), 0, 1)
    return rates


SPREAD = np.linspace(0.1, 0.9, 10)
HIGH, LOW = np.full(10, 0.98), np.full(10, 0.02)
WORLDS = {
    "10 tasks, rates 0.1 to 0.9, 50 episodes": (SPREAD, 50),
    "10 tasks, rates 0.98, 50 episodes": (HIGH, 50),
    "10 tasks, rates 0.02, 50 episodes": (LOW, 50),
    "2 tasks, rates 0.3 and 0.95, 50 episodes": (np.array([0.3, 0.95]), 50),
    "50 tasks, rates 0.5 to 1, 20 episodes": (np.linspace(0.5, 1, 50), 20),
    "1 task, rate 0.6, 100 episodes": (np.array([0.6]), 100),
}


def bounds(d: np.ndarray, alpha: float = ALPHA) -> tuple[np.ndarray, np.ndarray]:
    """The gate's interval from differences of shape (runs, episodes, tasks)."""
    losses, wins = (d < 0).sum(axis=1).astype(float), (d > 0).sum(axis=1).astype(float)
    return paired_bounds(
        losses, wins, losses + wins, np.full(d.shape[2], float(d.shape[1])), 1 - alpha
    )


def worse_after_holm(d: np.ndarray, alpha: float = ALPHA) -> np.ndarray:
    """Whether any task is significantly worse, shape (runs,): exact McNemar, Holm."""
    losses, wins = (d < 0).sum(axis=1), (d > 0).sum(axis=1)
    p = np.minimum(1, 2 * bdtr(np.minimum(losses, wins).astype(float), losses + wins, 0.5))
    p[losses + wins == 0] = 1
    order = np.argsort(p, axis=1, kind="stable")
    sizes = np.arange(p.shape[1], 0, -1)
    adjusted = np.maximum.accumulate(
        np.minimum(1, np.take_along_axis(p, order, axis=1) * sizes), axis=1
    )
    return ((adjusted <= alpha) & np.take_along_axis(losses > wins, order, axis=1)).any(axis=1)


def fixed(d: np.ndarray, margin: float = MARGIN, alpha: float = ALPHA) -> np.ndarray:
    """The verdict of the fixed-n gate, shape (runs,)."""
    low, high = bounds(d, alpha)
    worse = worse_after_holm(d, alpha)
    return np.where(
        worse, REGRESS, np.where(low > -margin, PASS, np.where(high < 0, REGRESS, OPEN))
    )


def sequential(
    d: np.ndarray, margin: float = MARGIN, alpha: float = ALPHA
) -> tuple[np.ndarray, np.ndarray]:
    """The verdict of the sequential gate and the rounds that it took, both of shape (runs,).

    The rules are those of harness.compare.sequential_gate.SequentialTest.
    """
    runs, rounds, tasks = d.shape
    values = (1.0 + d) / 2
    found, taken = np.full(runs, OPEN), np.full(runs, rounds)
    block = max(1, 2_000_000 // (rounds * tasks))
    for start in range(0, runs, block):
        part = slice(start, start + block)
        v = values[part]
        passing = np.maximum.accumulate(
            _total(log_stakes(v, np.full(len(v), (1 - margin) / 2))), axis=1
        )
        losing = np.maximum.accumulate(_total(log_stakes(1 - v, np.full(len(v), 0.5))), axis=1)
        by_task = np.moveaxis(1 - v, 2, 1).reshape(-1, rounds, 1)
        own = _total(log_stakes(by_task, np.full(len(by_task), 0.5))).reshape(len(v), tasks, rounds)
        worse = np.maximum.accumulate(own, axis=2).max(axis=1) >= np.log(2 * tasks / alpha)
        waits = (own >= np.log(1 / alpha)).any(axis=1) | (
            np.arange(1, rounds + 1) < patience(tasks, alpha)
        )
        waits[:, -1] = False
        passes = passing >= np.log(2 / alpha)
        ends = np.where(
            worse,
            REGRESS,
            np.where(
                passes,
                np.where(waits, OPEN, PASS),
                np.where(losing >= np.log(2 / alpha), REGRESS, OPEN),
            ),
        )
        first = np.where((ends != OPEN).any(axis=1), (ends != OPEN).argmax(axis=1), rounds - 1)
        found[part], taken[part] = ends[np.arange(len(v)), first], first + 1
    return found, taken


def _total(stakes: np.ndarray) -> np.ndarray:
    return np.logaddexp.reduce(stakes, axis=-1) - np.log(len(FRACTIONS))


def looks(
    d: np.ndarray, count: int, *, corrected: bool, margin: float = MARGIN, alpha: float = ALPHA
) -> tuple[np.ndarray, np.ndarray]:
    """The fixed-n test at `count` evenly spaced looks; returns as `sequential` does.

    Each look is at alpha / count where `corrected` (Bonferroni), else at alpha.
    """
    runs, rounds, _ = d.shape
    found, taken = np.full(runs, OPEN), np.full(runs, rounds)
    for look in range(1, count + 1):
        until = rounds * look // count
        verdict = fixed(d[:, :until], margin, alpha / count if corrected else alpha)
        fresh = (found == OPEN) & (verdict != OPEN)
        found[fresh], taken[fresh] = verdict[fresh], until
    return found, taken


def coverage(runs: int) -> list[list[str]]:
    """Rows: what, nominal, covered on average over rates, the least."""
    rows = []
    rates = (0.01, 0.02, 0.05, 0.1, 0.3, 0.5, 0.8, 0.95, 0.99)
    rng = np.random.default_rng(2)
    for name, method in (("Wilson, n = 50", wilson), ("Clopper-Pearson, n = 50", clopper_pearson)):
        table = [method(k, 50) for k in range(51)]
        shares = [_inside(table, rng.binomial(50, p, runs), p) for p in rates]
        rows.append([name, "rates 0.01 to 0.99", *_mean_and_least(shares)])
    for name, (base, n) in WORLDS.items():
        counts = rng.binomial(n, base, size=(runs, len(base)))
        found = [mean_of_rates(row.tolist(), [n] * len(base)) for row in counts]
        rows.append(
            [
                "mean of rates",
                name,
                *_mean_and_least([np.mean([i.low <= base.mean() <= i.high for i in found])]),
            ]
        )
    shares = []
    for p in rates:
        draws = rng.binomial(50, (p, min(1, p + 0.01)), size=(runs, 2))
        found = {
            tuple(row): newcombe(tuple(row), (50, 50)) for row in np.unique(draws, axis=0).tolist()
        }
        gap = min(1, p + 0.01) - p
        shares.append(
            np.mean(
                [found[tuple(row)].low <= gap <= found[tuple(row)].high for row in draws.tolist()]
            )
        )
    rows.append(["Newcombe, unpaired, 50 and 50", "rates 0.01 to 0.99", *_mean_and_least(shares)])
    for name, (base, n) in WORLDS.items():
        shares = []
        for loss in (0.0, 0.05, 0.2):
            for common in (0.0, 0.8):
                world = World(name, base, lowered(base, loss), n, common)
                low, high = bounds(world.draw(runs, seed=3))
                shares.append(np.mean((low <= world.difference) & (world.difference <= high)))
        rows.append(["paired difference", name, *_mean_and_least(shares)])
    sizes = np.array([5.0, 10.0, 20.0, 50.0, 100.0])
    for common in (0.0, 0.8):
        world = World(
            "",
            np.array([0.2, 0.5, 0.9, 0.98, 0.6]),
            np.array([0.2, 0.45, 0.9, 0.9, 0.6]),
            100,
            common,
        )
        d = world.draw(runs, seed=4)
        kept = np.arange(100)[:, None] < sizes
        losses, wins = (
            ((d < 0) & kept).sum(axis=1).astype(float),
            ((d > 0) & kept).sum(axis=1).astype(float),
        )
        low, high = paired_bounds(losses, wins, losses + wins, sizes)
        share = np.mean((low <= world.difference) & (world.difference <= high))
        rows.append(
            [
                "paired difference",
                f"5 tasks of 5 to 100 episodes, shared randomness {common:g}",
                *_mean_and_least([share]),
            ]
        )
    rows += _score_rows(runs) + _cluster_rows(runs) + _anytime_rows(runs)
    return rows


def _score_rows(runs: int) -> list[list[str]]:
    """Scores in [0, 1]: most cases move a little, a few a lot."""
    rng = np.random.default_rng(5)
    rows = []
    for name, n, share in (
        ("scores that move by 0.1, 50 episodes", 50, 0.0),
        ("the same, 1 in 20 lost altogether", 50, 0.05),
    ):
        d = np.clip(rng.normal(0, 0.1, size=(runs, n, 5)), -1, 1)
        d = np.where(rng.random(d.shape) < share, -0.9, d)
        true = -0.9 * share
        sums = (
            (-np.minimum(d, 0)).sum(axis=1),
            np.maximum(d, 0).sum(axis=1),
            np.square(d).sum(axis=1),
        )
        low, high = paired_bounds(*sums, np.full(5, float(n)))
        rows.append(
            [
                "paired difference",
                f"5 tasks, {name}",
                *_mean_and_least([np.mean((low <= true) & (true <= high))]),
            ]
        )
    return rows


def _cluster_rows(runs: int) -> list[list[str]]:
    """Tasks are drawn in each run: the wider interval must cover the mean over all that exist."""
    rng = np.random.default_rng(6)
    rows = []
    for tasks in (10, 30):
        hits = 0
        for run in range(runs):
            gaps = np.clip(rng.normal(-0.1, 0.1, tasks), -0.5, 0.3)  # symmetric about -0.1
            counts = rng.multinomial(
                30, np.stack([0.3 - gaps / 2, np.full(tasks, 0.4), 0.3 + gaps / 2], axis=1)
            )
            d = [np.repeat([-1.0, 0.0, 1.0], row) for row in counts]
            found = bootstrap_tasks(d, repeats=1000, seed=run)
            hits += found.low <= -0.1 <= found.high
        rows.append(
            [
                "bootstrap of tasks",
                f"{tasks} tasks drawn from many, 30 episodes",
                *_mean_and_least([hits / runs]),
            ]
        )
    return rows


def _anytime_rows(runs: int) -> list[list[str]]:
    """Covered at every one of 200 looks, and by the mean's bounds after every round."""
    rng = np.random.default_rng(7)
    shares = []
    for p in (0.02, 0.1, 0.5, 0.9, 0.98):
        counts = (rng.random((runs, 200)) < p).cumsum(axis=1)
        inside = np.ones(runs, dtype=bool)
        for n in range(1, 201):
            table = {k: anytime_rate(k, n) for k in np.unique(counts[:, n - 1]).tolist()}
            inside &= np.array(
                [table[k].low <= p <= table[k].high for k in counts[:, n - 1].tolist()]
            )
        shares.append(inside.mean())
    rows = [["rate, at each of 200 looks", "rates 0.02 to 0.98", *_mean_and_least(shares)]]
    for name, (base, n) in WORLDS.items():
        world = World(name, base, lowered(base, 0.1), n)
        v = (1.0 + world.draw(runs, seed=8)) / 2
        mean = (1 + world.difference) / 2
        refuted = [
            (_total(log_stakes(side, np.full(runs, m))) >= np.log(2 / ALPHA)).any(axis=1)
            for side, m in ((v, mean), (1 - v, 1 - mean))
        ]
        rows.append(
            [
                "paired difference, at every look",
                name,
                *_mean_and_least([1 - np.mean(refuted[0] | refuted[1])]),
            ]
        )
    return rows


def _inside(table: Sequence[object], counts: np.ndarray, p: float) -> float:
    inside = np.array([i.low <= p <= i.high for i in table])  # type: ignore[attr-defined]
    return float(inside[counts].mean())


def _mean_and_least(shares: Sequence[float]) -> list[str]:
    return [f"{100 * np.mean(shares):.1f}", f"{100 * min(shares):.1f}"]


TESTS: dict[str, Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]] = {
    "fixed n": lambda d: (fixed(d), np.full(len(d), d.shape[1])),
    "sequential": sequential,
    "5 looks, Bonferroni": lambda d: looks(d, 5, corrected=True),
    "10 looks, uncorrected": lambda d: looks(d, 10, corrected=False),
}


def false_alarms(runs: int) -> list[list[str]]:
    """Rows: world, then for each test the share of equal agents that regress."""
    rows = []
    for name, (base, n) in WORLDS.items():
        d = World(name, base, base, n).draw(runs, seed=10)
        rows.append(
            [name, *(f"{100 * np.mean(test(d)[0] == REGRESS):.2f}" for test in TESTS.values())]
        )
    return rows


def false_passes(runs: int) -> list[list[str]]:
    """As false_alarms, the share of agents that pass although they are worse by just the margin."""
    rows = []
    for name, (base, n) in WORLDS.items():
        if base.mean() <= MARGIN:
            continue
        d = World(name, base, lowered(base, MARGIN), n).draw(runs, seed=11)
        rows.append(
            [name, *(f"{100 * np.mean(test(d)[0] == PASS):.2f}" for test in TESTS.values())]
        )
    return rows


def power(runs: int, episodes: int = 50) -> list[list[str]]:
    """Rows: loss in points, then for fixed n, sequential and Bonferroni each: percent pass, percent
    regress, percent of the episodes played."""
    base = np.linspace(0.5, 0.95, 10)
    rows = []
    for loss in (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3):
        d = World("", base, lowered(base, loss), episodes).draw(runs, seed=12)
        row = [f"{100 * loss:g}"]
        for name in ("fixed n", "sequential", "5 looks, Bonferroni"):
            verdict, taken = TESTS[name](d)
            row += [
                f"{100 * np.mean(verdict == PASS):.1f}",
                f"{100 * np.mean(verdict == REGRESS):.1f}",
                f"{100 * taken.mean() / episodes:.0f}",
            ]
        rows.append(row)
    return rows


def collapse(runs: int, episodes: int = 50) -> list[list[str]]:
    """Rows: the points by which one of ten tasks falls from 90 % while the others stay; percent of
    regress, fixed and sequential, and of pass."""
    rows = []
    base = np.full(10, 0.9)
    for fall in (0.2, 0.3, 0.4, 0.6, 0.9):
        new = base.copy()
        new[0] -= fall
        d = World("", base, new, episodes).draw(runs, seed=13)
        row = [f"{100 * fall:g}", f"{100 * np.mean(bounds(d)[0] > -MARGIN):.1f}"]
        for name in ("fixed n", "sequential"):
            verdict = TESTS[name](d)[0]
            row += [
                f"{100 * np.mean(verdict == PASS):.1f}",
                f"{100 * np.mean(verdict == REGRESS):.1f}",
            ]
        rows.append(row)
    return rows


def planned(runs: int) -> list[list[str]]:
    """Rows: effect and discordance, the pairs that `bench plan` asks for at 80 %, and how often as
    many pairs find the difference."""
    rows = []
    for effect, discordant in ((0.05, 0.1), (0.05, 0.3), (0.1, 0.2), (0.2, 0.4)):
        pairs = pairs_needed(effect, discordant)
        rng = np.random.default_rng(14)
        counts = rng.multinomial(
            pairs, [(discordant + effect) / 2, (discordant - effect) / 2, 1 - discordant], size=runs
        ).astype(float)
        _, high = paired_bounds(
            counts[:, :1], counts[:, 1:2], counts[:, :1] + counts[:, 1:2], np.array([float(pairs)])
        )
        rows.append(
            [
                f"{100 * effect:g}",
                f"{100 * discordant:g}",
                str(pairs),
                f"{100 * np.mean(high < 0):.1f}",
            ]
        )
    return rows


def main() -> None:
    """Print all tables as Markdown."""
    from tabulate import tabulate

    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    triple = ["pass", "regress", "episodes"]
    parts = [
        ("Coverage, nominal 95", ["interval", "world", "covered", "least"], coverage(runs)),
        ("Equal agents: regress, at most 5", ["world", *TESTS], false_alarms(runs)),
        ("Worse by the margin: pass, at most 2.5", ["world", *TESTS], false_passes(runs)),
        (
            "Power",
            [
                "loss",
                *(
                    f"{test}: {each}"
                    for test in ("fixed", "sequential", "Bonferroni")
                    for each in triple
                ),
            ],
            power(runs),
        ),
        (
            "One task of ten falls",
            [
                "points",
                "pooled pass",
                "fixed pass",
                "fixed regress",
                "sequential pass",
                "sequential regress",
            ],
            collapse(runs),
        ),
        ("Planned", ["effect", "discordant", "pairs", "found"], planned(runs)),
    ]
    for title, heads, rows in parts:
        print(
            f"\n### {title}\n\n{tabulate(rows, heads, 'pipe', disable_numparse=True)}", flush=True
        )


if __name__ == "__main__":
    main()

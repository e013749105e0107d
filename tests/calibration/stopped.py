"""Runs that stop for what they see, and what is said of pairs that were not played."""

from __future__ import annotations

import numpy as np
from calibration.gates import ALPHA, MARGIN, OPEN, PASS, bounds, fixed, total
from calibration.shared_rooms import SHARES, draw

from harness.compare.further_pairs import Spread, reach_of, spread_of
from harness.stats import anytime_rate, episodes_for_rates, newcombe, pairs_to_pass
from harness.stats.sequential import log_stakes

__all__ = ["at_every_look", "detectable", "further", "planned_otherwise", "until_width"]


def until_width(runs: int, width: float = 0.2, most: int = 150) -> list[list[str]]:
    """Rows: rate, episodes on average until the interval is narrow, percent covered then."""
    rows = []
    for rate in (0.02, 0.1, 0.5, 0.9, 0.98):
        rng = np.random.default_rng(20)
        wins = (rng.random((runs, most)) < rate).cumsum(axis=1)
        taken, covered = np.full(runs, most), np.zeros(runs, dtype=bool)
        playing = np.ones(runs, dtype=bool)
        for n in range(1, most + 1):
            at = wins[:, n - 1]
            table = {k: anytime_rate(k, n) for k in np.unique(at[playing]).tolist()}
            for run in np.flatnonzero(playing).tolist():
                found = table[int(at[run])]
                if found.high - found.low < width or n == most:
                    playing[run], taken[run] = False, n
                    covered[run] = found.low <= rate <= found.high
        rows.append([f"{rate:g}", f"{taken.mean():.0f}", f"{100 * covered.mean():.1f}"])
    return rows


def at_every_look(runs: int) -> list[list[str]]:
    """Rows: tasks x seeds, the room's share, percent of runs in which the bounds of the mean
    difference, of tasks that share their rooms, cover it after every round."""
    rows = []
    for tasks, seeds in ((2, 50), (9, 20), (9, 100)):
        for shared in SHARES:
            rng = np.random.default_rng(21)
            base, new = draw(rng, (0.9, 0.8), (runs, seeds, tasks), shared)
            values = ((1 + new - base) / 2).mean(axis=2, keepdims=True)
            refuted = [
                (total(log_stakes(side, np.full(runs, mean))) >= np.log(2 / ALPHA)).any(axis=1)
                for side, mean in ((values, 0.45), (1 - values, 0.55))
            ]
            share = 1 - np.mean(refuted[0] | refuted[1])
            rows.append([f"{tasks} x {seeds}", f"{shared:g}", f"{100 * share:.1f}"])
    return rows


def planned_otherwise(runs: int) -> list[list[str]]:
    """Rows: what `bench plan` asks for at 80 %, how much, and how often as much does it."""
    rows = []
    for rate, loss in ((0.8, 0.05), (0.8, 0.2), (0.95, 0.05), (0.5, 0.1)):
        n = episodes_for_rates(rate, rate - loss)
        rng = np.random.default_rng(22)
        wins = rng.binomial(n, (rate, rate - loss), size=(runs, 2))
        bounds = {pair: newcombe(pair, (n, n)).high for pair in set(map(tuple, wins.tolist()))}
        found = np.mean([bounds[tuple(pair)] < 0 for pair in wins.tolist()])
        rows.append(
            [f"find {100 * loss:g} points, unpaired, rate {rate:g}", str(n), f"{100 * found:.1f}"]
        )
    for margin, discordant in ((0.05, 0.1), (0.05, 0.3), (0.1, 0.2)):
        n = pairs_to_pass(margin, discordant)
        d = _differences(np.random.default_rng(23), 0.0, discordant, (runs, n, 1))
        passed = np.mean(fixed(d, margin) == PASS)
        what = f"pass an equal agent, margin {100 * margin:g}, discordant {100 * discordant:g}"
        rows.append([what, str(n), f"{100 * passed:.1f}"])
    return rows


def detectable(runs: int) -> list[list[str]]:
    """Rows: pairs of a task, how often two agents differ, percent of runs that say what is
    detectable, the mean of it in points, and percent in which as large a difference is found."""
    rows = []
    for tasks, n in ((1, 5), (1, 10), (1, 20), (1, 50), (1, 200), (10, 5), (10, 20), (10, 50)):
        for discordant in (0.02, 0.1, 0.4):
            rng = np.random.default_rng(24)
            said, found = [], []
            for d in _differences(rng, 0.0, discordant, (runs, n, tasks)):
                spread = spread_of(list(d.T), 1.0)
                if spread is None or (size := spread.detectable(ALPHA)) is None or size >= 1:
                    continue
                again = _differences(rng, -size, max(discordant, size), (40, n, tasks))
                said.append(size)
                found.append(np.mean(_below(again)))
            cells = [f"{100 * len(said) / runs:.0f}"]
            cells += [f"{100 * np.mean(said):.1f}", f"{100 * np.mean(found):.1f}"] if said else [""]
            rows.append([f"{tasks} x {n}", f"{100 * discordant:g}", *cells])
    return rows


def further(runs: int, most: int = 40_000) -> list[list[str]]:
    """Rows: pairs of each task, the true difference in points, percent of runs that are
    inconclusive and say how many pairs more would decide, its median, and percent that then do."""
    rows = []
    for tasks, n in ((1, 50), (10, 10), (10, 20)):
        for loss in (0.0, 0.02, 0.05, 0.1):
            rng = np.random.default_rng(25)
            said, decided = [], []
            d = _differences(rng, -loss, max(0.2, loss), (runs, n, tasks))
            for run in np.flatnonzero(fixed(d) == OPEN).tolist():
                spread = spread_of(list(d[run].T), 1.0)
                assert isinstance(spread, Spread)
                more = spread.further_pairs(MARGIN, reach_of(ALPHA))
                if more is None:
                    continue
                said.append(more)
                if more > most:
                    continue
                extra = _differences(rng, -loss, max(0.2, loss), (1, -(-more // tasks), tasks))
                whole = np.concatenate([d[run : run + 1], extra], axis=1)
                decided.append(fixed(whole)[0] != OPEN)
            rows.append(
                [f"{tasks} x {n}", f"{-100 * loss:g}", f"{100 * len(said) / runs:.0f}"]
                + (
                    [f"{np.median(said):.0f}", f"{100 * np.mean(decided):.0f}"]
                    if decided
                    else ["", ""]
                )
            )
    return rows


def _differences(
    rng: np.random.Generator, mean: float, discordant: float, shape: tuple[int, int, int]
) -> np.ndarray:
    """-1, 0 or 1, of this mean, in this share not 0."""
    drawn = rng.random(shape)
    lost, won = (discordant - mean) / 2, (discordant + mean) / 2
    return (drawn > 1 - won).astype(float) - (drawn < lost)


def _below(d: np.ndarray) -> np.ndarray:
    """Whether the interval lies below 0, shape (runs,)."""
    found: np.ndarray = bounds(d)[1] < 0
    return found

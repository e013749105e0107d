"""How often verdicts are wrong, and how often they find what is there."""

from __future__ import annotations

import numpy as np
from calibration.gates import MARGIN, PASS, REGRESS, TESTS, bounds
from calibration.worlds import WORLDS, World, lowered

from harness.stats import paired_bounds, pairs_needed

__all__ = ["collapse", "false_alarms", "false_passes", "planned", "power"]


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

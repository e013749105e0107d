"""How often the intervals of `bench probe memory` and `forgetting` cover.

Run it in the folder tests: `python -m calibration.contexts [NUMBER]`. Runs of toys are played once;
then their successes are drawn again and again, with chances that are known. A seed may decide more
than one case: a share of what a success depends on is the same in all tasks and contexts of a seed.
"""

from __future__ import annotations

import dataclasses
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import toys
from conftest import Notes, plan_of
from scipy.special import ndtri

from harness.compare.case_tables import Key
from harness.compare.pairs import ScoredRun, read_scored_run
from harness.core import Task
from harness.play.runner import RunOptions, play
from harness.probes.forgetting import measure_forgetting
from harness.probes.memory import _pairs, _row

MEMORY = {
    "a memory that is used": ((0.1, 0.9), (0.8, 0.9)),
    "a memory of some use": ((0.4, 0.6), (0.5, 0.6)),
    "no memory": ((0.5, 0.9), (0.5, 0.9)),
    "hardly a success": ((0.0, 0.05), (0.05, 0.05)),
    "all solved": ((1.0, 1.0), (1.0, 1.0)),
}
"""(hidden, visible) with a short context, and with the longest."""
FORGETTING = {
    "much is lost": ((0.9, 0.6, 0.5), (0.4, 0.6, 0.2)),
    "nothing is lost": ((0.9, 0.6, 0.1), (0.9, 0.6, 0.1)),
    "all is solved": ((1.0, 1.0, 1.0), (1.0, 1.0, 1.0)),
    "one is lost whole": ((1.0, 1.0, 0.5), (0.0, 1.0, 0.5)),
}
"""The chances of three tasks before, and after."""


def played(folder: Path, tasks: Sequence[Task], episodes: int) -> ScoredRun:
    spec, plan = plan_of("GoodAgent", tasks, episodes)
    play(spec, ["toys"], plan, folder, RunOptions(), Notes())
    return read_scored_run(folder)


def drawn(
    run: ScoredRun,
    rates: Sequence[float],
    rng: np.random.Generator,
    rooms: Mapping[int, float] | None = None,
    shared: float = 0.0,
) -> ScoredRun:
    """The run with successes drawn, of each task with its own chance.

    A case succeeds where a normal variable is small; a share `shared` of its variance is the
    difficulty of its seed, in `rooms`, which all tasks and runs have in common.
    """
    limits = {item.task.id: ndtri(rate) for item, rate in zip(run.plan.items, rates)}
    values: dict[Key, float] = {}
    for key in run.values:
        value = np.sqrt(1 - shared) * rng.normal()
        if rooms is not None:
            value += np.sqrt(shared) * rooms[key[1]]
        values[key] = float(value < limits[key[0]])
    return dataclasses.replace(run, values=values)


def memory(folder: Path, runs: int, episodes: int, pairs: int, shared: float) -> list[str]:
    """World, size, share of a seed, percent covered: the gap, and its excess of the longest's."""
    tasks = [toys.toy_task(f"{k}-{cue}") for k in range(pairs) for cue in ("hidden", "visible")]
    run = played(folder, tasks, episodes)
    if shared:
        # Toys have streams of their own; here a seed decides something in all tasks.
        items = tuple(dataclasses.replace(each, own_streams=False) for each in run.plan.items)
        run = run.counting(dataclasses.replace(run.plan, items=items))
    lines = []
    for name, (short, long) in MEMORY.items():
        rng = np.random.default_rng(1)
        gap = short[1] - short[0]
        beyond = gap - (long[1] - long[0])
        covered = np.zeros(2)
        for _ in range(runs):
            rooms = {key[1]: float(rng.normal()) for key in run.values}
            # As compare_contexts, without the rows of single pairs, which take most of its time.
            here, longest = (
                _pairs(drawn(run, each * pairs, rng, rooms, shared)) for each in (short, long)
            )
            row = _row("all", "1", list(here), here, longest)
            assert row.beyond is not None
            covered += (
                row.gap.low <= gap <= row.gap.high,
                row.beyond.low <= beyond <= row.beyond.high,
            )
        one, other = 100 * covered / runs
        lines.append(f"| {name} | {pairs} x {episodes} | {shared:g} | {one:.1f} | {other:.1f} |")
    return lines


def forgetting(folder: Path, runs: int, episodes: int) -> list[str]:
    """World, size, percent covered of the backward transfer."""
    run = played(folder, [toys.toy_task(name) for name in "abc"], episodes)
    lines = []
    for name, (before, after) in FORGETTING.items():
        rng = np.random.default_rng(2)
        truth = float(np.mean(np.subtract(after, before)))
        covered = 0
        for _ in range(runs):
            found = measure_forgetting(
                [drawn(run, before, rng), drawn(run, after, rng)], "domain", {}
            ).overall
            covered += found.low - 1e-12 <= truth <= found.high + 1e-12
        lines.append(f"| {name} | 3 x {episodes} | {100 * covered / runs:.1f} |")
    return lines


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as place:
        for pairs, episodes, shared in ((1, 20, 0.0), (3, 10, 0.0), (1, 20, 0.8), (5, 10, 0.8)):
            folder = Path(place, f"m{pairs}-{shared}")
            print("\n".join(memory(folder, number, episodes, pairs, shared)), flush=True)
        for episodes in (6, 20):
            print("\n".join(forgetting(Path(place, f"f{episodes}"), number, episodes)), flush=True)

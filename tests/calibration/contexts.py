"""How often the intervals of `bench probe memory` and `forgetting` cover.

Run it in the folder tests: `python -m calibration.contexts`. Runs of toys are played once; then
their successes are drawn again and again, with chances that are known. The tasks share no seeds.
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

from harness.compare.case_tables import Key
from harness.compare.pairs import ScoredRun, read_scored_run
from harness.core import Task
from harness.play.runner import RunOptions, play
from harness.probes.forgetting import measure_forgetting
from harness.probes.memory import compare_contexts

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


def drawn(run: ScoredRun, rates: Sequence[float], rng: np.random.Generator) -> ScoredRun:
    """The run with successes drawn: of each task with its own chance, alone for each seed."""
    chances = {item.task.id: rate for item, rate in zip(run.plan.items, rates)}
    values: Mapping[Key, float] = {key: float(rng.random() < chances[key[0]]) for key in run.values}
    return dataclasses.replace(run, values=values)


def memory(folder: Path, runs: int, episodes: int, pairs: int) -> list[str]:
    """World, size, percent covered of the gap and of what it is beyond the longest context's."""
    tasks = [toys.toy_task(f"{k}-{cue}") for k in range(pairs) for cue in ("hidden", "visible")]
    run = played(folder, tasks, episodes)
    lines = []
    for name, (short, long) in MEMORY.items():
        rng = np.random.default_rng(1)
        gap = short[1] - short[0]
        beyond = gap - (long[1] - long[0])
        covered = np.zeros(2)
        for _ in range(runs):
            both = {
                label: drawn(run, each * pairs, rng)
                for label, each in (("1", short), ("all", long))
            }
            row = compare_contexts(both).contexts[0]
            assert row.beyond is not None
            covered += (
                row.gap.low <= gap <= row.gap.high,
                row.beyond.low <= beyond <= row.beyond.high,
            )
        one, other = 100 * covered / runs
        lines.append(f"| {name} | {pairs} x {episodes} | {one:.1f} | {other:.1f} |")
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
        for pairs, episodes in ((1, 20), (3, 10)):
            print("\n".join(memory(Path(place, f"m{pairs}"), number, episodes, pairs)), flush=True)
        for episodes in (6, 20):
            print("\n".join(forgetting(Path(place, f"f{episodes}"), number, episodes)), flush=True)

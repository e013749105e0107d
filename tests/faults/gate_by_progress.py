"""How many episodes of two real runs does a gate need, by success and by progress?

    python tests/faults/gate_by_progress.py BASE NEW [--runs 200] [--margin 0.05]

Both are run directories of the same cases. Of the pairs of each task, n are drawn without
replacement, again and again, and judged by both outcomes: printed is how often either regresses.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

import numpy as np
from tabulate import tabulate

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from harness.compare import verdict  # noqa: E402
from harness.compare.pairs import TaskPairs, pair_up, read_scored_run  # noqa: E402
from harness.compare.progress import compare_progress  # noqa: E402
from harness.probes.progress import progress_of  # noqa: E402
from harness.stats import sign_flip  # noqa: E402

SIZES = (5, 8, 12, 20, 30, 50, 80)


def drawn(each: TaskPairs, size: int, rng: np.random.Generator) -> TaskPairs:
    """The task with so many of its pairs."""
    chosen = rng.choice(len(each.pairs), min(size, len(each.pairs)), replace=False)
    return dataclasses.replace(each, pairs=[each.pairs[int(k)] for k in sorted(chosen)])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--margin", type=float, default=0.05)
    given = parser.parse_args()
    verdict.sign_flip = lambda each: sign_flip(each, 1000)  # type: ignore[attr-defined]
    sides = [read_scored_run(each) for each in (given.base, given.new)]
    told = [progress_of(each) for each in sides]
    tasks = pair_up(*sides)
    whole = compare_progress(tasks, told[0], told[1], given.margin, 0.05)
    for name, row in (("success", whole.success), ("progress", whole.overall)):
        assert row is not None
        print(f"{name}: {row.base:.3f} to {row.new:.3f}, {row.difference}")
    rng = np.random.default_rng(0)
    rows = []
    for size in SIZES:
        if size > min(len(each.pairs) for each in tasks):
            break
        found = []
        for _ in range(given.runs):
            some = [drawn(each, size, rng) for each in tasks]
            one = compare_progress(some, told[0], told[1], given.margin, 0.05)
            found.append((one.success_verdict == "regress", one.verdict == "regress"))
        shares = 100 * np.mean(found, axis=0)
        rows.append([size, size * len(tasks), *(f"{each:.0f}" for each in shares)])
        print(rows[-1], file=sys.stderr, flush=True)
    heads = ["episodes a task", "all", "success regresses, %", "progress regresses, %"]
    print(tabulate(rows, heads, "github", disable_numparse=True))


if __name__ == "__main__":
    main()

"""Is an agent that learned starts by heart named, and how often is a healthy one? On real outcomes.

    python tests/faults/seen.py KNOWS GUESSES [--runs 100] [--episodes 20] [--share 0.3]

Both are run directories of the same cases. An agent that knows its training starts acts on them as
KNOWS did, and on all others as GUESSES did; as an episode depends on its case alone, its outcome is
that of the run. Of each task some episodes are drawn, and a share of them was in the training.
Counted are the runs in which the axis is named and in which the interval holds the true gap; the
same of GUESSES itself, to which seen and unseen are alike.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from harness.core import Result  # noqa: E402
from harness.probes.seen import SeenEpisode, SeenRun  # noqa: E402
from harness.records.plan import CaseIndex  # noqa: E402
from harness.records.stored_run import StoredRun, load_run  # noqa: E402
from harness.records.training_data import TrainingData  # noqa: E402
from leaderboards.seen import seen_report  # noqa: E402
from leaderboards.seen_gap import Gap  # noqa: E402

DATA = TrainingData(description="planted", axes={"start": frozenset()})


def gap(
    run: StoredRun,
    known: dict[CaseIndex, Result],
    guessed: dict[CaseIndex, Result],
    rng: np.random.Generator,
    given: argparse.Namespace,
) -> Gap:
    """The gap of one agent, of which some episodes were in the training."""
    episodes = []
    for item in range(len(run.plan.items)):
        own = sorted(each for each in guessed if each.item == item)
        for place in rng.choice(len(own), given.episodes, replace=False).tolist():
            index, seen = own[place], bool(rng.random() < given.share)
            result = (known if seen else guessed)[index]
            told = SeenEpisode(index=index, result=result, seen={"start": seen}, about=True)
            episodes.append(told)
    episodes.sort(key=lambda each: each.index)
    families = {item.task.id.partition("/")[0]: "countable" for item in run.plan.items}
    report = seen_report(
        run, DATA, SeenRun(episodes=tuple(episodes), unknown={}, families=families)
    )
    return report.gaps[0]


def main() -> None:
    """Print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("knows", type=Path)
    parser.add_argument("guesses", type=Path)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--episodes", type=int, default=20)
    parser.add_argument("--share", type=float, default=0.3)
    given = parser.parse_args()
    sides = [load_run(each) for each in (given.knows, given.guesses)]
    known, guessed = (dict(each.cases()) for each in sides)
    rates = [
        [
            np.mean([bool(result.success) for index, result in side.items() if index.item == item])
            for item in range(len(sides[1].plan.items))
        ]
        for side in (known, guessed)
    ]
    truth = float(np.mean(rates[0]) - np.mean(rates[1]))
    print(
        f"{100 * np.mean(rates[0]):.1f} % where it knows, {100 * np.mean(rates[1]):.1f} elsewhere"
    )
    rng = np.random.default_rng(0)
    for name, on_seen, wanted in (("planted", known, truth), ("healthy", guessed, 0.0)):
        found = [gap(sides[1], on_seen, guessed, rng, given) for _ in range(given.runs)]
        covered = sum(each.gap.low <= wanted <= each.gap.high for each in found)  # type: ignore[operator]
        named = sum(each.better for each in found)
        print(f"{name}: named in {named} of {given.runs}, the interval holds the gap of "
              f"{100 * wanted:.1f} points in {covered}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()

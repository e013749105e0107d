"""Are agents named that ignore their instruction, or a word of it, and are healthy ones left alone?

    python tests/faults/instruction.py [--simulated 2000] [--real 40] [--runs 100]

First shares that are known: how often the interval covers the share, and what is said. Then agents
of tests/planted_listeners.py in real plays of BabyAI, and `--runs` of a healthy one, of which each
takes its own `--episodes` starts. A healthy run in which any row says `ignores` is a false charge.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2])]

import planted_listeners  # noqa: E402

from harness.cli.names import perturbations_named, suites_named  # noqa: E402
from harness.compare.pairs import read_scored_run  # noqa: E402
from harness.core import Task  # noqa: E402
from harness.play.planning import make_plan  # noqa: E402
from harness.play.progress import progress_for  # noqa: E402
from harness.play.runner import RunOptions, play  # noqa: E402
from harness.probes.instruction import WordsRow, judge, margins, plays_of  # noqa: E402
from harness.records.catalogue import select_tasks  # noqa: E402
from harness.records.identity import AgentSpec  # noqa: E402
from harness.stats import paired_bounds  # noqa: E402
from harness.verify.goals import goals_of_run  # noqa: E402

TASK = "babyai/GoToLocalS8N7"
AGENTS = ("Follows", "ColourBlind", "Deaf", "Memorises")
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
ROWS = 3
"""All, colour, object: what verdicts are corrected for."""


def simulated(runs: int) -> list[list[object]]:
    """Starts, tasks, share of plays with a goal done, share that listens; coverage, verdicts."""
    rng = np.random.default_rng(0)
    rows: list[list[object]] = []
    for starts, tasks, done, alike, listens in itertools.product(
        (10, 20, 40), (1, 4), (0.3, 0.9), (0.0, 0.5, 1.0), SHARES
    ):
        followed, whole = _draw(rng, (runs, tasks, starts), done, alike, listens)
        low, high = _bounds(followed, 0.95, halves=True)
        truth = done * listens
        covers = (low - 1e-9 <= truth) & (truth <= high + 1e-9)
        below, above = _bounds(margins(followed, whole), 1 - 0.05 / ROWS)
        said = [covers.mean(), (above < 0).mean(), (below > 0).mean()]
        rows.append([starts, tasks, done, alike, listens, *said])
    return rows


def _summary(rows: list[list[object]]) -> list[list[object]]:
    """By starts, tasks and what is done: the least coverage, and what is said of whom."""
    table: dict[tuple[object, ...], list[list[Any]]] = {}
    for row in rows:
        table.setdefault(tuple(row[:3]), []).append(row)
    found = []
    for key, some in table.items():
        ignoring = [row[6] for row in some if row[4] == 0.0]
        healthy = [row[6] for row in some if row[4] >= 0.5]
        following = [row[7] for row in some if row[4] == 1.0]
        least = min(row[5] for row in some)
        found.append([*key, least, max(healthy), min(ignoring), min(following)])
    return found


def _draw(
    rng: np.random.Generator, shape: tuple[int, ...], done: float, alike: float, listens: float
) -> tuple[np.ndarray, np.ndarray]:
    """(followed, done) of starts; who does not listen does the same goal in both plays.

    alike: the share of starts whose two plays succeed or fail together.
    """
    acts = rng.random((*shape, 2)) < done
    acts[..., 1] = np.where(rng.random(shape) < alike, acts[..., 0], acts[..., 1])
    favourite = rng.integers(2, size=shape)[..., None] == np.arange(2)
    signs = np.where((rng.random(shape) < listens)[..., None] | favourite, 1, -1)
    return (acts * signs).sum(-1) / 2, acts.sum(-1) / 2


def _bounds(
    values: np.ndarray, level: float, *, halves: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """halves: as harness.probes.instruction.followed_mean."""
    pairs = np.full(values.shape[:-1], float(values.shape[-1]))
    losses, wins = -np.minimum(values, 0).sum(-1), np.maximum(values, 0).sum(-1)
    squares = losses + wins if halves else np.square(values).sum(-1)
    return paired_bounds(losses, wins, squares, pairs, level)


def judged(agent: str, episodes: int, seed: int, folder: Path) -> Sequence[WordsRow]:
    """The rows of a planted agent that was really played, and replayed."""
    chosen = select_tasks(suites_named("babyai"), TASK)
    task: Task = chosen[0][1]
    spec = AgentSpec(agent, f"planted_listeners:{agent}", {})
    plan = make_plan(
        chosen, spec, episodes=episodes, seed=seed, perturb=perturbations_named("goal:1")
    )
    seeds = [plan.seed_of(0, episode) for episode in range(episodes)]
    planted_listeners.Memorises.learned = planted_listeners.learn(task, seeds)
    with contextlib.redirect_stderr(io.StringIO()):
        play(spec, ["babyai"], plan, folder, RunOptions(workers=0), progress_for())
    run = read_scored_run(folder)
    plays, _ = plays_of(run, goals_of_run(run.stored), set(), set())
    return judge(plays)[0]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--simulated", type=int, default=2000)
    parser.add_argument("--real", type=int, default=40)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--episodes", type=int, default=20)
    given = parser.parse_args()
    if given.simulated:
        head = [
            "starts", "tasks", "done", "least coverage", "listens >= 0.5: ignores",
            "listens 0: ignores", "listens 1: follows",
        ]  # fmt: skip
        print(tabulate(_summary(simulated(given.simulated)), head, "github", floatfmt=".3f"))
    with tempfile.TemporaryDirectory() as folder:
        rows = []
        for agent in AGENTS if given.real else ():
            for row in judged(agent, given.real, 0, Path(folder) / agent):
                shares = [row.first[name].value for name in ("now", "before", "neither")]
                rows.append([agent, row.name, row.n, *shares, row.follows.value, row.verdict])
        head = ["agent", "differs in", "n", "now", "before", "neither", "follows", "verdict"]
        print(tabulate(rows, head, "github", floatfmt=".2f"))
        charged = told = 0
        for seed in range(given.runs):
            found = judged("Follows", given.episodes, seed + 1, Path(folder) / f"healthy-{seed}")
            charged += any(row.verdict == "ignores" for row in found)
            told += found[0].verdict == "follows"
        if given.runs:
            print(f"{given.runs} healthy runs: {charged} charged, {told} said to follow")


if __name__ == "__main__":
    main()

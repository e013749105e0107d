"""Is the camera named that an agent asks for and does not use, and are healthy ones left alone?

    python tests/faults/camera.py [--simulated 5000] [--runs 100] [--episodes 20] [--agents ...]

First losses that are known, simulated: how often the interval covers them, and what is said of an
agent that acts otherwise in a share of its plays. Then `--runs` real probes of each agent of
tests/planted_watchers.py in BabyAI, each of its own starts. The true loss of a camera is that over
the starts of all runs; of one that is not used it is 0.
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

import numpy as np
from tabulate import tabulate

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2])]

from harness.cli.names import suites_named  # noqa: E402
from harness.compare.pairs import ScoredRun, read_scored_run  # noqa: E402
from harness.play.planning import make_plan  # noqa: E402
from harness.play.progress import progress_for  # noqa: E402
from harness.play.runner import RunOptions, play  # noqa: E402
from harness.probes.modalities import ModalityRow, compare_modalities  # noqa: E402
from harness.probes.modality_use import LEAST_PLAYS, judged_use  # noqa: E402
from harness.probes.told_otherwise import OtherPictures, other_views  # noqa: E402
from harness.records.catalogue import select_tasks  # noqa: E402
from harness.records.identity import AgentSpec  # noqa: E402
from harness.stats import Interval, paired_bounds  # noqa: E402
from harness.stats.intervals import exact_rate_bounds  # noqa: E402

TASK = "babyai/GoToLocalS8N7"
VIEWS = ("image", "image_partial")
UNUSED = {"MapOnly": "image_partial", "EyesOnly": "image", "Both": None}
"""Agent -> the camera that it does not use."""
ROWS = len(VIEWS)


def covered(runs: int) -> list[list[object]]:
    """Plays, tasks, success, share of it that is lost and won; the true loss, and the coverage."""
    rng = np.random.default_rng(0)
    rows: list[list[object]] = []
    for plays, tasks, success, lost, won in itertools.product(
        (14, 20, 40), (1, 4), (0.5, 0.9, 1.0), (0.0, 0.1, 0.5, 0.95, 0.99), (0.0, 0.1)
    ):
        change = drawn(rng, (runs, tasks, plays), success, lost, won)
        low, high = bounds(change)
        truth = success * lost - (1 - success) * won
        held = (low - 1e-9 <= truth) & (truth <= high + 1e-9)
        rows.append([plays, tasks, success, lost, won, truth, held.mean()])
    return rows


def drawn(
    rng: np.random.Generator, shape: tuple[int, ...], success: float, lost: float, won: float
) -> np.ndarray:
    """1 where a play succeeds and fails without the view, -1 the other way round, else 0."""
    whole = rng.random(shape) < success
    flips = rng.random(shape) < np.where(whole, lost, won)
    return np.where(flips, np.where(whole, 1.0, -1.0), 0.0)


def bounds(change: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """The interval of the mean loss over tasks, each of shape (runs,)."""
    # Many runs come out alike.
    sums = np.stack([np.maximum(change, 0).sum(-1), -np.minimum(change, 0).sum(-1)])
    alike, places = np.unique(sums, axis=1, return_inverse=True)
    (lost, won), plays = alike, np.full(alike.shape[1:], float(change.shape[-1]))
    low, high = paired_bounds(won, lost, lost + won, plays, level)
    most_lost, most_won = (exact_rate_bounds(each / plays, plays, level)[1] for each in alike)
    low = np.where(lost.sum(-1) == 0, np.minimum(low, -most_won), low)
    high = np.where(won.sum(-1) == 0, np.maximum(high, most_lost), high)
    return low[places.ravel()], high[places.ravel()]


def said(runs: int) -> list[list[object]]:
    """Plays, share of them in which it acts otherwise, the true loss; what is said how often."""
    rng = np.random.default_rng(1)
    rows: list[list[object]] = []
    for plays, acts, lost in itertools.product(
        (10, LEAST_PLAYS, 20, 40, 100), (0.0, 0.05, 0.2, 1.0), (0.0, 0.5)
    ):
        if not acts and lost:
            continue
        altered = rng.random((runs, 1, plays)) < acts
        change = np.where(altered & (rng.random(altered.shape) < lost), 1.0, 0.0)
        counts = altered.sum((-1, -2))
        words = [
            judged_use(plays, int(count), Interval(0, *one), Interval(0, *other))
            for count, one, other in zip(
                counts, zip(*bounds(change)), zip(*bounds(change, 1 - 0.05 / ROWS))
            )
        ]
        shares = [words.count(each) / runs for each in ("uses", "ignores", "small", "undecided")]
        rows.append([plays, acts, acts * lost, *shares])
    return rows


def probed(agent: str, episodes: int, seed: int, folder: Path) -> Sequence[ModalityRow]:
    """What is found of each camera of a planted agent that was really played."""
    chosen = select_tasks(suites_named("babyai"), TASK)
    spec = AgentSpec(agent, f"planted_watchers:{agent}", {})

    def played(name: str, playing: AgentSpec) -> ScoredRun:
        plan = make_plan(chosen, playing, episodes=episodes, seed=seed)
        with contextlib.redirect_stderr(io.StringIO()):
            play(playing, ["babyai"], plan, folder / name, RunOptions(workers=0), progress_for())
        return read_scored_run(folder / name)

    whole = played("whole", spec)
    task = whole.plan.items[0].task
    beyond = {task.id: (task, whole.plan.seed_of(0, 0, episodes))}
    shown = other_views(beyond, VIEWS)
    arms = {view: OtherPictures.of(spec, view, shown[view]) for view in VIEWS}
    runs = {f"other {view}": played(view, arm) for view, arm in arms.items()}
    return compare_modalities(whole, runs).modalities


def real(agents: Sequence[str], runs: int, episodes: int) -> list[list[object]]:
    """Agent, camera, true loss, in how many intervals it is, and how often what is said of it."""
    rows: list[list[object]] = []
    for agent in agents:
        unused = UNUSED[agent]
        found: dict[str, list[ModalityRow]] = {view: [] for view in VIEWS}
        for run in range(runs):
            with tempfile.TemporaryDirectory() as folder:
                for view, row in zip(VIEWS, probed(agent, episodes, run, Path(folder))):
                    found[view].append(row)
                    told = agent, run, view, row.lost.value, row.lost.low, row.lost.high, row.use
                    print(*told, file=sys.stderr, flush=True)
        for view, each in found.items():
            mean = float(np.mean([row.lost.value for row in each]))
            assert view != unused or mean == 0
            held = sum(row.lost.low <= mean <= row.lost.high for row in each)
            words = [row.use for row in each]
            counts = [words.count(name) for name in ("uses", "ignores", "small", "undecided")]
            rows.append([agent, view, 100 * mean, held, *counts])
    return rows


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--simulated", type=int, default=5000)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--episodes", type=int, default=20)
    parser.add_argument("--agents", nargs="+", choices=UNUSED, default=[*UNUSED])
    given = parser.parse_args()
    words = ["uses", "does not use", "needs little", "cannot tell"]
    if given.simulated:
        rows = covered(given.simulated)
        least = {}
        for row in rows:
            key = tuple(row[:2])
            least[key] = min(least.get(key, 1.0), float(str(row[-1])))
        head = ["plays", "tasks", "least coverage"]
        print(tabulate([[*key, one] for key, one in least.items()], head, "github", floatfmt=".3f"))
        head = ["plays", "acts otherwise", "true loss", *words]
        print(tabulate(said(given.simulated), head, "github", floatfmt=".3f"))
    if given.runs:
        head = ["agent", "camera", "true loss, points", "in the interval", *words]
        print(
            tabulate(real(given.agents, given.runs, given.episodes), head, "github", floatfmt=".1f")
        )


if __name__ == "__main__":
    main()

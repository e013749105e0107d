"""What one answer of `gea` takes, in several checkouts, asked the same turns.

    python tests/performance/gea_answers.py before=../old after=. [--agent gea] [--rounds 3]

Episodes of RUNS are played once with the agent of the first TREE, and their turns are kept. Each
TREE then answers them, one at a time, in a process of its own, in turns with the others. Printed
are milliseconds of processor time per step, of the fastest round of each step, and how many answers
are not those that were played. What stands before TREE is its name in the table.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

RUNS = (
    ("BabyAI", "babyai", "*GoToLocal*,*Pickup*", 2),
    ("Meta-World", "metaworld", "*/reach-v3,*/push-v3", 1),
    ("Atari", "atari", "atari/breakout", 1),
    ("PDDL", "pddl", "*", 1),
    ("MiniWoB++", "miniwob", "*/click-*", 1),
    ("TextWorld", "textworld", "*", 1),
)
"""Name, suite, tasks, and episodes of each task."""
MOST = 60
"""Turns of an episode that are kept; the first ones, and of longer ones every n-th after them."""
FIRST = 10


def keep(out: Path, agent: str, suite: str, tasks: str, episodes: int) -> None:
    """Play a run; `out` gets a pickled list of (turn, action) for each episode."""
    import bench
    from baselines import gea

    kinds = {"gea": gea.GEA, "gea-state": gea.GEAState, "gea-base": gea.GEABase}
    kind: Any = kinds[agent]
    act, end, turns_of = kind.act, kind.end, {}

    def noting(self: Any, turns: Sequence[Any]) -> list[Any]:
        asked = [dataclasses.replace(turn) for turn in turns]  # with generators of their own
        answers: list[Any] = act(self, turns)
        for turn, answer in zip(asked, answers):
            turns_of.setdefault(turn.episode, []).append((turn, answer))
        return answers

    def ending(self: Any, episodes: Iterable[str]) -> None:
        # Written at once: the run may be in a process that it started.
        for episode in (names := list(episodes)):
            with out.open("ab") as file:
                pickle.dump(sampled(turns_of.pop(episode, [])), file)
        end(self, names)

    kind.act, kind.end = noting, ending
    sys.argv = ["bench", "run", "--agent", agent, "--suite", suite, "--tasks", tasks]
    sys.argv += ["--episodes", str(episodes), "--workers", "0", "--out", str(out.parent / "run")]
    bench.main()


def sampled(turns: list[Any]) -> list[Any]:
    """At most about MOST of an episode's turns."""
    every = max(1, len(turns) // MOST)
    return [turn for number, turn in enumerate(turns) if number < FIRST or number % every == 0]


def answer(agent: str, kept: Path, out: Path) -> None:
    """Answer the turns in `kept`; `out` gets the seconds of each and how many answers differ."""
    from baselines import gea

    kinds = {"gea": gea.GEA, "gea-state": gea.GEAState, "gea-base": gea.GEABase}
    made = kinds[agent]()
    seconds, differ = [], 0
    episodes = list(filter(None, pickles(kept)))
    assert episodes, "no turn was kept"
    for number, episode in enumerate([*episodes[:1], *episodes]):  # the first one twice: it warms
        for turn, played in episode:
            asked = [dataclasses.replace(turn)]
            begun = time.thread_time()
            (action,) = made.act(asked)
            if number:
                seconds.append(time.thread_time() - begun)
                differ += not equal(action, played)
        made.end([episode[0][0].episode])
    out.write_bytes(pickle.dumps((np.array(seconds), differ)))


def pickles(file: Path) -> Iterable[Any]:
    """What a file holds, one after the other."""
    with file.open("rb") as content:
        while True:
            try:
                yield pickle.load(content)
            except EOFError:
                return


def equal(one: Any, other: Any) -> bool:
    """Bit for bit."""
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.tobytes() == other.tobytes()
    return bool(one == other)


def child(tree: Path, folder: Path, *arguments: str) -> None:
    """This script in another process, which imports from `tree`."""
    command = [sys.executable, str(Path(__file__).resolve()), "--child", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-2000:]


def compare(trees: dict[str, Path], agent: str, rounds: int, only: str) -> Iterable[list[Any]]:
    """Rows of the table."""
    for name, suite, tasks, episodes in RUNS:
        if only not in name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            here = Path(folder)
            kept = here / "turns.pickle"
            child(next(iter(trees.values())), here, "keep", str(kept), agent, suite, tasks,
                  str(episodes))  # fmt: skip
            best: dict[str, Any] = {}
            for _ in range(rounds):
                for tree, path in trees.items():
                    child(path, here, "answer", agent, str(kept), str(here / "out"))
                    seconds, differ = pickle.loads((here / "out").read_bytes())
                    known = best.get(tree, (seconds, 0))[0]
                    best[tree] = np.minimum(seconds, known), differ
        for tree, (seconds, differ) in best.items():
            yield [name, tree, len(seconds), f"{1000 * seconds.mean():.2f}", differ]


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] == ["--child"]:
        what, *rest = sys.argv[2:]
        if what == "keep":
            out, agent, suite, tasks, episodes = rest
            keep(Path(out), agent, suite, tasks, int(episodes))
        else:
            answer(rest[0], Path(rest[1]), Path(rest[2]))
        return
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("trees", nargs="+", help="NAME=FOLDER")
    parser.add_argument("--agent", default="gea", choices=("gea", "gea-state", "gea-base"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="a part of the names of runs")
    options = parser.parse_args()
    trees = {
        name: Path(path).resolve() for name, _, path in (t.partition("=") for t in options.trees)
    }
    rows = list(compare(trees, options.agent, options.rounds, options.only))
    print(tabulate(rows, ["run", "tree", "steps", "ms a step", "other answers"]))


if __name__ == "__main__":
    main()

"""Instructions per step and per episode of the harness, counted by cachegrind.

    python tests/performance/instructions.py before=../old after=.

Each TREE is a checkout. Every run is repeated with another number of episodes, and the difference
divided by the number of steps (or episodes) between them, so that imports and start-up cancel out.
Run it on trees that nobody edits: a module that must be compiled anew counts its compilation.
Needs valgrind.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tabulate import tabulate

RUNS = (
    # name, agent, suite, tasks, episodes of the short and of the long run
    ("CartPole, uniform", "uniform", "gym:CartPole-v1", None, (200, 400)),
    ("Pendulum, uniform", "uniform", "gym:Pendulum-v1", None, (20, 60)),
    ("BabyAI, oracle", "oracle", "babyai", "GoToRedBallGrey", (20, 60)),
    ("Meta-World, noop", "noop", "metaworld", "reach-v3", (1, 3)),
    ("PDDL, uniform", "uniform", "pddl", "gripper", (20, 60)),
)
PROGRAM = "import gc; gc.disable(); import bench; bench.main()"
"""Without the collector: when it runs depends on everything that was ever allocated."""


def count(tree: Path, agent: str, suite: str, tasks: str | None, episodes: int) -> tuple[int, int]:
    """(instructions, steps) of one run in this process."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=cachegrind", "--cache-sim=no"]
        command += [
            "--cachegrind-out-file=/dev/null",
            sys.executable,
            "-c",
            PROGRAM,
            "run",
        ]
        command += ["--agent", agent, "--suite", suite, "--episodes", str(episodes)]
        command += ["--workers", "0", "--out", "run", *(["--tasks", tasks] if tasks else [])]
        environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONHASHSEED": "0"}
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        found = re.search(r"I\s+refs:\s+([\d,]+)", done.stderr)
        assert found is not None, done.stderr[-2000:]
        lines = (Path(folder) / "run" / "episodes.jsonl").read_text().splitlines()
        return int(found[1].replace(",", "")), sum(json.loads(line)["steps"] for line in lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("trees", nargs="+", help="NAME=FOLDER")
    parser.add_argument("--only", default="", help="a part of the names of runs")
    options = parser.parse_args()
    trees = {
        name: Path(path).resolve() for name, _, path in (t.partition("=") for t in options.trees)
    }
    rows = []
    for name, agent, suite, tasks, (short, long) in RUNS:
        if options.only not in name:
            continue
        for tree, path in trees.items():
            count(path, agent, suite, tasks, short)  # compiles what is not compiled yet
            first, last = (count(path, agent, suite, tasks, n) for n in (short, long))
            more = last[0] - first[0]
            steps = (last[1] - first[1]) or 1
            rows.append([name, tree, f"{more / (long - short):,.0f}", f"{more / steps:,.0f}"])
    print(
        tabulate(rows, ["run", "tree", "instructions per episode", "per step"], tablefmt="simple")
    )


if __name__ == "__main__":
    main()

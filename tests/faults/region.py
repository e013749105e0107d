"""How often does `bench probe region` find a planted border on a real simulator?

    python tests/faults/region.py --folder FOLDER [--runs 100] [--episodes 96]

Meta-World's reach, played by its expert; in the planted half the arm does not move below a friction
of 0.4 (tests/slipperyreach.py). Each run plays other episodes. FOLDER keeps the runs: the same
command goes on. Prints how often a border is named, and how often its interval holds the planted
one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

from tabulate import tabulate

ROOT = Path(__file__).resolve().parents[2]
BORDER = 0.4
WORLDS = {"planted": ["slipperyreach"], "healthy": ["metaworld", "--tasks", "metaworld/reach-v3"]}


def found(folder: Path, world: str, seed: int, episodes: int) -> dict[str, Any]:
    """What the probe says in one run."""
    told = folder / f"{world}-{seed}.json"
    if not told.exists():
        command = [sys.executable, "-m", "bench", "probe", "region", "--agent", "oracle", "--suite"]
        command += [*WORLDS[world], "--over", "friction", "--episodes", str(episodes)]
        command += ["--seed", str(seed), "--workers", "0", "--format", "json"]
        command += ["--out", str(folder / f"{world}-{seed}")]
        path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
        done = subprocess.run(
            command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, check=False
        )
        if done.returncode:
            sys.exit(done.stderr.decode())
        told.write_bytes(done.stdout)
    answer: dict[str, Any] = json.loads(told.read_text())
    return answer


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--episodes", type=int, default=96)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for world in WORLDS:
        borders = [
            border
            for seed in range(given.runs)
            for border in found(given.folder, world, seed, given.episodes)["borders"]
        ]
        holding = sum(each["low"] <= BORDER <= each["high"] for each in borders)
        width = median(each["high"] / each["low"] for each in borders) if borders else None
        rows.append([world, given.runs, len(borders), holding, width])
    heads = ["world", "runs", "borders named", f"hold {BORDER}", "median high / low"]
    print(tabulate(rows, heads, tablefmt="github", floatfmt=".2f"))


if __name__ == "__main__":
    main()

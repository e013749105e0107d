"""bench and what a user would pick instead of it, on the same episodes, in one run.

    python tests/performance/peers.py [--only W1,W3] [--rounds 3] [--times 1] [--out rows.jsonl]

Four workloads (tests/performance/systems/workloads.py) are played by a bare loop, a plain script of
Ray, Gymnasium's vector environments, Stable-Baselines3, vla-eval and bench, in interleaved rounds.
The digest of a row proves that it played the same episodes: one with another digest is not
comparable. Prints steps per second as a ratio to the bare loop in one process: the median of the
rounds, the lowest and the highest; then the seconds before the first reset and after the last
episode, and those of the whole command.

The others play in an interpreter with pinned packages, which is made in .bench/interpreters/peers
the first time; bench in the interpreter that runs this. The machine should have nothing else to do.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from systems.measured import measure
from tabulate import tabulate

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / ".bench" / "interpreters" / "peers"
PACKAGES = (
    "gymnasium==1.4.0", "minigrid==3.2.0", "ale-py==0.12.1", "metaworld==3.1.1", "mujoco==3.3.0",
    "ray==2.60.0", "stable-baselines3==2.9.2", "vla-eval==0.6.0",
)  # fmt: skip
DIGESTS = {
    "W1": "e2860f52d26a", "W2": "4fa43979746e", "W3": "ef94bc775031", "W4": "29d0f95a1144",
}  # fmt: skip
"""Of all episodes, with these versions."""
EPISODES = {"W1": 200, "W2": 8, "W3": 40, "W4": 64}


@dataclass(frozen=True)
class Cell:
    """A system with its settings, on one workload."""

    workload: str
    system: str
    name: str
    lanes: int = 1
    variant: str = ""


def cells() -> Iterator[Cell]:
    for workload in ("W1", "W2", "W3"):
        yield Cell(workload, "bare", "bare loop")
        yield Cell(workload, "bare", "bare loop x2", 2)
        yield Cell(workload, "plain_ray", "plain Ray x2", 2)
        yield Cell(workload, "ours", "bench x2", 2)
        yield Cell(workload, "ours", "bench in process", 1, "here")
        yield Cell(workload, "gymnasium_vector", "Gymnasium async x2", 2, "async")
        yield Cell(workload, "stable_baselines", "Stable-Baselines3 x2", 2)
        yield Cell(workload, "vla_eval_shards", "vla-eval x2", 2, "raw")
    for lanes in (16, 32):
        yield Cell("W4", "bare", f"batched loop x{lanes}", lanes, "batched")
    yield Cell("W4", "bare", "pipelined loop x64", 64, "pipelined")
    yield Cell("W4", "plain_ray", "plain Ray x16", 16, "batched")
    for lanes in (16, 64):
        yield Cell("W4", "ours", f"bench x{lanes}", lanes)
    yield Cell("W4", "gymnasium_vector", "Gymnasium async x16", 16, "async")


def interpreter() -> Path:
    """The Python of the others, made if it is not there."""
    python = PEERS / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(PEERS)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet"]
        install += ["--constraint", str(ROOT / "constraints.txt")]
        subprocess.run([*install, "torch==2.13.0", "numpy<2"], check=True)
        subprocess.run([*install, *PACKAGES, "numpy<2"], check=True)
    return python


def table(rows: Sequence[dict[str, Any]], base: str, times: int) -> str:
    """The rows of one workload, over the median of the cell `base`."""
    cells: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        cells.setdefault(row["name"], []).append(row)
    rates = {
        name: [row["steps_per_s"] for row in found if "error" not in row]
        for name, found in cells.items()
    }
    one = statistics.median(rates[base]) if rates.get(base) else float("nan")
    lines = []
    for name, found in cells.items():
        if not rates[name]:
            lines.append([name, *[""] * 5, found[0]["error"]])
            continue
        good = [row for row in found if "error" not in row]
        wanted = DIGESTS[good[0]["workload"]] if times == 1 else cells[base][0].get("digest")
        same = {row["digest"] for row in good} == {wanted}
        lines.append(
            [
                name,
                f"{statistics.median(rates[name]) / one:.2f}",
                f"{min(rates[name]) / one:.2f} to {max(rates[name]) / one:.2f}",
                f"{statistics.median(row['startup_s'] for row in good):.1f}",
                f"{statistics.median(row['wall_s'] for row in good):.1f}",
                f"{statistics.median(row['peak_rss_mb'] for row in good):.0f}",
                "" if same else "other episodes: not comparable",
            ]
        )
    heads = ["", "steps/s, ratio", "lowest to highest", "start-up s", "whole s", "MB", ""]
    return tabulate(lines, heads, tablefmt="github", disable_numparse=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", help="workloads, such as W1,W3")
    parser.add_argument("--systems", default="", help="modules of tests/performance/systems")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--times", type=int, default=1, help="play all episodes so often, so that starts weigh less"
    )
    parser.add_argument("--out", type=Path, help="rows are appended here, a JSON line each")
    given = parser.parse_args()
    chosen = [
        cell
        for cell in cells()
        if (not given.only or cell.workload in given.only.split(","))
        and (not given.systems or cell.system in given.systems.split(","))
    ]
    python = str(interpreter())
    rows: list[dict[str, Any]] = []
    for _ in range(given.rounds):
        for cell in chosen:
            which = sys.executable if cell.system == "ours" else python
            row = measure(
                cell.workload,
                cell.system,
                which,
                lanes=cell.lanes,
                episodes=0 if given.times == 1 else given.times * EPISODES[cell.workload],
                variant=cell.variant,
            ) | {"name": cell.name}
            rows.append(row)
            if given.out is not None:
                with given.out.open("a") as file:
                    file.write(json.dumps(row) + "\n")
    for workload in sorted({cell.workload for cell in chosen}):
        base = "bare loop" if workload != "W4" else "batched loop x16"
        print(f"\n{workload}, over the {base}\n")
        print(table([row for row in rows if row["workload"] == workload], base, given.times))


if __name__ == "__main__":
    main()

"""Runs one system on one workload once: wall time, memory and processor time of its processes.

`wall_s` covers the whole process, imports and shutdown included; `run_s` runs from the first reset
to the end of the last episode; `peak_rss_mb` sums the resident memory of the process tree (pages
shared between processes count in each); `cpu_s` sums user and system time of the tree, as last
sampled.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SAMPLE_S = 0.25
PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 2**20
TICK = os.sysconf("SC_CLK_TCK")


class Tree(threading.Thread):
    """Samples the memory and the CPU time of a process and its descendants until it ends."""

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self.root = root
        self.peak_mb = 0.0
        self.cpu: dict[int, float] = {}
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(SAMPLE_S):
            self.sample()

    def sample(self) -> None:
        parents, memory, cpu = {}, {}, {}
        for entry in os.scandir("/proc"):
            if not entry.name.isdigit():
                continue
            try:
                with open(f"/proc/{entry.name}/stat") as file:
                    fields = file.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            pid = int(entry.name)
            parents[pid] = int(fields[1])
            cpu[pid] = (int(fields[11]) + int(fields[12])) / TICK
            memory[pid] = int(fields[21]) * PAGE_MB
        tree, grown = {self.root}, True
        while grown:
            more = {pid for pid, parent in parents.items() if parent in tree and pid not in tree}
            tree |= more
            grown = bool(more)
        self.cpu.update({pid: cpu[pid] for pid in tree if pid in cpu})
        self.peak_mb = max(self.peak_mb, sum(memory.get(pid, 0.0) for pid in tree))


def measure(
    workload: str,
    system: str,
    python: str,
    *,
    lanes: int = 1,
    episodes: int = 0,
    variant: str = "",
    limit_s: float = 300.0,
) -> dict[str, Any]:
    """Run once; on failure the row carries `error` and no rates.

    `system`: the name of a module beside this one; `python`: the interpreter that has it.
    """
    values = {"workload": workload, "lanes": lanes, "episodes": episodes, "variant": variant}
    row: dict[str, Any] = {"system": system, **values}
    environment = {
        **os.environ,
        "PYTHONPATH": str(HERE),
        "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [python, "-m", system, workload, "--episodes", str(episodes)]
    command += ["--lanes", str(lanes), "--variant", variant]
    with tempfile.TemporaryDirectory() as scratch, open(Path(scratch) / "err", "w+") as errors:
        start = time.monotonic()
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True,
            cwd=scratch, env=environment, start_new_session=True,
        )  # fmt: skip
        tree = Tree(process.pid)
        tree.start()
        try:
            output, _ = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            output, _ = process.communicate()
            row["error"] = f"ran past {limit_s} s"
        wall_s = time.monotonic() - start
        tree.over.set()
        errors.seek(0)
        tail = errors.read()[-1500:]
    row |= {
        "wall_s": round(wall_s, 3),
        "peak_rss_mb": round(tree.peak_mb),
        "cpu_s": round(sum(tree.cpu.values()), 2),
    }
    lines = output.strip().splitlines()
    try:
        told = json.loads(lines[-1])
        steps, done, run_s = told["steps"], told["episodes"], told["run_s"]
    except (IndexError, ValueError, KeyError, TypeError):
        return {"error": f"exit {process.returncode}, no result line", "stderr": tail, **row}
    if process.returncode:
        row.setdefault("error", f"exit {process.returncode}")
        row["stderr"] = tail
    return row | told | {
        "run_s": round(run_s, 3),
        "startup_s": round(wall_s - run_s, 3),
        "episodes_per_s": round(done / run_s, 2),
        "steps_per_s": round(steps / run_s, 1),
        "steps_per_s_wall": round(steps / wall_s, 1),
    }  # fmt: skip

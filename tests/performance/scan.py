"""A plan of a million cases: building it, reopening its directory, and its report.

Run: python tests/performance/scan.py [--cases 1000000]. Prints seconds and peak memory.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tabulate import tabulate

from harness.core import Suite, Task
from harness.play.case_queue import Queue
from harness.play.planning import make_plan
from harness.play.runner import describe_run
from harness.records.identity import AgentSpec
from harness.records.plan import CaseIndex, Plan
from harness.records.run_directory import RunDirectory
from leaderboards.render import render
from leaderboards.report import load_report

TASKS = 200


def make(cases: int) -> tuple[AgentSpec, Plan]:
    tasks = tuple(
        Task(
            f"scan/{number}@1",
            "games",
            "adapters.gym:GymAdapter",
            {"id": "CartPole-v1"},
            rule="none",
        )
        for number in range(TASKS)
    )
    spec = AgentSpec("uniform", "baselines.simple:Uniform", {})
    suite = Suite("scan", "", tasks, cases // TASKS)
    return spec, make_plan([(suite, task) for task in tasks], spec, episodes=None, seed=0)


def fill(path: Path, plan: Plan) -> None:
    """Lines as a run writes them, for every case but the last of each task."""
    with (path / "episodes.jsonl").open("w") as lines:
        for item, entry in enumerate(plan.items):
            for number in range(entry.episodes - 1):
                case = plan.case(CaseIndex(item, 0, number))
                line = {
                    "case": f"{item:010d}{number:010d}",
                    "task": entry.task.id,
                    "seed": case.seed,
                    "perturbations": [],
                    "status": "finished",
                    "success": number % 3 == 0,
                    "score": 1.0,
                    "normalised": None,
                    "steps": 57,
                    "ended": "success",
                    "metrics": {"distance": 0.25},
                    "error": None,
                    "digest": "0" * 20,
                    "protocol": entry.protocol,
                    "timing": {
                        "simulator_s": 0.01,
                        "agent_s": 0.001,
                        "asked": 57,
                        "worker": "worker-0",
                        "attempt": 1,
                        "ended_at": "2026-01-01",
                    },
                }
                lines.write(json.dumps(line) + "\n")


def timed(name: str, act: Callable[[], Any]) -> tuple[list[str], Any]:
    begun = time.perf_counter()
    value = act()
    seconds = time.perf_counter() - begun
    tracemalloc.start()
    act()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return [name, f"{seconds:.1f}", f"{peak / 1e6:.0f}"], value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1_000_000)
    cases = parser.parse_args().cases
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run"
        row, (spec, plan) = timed("plan", lambda: make(cases))
        rows = [row]
        directory = RunDirectory(path, describe_run(spec, ["scan"], ""), plan)
        directory.close(finished=False)
        fill(path, plan)

        def resume() -> int:
            opened = RunDirectory(path, describe_run(spec, ["scan"], ""), plan)
            queue = Queue(plan, opened.done)
            left = 0
            while queue.take(()) is not None:
                left += 1
            opened.close(finished=False)
            return left

        row, left = timed("resume: scan, and find what is missing", resume)
        assert left == TASKS, left
        rows.append(row)
        rows.append(timed("report, text", lambda: render(load_report(path), "text"))[0])
    print(
        tabulate(rows, [f"{cases} cases, {TASKS} tasks", "seconds", "peak MB"], tablefmt="github")
    )


if __name__ == "__main__":
    main()

"""What grows with the number of episodes: plan, resume, report, page, verify and compare.

Run: python tests/performance/scan.py [--cases 1000000] [--only report,compare]. Each row is
measured in a process of its own at a tenth of the cases and at all of them; the slope between the
two says what ten million take. Seconds are those of the processor, so that other processes matter
less.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tabulate import tabulate

from harness.cli.names import know_families
from harness.compare.saved_runs import open_run
from harness.core import Suite, Task
from harness.play.case_queue import Queue
from harness.play.planning import make_plan
from harness.play.runner import describe_run
from harness.records.identity import AgentSpec
from harness.records.plan import CaseIndex, Plan
from harness.records.results import read_results
from harness.records.run_directory import RunDirectory
from harness.records.stored_run import load_run
from harness.records.traces import Trace, as_record, encode_actions
from harness.verify.integrity import check_files
from harness.verify.knowledge import Knowledge
from leaderboards.compare import compare_runs
from leaderboards.page.run_page import run_page
from leaderboards.render import render
from leaderboards.report import load_report

TASKS = 200
TARGET = 10_000_000
ACTIONS = encode_actions([1, 0] * 28 + [1])


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


def fill(path: Path, plan: Plan, offset: int) -> None:
    """Lines and traces as a run writes them, for every case but the last of each task."""
    (path / "traces").mkdir(exist_ok=True)
    with (
        (path / "episodes.jsonl").open("w") as lines,
        (path / "traces" / "part-0000.msgpack").open("wb") as traces,
    ):
        for item, entry in enumerate(plan.items):
            for number in range(entry.episodes - 1):
                index = CaseIndex(item, 0, number)
                case = plan.case(index)
                start, digest = f"{item:010x}{number:010x}", f"{item:010x}{number + 1:010x}"
                won = (number + offset) % 3 == 0
                line = {
                    "case": case.id,
                    "task": entry.task.id,
                    "seed": case.seed,
                    "perturbations": [],
                    "status": "finished",
                    "success": won,
                    "score": 1.0,
                    "normalised": None,
                    "steps": 57,
                    "ended": "success" if won else "terminated",
                    "metrics": {"distance": 0.25},
                    "error": None,
                    "digest": digest,
                    "protocol": entry.protocol,
                    "timing": {
                        "simulator_s": 0.01,
                        "agent_s": 0.001,
                        "asked": 57,
                        "worker": "worker-0",
                        "attempt": 1,
                        "ended_at": "2026-01-01",
                    },
                    "start": start,
                    "success_ever": won,
                    "success_end": won,
                    "first_success": 57 if won else None,
                }
                lines.write(json.dumps(line) + "\n")
                trace = Trace(
                    case=case.id,
                    task=entry.task.id,
                    seed=case.seed,
                    instruction="balance the pole",
                    actions=ACTIONS,
                    digest=digest,
                    pixels="",
                )
                traces.write(as_record(trace))


def written(folder: Path, cases: int, offset: int) -> Path:
    """A run directory of this many cases."""
    path = folder / f"{cases}-{offset}"
    spec, plan = make(cases)
    RunDirectory(path, describe_run(spec, ["scan"], "", path), plan).close(finished=False)
    fill(path, plan, offset)
    return path


def resume(base: Path, new: Path, cases: int) -> None:
    spec, plan = make(cases)
    opened = RunDirectory(base, describe_run(spec, ["scan"], "", base), plan)
    queue = Queue(plan, opened.done)
    left = 0
    while queue.take(()) is not None:
        left += 1
    opened.close(finished=False)
    assert left == TASKS, left


def read(base: Path, new: Path, cases: int) -> None:
    assert sum(1 for _ in read_results(base)) == cases - TASKS


def verify(base: Path, new: Path, cases: int) -> None:
    found = check_files(load_run(base), Knowledge())

    assert found.count == cases - TASKS


def compared(base: Path, new: Path, cases: int) -> None:
    with open_run(str(base)) as first, open_run(str(new)) as second:
        compare_runs(first, second, 0.05, 0.05, "holm")


ROWS: dict[str, Callable[[Path, Path, int], object]] = {
    "plan": lambda base, new, cases: make(cases),
    "read": read,
    "resume": resume,
    "report": lambda base, new, cases: render(load_report(base), "text"),
    "report-json": lambda base, new, cases: render(load_report(base), "json"),
    "page": lambda base, new, cases: run_page(base),
    "verify": verify,
    "compare": compared,
}


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _measure(name: str, base: Path, new: Path, cases: int, out: Connection) -> None:
    know_families()
    before, begun = _peak(), time.process_time()
    ROWS[name](base, new, cases)
    out.send((time.process_time() - begun, _peak() - before))


def measured(name: str, runs: tuple[Path, Path], cases: int) -> tuple[float, float]:
    """(seconds, megabytes beyond what the imports take) in a fresh process."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(name, *runs, cases, theirs))
    process.start()
    theirs.close()
    try:
        found: tuple[float, float] = ours.recv()
    finally:
        process.join()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--only", default=",".join(ROWS))
    options = parser.parse_args()
    know_families()
    sizes = options.cases // 10, options.cases
    rows: list[list[Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        runs = {
            size: (written(Path(folder), size, 0), written(Path(folder), size, 1)) for size in sizes
        }
        for name in options.only.split(","):
            small, large = (measured(name, runs[size], size) for size in sizes)
            per = [(b - a) / (sizes[1] - sizes[0]) for a, b in zip(small, large, strict=True)]
            ten = [b + each * (TARGET - sizes[1]) for b, each in zip(large, per, strict=True)]
            rows.append(
                [
                    name,
                    f"{large[0]:.1f}",
                    f"{large[1]:.0f}",
                    f"{per[0] * 1e6:.2f}",
                    f"{per[1] * 1e6:.0f}",
                    f"{ten[0]:.0f}",
                    f"{ten[1]:.0f}",
                ]
            )
            print(name, small, large, file=sys.stderr)
    heads = [
        f"{sizes[1]} cases, {TASKS} tasks", "seconds", "peak MB", "us a case", "bytes a case",
        "seconds, ten million", "MB, ten million",
    ]  # fmt: skip
    print(tabulate(rows, heads, tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()

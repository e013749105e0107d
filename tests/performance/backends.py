"""How fast each backend is, as a ratio to the ordinary simulator, and whether it is equal to it.

    python tests/performance/backends.py --backend lean --suite metaworld [--tasks GLOB]
        [--views A,B] [--equal N]

Both play the same uniform actions from the same starts in turns, three rounds; the figure is the
processor time of all threads (resets apart), the median of the rounds. `--views` are read at every
step, as by an agent that reads them. With `--equal N` the two are compared as well, with N seeds;
of the views that a renderer draws, those of `--views`. It is run by hand and asserts nothing.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

from harness.cli.names import know_families, suites_named
from harness.core import Case, Task, stream
from harness.core.lane import Lane, build_adapter
from harness.host.loading import backend_entry, load_adapter
from harness.play.start_digest import is_drawn
from harness.records.catalogue import select_tasks
from harness.verify.backends import MOST_STEPS, compare_backend

ROUNDS, STEPS = 3, 300


def seconds_a_step(lane: Lane, case: Case, actions: list[Any], views: list[str]) -> float:
    """Processor time of one step of this process, with the state and the views read."""
    told, taken = lane.reset(case), 0
    begun = time.process_time()
    for action in actions:
        told = lane.step(action)
        lane.state()
        for name in views:
            value = told.observation[name]
            if callable(value):
                value()
        taken += 1
        if told.terminated or told.truncated:
            break
    return (time.process_time() - begun) / taken


def row(task: Task, backend: str, views: list[str], equal: int) -> tuple[float, float, str]:
    """(steps per second of the ordinary simulator, of the backend, whether it is equal)."""
    entries = task.adapter, backend if ":" in backend else backend_entry(task, backend)
    lanes = [Lane(build_adapter(load_adapter(each), task)) for each in entries]
    found: list[list[float]] = [[], []]
    for number in range(ROUNDS):
        case = Case(task, task.first_seed + number)
        rng = stream("backends", task.id, number)
        lanes[0].reset(case)
        actions = [lanes[0].adapter.brief.action.sample(rng) for _ in range(STEPS)]
        for lane, times in zip(lanes, found, strict=True):
            times.append(seconds_a_step(lane, case, actions, views))
    quick = [name for name in lanes[0].adapter.brief.observation if not is_drawn(name)]
    for lane in lanes:
        lane.adapter.close()
    verdict = ""
    if equal:
        cases = [Case(task, task.first_seed + number) for number in range(equal)]
        told = compare_backend(task, backend, cases, reads=[*quick, *views], most=MOST_STEPS)
        share = f"{len(told.differences)} of {told.episodes}"
        verdict = f"differ {share}, {told.steps} steps"
        verdict += f"; {told.differences[0]}" if told.differences else ""
    one, two = (1 / statistics.median(times) for times in found)
    return one, two, verdict


def main() -> None:
    """Print a line a task and the median ratio."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--backend", required=True)
    asked.add_argument("--suite", required=True)
    asked.add_argument("--tasks")
    asked.add_argument("--views", default="")
    asked.add_argument("--equal", type=int, default=0)
    told = asked.parse_args()
    know_families()
    views = [name for name in told.views.split(",") if name]
    ratios = []
    for _, task in select_tasks(suites_named(told.suite), told.tasks):
        entry = told.backend if ":" in told.backend else backend_entry(task, told.backend)
        absent = load_adapter(entry).missing(task)
        if absent is not None:
            print(f"{task.id:45} {absent.reason}", flush=True)
            continue
        one, two, verdict = row(task, told.backend, views, told.equal)
        ratios.append(two / one)
        print(f"{task.id:45} {one:9.0f} {two:9.0f} {two / one:6.2f} {verdict}", flush=True)
    low, high, middle = min(ratios), max(ratios), statistics.median(ratios)
    print(f"{len(ratios)} tasks, ratio {low:.2f} to {high:.2f}, median {middle:.2f}")


if __name__ == "__main__":
    main()

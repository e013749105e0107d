"""What measuring safety and cost takes of a step: `python tests/performance/safety.py`.

Each step is timed, and then once more what is measured after it, by the same random actions. It
prints the medians in microseconds, and the second as a share of the first.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness.core import Case, Task
from harness.records.catalogue import find_suites
from harness.records.registry import load
from suites import SUITES

STEPS = 400
PARTS: dict[str, Callable[[Any], Any]] = {
    "fetch/pick-and-place": lambda adapter: (adapter._meter.sample(), adapter._hand_position()),
    "fetch/push": lambda adapter: (adapter._meter.sample(), adapter._hand_position()),
    "pointmaze/umaze": lambda adapter: adapter._meets_wall(),
    "antmaze/umaze": lambda adapter: (adapter._meets_wall(), adapter._watch_torso()),
    "metaworld/pick-place-v3": lambda adapter: (adapter._meter.sample(), adapter._hand_position()),
    "aloha/TransferCube": lambda adapter: (adapter._meter.sample(), adapter._ways.sample()),
}
"""Task -> what its adapter measures after a step."""


def measure(task: Task, measured: Callable[[Any], Any]) -> tuple[float, float]:
    """(median time of a step, median time of measuring), s."""
    adapter, rng = load(task.adapter)(task), np.random.default_rng(0)
    steps, parts = [], []
    adapter.reset(Case(task, task.first_seed))
    for number in range(STEPS):
        if number % 100 == 0:
            adapter.reset(Case(task, task.first_seed + number))
        action = adapter.brief.action.sample(rng)
        begun = time.perf_counter()
        adapter.step(action)
        stepped = time.perf_counter()
        measured(adapter)
        parts.append(time.perf_counter() - stepped)
        steps.append(stepped - begun)
    adapter.close()
    return statistics.median(steps), statistics.median(parts)


def main() -> None:
    for name, measured in PARTS.items():
        (suite,) = find_suites(name.partition("/")[0], SUITES)
        (task,) = (task for task in suite.tasks if task.name == name)
        step, part = measure(task, measured)
        print(f"{name:26} {1e6 * step:8.1f} {1e6 * part:7.2f} {100 * part / step:6.2f} %")


if __name__ == "__main__":
    main()

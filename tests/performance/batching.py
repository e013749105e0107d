"""Rules for the next batch of a served agent: `python tests/performance/batching.py`.

Workers step the lanes of one group after the other; the model takes 5 ms a call and 0.05 ms a turn,
at most 32 in a call. Printed are the turns per second of twenty simulated seconds, which no other
program disturbs. In brackets: how much of the time the model is busy.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tabulate import tabulate

SECONDS = 20.0
Rule = Callable[[Sequence[int], int], int]
"""(the turns of each request that waits, all lanes) -> how many requests to take, 0 to wait."""


def model_s(turns: int) -> float:
    """What the model takes for a batch."""
    return 0.005 * -(-turns // 32) + 0.00005 * turns


def whatever_waits(waiting: Sequence[int], lanes: int) -> int:
    return len(waiting)


def most_turns_a_second(waiting: Sequence[int], lanes: int) -> int:
    def rate(count: int) -> tuple[float, int]:
        size = sum(waiting[:count])
        return size / model_s(size), count

    return max(range(1, len(waiting) + 1), key=rate)


def all_lanes(waiting: Sequence[int], lanes: int) -> int:
    return len(waiting) if sum(waiting) == lanes else 0


RULES: dict[str, Rule] = {
    "whatever waits": whatever_waits,
    "the most turns a second": most_turns_a_second,
    "all lanes at once": all_lanes,
}


@dataclass(frozen=True)
class Setting:
    """Workers with lanes in groups."""

    workers: int
    groups: int
    """Of each worker."""
    lanes: int
    """Of each worker."""
    step_s: float
    message_s: float = 0.001
    """What a worker does for each request beside the steps."""
    spread: float = 0.5
    """The steps of a group take up to so much longer, at random."""


SETTINGS = {
    "2 workers, 32 lanes each, 0.2 ms a step": Setting(2, 2, 32, 0.0002),
    "the same in four groups each": Setting(2, 4, 32, 0.0002),
    "2 workers, 26 lanes each": Setting(2, 2, 26, 0.0002),
    "2 workers, 16 lanes each": Setting(2, 2, 16, 0.0002),
    "2 workers, 8 lanes each": Setting(2, 2, 8, 0.0002),
    "1 worker, 64 lanes": Setting(1, 2, 64, 0.0002),
    "2 workers, 16 lanes each, 2 ms a step": Setting(2, 2, 16, 0.002),
    "8 workers, 16 lanes each, 2 ms a step": Setting(8, 2, 16, 0.002),
}


def simulate(given: Setting, rule: Rule) -> tuple[float, float]:
    """(turns per second, the share of the time in which the model is busy)."""
    rng = random.Random(0)
    size, lanes = given.lanes // given.groups, given.workers * given.lanes
    free = [0.0] * given.workers
    events: list[tuple[float, int, str, Any]] = []
    waiting: list[int] = []  # the workers of the requests, in the order of their arrival
    turns, busy, idle, count = 0, 0.0, True, 0

    def later(when: float, what: str, about: Any) -> None:
        nonlocal count
        count += 1
        heapq.heappush(events, (when, count, what, about))

    def step(worker: int, now: float) -> None:
        took = (size * given.step_s + given.message_s) * (1 + given.spread * rng.random())
        free[worker] = max(now, free[worker]) + took
        later(free[worker], "asks", worker)

    for worker in range(given.workers):
        for _ in range(given.groups):
            step(worker, 0.0)
    while events[0][0] < SECONDS:
        now, _, what, about = heapq.heappop(events)
        if what == "asks":
            waiting.append(about)
        else:
            idle = True
            for worker in about:
                step(worker, now)
        if idle and waiting and (taken := rule([size] * len(waiting), lanes)):
            batch, waiting = waiting[:taken], waiting[taken:]
            took = model_s(len(batch) * size)
            turns, busy, idle = turns + len(batch) * size, busy + took, False
            later(now + took, "answers", batch)
    return turns / SECONDS, busy / SECONDS


def main() -> None:
    rows = []
    for name, setting in SETTINGS.items():
        found = [simulate(setting, rule) for rule in RULES.values()]
        rows.append([name, *(f"{rate:.0f} ({busy:.2f})" for rate, busy in found)])
    print(tabulate(rows, ["", *RULES], tablefmt="github"))


if __name__ == "__main__":
    main()

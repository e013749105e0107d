"""The limit: a plain loop over the simulator's own API.

As many processes as lanes, each with its share of the episodes. Variant `batched` (W4): one process
with an environment for each lane, one accelerator call for all of them, a lane refilled the moment
its episode ends. Variant `pipelined` (W4): the same, and the accelerator works on up to 32 lanes
while the others step.
"""

from __future__ import annotations

import multiprocessing
import time
from typing import Any

from contract import order, report
from workloads import (
    SERVER_BATCH,
    Outcome,
    Policy,
    Simulator,
    Workload,
    accelerator,
    accelerator_s,
    shares,
)

Lane = tuple[int, Simulator, Policy, Any]
"""Episode index, its simulator and policy, and the observation that waits for an action."""


def play(
    workload: Workload, indices: list[int], barrier: Any = None
) -> tuple[list[Outcome], float, float]:
    simulator, policy = Simulator(workload, indices), Policy(workload)
    if barrier is not None:
        barrier.wait()
    start = time.monotonic()
    outcomes = []
    for index in indices:
        policy.start(index)
        observation, done = simulator.reset(index), False
        while not done:
            if workload.served:
                accelerator(1)
            observation, done = simulator.step(policy.act(observation))
        outcomes.append(Outcome(index, simulator.steps, simulator.score))
    return outcomes, start, time.monotonic()


def play_batched(
    workload: Workload, indices: list[int], lanes: int, overlap: bool
) -> tuple[list[Outcome], float]:
    rest = list(reversed(indices))
    pairs = [
        (Simulator(workload, indices), Policy(workload)) for _ in range(min(lanes, len(indices)))
    ]
    outcomes: list[Outcome] = []
    start = time.monotonic()

    def begin(simulator: Simulator, policy: Policy) -> Lane:
        index = rest.pop()
        policy.start(index)
        return index, simulator, policy, simulator.reset(index)

    def advance(answered: list[Lane]) -> list[Lane]:
        """Step the lanes that have their answer; refill those whose episode ends."""
        ready = []
        for index, simulator, policy, observation in answered:
            observation, done = simulator.step(policy.act(observation))
            if not done:
                ready.append((index, simulator, policy, observation))
                continue
            outcomes.append(Outcome(index, simulator.steps, simulator.score))
            if rest:
                ready.append(begin(simulator, policy))
        return ready

    ready = [begin(*pair) for pair in pairs]
    if not overlap:
        while ready:
            accelerator(len(ready))
            ready = advance(ready)
        return outcomes, time.monotonic() - start
    answered: list[Lane] = []
    while ready or answered:
        batch, ready = ready[:SERVER_BATCH], ready[SERVER_BATCH:]
        launched = (
            time.monotonic()
        )  # as on a device: the call returns at once, the answer comes later
        ready += advance(answered)
        time.sleep(max(0.0, launched + accelerator_s(len(batch)) - time.monotonic()))
        answered = batch
    return outcomes, time.monotonic() - start


def _child(workload: Workload, indices: list[int], barrier: Any, results: Any) -> None:
    results.put(play(workload, indices, barrier))


def main() -> None:
    given = order()
    indices = list(range(given.episodes))
    if given.variant:
        report(
            *play_batched(
                given.workload, indices, given.lanes, overlap=given.variant == "pipelined"
            )
        )
        return
    if given.lanes == 1:
        outcomes, start, end = play(given.workload, indices)
        report(outcomes, end - start)
        return
    spawn = multiprocessing.get_context("spawn")
    barrier, results = spawn.Barrier(given.lanes), spawn.Queue()
    children = [
        spawn.Process(target=_child, args=(given.workload, part, barrier, results))
        for part in shares(given.episodes, given.lanes)
    ]
    for child in children:
        child.start()
    parts = [results.get() for _ in children]
    for child in children:
        child.join()
    report(
        [o for part, _, _ in parts for o in part],
        max(e for _, _, e in parts) - min(s for _, s, _ in parts),
    )


if __name__ == "__main__":
    main()

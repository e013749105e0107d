"""Gymnasium's SyncVectorEnv or AsyncVectorEnv (variants `sync`, `async`).

Next-step autoreset, in lockstep, a static list of episodes for each lane: with autoreset nobody can
choose the next one.
"""

from __future__ import annotations

import time
from functools import partial

import numpy as np
from contract import order, report
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv
from lane import Lane, LanePolicies
from workloads import Outcome, accelerator, shares


def main() -> None:
    given = order()
    lists = shares(given.episodes, given.lanes)
    vector = AsyncVectorEnv if given.variant == "async" else SyncVectorEnv
    environments = vector([partial(Lane, given.workload, part) for part in lists])
    policies = LanePolicies(given.workload, lists)
    lanes = range(given.lanes)
    steps, scores, outcomes = [0] * given.lanes, [0.0] * given.lanes, []
    start = time.monotonic()
    observations, _ = environments.reset()
    for lane in lanes:
        policies.next(lane)
    fresh = [
        False
    ] * given.lanes  # the coming step of this lane is its autoreset: the action is ignored
    hold = 0 if given.workload.actions else np.zeros(4)
    while any(policies.left(lane) for lane in lanes):
        if given.workload.served:
            accelerator(given.lanes)
        actions = [
            hold if fresh[lane] else policies.act(lane, observations[lane]) for lane in lanes
        ]
        observations, rewards, terminated, truncated, _ = environments.step(np.asarray(actions))
        for lane in lanes:
            if fresh[lane]:
                fresh[lane] = False
                continue
            steps[lane] += 1
            scores[lane] += rewards[lane]
            if terminated[lane] or truncated[lane]:
                if policies.left(lane):
                    outcomes.append(Outcome(policies.index(lane), steps[lane], int(scores[lane])))
                steps[lane], scores[lane], fresh[lane] = 0, 0.0, True
                policies.next(lane)
    run_s = time.monotonic() - start
    environments.close()
    report(outcomes, run_s)


if __name__ == "__main__":
    main()

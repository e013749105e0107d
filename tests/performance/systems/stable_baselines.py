"""Stable-Baselines3: `evaluate_policy` over a SubprocVecEnv, with its default start method."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import numpy as np
from contract import order, report
from lane import Lane, LanePolicies
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import SubprocVecEnv
from workloads import Outcome, accelerator, shares


class Model:
    """The part of a Stable-Baselines3 model that evaluate_policy calls."""

    def __init__(self, policies: LanePolicies, served: bool) -> None:
        self._policies = policies
        self._served = served

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = False,
    ) -> Any:
        if self._served:
            accelerator(len(observation))
        for lane in np.flatnonzero(episode_start):
            self._policies.next(int(lane))
        return np.asarray(
            [self._policies.act(lane, row) for lane, row in enumerate(observation)]
        ), state


def main() -> None:
    given = order()
    lists = shares(given.episodes, given.lanes)
    environments = SubprocVecEnv([partial(Lane, given.workload, part) for part in lists])
    policies = LanePolicies(given.workload, lists)
    outcomes: list[Outcome] = []

    def seen(local: dict[str, Any], _: dict[str, Any]) -> None:
        lane = local["i"]
        if local["done"]:
            steps, score = local["current_lengths"][lane], local["current_rewards"][lane]
            outcomes.append(Outcome(policies.index(lane), int(steps), int(score)))

    start = time.monotonic()
    evaluate_policy(
        Model(policies, given.workload.served),
        environments,
        n_eval_episodes=given.episodes,
        callback=seen,
        warn=False,
    )
    run_s = time.monotonic() - start
    environments.close()
    report(outcomes, run_s)


if __name__ == "__main__":
    main()

"""What agents may be trained on: the seeds and splits that no evaluation plays."""

from __future__ import annotations

import dataclasses

from harness.core import Task, UserError
from harness.records.plan import SEED_STRIDE, Plan
from harness.records.registry import load

__all__ = [
    "DEMO_SETS",
    "EVALUATION_SETS",
    "ROLLOUT_SETS",
    "for_training",
    "training_seed",
    "training_task",
]

EVALUATION_SETS = range(0, 1001)
"""The sets that `bench run --seed` can name; set s begins at first_seed + s * SEED_STRIDE."""
DEMO_SETS = range(1001, 1101)
"""The sets of demonstrations."""
ROLLOUT_SETS = range(1101, 1141)
"""The sets of episodes for reinforcement learning.

BabyAI's seeds begin at 1,000,000,000, so seeds of higher sets would not fit into 32 bits.
"""


def training_task(task: Task) -> Task:
    """The task on which to train.

    If the task has a split, seeds count along its episodes, and other seeds would give the same
    episodes again: so the split becomes `train`. Raises UserError if the task has one fixed list of
    episodes and no train split, since training on it would leak.
    """
    if load(task.adapter).fixed_episode_list(task):
        raise UserError(
            f"{task.id} cannot be trained on: its seeds count along a fixed list of episodes, "
            "which evaluations play"
        )
    if task.params.get("split") in (None, "train"):
        return task
    return dataclasses.replace(task, params={**task.params, "split": "train"})


def for_training(plan: Plan, sets: range, number: int) -> Plan:
    """The plan with the training seeds of set `number` of `sets`.

    Raises UserError if there is no such set.
    """
    if number not in range(len(sets)):
        raise UserError(
            f"--seed must lie between 0 and {len(sets) - 1} here, got {number}: it chooses one of "
            f"{len(sets)} sets of training seeds"
        )
    return dataclasses.replace(plan, seed=sets[number])


def training_seed(task: Task, number: int, episode: int) -> int:
    """The seed of an episode of set `number` of ROLLOUT_SETS; seeds repeat after SEED_STRIDE."""
    return task.first_seed + ROLLOUT_SETS[number] * SEED_STRIDE + episode % SEED_STRIDE

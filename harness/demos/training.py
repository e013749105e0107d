"""What may be trained on: the seeds and the splits that no evaluation plays."""

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
"""What `bench run --seed` can name; the seeds of set s are first_seed + s * SEED_STRIDE onwards."""
DEMO_SETS = range(1001, 1101)
"""Of these are demonstrations."""
ROLLOUT_SETS = range(1101, 1141)
"""In these an agent learns by trying; beyond, BabyAI's seeds, which begin at 1,000,000,000, would leave 32 bits."""


def training_task(task: Task) -> Task:
    """The task as it is trained on. Where seeds only count along the episodes of a split, other seeds would give the same episodes again: so
    the split `train` is played, whatever split the task evaluates. Raises UserError where nothing may be trained on."""
    if load(task.adapter).fixed_episode_list(task):
        raise UserError(
            f"{task.id} cannot be trained on: its seeds count along a fixed list of episodes, which evaluations play"
        )
    if task.params.get("split") in (None, "train"):
        return task
    return dataclasses.replace(task, params={**task.params, "split": "train"})


def for_training(plan: Plan, sets: range, number: int) -> Plan:
    """The plan on the training seeds of set `number` of `sets`. Raises UserError when there is no such set."""
    if number not in range(len(sets)):
        raise UserError(
            f"--seed must lie between 0 and {len(sets) - 1} here, got {number}: it chooses one of as many sets of training seeds"
        )
    return dataclasses.replace(plan, seed=sets[number])


def training_seed(task: Task, number: int, episode: int) -> int:
    """The seed of an episode of set `number` of ROLLOUT_SETS; `episode` counts anew after SEED_STRIDE."""
    return task.first_seed + ROLLOUT_SETS[number] * SEED_STRIDE + episode % SEED_STRIDE

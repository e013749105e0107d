"""One process of several that make an update of SFT and one of PPO together.

Run: python geaprocesses.py NUMBER COUNT FOLDER. FOLDER has `nano`, the weights at first, and
`shared.pickle`, with the examples and segments of which each process takes its part.
"""

from __future__ import annotations

import contextlib
import pickle
import sys
from pathlib import Path

import numpy as np
import torch

from baselines.gea.job import Job
from baselines.gea.policy import Policy, trained_tokens
from baselines.gea.ppo import _samples, _update
from baselines.learning import parallel
from baselines.learning.learner import Learner


def update(number: int, count: int, folder: Path) -> dict[str, np.ndarray]:
    """The weights and PopArt's moments after both updates."""
    torch.set_num_threads(1)
    torch.manual_seed(number)
    prompts, answers, segments = pickle.loads((folder / "shared.pickle").read_bytes())
    policy = Policy.load(folder / "nano")
    if number:  # what another process begins with does not matter
        torch.nn.init.zeros_(policy.value_head.weight)
    learner = Learner(policy, folder / f"training-{count}", 1e-3, 0.01, 1.0, {})
    mine = slice(number, None, count)
    if prompts[mine]:
        share = float(trained_tokens(prompts[mine], answers[mine]))
        share /= parallel.total(share)
        learner.learn(share * policy.sft_loss(prompts[mine], answers[mine]))
    policy.eval()
    samples, reward = _samples(policy, segments[mine])
    metrics = _update(policy, learner, samples, None, Job((), folder, policy.config), 1.0)
    found = {name: value.detach().numpy() for name, value in policy.saved_tensors().items()}
    return {**found, "reward": np.asarray(reward), "loss": np.asarray(metrics["rl/policy"])}


if __name__ == "__main__":
    number, count, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    together = parallel.member(number, count, folder / "meeting")
    with together if count > 1 else contextlib.nullcontext():
        np.savez(folder / f"{number}-of-{count}.npz", **update(number, count, folder))

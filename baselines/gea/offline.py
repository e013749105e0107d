"""The stage `offline`: reinforcement learning from recorded episodes alone.

Advantage-weighted regression (Peng et al. 2019, arXiv 1910.00177): of the recorded steps, those
that led to more than the critic expected of their state are imitated more. With the return-to-go G
of a step and the critic's V, both normalised by PopArt,

    loss = mean of min(exp((G - V) / offline_temperature), LARGEST) * -log pi(a | s) + (V - G)^2 / 2

The critic learns without a gradient into the backbone, as G needs no value of a later state.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from baselines.gea.data import Examples
from baselines.gea.job import Job, identity, record_stage
from baselines.gea.policy import FILE, Policy
from baselines.learning.learner import Learner, Metrics, cosine_schedule
from baselines.learning.stages import CHECKPOINTS, device, need_data
from harness.core import DOMAINS, UserError, stream

__all__ = ["offline", "returns_to_go"]

LARGEST = 20.0
"""The largest weight of a step, as in the paper's code: one lucky step is not everything."""


def returns_to_go(rewards: np.ndarray, gamma: float) -> np.ndarray:
    """float64 (T,): G_t = r_t + gamma G_{t+1}, of the rewards (T,) of an episode."""
    found = np.zeros(len(rewards))
    running = 0.0
    for step in reversed(range(len(rewards))):
        running = rewards[step] + gamma * running
        found[step] = running
    return found


def offline(job: Job, say: Callable[[str], None]) -> None:
    """Learn from recorded episodes, failures too, for `job.steps` updates.

    Raises UserError without demonstrations, weights to start from, or recorded rewards.
    """
    need_data(job.data)
    config = job.config
    if config.processes > 1:
        raise UserError("--stage offline learns in one process: --set processes=1")
    if not (job.out / FILE).is_file():
        raise UserError("--stage offline starts from weights: name them with --init")
    policy = Policy.new(config, job.out, device())
    policy.restore(job.out / FILE)
    config.save(job.out)
    for weight in policy.codec.action_tokenizer.parameters():
        weight.requires_grad_(False)
    examples = Examples(job.data, config, policy.backbone.text_tokenizer, policy.codec)
    returns = {
        place: returns_to_go(rewards, config.gamma) for place, rewards in examples.rewards().items()
    }
    steps = job.steps or config.steps
    learner = Learner(
        policy,
        job.out / CHECKPOINTS / "offline",
        config.lr,
        config.weight_decay,
        config.clip,
        {**identity("offline", job), "steps": steps},
        muon=config.muon,
    )
    domains = {place: DOMAINS.index(examples.domain(*place)) for place in returns}
    if learner.step == 0:
        policy.update_popart(
            torch.tensor(np.concatenate([*returns.values()]), dtype=torch.float32, device=device()),
            torch.tensor(
                np.concatenate([np.full(len(returns[k]), domains[k]) for k in returns]),
                device=device(),
            ),
        )
    metrics = Metrics(job.out / CHECKPOINTS / "curves", say)
    policy.train()
    while learner.step < steps:
        rng = stream(job.seed, "offline", step=learner.step)
        torch.manual_seed(int(rng.integers(2**31)))
        drawn = [examples.draw_place(rng) for _ in range(config.batch)]
        prompts, answers = zip(*(examples.example(*place) for place in drawn))
        which = torch.tensor([domains[place[:2]] for place in drawn], device=device())
        mean, std = policy.mean[which], policy.return_std()[which]
        gains = torch.tensor(
            [returns[place[:2]][place[2]] for place in drawn], dtype=torch.float32, device=device()
        )
        losses, values = policy.answer_losses(prompts, answers)
        surprise = (gains - mean) / std - values.gather(1, which[:, None])[:, 0]
        weights = (surprise.detach() / config.offline_temperature).exp().clamp(max=LARGEST)
        critic = 0.5 * (surprise**2).mean()
        loss = (weights * losses).mean() + critic
        norm = learner.learn(loss, cosine_schedule(learner.step, steps, config.warmup))
        metrics.add(
            learner.step,
            steps,
            {
                "offline/loss": losses.mean().item(),
                "offline/critic": critic.item(),
                "offline/weight": weights.mean().item(),
                "offline/gradient": norm,
            },
        )
        learner.checkpoint()
    learner.checkpoint(now=True)
    metrics.close()
    policy.save(job.out / FILE)
    record_stage(job, "offline", steps)

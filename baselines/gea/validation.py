"""Which examples tell the best weights of SFT: of demonstrations that are not learned."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from baselines.gea.data import Examples
from baselines.gea.job import Job
from baselines.gea.policy import Policy
from baselines.learning.best_weights import BestWeights
from baselines.learning.learner import Learner
from baselines.learning.stages import CHECKPOINTS, need_validation
from harness.core import stream

__all__ = ["best_weights"]

COUNT, AT_ONCE = 512, 64
"""Examples that are measured, always the same ones, and how many of them in one pass."""


def best_weights(
    policy: Policy, learner: Learner, job: Job, say: Callable[[str], None]
) -> BestWeights:
    """The best weights of `job`, by the loss on its demonstrations for validation.

    Raises UserError when validation is asked for without demonstrations, or they are those that
    are learned.
    """
    every = job.config.validate_every
    measure = _measure(policy, job) if every else _nothing
    file = job.out / CHECKPOINTS / "best.safetensors"
    return BestWeights(policy, learner, file, every, measure, policy.save, say)


def _nothing() -> float:
    raise AssertionError("nothing is measured without validate_every")


def _measure(policy: Policy, job: Job) -> Callable[[], float]:
    need_validation(job.data, job.validation)
    examples = Examples(job.validation, job.config, policy.backbone.text_tokenizer, policy.codec)
    drawn, answers = examples.draw(stream(0, "validation"), COUNT)
    # What is kept is what acts best, not what predicts numbers best.
    prompts = [dataclasses.replace(prompt, auxiliary=None) for prompt in drawn]

    def measure() -> float:
        parts = [
            float(policy.sft_loss(prompts[k : k + AT_ONCE], answers[k : k + AT_ONCE]))
            for k in range(0, COUNT, AT_ONCE)
        ]
        return sum(parts) / len(parts)

    return measure

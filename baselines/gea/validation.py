"""Keeps the weights of a training that do best on demonstrations that it does not learn."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from safetensors.torch import load_file

from baselines.gea import parallel
from baselines.gea.data import Examples
from baselines.gea.job import CHECKPOINTS, Job
from baselines.gea.learning import Learner
from baselines.gea.policy import Policy
from harness.core import UserError, stream

__all__ = ["BestWeights"]

COUNT, AT_ONCE = 512, 64
"""Examples that are measured, always the same ones, and how many of them in one pass."""


class BestWeights:
    """Measures the loss now and then, and keeps the weights with the smallest one."""

    def __init__(
        self, policy: Policy, learner: Learner, job: Job, say: Callable[[str], None]
    ) -> None:
        """Raises UserError when validation is asked for without demonstrations, or they are
        those that are learned."""
        self._policy, self._learner, self._say = policy, learner, say
        # Of several processes, the first one measures and keeps.
        self._every = 0 if parallel.rank() else job.config.validate_every
        self._file = job.out / CHECKPOINTS / "best.safetensors"
        if not self._every:
            return
        if not job.validation:
            raise UserError(
                "validate_every needs demonstrations that are not learned: record some with "
                "another --seed and name them with --validation"
            )
        _check_apart(job)
        examples = Examples(
            job.validation, job.config, policy.backbone.text_tokenizer, policy.codec
        )
        prompts, self._answers = examples.draw(stream(0, "validation"), COUNT)
        # What is kept is what acts best, not what predicts numbers best.
        self._prompts = [dataclasses.replace(prompt, auxiliary=None) for prompt in prompts]

    def look(self, steps: int) -> None:
        """Measure, if it is time to; the last of `steps` updates is measured in any case."""
        step = self._learner.step
        if not self._every or (step % self._every and step != steps):
            return
        loss = self._loss()
        smallest = self._learner.extra.get("validation_loss")
        better = smallest is None or loss < smallest
        self._say(f"step {step}/{steps}  validation {loss:.4f}{', the best' if better else ''}")
        if better:
            # A training that is killed before its next checkpoint measures this step again.
            self._policy.save(self._file)
            self._learner.extra.update(validation_loss=loss, validation_step=step)

    def restore(self) -> None:
        """Load the weights that were kept."""
        if self._every:
            self._policy.load_state_dict(load_file(self._file), strict=False)

    def _loss(self) -> float:
        self._policy.eval()
        with torch.no_grad():
            parts = [
                float(self._policy.sft_loss(self._prompts[k : k + AT_ONCE],
                                            self._answers[k : k + AT_ONCE]))
                for k in range(0, COUNT, AT_ONCE)
            ]  # fmt: skip
        self._policy.train()
        return sum(parts) / len(parts)


def _check_apart(job: Job) -> None:
    """Raises UserError when an episode is both learned and held out."""
    from harness.demos import Demos

    learned = {row.case for folder in job.data for row in Demos(folder).rows}
    for folder in job.validation:
        for row in Demos(folder).rows:
            if row.case in learned:
                raise UserError(
                    f"{folder} holds episodes that are learned ({row.task}, seed {row.seed}): "
                    "record it with another --seed"
                )

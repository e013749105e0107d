"""Keeps the weights of a training that do best on demonstrations that it does not learn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from baselines.learning import parallel
from baselines.learning.learner import Learner

__all__ = ["BestWeights"]


class BestWeights:
    """Measures the loss now and then, and keeps the weights with the smallest one."""

    def __init__(
        self,
        module: nn.Module,
        learner: Learner,
        file: Path,
        every: int,
        measure: Callable[[], float],
        save: Callable[[Path], None],
        say: Callable[[str], None],
    ) -> None:
        """`every`: updates between two measurements; 0: there are none, and nothing is kept.

        `measure` returns the loss on demonstrations that are not learned; it is called without
        gradients, on the module in evaluation. `save` writes the weights into a file.
        """
        self._module, self._learner, self._file = module, learner, file
        # Of several processes, the first one measures and keeps.
        self._every = 0 if parallel.rank() else every
        self._measure, self._save, self._say = measure, save, say

    def look(self, steps: int) -> None:
        """Measure, if it is time to; the last of `steps` updates is measured in any case."""
        step = self._learner.step
        if not self._every or (step % self._every and step != steps):
            return
        self._module.eval()
        with torch.no_grad():
            loss = self._measure()
        self._module.train()
        smallest = self._learner.extra.get("validation_loss")
        better = smallest is None or loss < smallest
        self._say(f"step {step}/{steps}  validation {loss:.4f}{', the best' if better else ''}")
        if better:
            # A training that is killed before its next checkpoint measures this step again.
            self._save(self._file)
            self._learner.extra.update(validation_loss=loss, validation_step=step)

    def restore(self) -> None:
        """Load the weights that were kept."""
        if self._every:
            self._module.load_state_dict(load_file(self._file), strict=False)

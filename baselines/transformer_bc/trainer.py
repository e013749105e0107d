"""`bench train transformer-bc`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.demos.trainer import Trainer, TrainingRequest

__all__ = ["TRAINER"]


def _train(request: TrainingRequest, say: Callable[[str], None]) -> Path:
    from baselines.transformer_bc.agent import needs

    needs()
    from baselines.transformer_bc.train import train

    return train(request, say)


TRAINER = Trainer(train=_train, stages=("bc",), imitates="bc", agent="transformer-bc", alike={})

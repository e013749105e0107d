"""`bench train decision-transformer`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.demos.trainer import Trainer, TrainingRequest

__all__ = ["TRAINER"]


def _train(request: TrainingRequest, say: Callable[[str], None]) -> Path:
    from baselines.decision_transformer.agent import needs

    needs()
    from baselines.decision_transformer.train import train

    return train(request, say)


TRAINER = Trainer(
    train=_train,
    stages=("offline",),
    imitates="offline",
    agent="decision-transformer",
    alike={"folders_alike": True},
)

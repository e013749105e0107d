"""`bench train gea`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.demos.trainer import Trainer, TrainingRequest

__all__ = ["TRAINER"]


def _train(request: TrainingRequest, say: Callable[[str], None]) -> Path:
    from baselines.gea.agent import needs

    needs()
    from baselines.gea.train import Job, configuration, train

    found = (request.out / "config.json").is_file()
    known = request.init if request.init and not found else request.out
    changes = dict(request.changes)
    if known == request.init and request.config is None:
        # What the training of those weights forgot is no property of what they are now.
        changes.setdefault("initialise", "all")
    job = Job(
        data=request.data,
        out=request.out,
        config=configuration(known, request.config, changes),
        seed=request.seed,
        tasks=request.tasks,
        steps=request.steps,
        init=request.init,
        validation=request.validation,
        threads=request.threads,
    )
    return train(request.stage, job, say)


TRAINER = Trainer(
    train=_train,
    stages=("tokenizer", "sft", "rl", "offline", "frames", "see", "games", "pages"),
    starts=True,
    prepares=("tokenizer",),
    records={"frames": ("see", "games", "pages")},
    imitates="sft",
    agent="gea",
    alike={"datasets": {"*": 1.0}},
)

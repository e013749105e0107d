"""A call of `bench train gea`, and what its checkpoints depend on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from baselines.gea.config import Config
from baselines.learning.stages import data_digest
from baselines.learning.stages import record_stage as record
from harness.core import Suite, Task

__all__ = ["Job", "identity", "record_stage"]


@dataclasses.dataclass(frozen=True)
class Job:
    """One call of `bench train gea`."""

    data: tuple[Path, ...]
    """Folders of demonstrations."""
    out: Path
    """The folder of weights."""
    config: Config
    seed: int = 0
    tasks: Sequence[tuple[Suite, Task]] = ()
    """The tasks that the stage `rl` plays, each with its suite."""
    steps: int | None = None
    """Updates, instead of the configuration's; for the stage `rl`, decisions to play."""
    init: Path | None = None
    """A folder of weights from which `sft` or `rl` starts."""
    validation: tuple[Path, ...] = ()
    """Folders of demonstrations that are not learned: see Config.validate_every."""
    threads: int = 0
    """CPU threads of PyTorch; 0 leaves its setting."""


def identity(stage: str, job: Job) -> dict[str, Any]:
    """What the checkpoints of a stage depend on, as JSON values."""
    tasks = [task.id for _, task in job.tasks]
    return {
        "stage": stage,
        "configuration": dataclasses.asdict(job.config),
        "data": data_digest(job.data),
        "seed": job.seed,
        "tasks": tasks,
    }


def record_stage(job: Job, stage: str, steps: int) -> None:
    """Write into training.json what a stage was trained with."""
    record(
        job.out,
        stage,
        {
            "steps": steps,
            "seed": job.seed,
            "data": [folder.name for folder in job.data],
            "tasks": [task.id for _, task in job.tasks],
        },
    )

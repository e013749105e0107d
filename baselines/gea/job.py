"""A training job, and what its stages share."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from baselines.gea.config import Config
from harness.core import Suite, Task

__all__ = ["Job", "device", "identity", "record_stage"]

CHECKPOINTS = "training"
"""The folder of checkpoints and metrics, next to the weights."""
MADE = "training.json"


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


def device() -> str:
    """The GPU if there is one, else the CPU."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def identity(stage: str, job: Job) -> dict[str, Any]:
    """What the checkpoints of a stage depend on, as JSON values."""
    data = hashlib.blake2b(digest_size=8)
    for folder in job.data:
        file = folder / "episodes.parquet"
        if file.is_file():
            data.update(file.read_bytes())
    tasks = [task.id for _, task in job.tasks]
    return {
        "stage": stage,
        "configuration": dataclasses.asdict(job.config),
        "data": data.hexdigest(),
        "seed": job.seed,
        "tasks": tasks,
    }


def record_stage(job: Job, stage: str, steps: int) -> None:
    """Write into training.json what a stage was trained with."""
    file = job.out / MADE
    made = json.loads(file.read_text()) if file.is_file() else {}
    made[stage] = {
        "steps": steps,
        "seed": job.seed,
        "data": [folder.name for folder in job.data],
        "tasks": [task.id for _, task in job.tasks],
    }
    file.write_text(json.dumps(made, indent=1) + "\n")

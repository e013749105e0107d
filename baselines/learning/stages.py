"""What a training leaves in its folder beside the weights, and what its checkpoints depend on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from harness.core import UserError

__all__ = [
    "CHECKPOINTS",
    "MADE",
    "data_digest",
    "device",
    "need_data",
    "need_validation",
    "record_stage",
]

CHECKPOINTS = "training"
"""The folder of checkpoints and metrics, next to the weights."""
MADE = "training.json"
"""What each stage was trained with: a JSON object by stage."""


def device() -> str:
    """The GPU if there is one, else the CPU."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def data_digest(folders: Sequence[Path]) -> str:
    """16 hexadecimal digits of the tables of episodes of some folders of demonstrations."""
    data = hashlib.blake2b(digest_size=8)
    for folder in folders:
        file = folder / "episodes.parquet"
        if file.is_file():
            data.update(file.read_bytes())
    return data.hexdigest()


def record_stage(out: Path, stage: str, made: Mapping[str, Any]) -> None:
    """Write into training.json of the folder `out` what a stage was trained with."""
    file = out / MADE
    stages = json.loads(file.read_text()) if file.is_file() else {}
    stages[stage] = dict(made)
    file.write_text(json.dumps(stages, indent=1) + "\n")


def need_data(folders: Sequence[Path]) -> None:
    """Raises UserError when no demonstrations are named."""
    if not folders:
        raise UserError(
            "name demonstrations with --data; "
            "`bench demos --suite S --episodes N --out DATA` records some"
        )


def need_validation(learned: Sequence[Path], held_out: Sequence[Path]) -> None:
    """Raises UserError when no demonstrations are held out, or an episode of them is learned."""
    from harness.demos import Demos

    if not held_out:
        raise UserError(
            "validate_every needs demonstrations that are not learned: record some with "
            "another --seed and name them with --validation"
        )
    cases = {row.case for folder in learned for row in Demos(folder).rows}
    for folder in held_out:
        for row in Demos(folder).rows:
            if row.case in cases:
                raise UserError(
                    f"{folder} holds episodes that are learned ({row.task}, seed {row.seed}): "
                    "record it with another --seed"
                )

"""Trains what is compared, once. What was trained is kept and not trained again.

OUT/shared                          what is made once from all demonstrations: a tokenizer
OUT/weights/VARIANT/TRAINING/seed-K the weights; made.json says what they were made with
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.core import UserError
from harness.demos.trainer import Trainer, TrainingRequest
from harness.probes.diversity.arms import Training, Variant
from harness.records.contents import Contents
from harness.records.safe_files import open_regular, read_regular
from harness.records.safe_json import parse

__all__ = ["Recipe", "Trainings"]

MADE = "made.json"
MOST_BYTES = 1 << 20
PLAIN = "weights"
"""The folder of weights without a second factor."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What all trainings have in common."""

    config: str | None = None
    init: Path | None = None
    """The weights to start from; their tokenizer is used."""
    changes: Mapping[str, Any] = field(default_factory=dict)
    threads: int = 1


class Trainings:
    """Makes weights, or finds them."""

    def __init__(
        self,
        trainer: Trainer,
        sets: Mapping[str, Path],
        out: Path,
        recipe: Recipe,
        say: Callable[[str], None],
    ) -> None:
        """`sets`: the folders of demonstrations. `say` is told how the trainings go.

        Raises UserError where the trainer cannot draw every set alike.
        """
        if trainer.alike is None:
            raise UserError(
                f"the trainer of {trainer.agent} does not say how to draw all sets alike, so that "
                "examples cannot be counted; choose another --trainer"
            )
        if recipe.init is not None and not trainer.starts:
            raise UserError(f"--init: the trainer of {trainer.agent} starts from nothing")
        self._trainer, self._out, self._recipe, self._say = trainer, out, recipe, say
        self._folders = dict(sets)
        self._digests = {name: _digest(folder) for name, folder in sets.items()}
        self._init = None if recipe.init is None else _digest_of_weights(recipe.init)

    def weights(self, training: Training, variant: Variant, seed: int) -> Path:
        """The folder of the weights, trained unless it was before.

        Raises UserError where it holds other weights.
        """
        shared = self._recipe.init or self._shared()
        folder = self._out / "weights" / (str(variant) or PLAIN) / training.name / f"seed-{seed}"
        request = TrainingRequest(
            stage=self._trainer.imitates,
            out=folder,
            data=tuple(self._folders[name] for name in training.sets),
            config=self._recipe.config,
            changes={**self._changes(), **variant.changes},
            steps=training.steps,
            init=shared,
            seed=seed,
            threads=self._recipe.threads,
        )
        label = " ".join(filter(None, [" + ".join(training.sets), str(variant), f"seed {seed}"]))
        self._make(request, training.sets, f"{label}, {training.steps} updates")
        return folder

    def _shared(self) -> Path | None:
        """The folder of what is made once, from all sets; None where there is nothing such."""
        if not self._trainer.prepares:
            return None
        for stage in self._trainer.prepares:
            request = TrainingRequest(
                stage=stage,
                out=self._out / "shared",
                data=tuple(self._folders.values()),
                config=self._recipe.config,
                changes=self._changes(),
                threads=self._recipe.threads,
            )
            self._make(request, tuple(self._folders), f"{stage} of all")
        return self._out / "shared"

    def _changes(self) -> dict[str, Any]:
        return {**self._recipe.changes, **(self._trainer.alike or {})}

    def _make(self, request: TrainingRequest, sets: tuple[str, ...], label: str) -> None:
        file = request.out / f"{request.stage}-{MADE}"
        wanted = {
            "agent": self._trainer.agent,
            "stage": request.stage,
            "data": [self._digests[name] for name in sets],
            "config": request.config,
            "changes": dict(request.changes),
            "steps": request.steps,
            "seed": request.seed,
            **({} if self._init is None else {"init": self._init}),
        }
        found = _read(file)
        if found is None:
            self._say(label)
            self._trainer.train(request, lambda said: self._say(f"  {said}"))
            partial = file.with_suffix(".new")
            partial.write_text(json.dumps(wanted, indent=1) + "\n")
            os.replace(partial, file)
        elif found != json.loads(json.dumps(wanted)):
            raise UserError(
                f"{request.out} holds weights that were made otherwise: choose another --out, or "
                "remove that folder"
            )


def _read(file: Path) -> Any:
    """What weights were made with; None: they are not made. Raises UserError."""
    try:
        return parse(read_regular(file, MOST_BYTES))
    except FileNotFoundError:
        return None
    except ValueError as wrong:
        raise UserError(f"{file} is damaged: {wrong}. Remove its folder") from None


def _digest_of_weights(folder: Path) -> str:
    """16 hexadecimal digits of the files of a folder. Raises UserError if there is none."""
    if not folder.is_dir():
        raise UserError(f"--init {folder}: there is no such folder of weights")
    found = Contents(b"")
    found.add("weights", folder, "name the folder of the weights alone")
    return found.hexdigest()


def _digest(folder: Path) -> str:
    """16 hexadecimal digits of the table of episodes. Raises UserError if there is none."""
    try:
        with open_regular(folder / "episodes.parquet") as file:
            digest = hashlib.blake2b(digest_size=8)
            while part := file.read(1 << 20):
                digest.update(part)
            return digest.hexdigest()
    except FileNotFoundError:
        raise UserError(
            f"{folder} holds no demonstrations: it has no episodes.parquet. "
            f"`bench demos --suite S --episodes N --out {folder}` records some"
        ) from None

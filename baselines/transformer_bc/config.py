"""The configuration of a transformer-bc model: config.json, stored next to its weights."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core import UserError
from harness.core.errors import suggest

__all__ = ["FUSIONS", "Config"]

FILE = "config.json"
FUSIONS = ("early", "late", "cross-attention", "mixture-of-experts")
"""How the instruction meets what is seen: baselines/transformer_bc/fusion.py."""
LARGEST = 4096
"""Upper bound of all sizes, so that a config.json from elsewhere cannot fill the memory."""


@dataclass(frozen=True)
class Config:
    """Everything about a model except its weights."""

    fusion: str = "cross-attention"
    """One of FUSIONS."""
    views: tuple[str, ...] = ("grid", "direction")
    """The views that it reads: grids of codes, pictures, numbers. With others it is another agent.

    A trailing `?` marks one that a task may lack.
    """
    history: int = 4
    """Steps of which it knows the actions, this one included; it sees the views of this one."""
    actions: tuple[str, ...] = ()
    """The names of the actions. Training takes them from the demonstrations."""
    words: int = 512
    """Vocabulary size of its text tokenizer."""
    text_tokens: int = 32
    """Most tokens of an instruction; the rest is cut."""
    sentence: int = 128
    """Numbers of the representation of an instruction, before fusion."""
    width: int = 96
    """Channels of the transformer."""
    layers: int = 2
    heads: int = 4
    experts: int = 4
    """Experts of the mixture."""
    pixels: int = 56
    """Side of a picture after resizing; eight pixels a side make a row of the transformer."""
    numbers: int = 32
    """Most numbers of one step that it reads; the rest is cut."""
    lr: float = 1e-3
    batch: int = 64
    steps: int = 2000
    warmup: float = 0.05
    """Share of the updates in which the learning rate rises; it then falls by a cosine."""
    weight_decay: float = 0.01
    clip: float = 1.0
    """Largest norm of the gradient."""
    validate_every: int = 0
    """Updates between two measurements of the loss on demonstrations that are not learned.

    The weights with the smallest one are kept. 0: those of the last update are.
    """

    def __post_init__(self) -> None:
        if self.fusion not in FUSIONS:
            raise UserError(
                f"fusion is {self.fusion!r}: "
                + (suggest(self.fusion, FUSIONS) or f"there are {', '.join(FUSIONS)}")
            )
        sizes = (
            "history", "words", "text_tokens", "sentence", "width", "layers", "heads", "experts",
            "pixels", "numbers", "batch",
        )  # fmt: skip
        for name in sizes:
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= LARGEST:
                raise UserError(f"{name} is {value!r}: it is a whole number from 1 to {LARGEST}")
        for name in ("steps", "validate_every"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise UserError(f"{name} is {value!r}: it is a whole number from 0 on")
        for name in ("lr", "warmup", "weight_decay", "clip"):
            value = getattr(self, name)
            if not isinstance(value, (int, float)) or not 0 <= value < math.inf:
                raise UserError(f"{name} is {value!r}: it is a number from 0 on")
        if self.width % self.heads or self.pixels % 8 or len(self.actions) > LARGEST:
            raise UserError(
                "width must be divisible by heads and pixels by 8, and there may be "
                f"{LARGEST} actions at most"
            )
        texts = (*self.views, *self.actions)
        if not self.views or not all(isinstance(each, str) for each in texts):
            raise UserError("views and actions are lists of names, and there must be a view")

    def reads(self, kind: str) -> bool:
        """Whether it reads a view called `kind` or `kind_...`."""
        return any(view.rstrip("?").partition("_")[0] == kind for view in self.views)

    def save(self, folder: Path) -> None:
        """Write config.json."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE).write_text(json.dumps(dataclasses.asdict(self), indent=1) + "\n")

    @classmethod
    def load(cls, folder: str | Path) -> Config:
        """The configuration in a folder of weights. Raises UserError when there is none."""
        file = Path(folder) / FILE
        if not file.is_file():
            raise UserError(
                f"{folder} holds no weights of transformer-bc: it has no {FILE}. Make some with "
                "`bench demos --suite S --episodes N --views grid,direction --out DATA`, then "
                f"`bench train transformer-bc --data DATA --out {folder}`"
            )
        return cls.read(file)

    @classmethod
    def read(cls, file: Path, changes: Mapping[str, Any] | None = None) -> Config:
        """The configuration in a JSON file, with some fields changed.

        Raises UserError when the file or a change is not valid.
        """
        try:
            return cls.from_json({**json.loads(file.read_text()), **(changes or {})})
        except (OSError, ValueError, TypeError) as wrong:
            raise UserError(f"{file} is no configuration of transformer-bc: {wrong}") from None

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Config:
        """From JSON values. Raises UserError on a field that does not exist."""
        known = [each.name for each in dataclasses.fields(cls)]
        unknown = sorted(set(fields) - set(known))
        if unknown:
            raise UserError(
                f"a configuration of transformer-bc has no field {unknown[0]!r}; "
                f"it has {', '.join(known)}"
            )
        values = dict(fields)
        for name in ("views", "actions"):
            if isinstance(values.get(name), list):
                values[name] = tuple(values[name])
        return cls(**values)

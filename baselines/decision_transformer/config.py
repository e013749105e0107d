"""What a decision transformer is made with, and what it was trained on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from baselines.learning.config_file import StoredConfig, read_json, size, write_json
from harness.core import Box, Brief, Discrete, Spec, UserError
from harness.demos.columns import spec_from_json, spec_to_json
from harness.records.typed import Check, list_of, number, text, whole

__all__ = ["BODY", "WEIGHTS", "Body", "Config", "numeric", "playable", "size_of"]

BODY, WEIGHTS = "body.json", "model.safetensors"
"""The files of a folder of weights, beside config.json."""
REMEDY = "`bench train decision-transformer --data DATA --out {folder}`"
MOST_NUMBERS = 100_000
"""Of what it sees in one step."""


@dataclass(frozen=True)
class Config(StoredConfig):
    """A decision transformer and its training. `--set FIELD=VALUE` changes a field."""

    agent = "decision-transformer"
    remedy = REMEDY
    bounds: ClassVar[Mapping[str, Check]] = {
        "views": list_of(text, 16), "context": whole(2, 1000), "width": whole(8, 4096),
        "layers": size(64), "heads": size(64), "batch": size(1 << 16), "steps": size(1 << 31),
    }  # fmt: skip

    views: tuple[str, ...] = ("state",)
    """What it sees: arrays of numbers, which are read as one row."""
    context: int = 10
    """Steps that it sees, the current one included; each is three tokens."""
    width: int = 64
    """Channels of the transformer; divisible by twice the heads."""
    layers: int = 2
    heads: int = 2
    lr: float = 1e-3
    batch: int = 32
    """Windows of an update."""
    steps: int = 2500
    """Updates."""
    warmup: float = 0.1
    """Share of the updates in which the learning rate rises; it then falls by a cosine."""
    weight_decay: float = 1e-4
    clip: float = 1.0
    """The largest norm of the gradient."""
    folders_alike: bool = False
    """Draw each folder of recordings equally often, and within it each task.

    Otherwise each task is drawn equally often, whatever the folder.
    """

    def __post_init__(self) -> None:
        if not self.views or self.width % (2 * self.heads):
            raise UserError(
                "this configuration of a decision transformer is invalid: it needs a view, and "
                "width must be divisible by twice the heads"
            )


@dataclass(frozen=True)
class Body:
    """What the training saw: what fits these weights, and in which units they think."""

    views: Mapping[str, Box]
    action: Box | Discrete
    horizon: int
    """Steps of the longest episode."""
    lowest: float
    """The smallest return of an episode."""
    highest: float
    """The largest one."""
    reward: float
    """The root mean square of the rewards, 1 if there are none."""

    @property
    def scale(self) -> float:
        """What returns are divided by."""
        return max(abs(self.lowest), abs(self.highest), 1e-6)

    def lacks(self, brief: Brief) -> str | None:
        """Why the weights do not fit what an agent can see and do, in words; None: they do."""
        for name, spec in self.views.items():
            found = brief.observation.get(name)
            if not isinstance(found, Box) or (found.shape, found.dtype) != (spec.shape, spec.dtype):
                return f"its view {name} is no {spec.dtype} array of the shape {spec.shape}"
        action = brief.action
        if isinstance(self.action, Discrete):
            fits = isinstance(action, Discrete) and action.n == self.action.n
            return None if fits else f"its action is not one of {self.action.n} choices"
        fits = isinstance(action, Box) and action.shape == self.action.shape
        return None if fits else f"its action is no array of the shape {self.action.shape}"

    def save(self, folder: Path) -> None:
        """Write body.json."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        views = {name: spec_to_json(spec) for name, spec in self.views.items()}
        write_json(folder / BODY, {**fields, "views": views, "action": spec_to_json(self.action)})

    @classmethod
    def load(cls, folder: Path) -> Body:
        """The body of a folder of weights. Raises UserError when there is none."""
        try:
            fields = read_json(folder / BODY)
        except FileNotFoundError:
            raise UserError(
                f"{folder} holds no weights of a decision transformer: it has no {BODY}. "
                f"Make some with {REMEDY.format(folder=folder)}"
            ) from None
        try:
            views = {name: spec_from_json(spec) for name, spec in fields["views"].items()}
            numbers = [number(fields[name], name) for name in ("lowest", "highest", "reward")]
            horizon = whole(1, 1 << 31)(fields["horizon"], "horizon")
            return cls(
                numeric(views), playable(spec_from_json(fields["action"])), horizon, *numbers
            )
        except (KeyError, TypeError, AttributeError, ValueError) as wrong:
            raise UserError(f"{folder / BODY} is damaged: {wrong}") from None


def numeric(views: Mapping[str, Spec]) -> dict[str, Box]:
    """The views, all of which are arrays of numbers. Raises UserError."""
    found = {name: spec for name, spec in views.items() if isinstance(spec, Box)}
    if len(found) < len(views):
        name = next(name for name in views if name not in found)
        raise UserError(f"a decision transformer reads arrays of numbers, and {name} is none")
    if sum(map(size_of, found.values())) > MOST_NUMBERS:
        raise UserError(f"a decision transformer reads at most {MOST_NUMBERS} numbers in a step")
    return found


def playable(action: Spec) -> Box | Discrete:
    """The action, if a decision transformer can play it. Raises UserError."""
    if isinstance(action, Discrete):
        return action
    if isinstance(action, Box) and all(map(_finite, action.bounds())):
        return action
    raise UserError(
        "a decision transformer plays one of some choices, or an array of bounded numbers: "
        f"{type(action).__name__} is neither"
    )


def size_of(spec: Box) -> int:
    """How many numbers an array holds."""
    count = 1
    for side in spec.shape:
        count *= side
    return count


def _finite(bound: Any) -> bool:
    import numpy as np

    return bool(np.isfinite(bound).all())

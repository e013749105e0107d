"""The configuration of a transformer-bc model: config.json, stored next to its weights."""

from __future__ import annotations

from dataclasses import dataclass

from baselines.learning.config_file import StoredConfig, size
from harness.core import UserError
from harness.core.errors import suggest
from harness.core.reads import view_of

__all__ = ["FUSIONS", "Config"]

FUSIONS = ("early", "late", "cross-attention", "mixture-of-experts")
"""How the instruction meets what is seen: baselines/transformer_bc/fusion.py."""
LARGEST = 4096
"""Upper bound of all sizes, so that a config.json from elsewhere cannot fill the memory."""


@dataclass(frozen=True)
class Config(StoredConfig):
    """Everything about a model except its weights."""

    agent = "transformer-bc"
    remedy = (
        "`bench demos --suite S --episodes N --views grid,direction --out DATA`, then "
        "`bench train transformer-bc --data DATA --out {folder}`"
    )
    bounds = dict.fromkeys(
        ("history", "words", "text_tokens", "sentence", "width", "layers", "heads", "experts",
         "pixels", "numbers", "batch"),
        size(LARGEST),
    )  # fmt: skip

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
        if self.width % self.heads or self.pixels % 8 or len(self.actions) > LARGEST:
            raise UserError(
                "width must be divisible by heads and pixels by 8, and there may be "
                f"{LARGEST} actions at most"
            )
        if not self.views:
            raise UserError("views is a list of names, and there must be a view")

    def reads(self, kind: str) -> bool:
        """Whether it reads a view called `kind` or `kind_...`."""
        return any(view_of(view).partition("_")[0] == kind for view in self.views)

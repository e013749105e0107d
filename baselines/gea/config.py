"""What a GEA model is made of, as JSON beside its weights."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.core import DOMAINS, UserError

__all__ = ["Config", "RVQConfig"]

FILE = "config.json"


@dataclass(frozen=True)
class RVQConfig:
    """The action tokenizer; the defaults are the paper's (arXiv 2412.08442, appendix A)."""

    dims: int = 21
    """Longer actions are cut, shorter ones padded with 0."""
    codebooks: int = 2
    codes: int = 512
    code_dim: int = 1024
    hidden: int = 4096
    layers: int = 4
    commitment: float = 1.0
    lr: float = 1e-4
    batch: int = 256
    steps: int = 15_000


@dataclass(frozen=True)
class Config:
    """All of a model but its weights. The defaults are those of `nano`; baselines/gea/recipes/paper.json has the paper's."""

    backbone: str = "nano"
    """`nano`, or an image-text model of `transformers`: a local folder or a hub id."""
    views: tuple[str, ...] = (
        "image?",
        "image_partial?",
        "grid?",
        "direction?",
        "proprio?",
        "state?",
        "text?",
        "dom?",
        "admissible?",
    )
    """What it reads; recorded with the weights, as other views would be another agent."""
    history: int = 3
    """Steps of context, the present one included."""
    full_prompt: bool = False
    """The whole description of body, actions, simulator and cameras; else the simulator's and the actions' first words."""
    about_tokens: int = 16
    """Of the simulator and the actions, without `full_prompt`: enough to tell them apart."""
    prompt_tokens: int = 96
    """Of all that comes before what is seen."""
    text_tokens: int = 128
    """Of one text view now; in past steps a quarter of it."""
    answer_tokens: int = 48
    """The longest free text that it may write."""
    screen: int = 50
    """Blocks a side of a screen, on which places are named: 50 in the paper."""
    rvq: RVQConfig = field(
        default_factory=lambda: RVQConfig(code_dim=64, hidden=256, lr=1e-3, steps=3000)
    )
    # nano
    words: int = 1024
    width: int = 192
    layers: int = 4
    heads: int = 6
    mlp: int = 512
    pixels: int = 64
    numbers: int = 128
    # backbones of others
    lora: int = 0
    """The rank of LoRA; 0 trains everything."""
    lora_alpha: int = 32
    train_vision: bool = False
    # learning
    mixed_precision: bool = False
    """Of nano: whether matrices are multiplied in bfloat16 while it learns, which some processors do several times as fast. It plays in float32."""
    # supervised fine-tuning
    lr: float = 1e-3
    batch: int = 64
    steps: int = 3000
    warmup: float = 0.1
    """The share of steps in which the learning rate rises; then it falls by a cosine."""
    muon: bool = False
    """Of nano: whether SFT learns the matrices of its blocks by Muon instead of AdamW."""
    weight_decay: float = 0.01
    clip: float = 1.0
    weights: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(DOMAINS, 1.0))
    """How often each domain is drawn, relative to the others that have demonstrations."""
    tasks: Mapping[str, float] = field(default_factory=dict)
    """How often tasks are drawn within their domain, by a pattern of their names, such as {"babyai/Pickup*": 3}; the last one that fits counts, and
    1 where none does."""
    # reinforcement learning: the paper's
    rl_lr: float = 3e-4
    rl_falls: bool = False
    """Whether the learning rate rises and falls as in SFT: a first step of full size moves all weights as far, whatever their gradient."""
    rollout: int = 128
    """Steps a lane between updates."""
    lanes: int = 16
    epochs: int = 2
    minibatches: int = 6
    at_once: int = 64
    """Decisions that go through the model together: a minibatch is several, whose gradients add up."""
    clip_ratio: float = 0.2
    gamma: float = 0.999
    gae: float = 0.95
    entropy: float = 1e-4
    """Of the entropy's share of its largest possible value."""
    value: float = 0.5
    sft_share: float = 0.1
    critic_first: int = 0
    """Decisions before the policy moves, of which the critic alone learns: an untrained one pulls at a backbone that has something to lose."""
    critic_apart: bool = False
    """Whether the critic learns alone all the time, from hidden states that it does not move."""
    temperature: float = 1.0
    """Of the drawn actions, and of the policy that learns from them: below 1 it keeps closer to the likeliest answer."""
    play_temperature: float = 0.0
    """Of the actions that `GEA` draws; 0: it gives the likeliest answer."""
    popart: float = 3e-4
    """The step of PopArt's moving moments (arXiv 1809.04474)."""

    def __post_init__(self) -> None:
        if (
            self.history < 1
            or self.width % self.heads
            or min(self.lanes, self.rollout, self.batch, self.at_once) < 1
        ):
            raise UserError(
                "this GEA configuration makes no model: history, lanes, rollout, batch and at_once from 1 on, heads must divide width"
            )
        if not (self.temperature > 0 and self.play_temperature >= 0):
            raise UserError(
                f"temperature is {self.temperature} and play_temperature {self.play_temperature}: above 0 the one, 0 or above the other"
            )
        unknown = set(self.weights) - set(DOMAINS)
        if unknown:
            raise UserError(
                f"weights names the domain {sorted(unknown)[0]!r}; there are {', '.join(DOMAINS)}"
            )

    def save(self, folder: Path) -> None:
        """Write config.json."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE).write_text(json.dumps(dataclasses.asdict(self), indent=1) + "\n")

    @classmethod
    def load(cls, folder: str | Path) -> Config:
        """The configuration of a folder of weights. Raises UserError when there is none."""
        file = Path(folder) / FILE
        if not file.is_file():
            raise UserError(
                f"{folder} holds no GEA weights: it has no {FILE}. Make some with `bench demos --suite S --episodes N --out DATA`, then "
                f"`bench train gea --stage tokenizer --data DATA --out {folder}` and the same with `--stage sft`"
            )
        return cls.read(file)

    @classmethod
    def read(cls, file: Path, changes: Mapping[str, Any] | None = None) -> Config:
        """The configuration of a JSON file, with some fields changed. Raises UserError on what is none."""
        try:
            return cls.of({**json.loads(file.read_text()), **(changes or {})})
        except (OSError, ValueError, AttributeError, TypeError) as wrong:
            raise UserError(f"{file} is no GEA configuration: {wrong}") from None

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Config:
        """From JSON values. Raises UserError on a field that does not exist."""
        known = {each.name for each in dataclasses.fields(cls)}
        unknown = sorted(set(fields) - known)
        if unknown:
            raise UserError(
                f"a GEA configuration has no field {unknown[0]!r}; it has {', '.join(sorted(known))}"
            )
        values = dict(fields)
        try:
            if "rvq" in values:
                values["rvq"] = RVQConfig(**values["rvq"])
            if "views" in values:
                values["views"] = tuple(values["views"])
            return cls(**values)
        except TypeError as wrong:
            raise UserError(f"this is no GEA configuration: {wrong}") from None

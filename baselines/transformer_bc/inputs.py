"""What the model is given: an instruction, the views of one step, the actions before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from baselines.learning.text_tokenizer import TextTokenizer
from baselines.learning.views import has_codes, scaled
from baselines.transformer_bc.config import Config
from harness.core import Box, Brief, Discrete, MultiDiscrete
from harness.core.reads import view_of
from harness.demos.columns import is_image, shrunk

__all__ = ["Query", "Seen", "past_actions", "seen", "token_ids"]


@dataclass(frozen=True, eq=False)
class Seen:
    """The views of one step."""

    cells: tuple[np.ndarray, ...]
    """uint8 (W, H, C) each: grids of codes."""
    pictures: tuple[np.ndarray, ...]
    """uint8 (pixels, pixels, 3) each."""
    numbers: np.ndarray
    """float32 (n,): all numeric views."""


@dataclass(frozen=True, eq=False)
class Query:
    """One question to the model; its answer is an action."""

    instruction: tuple[int, ...]
    """Token ids, one at least."""
    seen: Seen
    past: tuple[int, ...]
    """The last actions, the newest last: at most `history` - 1."""


def token_ids(text: str, tokenizer: TextTokenizer, config: Config) -> tuple[int, ...]:
    """The token ids of an instruction, behind a begin token, which an empty one has too."""
    begin = [tokenizer.bos] if tokenizer.bos is not None else [tokenizer.eos]
    return (*begin, *tokenizer.encode(text)[: config.text_tokens - 1])


def seen(brief: Brief, observation: Mapping[str, Any], config: Config) -> Seen:
    """Those views of an observation that the configuration names. Others than grids of codes,
    pictures and numbers are left out."""
    cells, pictures, numbers = [], [], []
    for name in (view_of(view) for view in config.views):
        if name not in observation:
            continue
        spec, value = brief.observation[name], observation[name]
        if is_image(name, spec):
            rgb = np.repeat(value[..., None], 3, axis=2) if value.ndim == 2 else value
            pictures.append(shrunk(rgb, config.pixels))
        elif name == "grid" and isinstance(spec, Box):
            if has_codes(spec):
                cells.append(np.asarray(value))
        elif isinstance(spec, (Box, Discrete, MultiDiscrete)):
            numbers.append(scaled(spec, value))
    flat = np.concatenate(numbers) if numbers else np.zeros(0, np.float32)
    return Seen(tuple(cells), tuple(pictures), flat)


def past_actions(actions: Sequence[int], config: Config) -> tuple[int, ...]:
    """The last of some actions, as many as the model reads."""
    return tuple(actions[max(0, len(actions) - (config.history - 1)) :])

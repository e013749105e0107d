"""What the model is shown: words, and for each step of the context what was seen and, but for the last, what was done."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from baselines.gea.config import Config
from baselines.gea.words import Words
from harness.core import UI, ActionSpec, Box, Brief, Discrete, Elements, MultiDiscrete, Spec, Text
from harness.demos.columns import is_image

__all__ = ["Look", "Prompt", "describe", "introduction", "look"]


@dataclass(frozen=True, eq=False)
class Look:
    """What was seen at one step. One object a step: what the vision encoder makes of it is kept in `features`."""

    images: tuple[np.ndarray, ...]
    """(H, W, 3) uint8."""
    cells: tuple[np.ndarray, ...]
    """(W, H, C) uint8 codes, of `grid`."""
    numbers: np.ndarray
    """float32, of all numeric views; cut or padded by the model."""
    text: tuple[int, ...]
    source: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The observation that it was made of."""
    features: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, eq=False)
class Prompt:
    """One question to the model."""

    text: tuple[int, ...]
    looks: tuple[Look, ...]
    """Oldest first."""
    actions: tuple[tuple[int, ...], ...]
    """The answers between them: one less."""
    learned: tuple[int, ...] = ()
    """Which of these answers are learned too: the expert's, given to what will be seen so when they are asked for."""


def look(
    brief: Brief, observation: Mapping[str, Any], words: Words, config: Config, *, keep: bool = True
) -> Look:
    """What of an observation the model takes; `keep`: with the observation itself."""
    images, cells, numbers, text = [], [], [], []
    for name in (
        view.rstrip("?") for view in config.views
    ):  # in this order, wherever the observation comes from
        if name not in observation:
            continue
        spec, value = brief.observation[name], observation[name]
        if is_image(name, spec):
            images.append(_picture(value, config))
        elif name == "grid" and isinstance(spec, Box):
            cells.append(np.asarray(value))
        elif isinstance(spec, (Box, Discrete, MultiDiscrete)):
            numbers.append(_scaled(spec, value))
        elif isinstance(spec, (Text, Elements)):
            said = value if isinstance(spec, Text) else _screen(value, brief.action, config.screen)
            text += words.encode(f" {name}: {said}")[: config.text_tokens]
    flat = np.concatenate(numbers) if numbers else np.zeros(0, np.float32)
    return Look(tuple(images), tuple(cells), flat, tuple(text), observation if keep else {})


def _picture(image: np.ndarray, config: Config) -> np.ndarray:
    """RGB; for nano at its size."""
    rgb = np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image
    if config.backbone != "nano":
        return rgb
    from PIL import Image

    small = Image.fromarray(rgb).resize((config.pixels, config.pixels), Image.Resampling.BOX)
    return np.asarray(small)


def _scaled(spec: Box | Discrete | MultiDiscrete, value: Any) -> np.ndarray:
    """Bounded elements to [-1, 1]; x / (1 + |x|) of the others is left to the model, which sees them as they are."""
    flat = np.asarray(value, np.float32).reshape(-1)
    if isinstance(spec, Discrete):
        return 2 * flat / max(1, spec.n - 1) - 1
    if isinstance(spec, MultiDiscrete):
        return 2 * flat / np.maximum(1, np.asarray(spec.nvec, np.float32) - 1) - 1
    low, high = (limit.astype(np.float64).reshape(-1) for limit in spec.bounds())
    bounded = np.isfinite(low) & np.isfinite(high) & (high > low)
    width = np.where(bounded, high - low, 2.0)
    return np.where(bounded, 2 * (flat - np.where(bounded, low, 0.0)) / width - 1, flat).astype(
        np.float32
    )


def _screen(elements: Sequence[Any], action: ActionSpec, blocks: int) -> str:
    """Elements in few words: tag, text, value, middle; where clicks are meant, in their blocks, so that a place is copied and not computed."""
    size = (action.width / blocks, action.height / blocks) if isinstance(action, UI) else (1.0, 1.0)
    lines = []
    for element in elements:
        said = " ".join(part for part in (element.text, element.value) if part)
        if said or element.tag in ("button", "input", "textarea", "select"):
            x, y = (int(middle / unit) for middle, unit in zip(element.center, size))
            lines.append(f"{element.tag} {json.dumps(said, ensure_ascii=False)} {x} {y}")
    return "; ".join(lines)


def introduction(brief: Brief, instruction: str, words: Words, config: Config) -> tuple[int, ...]:
    """Body, actions, simulator, cameras and instruction, in the paper's order; where they do not all fit, the instruction does."""
    said, most = words.encode(f" Instruction: {instruction}"), max(1, config.prompt_tokens * 3 // 4)
    if len(said) > most:  # a task tells what it is at the beginning, and what it wants at the end
        said = said[: most // 4] + said[len(said) - (most - most // 4) :]
    spare = config.prompt_tokens - len(said)
    if config.full_prompt:
        cameras = "; ".join(
            f"{name}, {spec.meaning}"
            for name, spec in brief.observation.items()
            if isinstance(spec, Box) and is_image(name, spec)
        )
        about = f"Body: {brief.embodiment}. Actions: {describe(brief.action)}. Simulator: {brief.simulator}. Cameras: {cameras or 'none'}."
    else:
        about, spare = (
            f"{brief.simulator.partition(',')[0]}; {describe(brief.action)}",
            min(spare, config.about_tokens),
        )
    begin = [words.bos] if words.bos is not None else []
    return (*begin, *words.encode(about)[:spare], *said)


def describe(spec: ActionSpec | Spec) -> str:
    """An action space in words."""
    if isinstance(spec, Box):
        return f"{int(np.prod(spec.shape))} numbers{': ' if spec.meaning else ''}{spec.meaning}"
    if isinstance(spec, Discrete):
        return f"one of {', '.join(spec.names) if spec.names else f'0 to {spec.n - 1}'}"
    if isinstance(spec, MultiDiscrete):
        return f"{len(spec.nvec)} choices of {', '.join(map(str, spec.nvec))}"
    if isinstance(spec, UI):
        return f"on a screen: {', '.join(spec.kinds)}"
    return "a text"

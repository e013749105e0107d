"""Augmentation: what is changed in the pictures of a training example without changing its answer.

All pictures of a context are changed in the same way, since they show one world.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from baselines.gea.config import Config
from baselines.gea.prompt import Prompt

__all__ = ["augmented", "augments"]


def augments(config: Config) -> bool:
    """Whether a configuration changes pictures at all."""
    return bool(config.shift or config.colour or config.turned)


def augmented(
    prompt: Prompt, config: Config, rng: np.random.Generator, *, turned: bool, moved: bool
) -> Prompt:
    """A prompt with other pictures, of the same sizes.

    `turned`: whether they may be turned by multiples of 90 degrees; `moved`: whether they may be
    shifted.
    """
    quarter = int(rng.integers(4)) if turned else 0
    most = config.shift if moved else 0
    dy, dx = rng.integers(-most, most + 1, 2) if most else (0, 0)
    brightness, contrast = (
        1 + rng.uniform(-config.colour, config.colour, 2) if config.colour else (1.0, 1.0)
    )

    def changed(picture: np.ndarray) -> np.ndarray:
        if quarter:
            picture = np.rot90(picture, quarter)
        if dy or dx:
            # The edge is repeated: black would be an object that no task shows.
            padded = np.pad(picture, ((most, most), (most, most), (0, 0)), mode="edge")
            height, width = picture.shape[:2]
            picture = padded[most + dy : most + dy + height, most + dx : most + dx + width]
        if brightness != 1 or contrast != 1:
            mean = picture.mean(dtype=np.float32)
            values = ((picture - mean) * np.float32(contrast) + mean) * np.float32(brightness)
            picture = values.clip(0, 255).astype(np.uint8)
        return np.ascontiguousarray(picture)

    steps = tuple(
        dataclasses.replace(
            step,
            images=tuple(map(changed, step.images)),
            features={},
            earlier=tuple(tuple(map(changed, images)) for images in step.earlier),
        )
        for step in prompt.steps
    )
    return dataclasses.replace(prompt, steps=steps)

"""Prompts: text about the task, then the inputs of a few steps with the actions between them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from baselines.gea.config import Config
from baselines.learning.text_tokenizer import TextTokenizer
from baselines.learning.views import has_codes, scaled
from harness.core import (
    UI,
    ActionSpec,
    Box,
    Brief,
    Discrete,
    Element,
    Elements,
    MultiDiscrete,
    Spec,
    Text,
)
from harness.core.reads import view_of
from harness.demos.columns import is_image, shrunk

__all__ = [
    "SIZES",
    "PageReader",
    "Prompt",
    "StepInputs",
    "describe",
    "instruction_tokens",
    "introduction",
    "is_listed",
    "numeric_inputs",
    "step_inputs",
]


PageReader = Callable[[np.ndarray], Sequence[tuple[str, str, float, float]]]
"""From uint8 (H, W, 3): tag, text, and x and y of the centre in pixels, of the elements of a page.
"""
SIZES = ((210, 160), (667, 375))
"""Rows and columns of the pictures of pages that eyes for pages read."""


@dataclass(frozen=True, eq=False)
class StepInputs:
    """What the model is given of one step's observation.

    A step has one object for as long as it is in the context: `features` then keeps its encoding.
    """

    images: tuple[np.ndarray, ...]
    """uint8 (H, W, 3) each."""
    cells: tuple[np.ndarray, ...]
    """uint8 (W, H, C) each: the codes of the view `grid`, where an encoder can read them."""
    numbers: np.ndarray
    """float32 (n,): all numeric views, concatenated. The backbone cuts or pads them."""
    text: tuple[int, ...]
    """Token ids of all text views."""
    source: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The observation that this was made from, where it was to be kept."""
    features: dict[str, Any] = field(default_factory=dict, repr=False)
    """What `Backbone.encode_inputs` made of it."""
    earlier: tuple[tuple[np.ndarray, ...], ...] = ()
    """The images of the steps before it in the context, the oldest first."""

    def images_before(self, place: int) -> list[np.ndarray]:
        """The earlier pictures of the view whose picture is `images[place]`."""
        return [images[place] for images in self.earlier if place < len(images)]


@dataclass(frozen=True, eq=False)
class Prompt:
    """One query to the model. Its answer is the action of the last step."""

    introduction: tuple[int, ...]
    """Token ids: see `introduction`."""
    steps: tuple[StepInputs, ...]
    """The oldest first."""
    actions: tuple[tuple[int, ...], ...]
    """Token ids of the actions between the steps: one fewer than there are steps."""
    supervised: tuple[int, ...] = ()
    """Indices of those `actions` that SFT trains on, in addition to the answer."""
    auxiliary: np.ndarray | None = None
    """float32 (n,): the numbers that SFT predicts as well, standardised; NaN is not predicted."""


def step_inputs(
    brief: Brief,
    observation: Mapping[str, Any],
    tokenizer: TextTokenizer,
    config: Config,
    *,
    keep_source: bool = True,
    earlier: Sequence[StepInputs] = (),
    read_page: PageReader | None = None,
) -> StepInputs:
    """The model's inputs from those views of an observation that the configuration names.

    `keep_source` stores the observation with them. `earlier`: the steps before it in the context.
    `read_page` tells the elements of a page that the task does not tell.
    """
    images, text = [], []
    # In the configuration's order: a demonstration and a live episode may list views differently.
    for name in (view_of(view) for view in config.views):
        if name not in observation:
            continue
        spec, value = brief.observation[name], observation[name]
        if is_image(name, spec):
            # Of a page, a `reader` was taught the elements only.
            if config.vision == "reader" and "dom" in brief.observation:
                continue
            if not (config.pages and _is_page(brief, spec)):
                images.append(_rgb(value, config))
            elif read_page is not None:
                content = _page_text(read_page(value), brief.action, config.screen)
                text += tokenizer.encode(f" dom: {content}")[: config.text_tokens]
        elif isinstance(spec, (Text, Elements)):
            content = (
                value
                if isinstance(spec, Text)
                else _elements_text(value, brief.action, config.screen)
            )
            text += tokenizer.encode(f" {name}: {content}")[: config.text_tokens]
    cells, numbers = numeric_inputs(brief, observation, config)
    return StepInputs(
        tuple(images),
        cells,
        numbers,
        tuple(text),
        observation if keep_source else {},
        earlier=tuple(each.images for each in earlier),
    )


def numeric_inputs(
    brief: Brief, observation: Mapping[str, Any], config: Config
) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """(grids, numbers) of StepInputs, from those views that the configuration names."""
    cells, numbers = [], []
    for name in (view_of(view) for view in config.views):
        spec = brief.observation.get(name)
        if spec is None or name not in observation or is_image(name, spec):
            continue
        if name == "grid" and isinstance(spec, Box):
            if has_codes(spec):
                cells.append(np.asarray(observation[name]))
        elif isinstance(spec, (Box, Discrete, MultiDiscrete)):
            numbers.append(scaled(spec, observation[name]))
    flat = np.concatenate(numbers) if numbers else np.zeros(0, np.float32)
    return tuple(cells), flat


def _is_page(brief: Brief, spec: Spec) -> bool:
    """Whether a picture is a screenshot of a small page, which can be pointed at."""
    if not isinstance(brief.action, UI) or not isinstance(spec, Box):
        return False
    return spec.shape[:2] in SIZES and spec.shape[2:] == (3,)


def _rgb(image: np.ndarray, config: Config) -> np.ndarray:
    """uint8 (H, W, 3) of a grey or RGB image; for nano, (pixels, pixels, 3)."""
    rgb = np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image
    if config.backbone != "nano":
        return rgb
    return shrunk(rgb, config.pixels)


def is_listed(tag: str, content: str) -> bool:
    """Whether an element of a page is in the prompt."""
    return bool(content) or tag in ("button", "input", "textarea", "select")


def _elements_text(elements: Sequence[Element], action: ActionSpec, blocks: int) -> str:
    """The elements of a page: tag, text and value, and centre."""
    rows = []
    for element in elements:
        content = " ".join(part for part in (element.text, element.value) if part)
        if is_listed(element.tag, content):
            rows.append((element.tag, content, *element.center))
    return _page_text(rows, action, blocks)


def _page_text(
    rows: Sequence[tuple[str, str, float, float]], action: ActionSpec, blocks: int
) -> str:
    """What a page shows, from (tag, content, x, y of the centre) of its elements.

    Where actions are clicks, the centre is given in their blocks, so that the answer can copy it
    instead of computing it.
    """
    size = (action.width / blocks, action.height / blocks) if isinstance(action, UI) else (1.0, 1.0)
    lines = []
    for tag, content, *centre in rows:
        x, y = (int(middle / unit) for middle, unit in zip(centre, size))
        lines.append(f"{tag} {json.dumps(content, ensure_ascii=False)} {x} {y}")
    return "; ".join(lines)


def introduction(
    brief: Brief, instruction: str, tokenizer: TextTokenizer, config: Config
) -> tuple[int, ...]:
    """Token ids on embodiment, actions, simulator, cameras and instruction, in the paper's order.

    At most `config.prompt_tokens`, not counting the tokenizer's begin token. The instruction may
    take three quarters of them; the rest of the text is cut to what it leaves.
    """
    task = instruction_tokens(instruction, tokenizer, config)
    spare = config.prompt_tokens - len(task)
    if config.full_prompt:
        cameras = "; ".join(
            f"{name}, {spec.meaning}"
            for name, spec in brief.observation.items()
            if isinstance(spec, Box) and is_image(name, spec)
        )
        about = (
            f"Body: {brief.embodiment}. Actions: {describe(brief.action)}. "
            f"Simulator: {brief.simulator}. Cameras: {cameras or 'none'}."
        )
    else:
        about = f"{brief.simulator.partition(',')[0]}; {describe(brief.action)}"
        spare = min(spare, config.about_tokens)
    begin = [tokenizer.bos] if tokenizer.bos is not None else []
    return (*begin, *tokenizer.encode(about)[:spare], *task)


def instruction_tokens(instruction: str, tokenizer: TextTokenizer, config: Config) -> list[int]:
    """Token ids of an instruction, at most three quarters of `config.prompt_tokens`."""
    task = tokenizer.encode(f" Instruction: {instruction}")
    most = max(1, config.prompt_tokens * 3 // 4)
    if len(task) > most:
        # Of a long instruction, keep both ends: it begins with what the task is and ends with the
        # goal.
        task = task[: most // 4] + task[len(task) - (most - most // 4) :]
    return task


def describe(spec: ActionSpec | Spec) -> str:
    """An action space as text."""
    if isinstance(spec, Box):
        return f"{int(np.prod(spec.shape))} numbers{': ' if spec.meaning else ''}{spec.meaning}"
    if isinstance(spec, Discrete):
        return f"one of {', '.join(spec.names) if spec.names else f'0 to {spec.n - 1}'}"
    if isinstance(spec, MultiDiscrete):
        return f"{len(spec.nvec)} choices of {', '.join(map(str, spec.nvec))}"
    if isinstance(spec, UI):
        return f"on a screen: {', '.join(spec.kinds)}"
    return "a text"

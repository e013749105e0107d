"""Draw perturbations-*.jpg: image perturbations at severities 1, 3 and 5, for three families.

Use: python docs/images/draw_perturbations.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import suites
from harness.core import Brief, Case, Task
from harness.perturb import REGISTRY, Body, RandomStreams
from harness.records.catalogue import find_suites
from harness.records.registry import load

FRAMES = {
    "metaworld": ("metaworld", "metaworld/drawer-open-v3", 12),
    "babyai": ("babyai", "babyai/PickupLoc", 3),
    "atari": ("atari", "atari/breakout", 40),
}
LEFT_OUT = ("frozen_frames", "dropped_frames", "blackout")
"""Perturbations that show an earlier frame or a black one."""
SEVERITIES = (1, 3, 5)
SIDE, MARGIN, LINE = 128, 4, 14


def frame(suite: str, name: str, steps: int) -> tuple[Task, Brief, np.ndarray]:
    """(task, brief, the view `image`: (H, W, 3) uint8) after some random actions."""
    task = next(task for task in find_suites(suite, suites.SUITES)[0].tasks if task.name == name)
    adapter = load(task.adapter)(task)
    seen, rng = adapter.reset(Case(task, task.first_seed)), np.random.default_rng(1)
    for _ in range(steps):
        seen = adapter.step(adapter.brief.action.sample(rng))
    image = seen.observation["image"]().copy()
    adapter.close()
    return task, adapter.brief, image


def sheet(task: Task, brief: Brief, image: np.ndarray) -> Image.Image:
    """Two perturbations per row, three severities each, after the frame itself."""
    names = [
        kind.name
        for kind in REGISTRY.values()
        if kind.group in ("image", "partial") and kind.name not in LEFT_OUT
    ]
    tall = round(SIDE * image.shape[0] / image.shape[1])
    block = 3 * (SIDE + MARGIN) + 3 * MARGIN
    page = Image.new(
        "RGB", (2 * block, -(-(len(names) + 1) // 2) * (tall + LINE + MARGIN)), "white"
    )
    draw = ImageDraw.Draw(page)
    case = Case(task, task.first_seed)
    for number, name in enumerate(["", *names]):
        left, top = number % 2 * block, number // 2 * (tall + LINE + MARGIN)
        draw.text((left + 2, top), f"{name}:1, 3, 5" if name else "as it is", fill="black")
        for column, severity in enumerate(SEVERITIES if name else (0,)):
            shown = image
            if name:
                kind = REGISTRY[name]
                shown = load(kind.entry)(
                    RandomStreams(case, name), Body(brief, 1, ""), **kind.levels[severity - 1]
                ).see("image", image, 0)
            small = Image.fromarray(shown).resize((SIDE, tall), Image.Resampling.BOX)
            page.paste(small, (left + column * (SIDE + MARGIN), top + LINE))
    return page


def main() -> None:
    """Write the three files next to this one."""
    for family, (suite, name, steps) in FRAMES.items():
        file = Path(__file__).with_name(f"perturbations-{family}.jpg")
        sheet(*frame(suite, name, steps)).save(file, quality=85)


if __name__ == "__main__":
    main()

"""What each perturbation costs per step, as a Markdown table on stdout.

Run: python tests/performance/perturbations.py [--size 224].

Pictures are size x size x 3, an action has 7 elements, a state 39, an instruction 12 words, and a
screen of 160 x 210 px has 40 elements. Figures are the median of a step in milliseconds, by
severity. A perturbation without any hook that acts per step costs nothing per step.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from harness.core import UI, Box, Brief, Case, Element, Elements, Task, UIAction
from harness.perturb import REGISTRY, Body, Effect, RandomStreams
from harness.records.registry import load

REPEATS = 80
MISSION = "pick up the red ball next to the grey key on your left"


def picture(size: int) -> np.ndarray:
    """Smooth, with edges: what a renderer draws."""
    rows, columns = np.mgrid[:size, :size] / size
    image = np.stack([rows * 255, columns * 255, 128 + 100 * np.sin(20 * rows * columns)], axis=2)
    image[size // 3 : size // 2, size // 4 : size // 2] = (200, 30, 30)
    return image.astype(np.uint8)


def median(call: Callable[[int], Any]) -> float:
    """Milliseconds."""
    for step in range(5):
        call(step)
    seconds = []
    for step in range(5, REPEATS):
        begun = time.perf_counter()
        call(step)
        seconds.append(time.perf_counter() - begun)
    return 1000 * float(np.median(seconds))


def cost(name: str, severity: int, size: int) -> float:
    """One step of all that the perturbation does there."""
    kind = REGISTRY[name]
    screen = kind.group == "ui"
    elements = tuple(
        Element(k + 1, 0, "button", "OK", "", "id", (), 1.0 * k, 2.0 * k, 9.0, 9.0)
        for k in range(40)
    )
    image = picture(size) if not screen else np.zeros((210, 160, 3), np.uint8)
    values: dict[str, Any] = {
        "image": image,
        "state": np.linspace(-1, 1, 39, dtype=np.float32),
        "dom": elements,
    }
    views = {"image": Box(image.shape, "uint8", 0, 255), "state": Box((39,)), "dom": Elements()}
    brief = Brief(
        views,
        UI(160, 210, ("click", "wait")) if screen else Box((7,), low=-1.0, high=1.0),
        "a body",
        "a simulator",
    )
    case = Case(Task("toys/timed@1", "manipulation", "toys:ToyAdapter"), 0)
    effect: Effect = load(kind.entry)(
        RandomStreams(case, name), Body(brief, 4, MISSION, 500), **kind.levels[severity - 1]
    )
    seen = [(view, values[view]) for view in effect.views()]
    action = UIAction("click", ref=3) if screen else np.zeros(7, np.float32)

    def step(number: int) -> None:
        for view, value in seen:
            effect.see(view, value, number)
        effect.act(effect.inward(action), number)
        effect.say(MISSION)

    return median(step)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=224)
    size = parser.parse_args().size
    print("| group | perturbation | ms, severity 1 | 3 | 5 |")
    print("|---|---|---|---|---|")
    for kind in REGISTRY.values():
        if kind.group != "history":
            print(
                f"| {kind.group} | {kind.name} | "
                + " | ".join(f"{cost(kind.name, severity, size):.3f}" for severity in (1, 3, 5))
                + " |"
            )


if __name__ == "__main__":
    main()

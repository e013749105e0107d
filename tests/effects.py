"""Effects of perturbations on any spec, for tests."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st

from harness.core import (
    UI,
    Box,
    Brief,
    Case,
    Discrete,
    Element,
    Elements,
    MultiDiscrete,
    Task,
    Text,
)
from harness.perturb import REGISTRY, Body, Effect, RandomStreams
from harness.records.registry import load

TASK = Task("toys/perturbed@1", "navigation", "toys:ToyAdapter", max_steps=50)
SEVERITIES = (1, 2, 3, 4, 5)
UI_SPEC = UI(40, 30, ("click", "drag", "type", "wait"))
NAMES, NUMBERS = st.sampled_from(sorted(REGISTRY)), st.integers(0, 9)
SIZES = st.tuples(st.integers(2, 40), st.integers(2, 40))


def effect(
    name: str,
    severity: int,
    brief: Brief,
    *,
    seed: int = 0,
    history: int = 3,
    instruction: str = "Go to the red ball",
) -> Effect:
    kind = REGISTRY[name]
    return load(kind.entry)(
        RandomStreams(Case(TASK, seed), name),
        Body(brief, history, instruction, 50),
        **kind.levels[severity - 1],
    )


def brief(action: Any = None, **views: Any) -> Brief:
    return Brief(views, Discrete(5) if action is None else action, "a body", "a simulator")


@st.composite
def boxes(draw: st.DrawFn, dtype: str = "float32") -> Box:
    shape = draw(st.sampled_from([(), (1,), (4,), (2, 3), (0,)]))
    count = math.prod(shape)
    side = st.floats(-100, 100, width=32)
    lows = draw(st.lists(side, min_size=count, max_size=count))
    spans = draw(st.lists(st.floats(0, 50, width=32), min_size=count, max_size=count))
    low = tuple(lows)
    return Box(shape, dtype, low, tuple(a + b for a, b in zip(low, spans)))


def bounded_actions() -> st.SearchStrategy[Any]:
    nvec = st.lists(st.integers(1, 6), min_size=1, max_size=4).map(tuple)
    texts = st.just(Text(20, ("look", "go north")))
    return st.one_of(
        boxes(), st.integers(1, 9).map(Discrete), nvec.map(MultiDiscrete), texts, st.just(UI_SPEC)
    )


def offered() -> dict[str, Any]:
    return {
        "image": Box((90, 60, 3), "uint8", 0, 255),
        "image_gray": Box((40, 40), "uint8", 0, 255),
        "depth": Box((90, 60), "float32", 0.0, 10.0),
        "state": Box((4,), "float32", low=-1.0),
        "grid": Box((3, 3, 2), "uint8", 0, 10),
        "direction": Discrete(4),
        "text": Text(),
        "dom": Elements(),
    }


def pages(count: int) -> tuple[Element, ...]:
    """Elements inside one another: each within the one of half its number."""
    return tuple(
        Element(
            number, number // 2, "div", f"text {number % 5}", "", f"n{number % 3}", (), 1.0, 2.0,
            3.0, 4.0,
        )
        for number in range(1, count + 1)
    )  # fmt: skip


@st.composite
def sights(draw: st.DrawFn) -> tuple[Any, Any]:
    """A view without cameras that partial observability reaches: (spec, value)."""
    kind = draw(st.sampled_from(("codes", "page", "text")))
    if kind == "page":
        return Elements(), pages(draw(st.integers(0, 12)))
    if kind == "text":
        lines = draw(st.lists(st.text("ab \r\x0b\u2028", max_size=4), max_size=8))
        return Text(), "\n".join(lines)
    shape = draw(st.sampled_from([(1,), (9,), (7, 7, 3), (3, 5), (2, 2, 2, 2), (0, 4)]))
    low = draw(st.integers(0, 3))
    spec = Box(shape, draw(st.sampled_from(("uint8", "int32"))), low, 10)
    return spec, spec.sample(np.random.default_rng(draw(st.integers(0, 9))))

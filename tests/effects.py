"""Effects of perturbations on any spec, for tests."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import strategies as st

from harness.core import UI, Box, Brief, Case, Discrete, Elements, MultiDiscrete, Task, Text
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

"""Perturbations of one case together: their order, what they draw, what the agent is shown."""

from __future__ import annotations

from typing import Any

import numpy as np
from effects import TASK, brief, offered

from harness.core import Box, Brief, Case, Discrete, Perturbation
from harness.perturb import REGISTRY, Pipeline


def pipeline(text: tuple[Perturbation, ...], body: Brief, history: int = 1) -> Pipeline | None:
    return Pipeline.of(Case(TASK, 0, text), body, history, "go to the red ball")


def test_severity_0_is_none() -> None:
    assert pipeline((), brief()) is None
    assert pipeline(tuple(Perturbation(name, 0) for name in REGISTRY), brief()) is None


def test_they_compose_in_the_order_written() -> None:
    body = brief(Box((1,), low=-1.0, high=1.0))
    noise, delay = Perturbation("action_noise", 3), Perturbation("action_delay", 1)
    there, back = pipeline((noise, delay), body), pipeline((delay, noise), body)
    assert there is not None
    assert back is not None
    zero = np.zeros(1, np.float32)
    first = [chain.act(zero, 0)[0] for chain in (there, back)]
    assert first[0] == 0  # the noise is delayed
    assert first[1] != 0
    assert there.act(zero, 1)[0] == first[1]  # and comes out one step late


def test_views_that_nobody_reads_are_not_drawn() -> None:
    drawn: list[str] = []

    def draw(name: str) -> Any:
        return lambda: drawn.append(name) or np.zeros((90, 60, 3), np.uint8)

    views = {"image": draw("image"), "image_gray": draw("gray"), "state": np.zeros(4, np.float32)}

    def read(name: str) -> Any:
        value = views[name]
        return value() if callable(value) else value

    chain = pipeline(
        (Perturbation("image_noise", 3), Perturbation("occlusion", 1)), brief(**offered())
    )
    assert chain is not None
    assert chain.see(("state",), read, 0, True) is not None
    assert drawn == []
    assert chain.see(("image", "state"), read, 1, False) is None
    assert drawn == []
    chain.see(("image", "state"), read, 2, True)
    assert drawn == ["image"]
    late = pipeline((Perturbation("observation_delay", 1),), brief(**offered()))
    assert late is not None
    late.see(("image",), read, 0, False)  # it must see every frame, to show it later
    assert drawn == ["image", "image"]


def test_the_agent_is_shown_what_it_sent() -> None:
    chain = pipeline((Perturbation("action_random", 5),), brief(Discrete(100)), history=3)
    assert chain is not None
    executed = [chain.act(7, step) for step in range(6)]
    assert any(action != 7 for action in executed)
    assert chain.sent() == (7, 7)
    short = pipeline(
        (Perturbation("history", 5), Perturbation("action_random", 5)),
        brief(Discrete(100)),
        history=3,
    )
    assert short is not None
    assert short.history == 1
    short.act(7, 0)
    assert short.sent() == ()

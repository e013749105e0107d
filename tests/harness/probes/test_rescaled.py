"""An un-normalisation by mean and spread that is missing, or done twice, is told from the rest."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import wired
from conftest import plan_of

from harness.core import Agent, Box, Case
from harness.probes.fork import Brancher
from harness.probes.wiring.episodes import Stage
from harness.probes.wiring.rescaled import WHAT, of_lines
from harness.probes.wiring.verdict import diagnose
from harness.records.plan import CaseIndex


@contextlib.contextmanager
def staged(agent: Agent, count: int) -> Iterator[tuple[Stage, list[Case]]]:
    """An agent's stage, and so many cases of the toy."""
    _, plan = plan_of("wired:Broken", [wired.wired_task(words=True)], count)
    with Brancher(agent, None, 60.0) as brancher:
        stage = Stage(brancher, agent, lambda result: result.score, True, 150)
        yield stage, [plan.case(CaseIndex(0, 0, number)) for number in range(count)]


class Rescaled(wired.Broken):
    """Its actions are normalised by a mean and a spread, and nobody undoes it."""

    def act(self, turns: Any) -> list[Any]:
        mean, spread = np.array([1.5, 1.0, 0.4]), np.array([2.5, 2.0, 0.5])
        return [
            dataclasses.replace(each, actions=[(each.actions[0] - mean) / spread])
            for each in super().act(turns)
        ]


def test_a_missing_un_normalisation_is_named_first() -> None:
    with staged(Rescaled(), 20) as (stage, cases):
        found = diagnose(stage, cases)
    assert found.faults, "\n".join(found.lines())
    assert found.faults[0] == WHAT, "\n".join(found.lines())
    assert found.episodes <= 150


def test_another_scale_with_another_zero_is_told_from_the_rest() -> None:
    rng = np.random.default_rng(0)
    expert = rng.uniform(-1, 1, (60, 3))
    spec = Box((3,), low=-1.0, high=1.0)
    spread, mean = np.array([0.4, 0.5, 0.6]), np.array([0.0, 0.5, 0.1])
    assert of_lines((expert - mean) / spread, expert, spec)
    assert of_lines(expert * spread + mean, expert, spec)
    still = np.where([True, True, False], expert, 0.3)
    assert of_lines((still - mean) / spread, still, spec), "what never moves tells nothing"
    for other in (
        expert + rng.normal(0, 0.1, expert.shape),
        expert * 10,
        expert * -spread + mean,
        np.where([True, True, False], expert, expert * 0.5 + 0.5),
        (expert - mean)[:, ::-1] / spread,
        np.zeros_like(expert),
        rng.uniform(-1, 1, expert.shape),
        np.full_like(expert, np.nan),
    ):
        assert not of_lines(other, expert, spec)
    assert not of_lines(expert * spread + mean, expert, Box((3,))), "without bounds"
    fixed = Box((3,), "float32", (-1.0, -1.0, 1.0), (1.0, 1.0, 1.0))
    assert not of_lines(expert * spread + mean, expert, fixed), "one element has no range"


class Wordy(wired.Broken):
    """Its actions are no numbers."""

    def act(self, turns: Any) -> list[Any]:
        return ["forward" for _ in turns]


@pytest.mark.parametrize("agent", [Wordy(), wired.Broken("gripper_sign")])
def test_the_agent_is_asked_beside_the_expert(agent: Agent) -> None:
    with staged(agent, 1) as (stage, cases):
        spec, pairs = stage.beside_expert(cases[0])
    assert isinstance(spec, Box)
    assert stage.episodes == 1
    assert bool(pairs) is not isinstance(agent, Wordy), "whoever executes it says what is wrong"
    for answer, expert in pairs:
        assert (answer == expert * [1, 1, -1]).all()

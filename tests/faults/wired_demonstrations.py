"""Demonstrations of a task's expert, and a network that is fitted to them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.core import Agent, Brief, Case, Turn
from harness.probes.fork import Brancher

__all__ = ["Shown", "demonstrated", "fitted"]


@dataclass
class Shown:
    """What was seen step by step, and what the expert did or would have done."""

    views: dict[str, list[Any]] = field(default_factory=dict)
    instructions: list[str] = field(default_factory=list)
    actions: list[Any] = field(default_factory=list)
    briefs: list[Brief] = field(default_factory=list)
    """Of each episode."""

    def view(self, name: str) -> Any:
        """A tensor (steps, ...)."""
        import torch

        return torch.as_tensor(np.stack(self.views[name]))

    def answers(self) -> Any:
        """A tensor (steps, ...)."""
        import torch

        return torch.as_tensor(np.stack(self.actions))


class Recorder(Agent):
    """The expert, or another player beside whom it is asked; keeps what was seen and what is
    right."""

    def __init__(self, views: Sequence[str], player: Agent | None, noise: float) -> None:
        self.reads = ("expert", *views)  # type: ignore[misc]
        self.views, self.player, self.noise = views, player, noise
        self.shown = Shown()

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        (turn,) = turns
        spec = turn.brief.action
        if turn.step == 0:
            self.shown.briefs.append(turn.brief)
        if turn.expert is None:
            return [spec.noop()]
        for view in self.views:
            self.shown.views.setdefault(view, []).append(turn.observation[view])
        self.shown.instructions.append(turn.instruction)
        self.shown.actions.append(turn.expert)
        if self.player is not None:
            return list(self.player.act(turns))
        return [spec.sample(turn.rng) if turn.rng.random() < self.noise else turn.expert]


def demonstrated(
    views: Sequence[str], cases: Sequence[Case], player: Agent | None = None, noise: float = 0.0
) -> Shown:
    """The expert's actions in these cases.

    `player`: who acts, while the expert says what is right. `noise`: the share of random actions
    where the expert acts.
    """
    recorder = Recorder(views, player, noise)
    with Brancher(recorder, None, 120.0) as brancher:
        for case in cases:
            brancher.outcome(recorder, case)
    return recorder.shown


def fitted(
    loss_of: Callable[[Any], Any], parameters: Any, steps: int, updates: int, rate: float = 1e-3
) -> None:
    """Minimise a loss of rows of the demonstrations, with Adam, from seed 0."""
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(1)
    optimiser = torch.optim.Adam(parameters, rate)
    for _ in range(updates):
        loss = loss_of(torch.randint(steps, (64,)))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    print(f"{steps} steps of the expert, loss {loss.item():.3f}", file=sys.stderr)

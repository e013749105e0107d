"""The network: a causal transformer over (return-to-go, observation, action), and an account.

    R_1 o_1 a_1 R_2 o_2 a_2 ... R_t o_t  ->  a_t

R_t is the return that is still asked for before step t. The blocks are those of baselines/gea
(rotary positions, gated MLPs), where Chen et al. take GPT-2's with an embedding of the time step:
here the token R_t also holds t / horizon.

No agent of bench is told a reward, so a second, small network keeps the account: it estimates the
reward of step t from o_t, a_t and o_{t+1} - o_t (docs/decisions/062-own-account.md).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.decision_transformer.config import WEIGHTS, Body, Config, size_of
from baselines.gea.llama import Llama
from harness.core import Discrete, UserError

__all__ = ["Model", "scaled", "unscaled"]

SIGMAS = 5.0
"""Standardised observations are clipped to this many standard deviations."""
TOKENS = 3
"""Of a step."""


class Model(nn.Module):
    """Predicts actions and estimates rewards.

    Observations are raw rows, float32 (..., D). Actions are int64 (...) choices, or float32
    (..., A) scaled to [-1, 1] by their bounds.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: Config, body: Body) -> None:
        super().__init__()
        self.config, self.body = config, body
        numbers, width = sum(map(size_of, body.views.values())), config.width
        self.choices = body.action.n if isinstance(body.action, Discrete) else 0
        played = self.choices or size_of(body.action)  # type: ignore[arg-type] # else it is a Box
        self.register_buffer("mean", torch.zeros(numbers))
        self.register_buffer("std", torch.ones(numbers))
        self.asked = nn.Linear(2, width)
        self.seen = nn.Sequential(nn.Linear(numbers, width), nn.GELU(), nn.Linear(width, width))
        self.done = nn.Linear(played, width)
        self.kind = nn.Parameter(torch.zeros(TOKENS, width))
        self.blocks = Llama(1, width, config.layers, config.heads, 2 * width)
        self.head = nn.Linear(width, played)
        self.account = nn.Sequential(
            nn.Linear(2 * numbers + played, width), nn.GELU(),
            nn.Linear(width, width), nn.GELU(), nn.Linear(width, 1),
        )  # fmt: skip

    def standardise(self, observations: Tensor) -> Tensor:
        """In standard deviations from the mean of the training's observations, clipped."""
        return ((observations - self.mean) / self.std).clamp(-SIGMAS, SIGMAS)

    def _encoded(self, actions: Tensor) -> Tensor:
        return F.one_hot(actions, self.choices).float() if self.choices else actions

    def tokens(
        self, returns: Tensor, times: Tensor, observations: Tensor, actions: Tensor
    ) -> Tensor:
        """The embeddings (B, 3 T, width) of T steps, in the order return, observation, action.

        `returns` (B, T): returns-to-go; `times` (B, T): steps taken before.
        """
        clock = (times / self.body.horizon).clamp(max=1.0)
        parts = (
            self.asked(torch.stack([returns / self.body.scale, clock], -1)),
            self.seen(self.standardise(observations)),
            self.done(self._encoded(actions)),
        )
        return (torch.stack(parts, 2) + self.kind).flatten(1, 2)

    def forward(
        self, returns: Tensor, times: Tensor, observations: Tensor, actions: Tensor
    ) -> Tensor:
        """What is predicted at each of T steps: logits (B, T, n), or actions (B, T, A)."""
        embeds = self.tokens(returns, times, observations, actions)
        mask = torch.ones(embeds.shape[:2], dtype=torch.int64)
        positions = torch.arange(embeds.shape[1]).expand(embeds.shape[:2])
        hidden = self.blocks(embeds, mask, positions)[:, 1::TOKENS]
        return self._played(hidden)

    def last(self, returns: Tensor, times: Tensor, observations: Tensor, actions: Tensor) -> Tensor:
        """For acting: what `forward` predicts at the last step, (B, n) or (B, A).

        Its own action is not seen, whatever stands there.
        """
        embeds = self.tokens(returns, times, observations, actions)[:, :-1]
        mask = torch.ones(embeds.shape[:2], dtype=torch.int64)
        positions = torch.arange(embeds.shape[1]).expand(embeds.shape[:2])
        return self._played(self.blocks.last_hidden(embeds, mask, positions, []))[:, 0]

    def _played(self, hidden: Tensor) -> Tensor:
        found: Tensor = self.head(hidden)
        return found if self.choices else found.tanh()

    def rewards(self, before: Tensor, actions: Tensor, after: Tensor) -> Tensor:
        """The estimated rewards (...) of actions, from what was seen before and after."""
        first = self.standardise(before)
        change = self.standardise(after) - first
        parts = torch.cat([first, change, self._encoded(actions)], -1)
        estimated: Tensor = self.account(parts)[..., 0] * self.body.reward
        return estimated

    def save(self, folder: Path) -> None:
        """Write the weights, the configuration and the body."""
        self.config.save(folder)
        self.body.save(folder)
        save_file(
            {name: value.contiguous().clone() for name, value in self.state_dict().items()},
            folder / WEIGHTS,
        )

    @classmethod
    def load(cls, folder: Path) -> Model:
        """The network of a folder of weights. Raises UserError."""
        model = cls(Config.load(folder), Body.load(folder))
        try:
            model.load_state_dict(load_file(folder / WEIGHTS))
        except (OSError, RuntimeError, SafetensorError) as wrong:
            said = " ".join(str(wrong).split())[:200]
            raise UserError(f"{folder / WEIGHTS} does not fit its configuration: {said}") from None
        return model.eval()


def scaled(action: np.ndarray, body: Body) -> np.ndarray:
    """Actions (..., *shape) as rows (..., A) in [-1, 1]."""
    assert not isinstance(body.action, Discrete)
    low, high = (bound.reshape(-1) for bound in body.action.bounds())
    rows = action.reshape(*action.shape[: action.ndim - len(body.action.shape)], -1)
    shares: np.ndarray = 2 * (rows - low) / np.maximum(high - low, 1e-9) - 1
    return shares.astype(np.float32, copy=False)


def unscaled(row: np.ndarray, body: Body) -> np.ndarray:
    """The inverse of `scaled`, for one action."""
    assert not isinstance(body.action, Discrete)
    low, high = body.action.bounds()
    spread: np.ndarray = low + (row.reshape(body.action.shape) + 1) / 2 * (high - low)
    return spread.astype(body.action.dtype)

"""Recorded episodes as windows of returns-to-go, observations and actions."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from baselines.decision_transformer.config import Body, Config, numeric, playable
from baselines.decision_transformer.model import scaled
from baselines.learning.sampling import StepSampler, folders_alike
from harness.core import Brief, Discrete, UserError
from harness.demos import Demo

__all__ = ["Episodes", "Windows", "rows_of"]


@dataclass(frozen=True)
class Windows:
    """B windows of T steps; a row is 0 beyond the end of its episode."""

    returns: Tensor
    """float32 (B, T): returns-to-go, the reward of the step included."""
    times: Tensor
    """float32 (B, T): steps taken before."""
    observations: Tensor
    """float32 (B, T, D)."""
    actions: Tensor
    """int64 (B, T), or float32 (B, T, A)."""
    rewards: Tensor
    """float32 (B, T)."""
    inside: Tensor
    """bool (B, T): whether the step belongs to the episode."""


@dataclass(frozen=True)
class _Episode:
    """Arrays with an entry for each step."""

    observations: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    returns: np.ndarray
    """Returns-to-go."""


class Episodes:
    """All episodes of some folders, in memory."""

    def __init__(self, folders: Sequence[Path], config: Config) -> None:
        """Raises UserError where rewards or a view are missing, or bodies differ."""
        self._config = config
        self._sampler = (
            StepSampler(folders, folders_alike) if config.folders_alike else StepSampler(folders)
        )
        self._episodes: dict[tuple[int, int], _Episode] = {}
        self.body = self._body(folders)
        for number, demos in enumerate(self._sampler.sets):
            for row in demos.rows:
                demo = demos.read(row.index, config.views)
                self._episodes[number, row.index] = _arrays(demo, self.body)
        rewards = np.concatenate([each.rewards for each in self._episodes.values()])
        size = float(np.sqrt(np.square(rewards, dtype=np.float64).mean()))
        self.body = dataclasses.replace(self.body, reward=size or 1.0)

    @property
    def steps(self) -> int:
        """Steps of all episodes together."""
        return self._sampler.steps

    @property
    def count(self) -> int:
        """How many episodes there are."""
        return len(self._episodes)

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """(mean, standard deviation) of the numbers that are seen, (D,) each; 1 of constants."""
        rows = np.concatenate([each.observations for each in self._episodes.values()])
        std = rows.std(0, dtype=np.float64)
        return rows.mean(0, dtype=np.float64), np.where(std > 1e-6, std, 1.0)

    def _body(self, folders: Sequence[Path]) -> Body:
        returns, steps = list[float](), 0
        brief: Brief | None = None
        for folder, demos in zip(folders, self._sampler.sets):
            for row in demos.rows:
                if row.returned is None:
                    raise UserError(
                        f"{folder} holds no rewards: record it with `bench demos --agent A "
                        "--keep all`"
                    )
                found = demos.brief(row)
                if brief is None:
                    brief = found
                elif (brief.action, brief.observation) != (found.action, found.observation):
                    raise UserError(
                        f"{folder}: {row.task} has other views or actions than the other episodes: "
                        "a decision transformer learns one body"
                    )
                returns.append(row.returned)
                steps = max(steps, row.steps)
        assert brief is not None  # a sampler without episodes refuses
        for name in self._config.views:
            if name not in brief.observation:
                raise UserError(
                    f"the view {name} was not recorded: there is {', '.join(brief.observation)}; "
                    "choose with --set views"
                )
        views = numeric({name: brief.observation[name] for name in self._config.views})
        return Body(views, playable(brief.action), steps, min(returns), max(returns), 1.0)

    def draw(self, rng: np.random.Generator, count: int) -> Windows:
        """`count` windows of the configured context, each from any step on."""
        length = self._config.context
        picked = [self._sampler.draw(rng) for _ in range(count)]
        return _stack(
            [(self._episodes[number, index], step) for number, index, step in picked], length
        )

    def whole(self) -> Iterator[Windows]:
        """Each episode as one window."""
        for episode in self._episodes.values():
            yield _stack([(episode, 0)], len(episode.rewards))


def rows_of(observations: Sequence[Mapping[str, Any]], body: Body) -> np.ndarray:
    """The numbers of some steps, float32 (T, D), in the order of the body's views."""
    parts = [
        np.stack([seen[name] for seen in observations]).reshape(len(observations), -1)
        for name in body.views
    ]
    return np.concatenate(parts, 1, dtype=np.float32, casting="unsafe")


def _arrays(demo: Demo, body: Body) -> _Episode:
    frames = demo.frames
    seen = rows_of([frame.observation for frame in frames], body)
    actions = np.asarray([frame.executed for frame in frames])
    if isinstance(body.action, Discrete):
        actions = actions.astype(np.int64)
    else:
        actions = scaled(actions, body)
    rewards = np.asarray([frame.reward for frame in frames], np.float64)
    returns = np.cumsum(rewards[::-1])[::-1]
    return _Episode(seen, actions, rewards.astype(np.float32), returns.astype(np.float32))


def _stack(picked: Sequence[tuple[_Episode, int]], length: int) -> Windows:
    count, (first, _) = len(picked), picked[0]

    def empty(like: np.ndarray) -> np.ndarray:
        return np.zeros((count, length, *like.shape[1:]), like.dtype)

    returns, rewards = empty(first.returns), empty(first.rewards)
    observations, actions = empty(first.observations), empty(first.actions)
    times, inside = np.zeros((count, length), np.float32), np.zeros((count, length), bool)
    for number, (episode, start) in enumerate(picked):
        end = min(start + length, len(episode.rewards))
        here = number, slice(0, end - start)
        returns[here], rewards[here] = episode.returns[start:end], episode.rewards[start:end]
        observations[here] = episode.observations[start:end]
        actions[here] = episode.actions[start:end]
        times[here], inside[here] = np.arange(start, end), True
    arrays = (returns, times, observations, actions, rewards, inside)
    return Windows(*map(torch.from_numpy, arrays))

"""Augmented random search (V2-t of Mania et al. 2018, arXiv 1803.07055): linear policies in numpy.

    python -m baselines.decision_transformer.search --env HalfCheetah-v5 --out policies

A policy is a matrix on the standardised observation. Each iteration tries `directions` random
changes of the matrix in both senses and moves it along the `best` of them. Every `every` iterations
a checkpoint is written, so that there are policies of several strengths in the end; the same
command goes on from the last one. Episodes start from seeds of the search's own.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.core import UserError, stream
from harness.records.safe_files import read_regular
from harness.records.safe_json import parse

__all__ = ["Checkpoint", "search"]

MOST_BYTES = 1 << 24
FIELDS = ("matrix", "mean", "spread", "count", "score")


@dataclass(frozen=True)
class Checkpoint:
    """A policy, and the observations that were seen while it was searched for."""

    matrix: np.ndarray
    """(A, D): the action of a standardised observation."""
    mean: np.ndarray
    """(D,): the mean of the observations."""
    spread: np.ndarray
    """(D,): the sum of their squared deviations from it."""
    count: float
    """How many there were."""
    score: float = 0.0
    """The mean return of the iteration's episodes, which play changed matrices."""

    def act(self, observation: np.ndarray) -> np.ndarray:
        """The action (A,) of an observation (D,)."""
        action: np.ndarray = self.matrix @ ((observation - self.mean) / self.std)
        return action

    @property
    def std(self) -> np.ndarray:
        """(D,): the standard deviation of the observations; 1 where there is none."""
        std = np.sqrt(self.spread / max(1.0, self.count - 1))
        return np.where(std > 1e-8, std, 1.0)

    def save(self, file: Path) -> None:
        """Write a JSON file, whole or not at all."""
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".new")
        content = {name: np.asarray(getattr(self, name)).tolist() for name in FIELDS}
        partial.write_text(json.dumps(content) + "\n")
        os.replace(partial, file)

    @classmethod
    def load(cls, file: str | Path) -> Checkpoint:
        """The policy in a file. Raises UserError when it holds none."""
        try:
            content = parse(read_regular(file, MOST_BYTES))
            arrays = [np.asarray(content[name], np.float64) for name in FIELDS]
        except FileNotFoundError:
            raise UserError(f"there is no policy {file}") from None
        except (KeyError, ValueError, TypeError) as wrong:
            raise UserError(f"{file} is no policy of the search: {wrong}") from None
        matrix, mean, spread, count, score = arrays
        fit = matrix.ndim == 2 and mean.shape == spread.shape == matrix.shape[1:]
        if not fit or count.shape or score.shape:
            raise UserError(f"{file} is no policy of the search: its shapes do not fit")
        return cls(matrix, mean, spread, float(count), float(score))


def search(
    env: Any,
    out: Path,
    *,
    iterations: int,
    every: int,
    directions: int,
    best: int,
    step: float,
    noise: float,
    seed: int = 0,
    say: Callable[[str], None] = lambda _: None,
) -> list[Path]:
    """Write OUT/NNNN.json every `every` iterations; returns all of these files, in order.

    `env`: a Gymnasium environment of flat arrays. `step`, `noise`: alpha and nu of the paper.
    """
    found = sorted(out.glob("[0-9]*.json"))
    if found:
        state = Checkpoint.load(found[-1])
    else:
        (numbers,), (actions,) = env.observation_space.shape, env.action_space.shape
        state = Checkpoint(np.zeros((actions, numbers)), np.zeros(numbers), np.zeros(numbers), 0.0)
    for number in range(int(found[-1].stem) if found else 0, iterations):
        rng = stream(seed, "search", step=number)
        state = _improved(env, state, rng, directions, best, step, noise)
        if (number + 1) % every == 0:
            file = out / f"{number + 1:04d}.json"
            state.save(file)
            found.append(file)
            say(f"{file}: mean return {state.score:.6g}")
    return found


def _improved(
    env: Any,
    state: Checkpoint,
    rng: np.random.Generator,
    directions: int,
    best: int,
    step: float,
    noise: float,
) -> Checkpoint:
    """The state after one iteration."""
    changes = rng.standard_normal((directions, *state.matrix.shape))
    returns = np.zeros((directions, 2))
    seen: list[np.ndarray] = []
    for number, change in enumerate(changes):
        for side, sense in enumerate((1.0, -1.0)):
            tried = state.matrix + sense * noise * change
            start = int(rng.integers(2**31))
            returns[number, side], observed = _play(env, state, tried, start)
            seen.append(observed)
    chosen = np.argsort(-returns.max(1))[:best]
    used = returns[chosen]
    gains = ((used[:, 0] - used[:, 1])[:, None, None] * changes[chosen]).sum(0)
    matrix = state.matrix + step / (best * max(used.std(), 1e-8)) * gains
    rows = np.concatenate(seen)
    mean, spread, count = rows.mean(0), np.square(rows - rows.mean(0)).sum(0), float(len(rows))
    # Moments of two samples together (Chan et al. 1979).
    total = state.count + count
    gap = mean - state.mean
    return Checkpoint(
        matrix,
        state.mean + gap * count / total,
        state.spread + spread + gap**2 * state.count * count / total,
        total,
        float(returns.mean()),
    )


def _play(env: Any, state: Checkpoint, matrix: np.ndarray, start: int) -> tuple[float, np.ndarray]:
    """(the return of an episode, what was seen in it)."""
    low, high = env.action_space.low, env.action_space.high
    weights = matrix / state.std
    observation, _ = env.reset(seed=start)
    seen, returned, over = [], 0.0, False
    while not over:
        seen.append(observation)
        action = np.clip(weights @ (observation - state.mean), low, high)
        observation, reward, terminated, truncated, _ = env.step(action)
        returned += float(reward)
        over = terminated or truncated
    return returned, np.asarray(seen)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """The command."""
    import gymnasium

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--env", required=True, help="the id of a Gymnasium environment")
    parser.add_argument("--out", type=Path, required=True, help="the folder of the policies")
    parser.add_argument("--iterations", type=int, default=100)
    parser.add_argument("--every", type=int, default=10, help="iterations between two policies")
    parser.add_argument("--directions", type=int, default=16)
    parser.add_argument("--best", type=int, default=8)
    parser.add_argument("--step", type=float, default=0.02)
    parser.add_argument("--noise", type=float, default=0.03)
    parser.add_argument("--seed", type=int, default=0)
    given = vars(parser.parse_args())
    search(gymnasium.make(given.pop("env")), given.pop("out"), say=_say, **given)


if __name__ == "__main__":
    main()

"""Demonstrations of games as training examples: decoded pictures, which are kept in memory.

Examples (baselines/gea/data.py) reads any demonstrations, and decodes pictures whenever they are
drawn. Here the pictures are most of what is read, and they are small: 21 kB a step.

Where a recording holds the view `state`, its numbers come with the examples, standardised: the eyes
learn to tell them, and whoever plays does not see them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from baselines.gea.actions import ActionCodec
from baselines.gea.config import Config
from baselines.gea.game_eyes import PIXELS
from baselines.gea.prompt import Prompt, StepInputs, introduction
from baselines.learning.sampling import StepSampler
from baselines.learning.text_tokenizer import TextTokenizer
from baselines.learning.views import scaled
from harness.core import ActionSpec, Box, Discrete, UserError
from harness.demos import Demo
from harness.demos.columns import shrunk

__all__ = ["PICTURE", "Example", "PlayedGames"]

PICTURE, STATE = "image", "state"
MOMENT_EPISODES = 10
"""Episodes of each task by which numbers are standardised."""
FARTHEST = 5.0
"""Standard deviations from the mean at which they end."""
NO_NUMBERS = np.zeros(0, np.float32)


@dataclass(frozen=True)
class Example:
    """A step of a game: what the model is asked, and what the teacher does."""

    prompt: Prompt
    answer: tuple[int, ...]
    """Its tokens."""
    spec: ActionSpec
    numbers: np.ndarray
    """float32 (n,), n >= 0: what the state holds, standardised; NaN where that never changes."""


@dataclass(frozen=True)
class _Episode:
    """Every field but `spec` has one entry for each step."""

    pictures: np.ndarray
    """uint8 (steps, PIXELS, PIXELS, 3)."""
    introductions: Sequence[tuple[int, ...]]
    answers: Sequence[int]
    executed: Sequence[int]
    numbers: np.ndarray
    """float32 (steps, n)."""
    spec: Discrete


class PlayedGames:
    """Draws steps of games: a data set by its weight, then a task alike, then any step of it."""

    def __init__(
        self, folders: Sequence[Path], config: Config, tokenizer: TextTokenizer, codec: ActionCodec
    ) -> None:
        """Data sets have the weights of `config.datasets`, or else the same.

        Raises UserError when a folder has no demonstrations, or those of a task that shows no
        picture or whose action is not one of a list.
        """
        self._config, self._tokenizer, self._codec = config, tokenizer, codec
        weights = config.datasets
        self._sampler = StepSampler(
            folders,
            lambda folder, row: (
                *(config.data_set(folder, row.domain) if weights else (folder, 1.0)),
                1.0,
            ),
        )
        self._episodes: dict[tuple[int, int], _Episode] = {}
        self._tokens: dict[tuple[str, int], tuple[int, ...]] = {}
        found = set()
        states: dict[str, list[np.ndarray]] = defaultdict(list)
        for task, episodes in self._sampler.by_task():
            number, index, _ = episodes[0]
            demos = self._sampler.sets[number]
            brief = demos.brief(demos.rows[index])
            if not isinstance(brief.action, Discrete) or PICTURE not in brief.observation:
                raise UserError(
                    f"{task}: --stage games learns from pictures, and actions of a list; leave "
                    f"{demos.folder} out, or record it with --views image"
                )
            found |= {self._answer(brief.action, each) for each in range(brief.action.n)}
            states[task] += [
                table
                for number, index, _ in episodes[:MOMENT_EPISODES]
                if (table := _state(self._sampler.sets[number].read(index, (STATE,)))).size
            ]
        self.answers = sorted(found)
        """All answers that some game allows."""
        self._moments = {task: _moments(tables) for task, tables in states.items() if tables}
        self.numbers = max([0, *(len(mean) for mean, _ in self._moments.values())])
        """The most numbers that a game's state holds."""

    @property
    def steps(self) -> int:
        """Of all demonstrations."""
        return self._sampler.steps

    def draw(self, rng: np.random.Generator, count: int) -> list[Example]:
        """`count` steps, in the context of those before them."""
        return [self._example(*self._sampler.draw(rng)) for _ in range(count)]

    def _example(self, number: int, index: int, step: int) -> Example:
        episode = self._episodes.get((number, index)) or self._read(number, index)
        begin = max(0, step + 1 - self._config.history)
        pictures = episode.pictures[begin : step + 1]
        steps = [
            StepInputs((picture,), (), NO_NUMBERS, (), earlier=tuple((p,) for p in pictures[:k]))
            for k, picture in enumerate(pictures)
        ]
        actions = [self._answer(episode.spec, each) for each in episode.executed[begin:step]]
        prompt = Prompt(episode.introductions[step], tuple(steps), tuple(actions))
        answer = self._answer(episode.spec, episode.answers[step])
        return Example(prompt, answer, episode.spec, episode.numbers[step])

    def _answer(self, spec: Discrete, action: int) -> tuple[int, ...]:
        key = repr(spec), action
        if key not in self._tokens:
            self._tokens[key] = tuple(self._codec.encode(spec, action, {}))
        return self._tokens[key]

    def _read(self, number: int, index: int) -> _Episode:
        demo = self._sampler.sets[number].read(index, (PICTURE, STATE))
        known: dict[str, tuple[int, ...]] = {}
        for frame in demo.frames:
            if frame.instruction not in known:
                known[frame.instruction] = introduction(
                    demo.brief, frame.instruction, self._tokenizer, self._config
                )
        assert isinstance(demo.brief.action, Discrete)
        episode = _Episode(
            np.stack([_rgb(frame.observation[PICTURE]) for frame in demo.frames]),
            [known[frame.instruction] for frame in demo.frames],
            [int(frame.action) for frame in demo.frames],
            [int(frame.executed) for frame in demo.frames],
            self._standardised(demo),
            demo.brief.action,
        )
        self._episodes[number, index] = episode
        return episode

    def _standardised(self, demo: Demo) -> np.ndarray:
        table = _state(demo)
        if not table.size:
            return table
        mean, deviation = self._moments[demo.row.task]
        standard: np.ndarray = ((table - mean) / deviation).clip(-FARTHEST, FARTHEST)
        return standard.astype(np.float32)


def _state(demo: Demo) -> np.ndarray:
    """float32 (steps, n): the numbers of the view `state`; n = 0 where there is none."""
    spec = demo.brief.observation.get(STATE)
    if not isinstance(spec, Box):
        return np.zeros((len(demo.frames), 0), np.float32)
    return np.stack([scaled(spec, frame.observation[STATE]) for frame in demo.frames])


def _moments(tables: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The mean and the standard deviation of each number; NaN for one that never changes."""
    every = np.concatenate(tables)
    deviation = every.std(0)
    return every.mean(0), np.where(deviation > 1e-4, deviation, np.nan)


def _rgb(picture: np.ndarray) -> np.ndarray:
    colours = np.repeat(picture[..., None], 3, axis=2) if picture.ndim == 2 else picture
    return shrunk(colours, PIXELS)

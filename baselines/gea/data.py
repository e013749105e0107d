"""Demonstrations as training examples: a prompt, and the expert's action as its answer."""

from __future__ import annotations

import dataclasses
import fnmatch
import io
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from baselines.gea.actions import ActionCodec
from baselines.gea.augment import augmented, augments
from baselines.gea.config import Config
from baselines.gea.prompt import (
    Prompt,
    StepInputs,
    describe,
    introduction,
    step_inputs,
)  # fmt: skip
from baselines.gea.rvq import normalise_action
from baselines.learning.sampling import StepSampler
from baselines.learning.text_tokenizer import TextTokenizer
from baselines.learning.views import scaled
from harness.core import UI, Box, Discrete, Elements, MultiDiscrete, Text, Texts, UserError
from harness.core.reads import is_optional, view_of
from harness.demos import Demo, Demos
from harness.demos.columns import encode

__all__ = ["Examples", "continuous_actions", "tokenizer_texts"]

CACHE_BYTES = 4_000_000_000
"""Size of the prepared episodes that are kept; any others are read again whenever drawn."""
MOMENT_EPISODES = 10
"""Episodes of each task by which auxiliary numbers are standardised."""
MAX_TEXTS = 200_000
"""Texts after which no further episode is read to train nano's text tokenizer."""


@dataclass(frozen=True)
class _PreparedEpisode:
    """An episode as tokens; every field has one entry per step."""

    introductions: tuple[tuple[int, ...], ...]
    inputs: tuple[StepInputs, ...]
    """Without images, which are `pictures`."""
    pictures: tuple[tuple[bytes, ...], ...]
    """The images of each step as files: as arrays, those of long trainings fill the memory."""
    auxiliary: tuple[np.ndarray | None, ...]
    """See Prompt."""
    executed: tuple[tuple[int, ...], ...]
    """The action that was executed, which differs from the expert's where noise replaced it."""
    answers: tuple[tuple[int, ...], ...]
    """The expert's action."""

    @property
    def nbytes(self) -> int:
        """Estimate of the memory that it takes."""
        return sum(
            sum(map(len, files)) + sum(array.nbytes for array in each.cells)
            + 64 * len(each.text) + 512
            for each, files in zip(self.inputs, self.pictures)
        )  # fmt: skip

    def inputs_of(self, steps: range) -> tuple[StepInputs, ...]:
        """The inputs of some steps, with their images."""
        return tuple(
            dataclasses.replace(
                self.inputs[step],
                images=tuple(map(_read_picture, self.pictures[step])),
                features={},
            )
            if self.pictures[step]
            else self.inputs[step]
            for step in steps
        )


class Examples:
    """Draws training examples: a domain by its weight, then a task by its weight, then any step."""

    def __init__(
        self, folders: Sequence[Path], config: Config, tokenizer: TextTokenizer, codec: ActionCodec
    ) -> None:
        """Raises UserError when there are no demonstrations of any domain with a weight."""
        self._config, self._tokenizer, self._codec = config, tokenizer, codec
        self._views = _names(config.views)
        self._sampler = StepSampler(
            folders,
            lambda folder, row: (
                *config.data_set(folder, row.domain),
                _weight(row.task, config.tasks),
            ),
        )
        self._sets = self._sampler.sets
        self._prepared: dict[tuple[int, int], _PreparedEpisode] = {}
        self._prepared_bytes = 0
        self._moments = self._auxiliary_moments() if config.auxiliary else {}

    @property
    def steps(self) -> int:
        """Total number of steps in the demonstrations that are used."""
        return self._sampler.steps

    def draw(
        self, rng: np.random.Generator, count: int, *, augment: bool = False
    ) -> tuple[list[Prompt], list[tuple[int, ...]]]:
        """`count` prompts, and the token ids of their answers.

        `augment` changes their pictures as the configuration says.
        Raises UserError when the demonstrations lack a view that the configuration requires.
        """
        prompts, answers = [], []
        for _ in range(count):
            number, index, step = self._sampler.draw(rng)
            prompt, answer = self.example(number, index, step)
            if augment and augments(self._config):
                row = self._sets[number].rows[index]
                prompt = augmented(
                    prompt,
                    self._config,
                    rng,
                    turned=any(
                        fnmatch.fnmatchcase(row.task, pattern) for pattern in self._config.turned
                    ),
                    moved=not isinstance(Demos.brief(row).action, UI),
                )
            prompts.append(prompt)
            answers.append(answer)
        return prompts, answers

    def draw_place(self, rng: np.random.Generator) -> tuple[int, int, int]:
        """(index of a set, index of an episode in it, step): what `example` takes."""
        return self._sampler.draw(rng)

    def domain(self, number: int, index: int) -> str:
        """The domain of episode `index` of set `number`."""
        return self._sets[number].rows[index].domain

    def rewards(self) -> dict[tuple[int, int], np.ndarray]:
        """(index of a set, index of an episode in it) -> its rewards, float64 (steps,).

        Raises UserError where they were not recorded.
        """
        found = {}
        for task, episodes in self._sampler.by_task():
            for number, index, _ in episodes:
                rewards = [frame.reward for frame in self._sets[number].read(index, ()).frames]
                if None in rewards:
                    raise UserError(
                        f"the episodes of {task} have no rewards: record them with "
                        "`bench demos --agent A --keep all`"
                    )
                found[number, index] = np.array(rewards, dtype=np.float64)
        return found

    def example(self, number: int, index: int, step: int) -> tuple[Prompt, tuple[int, ...]]:
        """The prompt and answer of one step of episode `index` of set `number`."""
        episode = self._prepared.get((number, index)) or self._prepare(number, index)
        begin = max(0, step + 1 - self._config.history)
        # The sequence holds the actions of the earlier steps anyway, so training on them is free.
        # It must not teach answers to inputs that the agent never sees, though. So an action
        # counts only if it is the expert's, the introduction was the same, and none of the texts
        # before it is cut: past texts are shortened, the current one is not.
        limit = self._config.text_tokens // 4
        # Nor may an earlier image be shortened.
        shortens = self._config.past_rows or self._config.games
        uncut = [
            len(each.text) <= limit and not (shortens and files)
            for each, files in zip(episode.inputs[begin:step], episode.pictures[begin:step])
        ]
        supervised = tuple(
            past - begin
            for past in range(begin, step)
            if all(uncut[: past - begin + 1])
            and episode.introductions[past] == episode.introductions[step]
            and episode.executed[past] == episode.answers[past]
        )
        inputs = episode.inputs_of(range(begin, step + 1))
        before = tuple(each.images for each in inputs[:-1])
        prompt = Prompt(
            episode.introductions[step],
            (*inputs[:-1], dataclasses.replace(inputs[-1], earlier=before)),
            episode.executed[begin:step],
            supervised,
            episode.auxiliary[step],
        )
        return prompt, episode.answers[step]

    def _prepare(self, number: int, index: int) -> _PreparedEpisode:
        demo = self._sets[number].read(index, (*self._views, *_names(self._config.auxiliary)))
        for name in self._config.views:
            if not is_optional(name) and name not in demo.brief.observation:
                raise UserError(
                    f"{demo.row.task}: the demonstrations have no view {name!r}, "
                    "which the configuration asks for"
                )
        brief, spec = demo.brief, demo.brief.action
        inputs = tuple(
            step_inputs(brief, frame.observation, self._tokenizer, self._config, keep_source=False)
            for frame in demo.frames
        )
        observations = [frame.observation for frame in demo.frames]
        answers = [
            tuple(answer)
            for answer in self._codec.encode_all(
                spec, [frame.action for frame in demo.frames], observations
            )
        ]
        noisy = [
            step
            for step, frame in enumerate(demo.frames)
            if not actions_equal(frame.action, frame.executed)
        ]
        executed = list(answers)
        if noisy:
            tokens = self._codec.encode_all(
                spec,
                [demo.frames[step].executed for step in noisy],
                [observations[step] for step in noisy],
            )
            for step, action in zip(noisy, tokens):
                executed[step] = tuple(action)
        introductions: dict[str, tuple[int, ...]] = {}
        for frame in demo.frames:
            if frame.instruction not in introductions:
                introductions[frame.instruction] = introduction(
                    brief, frame.instruction, self._tokenizer, self._config
                )
        prepared = _PreparedEpisode(
            tuple(introductions[frame.instruction] for frame in demo.frames),
            tuple(dataclasses.replace(each, images=()) for each in inputs),
            tuple(tuple(map(_picture_file, each.images)) for each in inputs),
            tuple(self._standardised(demo, frame.observation) for frame in demo.frames),
            tuple(executed),
            tuple(answers),
        )
        if self._prepared_bytes < CACHE_BYTES:
            self._prepared_bytes += prepared.nbytes
            self._prepared[number, index] = prepared
        return prepared

    def _auxiliary_moments(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Family -> mean and standard deviation of its auxiliary numbers, over some episodes.

        What does not vary has the deviation NaN: there is nothing to predict.
        """
        names = _names(self._config.auxiliary)
        found: dict[str, list[np.ndarray]] = defaultdict(list)
        for task, episodes in self._sampler.by_task():
            for number, index, _ in episodes[:MOMENT_EPISODES]:
                demo = self._sets[number].read(index, names)
                found[task.partition("/")[0]] += [
                    _auxiliary(demo, frame.observation, names) for frame in demo.frames
                ]
        moments = {}
        for family, rows in found.items():
            width = min(map(len, rows))
            table = np.stack([row[:width] for row in rows])
            if width:
                std = table.std(0)
                moments[family] = (table.mean(0), np.where(std > 1e-4, std, np.nan))
        return moments

    def _standardised(self, demo: Demo, observation: Mapping[str, Any]) -> np.ndarray | None:
        found = self._moments.get(demo.row.task.partition("/")[0])
        if found is None:
            return None
        mean, std = found
        numbers = _auxiliary(demo, observation, _names(self._config.auxiliary))
        standard: np.ndarray = ((numbers[: len(mean)] - mean) / std).clip(-5, 5).astype(np.float32)
        return standard


def _names(views: Sequence[str]) -> tuple[str, ...]:
    return tuple(view_of(name) for name in views)


def _auxiliary(demo: Demo, observation: Mapping[str, Any], names: Sequence[str]) -> np.ndarray:
    """float32 (n,): the auxiliary views that an episode has."""
    specs = demo.brief.observation
    parts = []
    for name in names:
        spec = specs.get(name)
        if isinstance(spec, (Box, Discrete, MultiDiscrete)):
            parts.append(scaled(spec, observation[name]))
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _picture_file(image: np.ndarray) -> bytes:
    stored: bytes = encode("image", Box(image.shape, "uint8", 0, 255), image, "webp")
    return stored


def _read_picture(file: bytes) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(file), formats=("WEBP",)))


def _weight(task: str, patterns: Mapping[str, float]) -> float:
    """The weight of the last pattern that a task's name matches; 1 if it matches none."""
    matching = [
        weight for pattern, weight in patterns.items() if fnmatch.fnmatchcase(task, pattern)
    ]
    return matching[-1] if matching else 1.0


def actions_equal(one: Any, other: Any) -> bool:
    """Whether two actions are equal."""
    return bool(np.array_equal(one, other) if isinstance(one, np.ndarray) else one == other)


def continuous_actions(folders: Sequence[Path], dims: int) -> np.ndarray:
    """float32 (N, dims) in [-1, 1]: all continuous actions of the demonstrations."""
    found = []
    for folder in folders:
        for demo in _without_views(folder):
            if isinstance(demo.brief.action, Box):
                found += [
                    normalise_action(demo.brief.action, frame.action, dims) for frame in demo.frames
                ]
    return np.stack(found) if found else np.zeros((0, dims), np.float32)


def _without_views(folder: Path) -> Iterator[Demo]:
    demos = Demos(folder)
    return (demos.read(row.index, ()) for row in demos.rows)


def tokenizer_texts(folders: Sequence[Path], config: Config) -> list[str]:
    """Distinct texts to train nano's text tokenizer on: what it will read and write."""
    # A dict keeps the order in which texts are found, which a set would not.
    found: dict[str, None] = {}
    views = tuple(view_of(name) for name in config.views)
    for folder in folders:
        demos = Demos(folder)
        for row in demos.rows:
            if len(found) > MAX_TEXTS:
                break
            brief = Demos.brief(row)
            text_views = tuple(
                name
                for name, spec in brief.observation.items()
                if name in views and isinstance(spec, (Text, Texts, Elements))
            )
            demo = demos.read(row.index, text_views)
            spec = brief.action
            found.setdefault(f"{brief.simulator.partition(',')[0]}; {describe(spec)}")
            found.setdefault(
                f"Body: {brief.embodiment}. Actions: {describe(spec)}. "
                f"Simulator: {brief.simulator}. Cameras:"
            )
            if isinstance(spec, Discrete):
                found.update(dict.fromkeys(spec.names))
            if isinstance(spec, UI):
                numbers = [f" {number}" for number in range(config.screen)]
                found.update(dict.fromkeys([*spec.kinds, " at", " with", *numbers]))
            for frame in demo.frames:
                found.setdefault(f" Instruction: {frame.instruction}")
                for name in text_views:
                    value = frame.observation[name]
                    if isinstance(value, str):
                        found.setdefault(f" {name}: {value}")
                    elif value and isinstance(value[0], str):
                        found.update(dict.fromkeys(value))
                    else:
                        found.update(
                            dict.fromkeys(f"{element.tag} {element.text}" for element in value)
                        )
                if isinstance(frame.action, str):
                    found.setdefault(frame.action)
    return list(found)

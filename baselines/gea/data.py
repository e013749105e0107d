"""Demonstrations as examples: a prompt and the answer that the expert gives."""

from __future__ import annotations

import fnmatch
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from baselines.gea.actions import ActionCodec
from baselines.gea.config import Config
from baselines.gea.prompt import Look, Prompt, describe, introduction, look
from baselines.gea.rvq import normalised
from baselines.gea.words import Words
from harness.core import UI, Box, Discrete, Elements, Text, Texts, UserError
from harness.demos import Demo, Demos

__all__ = ["Examples", "continuous_actions", "texts"]

KEPT_BYTES = 4_000_000_000
"""Of prepared episodes; beyond, they are read again each time."""
TEXTS = 200_000


@dataclass(frozen=True)
class _Ready:
    """An episode, prepared: step k is shown `looks[..k]` and `done[..k]`, and answers `answers[k]`."""

    said: tuple[tuple[int, ...], ...]
    looks: tuple[Look, ...]
    done: tuple[tuple[int, ...], ...]
    answers: tuple[tuple[int, ...], ...]

    @property
    def nbytes(self) -> int:
        return sum(
            sum(image.nbytes for image in (*seen.images, *seen.cells)) + 64 * len(seen.text) + 512
            for seen in self.looks
        )


class Examples:
    """Draws examples: a domain by its weight, a task, then any of its steps."""

    def __init__(
        self, folders: Sequence[Path], config: Config, words: Words, codec: ActionCodec
    ) -> None:
        """Raises UserError when no domain with a weight has demonstrations, or a view that must be there is not."""
        self._config, self._words, self._codec = config, words, codec
        self._views = tuple(name.rstrip("?") for name in config.views)
        self._sets = [Demos(folder) for folder in folders]
        self._tasks: dict[str, dict[str, list[tuple[int, int, int]]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for number, demos in enumerate(self._sets):
            for row in demos.rows:
                if config.weights.get(row.domain, 0) > 0 and _weight(row.task, config.tasks) > 0:
                    self._tasks[row.domain][row.task].append((number, row.index, row.steps))
        if not self._tasks:
            raise UserError(
                f"{', '.join(map(str, folders))}: no demonstrations of a domain that has a weight in the configuration"
            )
        self._domains = sorted(self._tasks)
        weights = np.asarray([config.weights[domain] for domain in self._domains])
        self._chances = np.cumsum(weights / weights.sum())
        self._ends = {  # the same task may stand in suites of two domains
            (domain, task): np.cumsum([steps for _, _, steps in rows])
            for domain, tasks in self._tasks.items()
            for task, rows in tasks.items()
        }
        self._names = {domain: list(tasks) for domain, tasks in self._tasks.items()}
        self._shares = {
            domain: np.cumsum([_weight(name, config.tasks) for name in names])
            for domain, names in self._names.items()
        }
        self._ready: dict[tuple[int, int], _Ready] = {}
        self._kept = 0

    @property
    def steps(self) -> int:
        """All steps of all demonstrations in use."""
        return int(sum(ends[-1] for ends in self._ends.values()))

    def draw(
        self, rng: np.random.Generator, count: int
    ) -> tuple[list[Prompt], list[tuple[int, ...]]]:
        """(prompts, answers)."""
        prompts, answers = [], []
        for _ in range(count):
            domain = self._domains[
                min(
                    int(np.searchsorted(self._chances, rng.random(), "right")),
                    len(self._domains) - 1,
                )
            ]
            shares = self._shares[domain]
            task = self._names[domain][
                min(
                    int(np.searchsorted(shares, rng.random() * shares[-1], "right")),
                    len(shares) - 1,
                )
            ]
            ends = self._ends[domain, task]
            place = int(rng.integers(ends[-1]))
            episode = int(np.searchsorted(ends, place, "right"))
            number, index, steps = self._tasks[domain][task][episode]
            prompt, answer = self.example(number, index, place - (int(ends[episode]) - steps))
            prompts.append(prompt)
            answers.append(answer)
        return prompts, answers

    def example(self, number: int, index: int, step: int) -> tuple[Prompt, tuple[int, ...]]:
        """The example of one step of an episode."""
        ready = self._ready.get((number, index)) or self._prepare(number, index)
        begin = max(0, step + 1 - self._config.history)
        # Of a step before this one its answer is known too, and costs nothing more, unless it is shown less of its text than when it is asked for.
        shown = self._config.text_tokens // 4
        whole = [len(seen.text) <= shown for seen in ready.looks[begin:step]]
        learned = tuple(
            place - begin
            for place in range(begin, step)
            if all(whole[: place - begin + 1])
            and ready.said[place] == ready.said[step]
            and ready.done[place] == ready.answers[place]
        )
        return Prompt(
            ready.said[step], ready.looks[begin : step + 1], ready.done[begin:step], learned
        ), ready.answers[step]

    def _prepare(self, number: int, index: int) -> _Ready:
        demo = self._sets[number].read(index, self._views)
        for name in self._config.views:
            if not name.endswith("?") and name not in demo.brief.observation:
                raise UserError(
                    f"{demo.row.task}: the demonstrations have no view {name!r}, which the configuration asks for"
                )
        brief, spec = demo.brief, demo.brief.action
        looks = tuple(
            look(brief, frame.observation, self._words, self._config, keep=False)
            for frame in demo.frames
        )
        seen = [frame.observation for frame in demo.frames]
        answers = [
            tuple(answer)
            for answer in self._codec.all_tokens(
                spec, [frame.action for frame in demo.frames], seen
            )
        ]
        other = [
            step for step, frame in enumerate(demo.frames) if not same(frame.action, frame.executed)
        ]
        done = list(answers)
        if other:
            executed = self._codec.all_tokens(
                spec, [demo.frames[step].executed for step in other], [seen[step] for step in other]
            )
            for step, tokens in zip(other, executed):
                done[step] = tuple(tokens)
        said: dict[str, tuple[int, ...]] = {}
        for frame in demo.frames:
            if frame.instruction not in said:
                said[frame.instruction] = introduction(
                    brief, frame.instruction, self._words, self._config
                )
        ready = _Ready(
            tuple(said[frame.instruction] for frame in demo.frames),
            looks,
            tuple(done),
            tuple(answers),
        )
        if self._kept < KEPT_BYTES:
            self._kept += ready.nbytes
            self._ready[number, index] = ready
        return ready


def _weight(task: str, patterns: Mapping[str, float]) -> float:
    fitting = [weight for pattern, weight in patterns.items() if fnmatch.fnmatchcase(task, pattern)]
    return fitting[-1] if fitting else 1.0


def same(one: object, other: object) -> bool:
    """Whether two actions are equal."""
    return bool(np.array_equal(one, other)) if isinstance(one, np.ndarray) else one == other


def continuous_actions(folders: Sequence[Path], dims: int) -> np.ndarray:
    """float32 (N, dims): all continuous actions of the demonstrations, in [-1, 1]."""
    found = []
    for folder in folders:
        for demo in _without_views(folder):
            if isinstance(demo.brief.action, Box):
                found += [
                    normalised(demo.brief.action, frame.action, dims) for frame in demo.frames
                ]
    return np.stack(found) if found else np.zeros((0, dims), np.float32)


def _without_views(folder: Path) -> Iterator[Demo]:
    demos = Demos(folder)
    return (demos.read(row.index, ()) for row in demos.rows)


def texts(folders: Sequence[Path], config: Config) -> list[str]:
    """What the tokenizer learns its words from: all that the model will be told or say, TEXTS pieces at most."""
    found: dict[str, None] = {}
    views = tuple(name.rstrip("?") for name in config.views)
    for folder in folders:
        demos = Demos(folder)
        for row in demos.rows:
            if len(found) > TEXTS:
                break
            brief = Demos.brief(row)
            wordy = tuple(
                name
                for name, spec in brief.observation.items()
                if name in views and isinstance(spec, (Text, Texts, Elements))
            )
            demo = demos.read(row.index, wordy)
            spec = brief.action
            found.setdefault(f"{brief.simulator.partition(',')[0]}; {describe(spec)}")
            found.setdefault(
                f"Body: {brief.embodiment}. Actions: {describe(spec)}. Simulator: {brief.simulator}. Cameras:"
            )
            if isinstance(spec, Discrete):
                found.update(dict.fromkeys(spec.names))
            if isinstance(spec, UI):
                found.update(
                    dict.fromkeys(
                        [
                            *spec.kinds,
                            " at",
                            " with",
                            *(f" {number}" for number in range(config.screen)),
                        ]
                    )
                )
            for frame in demo.frames:
                found.setdefault(f" Instruction: {frame.instruction}")
                for name in wordy:
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

"""Demonstrations as training examples: a query, and the expert's action as its answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from baselines.learning.sampling import StepSampler, folders_alike
from baselines.learning.text_tokenizer import TextTokenizer
from baselines.transformer_bc.config import Config
from baselines.transformer_bc.inputs import Query, Seen, past_actions, seen, token_ids
from harness.core import Discrete, UserError
from harness.core.reads import is_optional, view_of
from harness.demos import Demos, EpisodeRow

__all__ = ["Examples", "action_names", "instructions"]


@dataclass(frozen=True)
class _Episode:
    """A demonstration as the model reads it; each field has one entry per step."""

    instructions: tuple[tuple[int, ...], ...]
    seen: tuple[Seen, ...]
    executed: tuple[int, ...]
    """What was executed, which differs from the expert's action where noise replaced it."""
    answers: tuple[int, ...]


class Examples:
    """Draws steps of demonstrations: each task alike, and each step of a task alike."""

    def __init__(self, folders: Sequence[Path], config: Config, tokenizer: TextTokenizer) -> None:
        """Raises UserError when a folder has no demonstrations."""
        self._config, self._tokenizer = config, tokenizer
        self._sampler = StepSampler(folders, folders_alike)
        self._episodes: dict[tuple[int, int], _Episode] = {}

    @property
    def steps(self) -> int:
        """Total number of steps."""
        return self._sampler.steps

    def draw(self, rng: np.random.Generator, count: int) -> tuple[list[Query], list[int]]:
        """`count` queries, and their answers.

        Raises UserError when the demonstrations lack a view, or have other actions.
        """
        queries, answers = [], []
        for _ in range(count):
            number, index, step = self._sampler.draw(rng)
            episode = self._episode(number, index)
            past = past_actions(episode.executed[:step], self._config)
            queries.append(Query(episode.instructions[step], episode.seen[step], past))
            answers.append(episode.answers[step])
        return queries, answers

    def _episode(self, number: int, index: int) -> _Episode:
        found = self._episodes.get((number, index))
        if found is None:
            found = self._episodes[number, index] = self._read(number, index)
        return found

    def _read(self, number: int, index: int) -> _Episode:
        config = self._config
        names = tuple(view_of(view) for view in config.views)
        demo = self._sampler.sets[number].read(index, names)
        for name in config.views:
            if not is_optional(name) and name not in demo.brief.observation:
                raise UserError(
                    f"{demo.row.task}: the demonstrations have no view {name!r}, which the "
                    f"configuration asks for: record them with --views {','.join(names)}"
                )
        if names_of(demo.brief.action) != config.actions:
            raise UserError(
                f"{demo.row.task} has other actions than the tasks before it: train on tasks that "
                "share their actions"
            )
        return _Episode(
            tuple(token_ids(frame.instruction, self._tokenizer, config) for frame in demo.frames),
            tuple(seen(demo.brief, frame.observation, config) for frame in demo.frames),
            tuple(int(frame.executed) for frame in demo.frames),
            tuple(int(frame.action) for frame in demo.frames),
        )


def names_of(spec: object) -> tuple[str, ...] | None:
    """The names of a choice among actions; None where actions are no choice."""
    if not isinstance(spec, Discrete):
        return None
    return spec.names or tuple(map(str, range(spec.n)))


def action_names(folders: Sequence[Path]) -> tuple[str, ...]:
    """The names of the actions of the demonstrations.

    Raises UserError when there are none, or the first one's actions are no choice.
    """
    row = next(_rows(folders), None)
    if row is None:
        raise UserError(f"{', '.join(map(str, folders))}: there are no demonstrations in it")
    names = names_of(Demos.brief(row).action)
    if names is None:
        raise UserError(
            f"{row.task}: its actions are no choice among a few, which is all that "
            "transformer-bc answers; bench train gea learns other ones"
        )
    return names


def instructions(folders: Sequence[Path]) -> list[str]:
    """The distinct instructions at the start of the demonstrations, sorted."""
    return sorted({row.instruction for row in _rows(folders)})


def _rows(folders: Sequence[Path]) -> Iterator[EpisodeRow]:
    return (row for folder in folders for row in Demos(folder).rows)

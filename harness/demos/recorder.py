"""The agent that records demonstrations: it plays the expert and stores what a learner may see."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from harness.core import Agent, Answer, Brief, Turn, UserError, stream
from harness.demos.columns import (
    arrow_type,
    brief_to_json,
    encode,
    is_image,
    modules,
    shrunk,
    shrunk_spec,
)  # fmt: skip
from harness.records.identity import AgentSpec

__all__ = ["EpisodeRecording", "Recorder"]

STRETCH, SHARE = 25, 0.5
"""Steps of an episode after which it is drawn anew who acts, and the share of the other agent's."""


class Recorder(Agent):
    """Plays the expert's actions, and writes each episode to FOLDER/EPISODE.parquet when it ends.

    With `noise`, a share of the executed actions is drawn uniformly at random, so that the expert
    also shows how to recover; the action to imitate is the expert's in any case. This follows DART
    (arXiv 1703.09327), which fits Gaussian noise instead.

    With `roll_in`, another agent acts on half of the stretches of 25 steps, so that the expert also
    shows what to do where that agent comes to; the action to imitate is the expert's in any case.
    This is DAgger (arXiv 1011.0686), with beta = 0.5 drawn for stretches instead of steps.
    """

    reads: ClassVar[tuple[str, ...]] = ("expert",)

    def __init__(self, record: Mapping[str, Any], views: Sequence[str]) -> None:
        """`record`: the `folder` for the files, `images` (a format), `noise` and maybe `pixels`,
        and `roll_in`, the name, entry and args of an AgentSpec.

        `views`: as in Agent.reads; they are those of the other agent, and maybe more.
        """
        modules()
        arguments = {"record": record, "views": views}
        self.reads, self.history = self.declares(arguments)  # type: ignore[misc]
        other = record.get("roll_in")
        self._other = None if other is None else AgentSpec(**other).build()
        self._folder, self._images, self._noise = (
            Path(record["folder"]),
            record["images"],
            float(record["noise"]),
        )
        self._pixels: int | None = record.get("pixels")
        self._recordings: dict[str, EpisodeRecording] = {}

    @classmethod
    def declares(cls, arguments: Mapping[str, Any]) -> tuple[tuple[str, ...], int]:
        other = arguments["record"].get("roll_in")
        history = 1 if other is None else AgentSpec(**other).declared()[1]
        return ("expert", *arguments["views"]), history

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """What is executed: the expert's action (the no-op if it has given up), or another one.

        Raises UserError if the other agent answers with more than an action.
        """
        if self._other is None:
            return [self._one(turn, None) for turn in turns]
        hidden = [dataclasses.replace(turn, expert=None) for turn in turns]
        answers = self._other.act(hidden)
        if any(isinstance(answer, Answer) for answer in answers):
            raise UserError("--roll-in: this agent answers with more than an action")
        return [self._one(turn, answer) for turn, answer in zip(turns, answers)]

    def _one(self, turn: Turn, other: Any) -> Any:
        if turn.step == 0:
            self._recordings[turn.episode] = EpisodeRecording(turn.brief, self._pixels)
        action = (
            turn.brief.action.noop()
            if turn.expert is None
            else turn.brief.action.coerce(turn.expert)[0]
        )
        executed = (
            turn.brief.action.sample(turn.rng)
            if self._noise and turn.rng.random() < self._noise
            else action
        )
        if other is not None:
            drawn = stream(turn.rng_key, "roll-in", step=turn.step // STRETCH).random()
            if drawn < SHARE:
                executed = turn.brief.action.coerce(other)[0]
        self._recordings[turn.episode].rows[turn.step] = self._row(turn, action, executed)
        return executed

    def _row(self, turn: Turn, action: Any, executed: Any) -> dict[str, Any]:
        brief = turn.brief
        row: dict[str, Any] = {"step": turn.step, "instruction": turn.instruction}
        for name, spec in brief.observation.items():
            value = turn.observation[name]
            if self._pixels is not None and is_image(name, spec):
                value = shrunk(value, self._pixels)
            row[f"observation.{name}"] = encode(name, spec, value, self._images)
        return row | {
            "action": encode("action", brief.action, action),
            "executed": encode("action", brief.action, executed),
        }

    def end(self, episodes: Iterable[str]) -> None:
        """Write the files.

        The loop calls this before it reports the outcome, so each line of the run directory has its
        file, also after a crash.
        """
        names = tuple(episodes)
        if self._other is not None:
            self._other.end(names)
        for name in names:
            recording = self._recordings.pop(name, None)
            if recording is not None:
                recording.write(self._folder / f"{name}.parquet")


class EpisodeRecording:
    """The rows of one episode so far, by step: a turn may be answered twice, but counts once."""

    def __init__(self, brief: Brief, pixels: int | None = None, *, rewards: bool = False) -> None:
        """`pixels`: the side of the stored pictures; None as they are shown.

        `rewards`: whether the rows have a reward.
        """
        views = {name: shrunk_spec(name, spec, pixels) for name, spec in brief.observation.items()}
        self.brief = dataclasses.replace(brief, observation=views)
        self.rows: dict[int, dict[str, Any]] = {}
        self._rewards = rewards

    def write(self, file: Path) -> None:
        pa, parquet = modules()
        fields = [("step", pa.int32()), ("instruction", pa.string())]
        fields += [
            (f"observation.{name}", arrow_type(name, spec))
            for name, spec in self.brief.observation.items()
        ]
        fields += [(name, arrow_type(name, self.brief.action)) for name in ("action", "executed")]
        fields += [("reward", pa.float64())] if self._rewards else []
        schema = pa.schema(fields, metadata={"brief": brief_to_json(self.brief)})
        rows = [self.rows[step] for step in sorted(self.rows)]
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_suffix(".new")
        parquet.write_table(pa.Table.from_pylist(rows, schema=schema), temporary)
        os.replace(temporary, file)

"""The agent that records demonstrations: it plays the expert and stores what a learner may see."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from harness.core import Agent, Answer, Brief, Turn, UserError, stream
from harness.core.reads import view_of
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

__all__ = ["EpisodeRecording", "Recorder", "TaughtRecorder"]

OTHERS = ("roll_in", "teacher")
"""The arguments in `record` that name other agents."""
STRETCH, SHARE = 25, 0.5
"""Steps of an episode after which it is drawn anew who acts, and the share of the other agent's."""


class Recorder(Agent):
    """Plays the expert's actions, and writes each episode to FOLDER/EPISODE.parquet when it ends.

    With a `teacher`, that agent takes the expert's place, also where a task has none.

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
        and `roll_in` and `teacher`, each the name, entry and args of an AgentSpec.

        `views`: what is recorded, as in Agent.reads; those of `roll_in` are among them.
        """
        modules()
        arguments = {"record": record, "views": views}
        self.reads, self.history = self.declares(arguments)  # type: ignore[misc]
        self._other = _Actor.of(record, "roll_in")
        self._teacher = _Actor.of(record, "teacher")
        self._views = frozenset(map(view_of, views))
        self._folder, self._images, self._noise = (
            Path(record["folder"]),
            record["images"],
            float(record["noise"]),
        )
        self._pixels: int | None = record.get("pixels")
        self._recordings: dict[str, EpisodeRecording] = {}

    @classmethod
    def declares(cls, arguments: Mapping[str, Any]) -> tuple[tuple[str, ...], int]:
        record, views = arguments["record"], list(arguments["views"])
        others = [AgentSpec(**record[name]) for name in OTHERS if name in record]
        history = max([1, *(each.declared()[1] for each in others)])
        if "teacher" not in record:
            return ("expert", *views), history
        for name in AgentSpec(**record["teacher"]).declared()[0]:
            if f"{name}?" in views:  # a teacher that needs it cannot do without
                views.remove(f"{name}?")
            if name not in views and view_of(name) not in views:
                views.append(name)
        return tuple(views), history

    @classmethod
    def identity(cls, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """The arguments, with the fingerprints of the other agents: a changed one is another one.

        Raises UserError if one of them cannot be loaded.
        """
        record = dict(arguments["record"])
        for name in OTHERS:
            if name in record:
                record[name] = {**record[name], "is": AgentSpec(**record[name]).fingerprint()}
        return {**arguments, "record": record}

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """What is executed: the expert's action (the no-op if it has given up), or another one.

        Raises UserError if the other agent or the teacher answers with more than an action.
        """
        hidden = [dataclasses.replace(turn, expert=None) for turn in turns]
        nobody = [None] * len(turns)
        others = nobody if self._other is None else self._other.actions(hidden)
        taught = (
            [turn.expert for turn in turns]
            if self._teacher is None
            else self._teacher.actions(hidden)
        )
        return [self._one(*each) for each in zip(turns, taught, others)]

    def _one(self, turn: Turn, taught: Any, other: Any) -> Any:
        if turn.step == 0:
            shown = turn.brief.observation.items()
            kept = {name: spec for name, spec in shown if name in self._views}
            brief = dataclasses.replace(turn.brief, observation=kept)
            self._recordings[turn.episode] = EpisodeRecording(brief, self._pixels)
        action = turn.brief.action.noop() if taught is None else turn.brief.action.coerce(taught)[0]
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
            if name not in self._views:  # only the teacher reads it
                continue
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
        for actor in (self._other, self._teacher):
            if actor is not None:
                actor.agent.end(names)
        for name in names:
            recording = self._recordings.pop(name, None)
            if recording is not None:
                recording.write(self._folder / f"{name}.parquet")


class TaughtRecorder(Recorder):
    """A Recorder with a teacher: it needs no expert, so a task without one is not left out."""

    reads: ClassVar[tuple[str, ...]] = ()


@dataclass(frozen=True)
class _Actor:
    """An agent that answers beside the expert or in its place."""

    option: str
    agent: Agent
    history: int

    @classmethod
    def of(cls, record: Mapping[str, Any], name: str) -> _Actor | None:
        if name not in record:
            return None
        spec = AgentSpec(**record[name])
        return cls(f"--{name.replace('_', '-')}", spec.build(), spec.declared()[1])

    def actions(self, turns: Sequence[Turn]) -> Sequence[Any]:
        """Its action of each turn, of which it sees no more observations than it declared.

        Raises UserError if it answers with more than an action.
        """
        own = []
        for turn in turns:
            seen = turn.observations[-self.history :]
            between = turn.actions[len(turn.actions) - len(seen) + 1 :]
            own.append(dataclasses.replace(turn, observations=seen, actions=between))
        answers = self.agent.act(own)
        if any(isinstance(answer, Answer) for answer in answers):
            raise UserError(f"{self.option}: this agent answers with more than an action")
        return answers


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

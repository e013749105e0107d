"""Records the episodes of any agent: what was seen, what was executed, and what it was rewarded.

It stands beside the agent and not in its place, so the agent is built, asked and identified as in
`bench run`, also where it is served, answers in chunks, or acts in another process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core import TimeStep
from harness.demos.columns import encode, is_image, shrunk
from harness.demos.recorder import EpisodeRecording
from harness.play.episode import Episode
from harness.play.inference import Watch
from harness.play.outcome import Outcome

__all__ = ["EpisodeRecorder", "RecordedViews"]


@dataclass(frozen=True)
class RecordedViews:
    """What to record of each episode, and where: an ObserverMaker."""

    folder: str
    views: tuple[str, ...]
    """As in Agent.reads."""
    images: str
    pixels: int | None

    def observer(self, watch: Watch) -> EpisodeRecorder:
        """What records in one process."""
        return EpisodeRecorder(self)


class EpisodeRecorder:
    """An EpisodeObserver that writes each finished episode to FOLDER/EPISODE.parquet.

    A view that the agent reads too is not drawn twice. One that is not on offer, and has no `?`,
    makes the task one that cannot run.
    """

    def __init__(self, wanted: RecordedViews) -> None:
        self._wanted = wanted
        self._recordings: dict[str, EpisodeRecording] = {}

    def begin(self, episode: Episode, first: TimeStep) -> None:
        """Raises ViewNotOffered."""
        brief = episode.slot.narrowed(self._wanted.views)
        recording = EpisodeRecording(brief, self._wanted.pixels, rewards=True)
        recording.rows[0] = self._seen(recording, episode, first)
        self._recordings[episode.name] = recording

    def step(self, episode: Episode, seen: TimeStep, last: bool) -> None:
        recording = self._recordings[episode.name]
        action = encode("action", recording.brief.action, episode.executed)
        done = {"action": action, "executed": action, "reward": seen.reward}
        recording.rows[episode.steps - 1] |= done
        if not last:
            recording.rows[episode.steps] = self._seen(recording, episode, seen)

    def end(self, episode: Episode, outcome: Outcome) -> Outcome:
        """Write the file: the line of a result must never be there without it."""
        recording = self._recordings.pop(episode.name, None)
        finished = outcome.result is not None and outcome.result.status == "finished"
        if recording is not None and finished:
            recording.write(Path(self._wanted.folder) / f"{episode.name}.parquet")
        return outcome

    def close(self) -> None:
        """What is not finished is played again."""
        self._recordings.clear()

    def _seen(
        self, recording: EpisodeRecording, episode: Episode, seen: TimeStep
    ) -> dict[str, Any]:
        """The first half of a row: what is seen before the next action."""
        row: dict[str, Any] = {"step": episode.steps, "instruction": episode.instruction}
        # What an agent of lazy views touches is noted as read, so those are drawn beside it.
        read: Sequence[str] = () if episode.lazy else tuple(episode.brief.observation)
        draw = episode.reader(seen)
        for name, spec in recording.brief.observation.items():
            value = episode.shown(seen, name) if name in read else draw(name)
            if self._wanted.pixels is not None and is_image(name, spec):
                value = shrunk(value, self._wanted.pixels)
            row[f"observation.{name}"] = encode(name, spec, value, self._wanted.images)
        return row

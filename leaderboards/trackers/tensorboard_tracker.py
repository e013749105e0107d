"""TensorBoard: event files in RUN/tensorboard, or in a folder of the user's."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.records.safe_files import check_writable
from leaderboards.trackers.tracker import Parameter

__all__ = ["TensorboardTracker"]

FOLDER = "tensorboard"


class TensorboardTracker:
    """Writes scalars by episodes, and the parameters and the summary as texts.

    Event files hold no artefacts. A run that goes on writes a further file into the same folder,
    which TensorBoard shows as one run.
    """

    def __init__(self, place: str) -> None:
        """`place`: the folder in which each run has one of its own; empty: RUN/tensorboard."""
        self._place = place
        self._folder = Path()
        self._writer: Any = None

    def begin(self, run: Path, parameters: Mapping[str, Parameter], known: str | None) -> str:
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        if self._place:
            self._folder = Path(self._place) / run.name
        else:
            check_writable(run, (), (FOLDER,))
            self._folder = run / FOLDER
        self._writer = EventFileWriter(str(self._folder))
        if known is None:
            table = ["| parameter | value |", "|---|---|"]
            table += [f"| {name} | {value} |" for name, value in parameters.items()]
            self._text("parameters", "\n".join(table), 0)
        self._writer.flush()
        return FOLDER

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        values = [Summary.Value(tag=name, simple_value=value) for name, value in metrics.items()]
        self._add(Summary(value=values), step)
        self._step = step
        self._writer.flush()

    def finish(self, files: Path, summary: str, complete: bool) -> str:
        self._text("summary", summary.replace("\n", "\n\n"), self._step)
        self._writer.close()
        return f"`tensorboard --logdir {self._folder}` shows it"

    def _text(self, tag: str, text: str, step: int) -> None:
        from tensorboard.plugins.text.summary_v2 import text_pb

        self._add(text_pb(tag, text), step)

    def _add(self, summary: Any, step: int) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self._writer.add_event(Event(wall_time=time.time(), step=step, summary=summary))

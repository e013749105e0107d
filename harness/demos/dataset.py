"""Reads demonstrations from a folder that `bench demos` wrote.

README.md                  the data card
episodes.parquet           a row for each episode: see EpisodeRow
data/FAMILY/TASK.parquet   a row for each step, and a row group for each episode: step, instruction,
                           observation.VIEW for each view, action (the expert's), executed (what was
                           executed); harness/demos/columns.py has the types
run/                       the run directory of the recording
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core import Brief, UserError
from harness.demos.columns import brief_from_json, decode, modules

__all__ = ["Demo", "Demos", "EpisodeRow", "Frame"]


@dataclass(frozen=True, kw_only=True)
class EpisodeRow:
    """A row of episodes.parquet."""

    index: int
    case: str
    task: str
    domain: str
    suite: str
    seed: int
    steps: int
    score: float | None
    normalised: float | None
    instruction: str
    """At the start."""
    file: str
    """The Parquet file with its steps, relative to the folder."""
    row_group: int
    brief: str
    """The Brief as JSON: see harness/demos/columns.py."""


@dataclass(frozen=True)
class Frame:
    """One step."""

    instruction: str
    observation: Mapping[str, Any]
    action: Any
    """The expert's."""
    executed: Any


@dataclass(frozen=True)
class Demo:
    """One episode."""

    row: EpisodeRow
    brief: Brief
    frames: tuple[Frame, ...]


class Demos:
    """The demonstrations in a folder: a sequence of Demo, read one by one."""

    def __init__(self, folder: str | Path) -> None:
        """Raises UserError if there are none."""
        self.folder = Path(folder)
        _, parquet = modules()
        file = self.folder / "episodes.parquet"
        if not file.is_file():
            raise UserError(
                f"{folder} holds no demonstrations: it has no episodes.parquet. "
                f"`bench demos --suite S --out {folder}` records some"
            )
        try:
            self.rows = tuple(
                EpisodeRow(**fields) for fields in parquet.read_table(file).to_pylist()
            )
        except (OSError, TypeError, ValueError) as wrong:
            raise UserError(f"{file} is not a table of episodes: {wrong}") from None
        self._files: dict[str, Any] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Demo]:
        return (self.read(index) for index in range(len(self.rows)))

    @staticmethod
    def brief(row: EpisodeRow) -> Brief:
        """The brief of an episode, with all recorded views."""
        return _brief(row.brief)

    def read(self, index: int, views: tuple[str, ...] | None = None) -> Demo:
        """One decoded episode; `views`: only these views, None: all.

        Raises UserError if its file is damaged or lies outside the folder.
        """
        row = self.rows[index]
        brief = _brief(row.brief)
        if views is not None:
            kept = {name: spec for name, spec in brief.observation.items() if name in views}
            brief = dataclasses.replace(brief, observation=kept)
        columns = [
            "instruction",
            "action",
            "executed",
            *(f"observation.{name}" for name in brief.observation),
        ]
        try:
            table = self._open(row.file).read_row_group(row.row_group, columns).to_pylist()
        except (OSError, ValueError, IndexError) as wrong:
            raise UserError(f"{self.folder / row.file} is damaged: {wrong}") from None
        return Demo(row, brief, tuple(_frame(brief, fields) for fields in table))

    def _open(self, name: str) -> Any:
        if name not in self._files:
            file = (self.folder / name).resolve()
            if self.folder.resolve() not in file.parents:
                raise UserError(f"{self.folder}: the file {name!r} of an episode lies outside")
            self._files[name] = modules()[1].ParquetFile(file)
        return self._files[name]


@functools.lru_cache(maxsize=256)
def _brief(text: str) -> Brief:
    return brief_from_json(text)


def _frame(brief: Brief, fields: Mapping[str, Any]) -> Frame:
    observation = {
        name: decode(name, spec, fields[f"observation.{name}"])
        for name, spec in brief.observation.items()
    }
    action, executed = (
        decode("action", brief.action, fields[name]) for name in ("action", "executed")
    )
    return Frame(fields["instruction"], observation, action, executed)

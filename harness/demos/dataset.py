"""Reads demonstrations from a folder that `bench demos` wrote.

README.md                  the data card
episodes.parquet           a row for each episode: see EpisodeRow
data/FAMILY/TASK.parquet   a row for each step, and a row group for each episode: step, instruction,
                           observation.VIEW for each view, action (the expert's), executed (what was
                           executed), and reward (what that was rewarded), unless only the
                           successes of experts were kept; harness/demos/columns.py has the types
recording.json             who played, what was kept, and how it was recorded
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
from harness.records.safe_files import open_inside
from harness.records.safe_json import shown
from harness.records.typed import (
    Check,
    boolean,
    fields_of,
    number,
    optional,
    text,
    whole,
)

__all__ = ["Demo", "Demos", "EpisodeRow", "Frame", "open_parquet"]

MOST_ROWS = 1_000_000
MOST_FOOTER = 64 << 20
MOST_INDEX = 1 << 30
"""Bytes of episodes.parquet in memory."""
MOST_GROUP = 4 << 30
"""Bytes of the steps of one episode in memory, as the file declares them."""
DAMAGES = (OSError, TypeError, ValueError, KeyError, IndexError, OverflowError, SyntaxError)
"""What pyarrow and Pillow raise on damaged files, and `decode` on values of other types."""

COLUMNS: Mapping[str, Check] = {
    "index": whole(0, MOST_ROWS),
    "case": text,
    "task": text,
    "domain": text,
    "suite": text,
    "seed": whole(-(1 << 62), 1 << 62),
    "steps": whole(0, 1 << 31),
    "score": optional(number),
    "normalised": optional(number),
    "instruction": text,
    "file": text,
    "row_group": whole(0, MOST_ROWS),
    "brief": text,
}
REWARDED: Mapping[str, Check] = {"success": optional(boolean), "returned": optional(number)}
"""Further columns where rewards were recorded."""
SEEN: Mapping[str, Check] = {"start": text, "factors": text}
"""Further columns, which older folders lack."""
TEXTS = tuple(name for name, check in COLUMNS.items() if check is text)


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
    success: bool | None = None
    """None where the task has no success, or the recording has no rewards."""
    returned: float | None = None
    """The sum of the rewards; None where the recording has none."""
    start: str = ""
    """The digest of its start (`Result.start`); empty in folders of before this was recorded."""
    factors: str = ""
    """What it is about (harness.core.factors), as JSON; empty where that is not known."""


@dataclass(frozen=True)
class Frame:
    """One step."""

    instruction: str
    observation: Mapping[str, Any]
    action: Any
    """The expert's; of another agent, the executed one."""
    executed: Any
    reward: float | None = None
    """What the action was rewarded; None where the recording has no rewards."""


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
        self.rows = _rows(self.folder)
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
            file = self._open(row.file)
            group = file.metadata.row_group(row.row_group)
            columns += ["reward"] if "reward" in file.schema.names else []
            if group.num_rows != row.steps or group.total_byte_size > MOST_GROUP:
                raise ValueError(f"its row group {row.row_group} is not one of {row.steps} steps")
            table = file.read_row_group(row.row_group, columns).to_pylist()
            return Demo(row, brief, tuple(_frame(brief, fields) for fields in table))
        except (FileNotFoundError, *DAMAGES) as wrong:
            raise UserError(f"{self.folder / row.file} is damaged: {_said(wrong)}") from None

    def _open(self, name: str) -> Any:
        if name not in self._files:
            self._files[name] = open_parquet(self.folder, name)
        return self._files[name]


def _said(fault: Exception) -> str:
    """In one line: those of pyarrow have several."""
    return " ".join(str(fault).split())[:300]


def open_parquet(folder: Path, name: str, **options: Any) -> Any:
    """A pyarrow.parquet.ParquetFile below a folder.

    Raises FileNotFoundError, UserError if it is no regular file or lies outside, and OSError or
    ValueError if it is damaged.
    """
    pa, parquet = modules()
    with open_inside(folder, name) as opened:
        # The file itself, not what its name stands for by now.
        file = pa.OSFile(f"/dev/fd/{opened.fileno()}")
    limits = {
        "thrift_string_size_limit": MOST_FOOTER,
        "thrift_container_size_limit": MOST_ROWS,
    }
    return parquet.ParquetFile(file, **limits, **options)


def _rows(folder: Path) -> tuple[EpisodeRow, ...]:
    """The rows of episodes.parquet. Raises UserError."""
    file = folder / "episodes.parquet"
    try:
        with open_parquet(folder, file.name, read_dictionary=list(TEXTS)) as table:
            meta = table.metadata
            size = sum(meta.row_group(k).total_byte_size for k in range(meta.num_row_groups))
            if meta.num_rows > MOST_ROWS or size > MOST_INDEX:
                raise ValueError("it is larger than a table of episodes is")
            found = table.schema.names
            wanted = [*COLUMNS, *(name for name in (*REWARDED, *SEEN) if name in found)]
            content = table.read(columns=wanted)
        if content.column_names != wanted:
            raise ValueError(f"it has not the columns {', '.join(COLUMNS)}")
        for name in TEXTS:
            _check_texts(name, content.column(name))
        return tuple(_row(place, fields) for place, fields in enumerate(content.to_pylist()))
    except FileNotFoundError:
        raise UserError(
            f"{folder} holds no demonstrations: it has no episodes.parquet. "
            f"`bench demos --suite S --out {folder}` records some"
        ) from None
    except DAMAGES as wrong:
        raise UserError(f"{file} is not a table of episodes: {_said(wrong)}") from None


def _check_texts(name: str, column: Any) -> None:
    """Raises ValueError if the texts of a column take too much memory.

    A text that occurs in every row stands in the file once.
    """
    import pyarrow.compute as compute

    total = 0
    for chunk in column.chunks:
        coded = chunk.dictionary_encode()
        lengths = compute.binary_length(coded.dictionary)
        total += compute.sum(compute.take(lengths, coded.indices)).as_py() or 0
    if total > MOST_INDEX:
        raise ValueError(f"the column {name} holds too much text")


def _row(place: int, fields: Any) -> EpisodeRow:
    """A row, its fields checked. Raises ValueError and UserError."""
    may_lack = frozenset((*REWARDED, *SEEN))
    checks = {**COLUMNS, **REWARDED, **SEEN}
    row = EpisodeRow(**fields_of(fields, f"row {place}", checks, may_lack))
    if row.index != place:
        raise ValueError(f"row {place}.index is {row.index}")
    if "/" not in row.task or "@" not in row.task:
        raise ValueError(f"row {place}.task is {shown(row.task)}, not family/name@version")
    return row


@functools.lru_cache(maxsize=256)
def _brief(encoded: str) -> Brief:
    return brief_from_json(encoded)


def _frame(brief: Brief, fields: Mapping[str, Any]) -> Frame:
    observation = {
        name: decode(name, spec, fields[f"observation.{name}"])
        for name, spec in brief.observation.items()
    }
    action, executed = (
        decode("action", brief.action, fields[name]) for name in ("action", "executed")
    )
    reward = number(fields["reward"], "reward") if "reward" in fields else None
    return Frame(fields["instruction"], observation, action, executed, reward)

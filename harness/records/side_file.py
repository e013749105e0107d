"""Files of lines beside a run, about its episodes: made by a replay, and made again if removed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from harness.core import UserError
from harness.records.held_file import HeldFile
from harness.records.results import MOST_LINE, decode_line, raw_lines
from harness.records.safe_files import check_writable, open_inside

__all__ = ["LineWriter", "read_lines"]

_Line = TypeVar("_Line")
_Writer = TypeVar("_Writer", bound="LineWriter")


def read_lines(
    run: str | os.PathLike[str], name: str, most_bytes: int, line_of: Callable[[Any], _Line | None]
) -> Iterator[_Line]:
    """The lines of a run's file `name`; none where there is no file. A torn last line is left out.

    line_of: the value of a decoded line, None to skip it; it raises ValueError where it is none.
    Raises UserError then.
    """
    try:
        file = open_inside(run, name, most_bytes)
    except FileNotFoundError:
        return
    with file:
        for number, line in enumerate(raw_lines(file), 1):
            if not line.endswith(b"\n") and len(line) <= MOST_LINE:
                break  # torn: its episode is replayed again
            try:
                found = line_of(decode_line(line))
            except ValueError as wrong:
                raise UserError(
                    f"{Path(run) / name}, line {number}: {wrong}. Remove that file: it is made "
                    "again from the recorded actions"
                ) from None
            if found is not None:
                yield found


class LineWriter:
    """Appends lines to a file of a run directory. Use it as a context manager."""

    def __init__(self, run: Path, name: str) -> None:
        """Raises UserError where the file cannot be written, or another process writes it."""
        check_writable(run, (name,))
        try:
            self._file = HeldFile(run / name, lock=True)
            self._cut_torn_line()
        except BlockingIOError:
            raise UserError(f"{run / name} is being written by another command: wait") from None
        except OSError as fault:
            raise UserError(
                f"cannot write {run / name}: {fault.strerror}. Copy the run to where it can be "
                "written"
            ) from None

    def __enter__(self: _Writer) -> _Writer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def write(self, line: Mapping[str, Any]) -> None:
        """Write one line of JSON. Raises OSError when the disk is full."""
        self._file.append(json.dumps(dict(line)).encode() + b"\n")

    def _cut_torn_line(self) -> None:
        size = self._file.size()
        start = max(0, size - MOST_LINE)
        end = self._file.read(size - start, start)
        if not end.endswith(b"\n"):
            self._file.truncate(start + end.rfind(b"\n") + 1)

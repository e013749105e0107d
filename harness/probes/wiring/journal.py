"""The episodes of an interrupted probe, so that the same command need not play them again."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import TracebackType
from typing import Any

from harness.core import UserError
from harness.probes.wiring.episodes import Played
from harness.records.typed import is_number

__all__ = ["Journal"]

MOST = 64 << 20
"""Bytes of a journal. One of 150 episodes has some twenty thousand."""


class Journal:
    """A file with a line for each episode of a change, behind one that says whose they are."""

    def __init__(self, path: Path, identity: dict[str, Any]) -> None:
        """Read the file, or begin it. Raises UserError if it is another probe's, or no journal."""
        self.known: dict[tuple[str, str], Played] = {}
        """(case id, change) -> what came of it."""
        head = json.dumps({"probe": "wiring", **identity}, sort_keys=True)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists() and path.stat().st_size > MOST:
                raise UserError(f"{path} is no journal of `bench probe wiring`: choose another")
            lines = path.read_text().splitlines(keepends=True) if path.exists() else []
            whole = [line for line in lines if line.endswith("\n")]  # the last may be torn
            if whole and whole[0] != f"{head}\n":
                raise UserError(
                    f"{path} is of another agent, other cases or no journal at all: remove it, or "
                    "choose another file with --out"
                )
            for number, line in enumerate(whole[1:], 2):
                case, change, played = _read(path, number, line)
                self.known[case, change] = played
            self._file = path.open("w")
            self._file.writelines(whole or [f"{head}\n"])
            self._file.flush()
        except (OSError, UnicodeDecodeError) as fault:
            raise UserError(f"--out {path}: {fault}; choose another file") from None

    def add(self, case: str, change: str, played: Played) -> None:
        """Keep what came of an episode."""
        self.known[case, change] = played
        line = {"case": case, "change": change, **dataclasses.asdict(played)}
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()


def _read(path: Path, number: int, line: str) -> tuple[str, str, Played]:
    """(case id, change, what came of it) of one line. Raises UserError."""
    try:
        fields = json.loads(line)
        case, change = fields.pop("case"), fields.pop("change")
        played = Played(**fields)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise UserError(f"{path}, line {number} is no episode: remove that line") from None
    numbers = (played.progress, played.agreement)
    if not (
        all(type(each) is str for each in (case, change, played.error))
        and (played.success is None or type(played.success) is bool)
        and all(each is None or is_number(each) for each in numbers)
    ):
        raise UserError(f"{path}, line {number} is no episode: remove that line")
    return case, change, played

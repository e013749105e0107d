"""Trials on a robot: a row a trial, as CSV or JSON lines, of which nothing is believed unchecked.

policy   the name of the policy
task     the id of the simulated task that it stands for, as `metaworld/reach-v3@1`
success  1, 0, true or false
blinded  whether whoever judged did not know the policy; may be left out
case     the id of the simulated case that the trial repeats, as in episodes.jsonl; may be left
         out
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.core import UserError
from harness.core.text import printable
from harness.records.safe_files import read_regular
from harness.records.safe_json import parse, shown

__all__ = ["Trial", "as_lines", "read_trials"]

MOST_BYTES = 64 << 20
MOST_TRIALS = 200_000
MOST_POLICIES = 1_000
LONGEST = 300
"""Characters of a name."""
COLUMNS = ("policy", "task", "success", "blinded", "case")
NEEDED = COLUMNS[:3]
TRUTHS: Mapping[object, bool] = {
    "1": True, "0": False, "true": True, "false": False, "True": True, "False": False,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One trial."""

    policy: str
    task: str
    success: bool
    blinded: bool | None
    """None: not told."""
    case: str | None


def read_trials(file: Path) -> list[Trial]:
    """The trials of a file, in its order. Raises UserError that names the first wrong line."""
    try:
        content = read_regular(file, MOST_BYTES)
    except FileNotFoundError:
        raise UserError(f"there is no file {file}") from None
    try:
        text = content.decode("utf-8-sig")
        rows = _json_rows(text) if text.lstrip()[:1] == "{" else _csv_rows(text)
        found: list[Trial] = []
        for number, row in rows:
            if len(found) == MOST_TRIALS:
                raise ValueError(f"it has more than {MOST_TRIALS} trials")
            found.append(_trial(row, number))
        if not found:
            raise ValueError("it holds no trial")
        if len({each.policy for each in found}) > MOST_POLICIES:
            raise ValueError(f"it has more than {MOST_POLICIES} policies")
    except (ValueError, csv.Error) as wrong:
        raise UserError(
            f"{file} is no file of trials: {printable(str(wrong))}. A row is a trial, with "
            f"{', '.join(NEEDED)} and, if known, blinded and case; see docs/correlate.md"
        ) from None
    return found


def as_lines(trials: Sequence[Trial]) -> str:
    """The trials as JSON lines."""
    return "".join(json.dumps(asdict(each)) + "\n" for each in trials)


def _json_rows(text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    # Not splitlines: it also splits at characters that may stand in a JSON text.
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                row = parse(line)
            except ValueError as wrong:
                raise ValueError(f"line {number}: {wrong}") from None
            if not isinstance(row, dict):
                raise ValueError(f"line {number} holds {shown(row)}, not a table")
            _check_columns([*row], number)
            yield number, row


def _csv_rows(text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    head = next(reader, [])
    _check_columns(head, 1)
    for row in reader:
        if not row:
            continue
        if len(row) != len(head):
            raise ValueError(f"line {reader.line_num} has {len(row)} cells, not {len(head)}")
        yield reader.line_num, dict(zip(head, row))


def _check_columns(names: Sequence[str], line: int) -> None:
    if len(set(names)) < len(names):
        raise ValueError(f"line {line} names a column twice")
    for name in NEEDED:
        if name not in names:
            raise ValueError(f"line {line} lacks {name}")
    for name in names:
        if name not in COLUMNS:
            raise ValueError(
                f"line {line} has {shown(name)}, which is none of {', '.join(COLUMNS)}"
            )


def _trial(row: Mapping[str, Any], line: int) -> Trial:
    success = _truth(row["success"], "success", line)
    if success is None:
        raise ValueError(f"line {line}: success is empty")
    case = row.get("case")
    return Trial(
        policy=_name(row["policy"], "policy", line),
        task=_name(row["task"], "task", line),
        success=success,
        blinded=_truth(row.get("blinded"), "blinded", line),
        case=None if case in (None, "") else _name(case, "case", line),
    )


def _name(value: Any, column: str, line: int) -> str:
    if type(value) is not str or not 0 < len(value) <= LONGEST or printable(value) != value:
        raise ValueError(f"line {line}: {column} is {shown(value)}, not a name")
    return value


def _truth(value: Any, column: str, line: int) -> bool | None:
    if value is None or value == "":
        return None
    if type(value) is bool:
        return value
    text = str(value) if type(value) in (str, int) else ""
    if text not in TRUTHS:
        raise ValueError(f"line {line}: {column} is {shown(value)}, not 1 or 0, true or false")
    return TRUTHS[text]

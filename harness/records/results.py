"""The one reader of episodes.jsonl: typed results, and one rule for repeated lines.

A case can have several lines, because a case that ended in `error` is played again by a later
run. Its first line with a score counts. While there is none, its last `error` line does.
"""

from __future__ import annotations

import dataclasses
import io
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from harness.core import STATUSES, Result, UserError
from harness.records.case_states import CaseStates
from harness.records.plan import CaseIndex, Plan
from harness.records.safe_files import open_inside
from harness.records.safe_json import shown
from harness.records.typed import is_number

__all__ = [
    "FIELDS", "MOST_LINE", "NEW_FIELDS", "case_results", "decode_line", "open_lines", "raw_lines",
    "read_results", "result_from_json",
]  # fmt: skip

FILE = "episodes.jsonl"
MOST_LINE = 1 << 20
"""Bytes of a line. A line of bench has a few hundred."""

FIELDS = tuple(field.name for field in dataclasses.fields(Result))
NEW_FIELDS = ("start", "success_ever", "success_end", "first_success")
"""Those that lines of schema 1 lack."""
_OLD_FIELDS = tuple(name for name in FIELDS if name not in NEW_FIELDS)
_DEFAULTS = {"start": "", **dict.fromkeys(NEW_FIELDS[1:])}
_TEXTS = ("case", "task", "ended", "digest", "protocol")
_SCORED = 1
_DECODER = json.JSONDecoder()
_MOST_STEPS = 2**31 - 1


def result_from_json(line: Any) -> Result:
    """The result of one decoded line. Raises ValueError that names the first wrong field."""
    if not isinstance(line, dict):
        raise ValueError(f"it holds {type(line).__name__} instead of the fields of a result")
    try:
        fields = {name: line[name] for name in _OLD_FIELDS}
    except KeyError as lacking:
        raise ValueError(f"it lacks the field {lacking}") from None
    for name in _TEXTS:
        if type(fields[name]) is not str:
            raise ValueError(f"{name} is {shown(fields[name])}, not a text")
    if type(fields["seed"]) is not int:
        raise ValueError(f"seed is {shown(fields['seed'])}, not a whole number")
    if type(fields["steps"]) is not int or not 0 <= fields["steps"] <= _MOST_STEPS:
        raise ValueError(f"steps is {shown(fields['steps'])}, not a number of steps")
    if type(fields["status"]) is not str or fields["status"] not in STATUSES:
        raise ValueError(f"status is {shown(fields['status'])}, not one of {', '.join(STATUSES)}")
    if fields["success"] is not None and type(fields["success"]) is not bool:
        raise ValueError(f"success is {shown(fields['success'])}, not true, false or null")
    if fields["score"] is not None and not is_number(fields["score"]):
        raise ValueError(f"score is {shown(fields['score'])}, not a finite number or null")
    if fields["normalised"] is not None and not _finite(fields["normalised"]):
        raise ValueError(f"normalised is {shown(fields['normalised'])}, not finite or null")
    if fields["status"] == "finished" and fields["score"] is None:
        raise ValueError("score is null although the episode finished")
    if fields["error"] is not None and type(fields["error"]) is not str:
        raise ValueError(f"error is {shown(fields['error'])}, not a text or null")
    perturbations = fields["perturbations"]
    if type(perturbations) is not list or not all(type(each) is str for each in perturbations):
        raise ValueError(f"perturbations is {shown(perturbations)}, not a list of texts")
    for name in ("metrics", "timing"):
        if type(fields[name]) is not dict:
            raise ValueError(f"{name} is {shown(fields[name])}, not a table")
    for name, value in fields["metrics"].items():
        if not is_number(value):
            raise ValueError(f"the metric {name} is {shown(value)}, not a finite number")
    for name in ("simulator_s", "agent_s"):
        if not is_number(fields["timing"].get(name, 0.0)):
            raise ValueError(
                f"timing.{name} is {shown(fields['timing'][name])}, not a finite number"
            )
    fields["perturbations"] = tuple(perturbations)
    for name, default in _DEFAULTS.items():
        fields[name] = line.get(name, default)
    if type(fields["start"]) is not str:
        raise ValueError(f"start is {shown(fields['start'])}, not a text")
    for name in ("success_ever", "success_end"):
        if fields[name] is not None and type(fields[name]) is not bool:
            raise ValueError(f"{name} is {shown(fields[name])}, not true, false or null")
    first = fields["first_success"]
    if first is not None and (type(first) is not int or not 0 <= first <= _MOST_STEPS):
        raise ValueError(f"first_success is {shown(first)}, not one of the steps or null")
    # A million of these are made in one scan, and a frozen dataclass pays for each assignment.
    result = object.__new__(Result)
    result.__dict__.update(fields)
    return result


def _finite(value: object) -> bool:
    return type(value) in (float, int) and abs(value) <= sys.float_info.max  # type: ignore[arg-type]


def open_lines(run: str | os.PathLike[str]) -> BinaryIO:
    """episodes.jsonl of a run directory, open for reading; empty if there is none.

    Raises UserError if it is no regular file.
    """
    try:
        return open_inside(run, FILE)
    except FileNotFoundError:
        return io.BytesIO()


def raw_lines(lines: BinaryIO) -> Iterator[bytes]:
    """The lines of a file; of a line of more than MOST_LINE bytes, that many, and then no more."""
    while line := lines.readline(MOST_LINE + 1):
        yield line
        if len(line) > MOST_LINE:
            return


def decode_line(line: bytes) -> Any:
    """The JSON value of a line. Raises ValueError."""
    if len(line) > MOST_LINE:
        raise ValueError(f"is longer than {MOST_LINE >> 20} MiB")
    try:
        # As json.loads, which guesses at the encoding first: bench writes UTF-8.
        text = line.decode("utf-8", "surrogatepass").strip(" \t\r\n")
        value, end = _DECODER.raw_decode(text)
    except (RecursionError, ValueError):
        raise ValueError("is not JSON") from None
    if end != len(text):
        raise ValueError("is not JSON")
    return value


def _lines(run: Path) -> Iterator[tuple[int, int, Result]]:
    """(line number, position of its first byte, result). A torn last line is left out."""
    position = 0
    with open_lines(run) as lines:
        for number, line in enumerate(raw_lines(lines), 1):
            if not line.endswith(b"\n") and len(line) <= MOST_LINE:
                return
            try:
                decoded = decode_line(line)
            except ValueError as wrong:
                raise _broken(run / FILE, number, str(wrong)) from None
            try:
                yield number, position, result_from_json(decoded)
            except ValueError as wrong:
                raise _broken(run / FILE, number, f"is no result: {wrong}") from None
            position += len(line)


def _broken(file: Path, number: int, what: str) -> UserError:
    return UserError(
        f"{file}, line {number} {what}. The file was changed by hand or by a broken disk: "
        "remove that line"
    )


def read_results(run: Path) -> Iterator[Result]:
    """Every line of a run directory, oldest first, repeated cases included. Raises UserError."""
    for _, _, result in _lines(Path(run)):
        yield result


def case_results(
    run: Path, plan: Plan, whole: Plan | None = None
) -> Iterator[tuple[CaseIndex, Result]]:
    """Each case of a plan that has a line, once: the line that counts.

    Cases with a score come in the order of the file; those that only have an error come last.
    `whole` is the plan that the run was made with, where `plan` is a part of it: results of the
    other part are left out. Raises UserError on a line that is of neither.
    """
    file = Path(run) / FILE
    states = CaseStates(plan)
    errors: dict[CaseIndex, int] = {}
    for number, position, result in _lines(Path(run)):
        key = (result.task, result.seed, result.perturbations)
        index = plan.locate(*key)
        if index is None:
            if whole is None or whole.locate(*key) is None:
                raise UserError(
                    f"{file}, line {number}: run.json does not plan {result.task} with seed "
                    f"{result.seed}. Remove that line; `bench verify {run}` says more"
                )
        elif result.status == "error":
            if not states[index]:
                errors[index] = position
        elif not states[index]:
            states[index] = _SCORED
            errors.pop(index, None)
            yield index, result
    if errors:
        with open_lines(run) as lines:
            for index, position in errors.items():
                lines.seek(position)
                yield index, result_from_json(decode_line(lines.readline(MOST_LINE)))

"""The one reader of episodes.jsonl: typed results, and one rule for repeated lines.

A case can have several lines, because a case that ended in `error` is played again by a later
run. Its first line with a score counts. While there is none, its last `error` line does.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.core import STATUSES, Result, UserError
from harness.records.plan import CaseIndex, CaseStates, Plan

__all__ = ["FIELDS", "case_results", "read_results", "result_from_json"]

FIELDS = tuple(field.name for field in dataclasses.fields(Result))
_TEXTS = ("case", "task", "ended", "digest", "protocol")
_SCORED = 1
_MOST_STEPS = 2**31 - 1


def result_from_json(line: Any) -> Result:
    """The result of one decoded line. Raises ValueError that names the first wrong field."""
    if not isinstance(line, dict):
        raise ValueError(f"it holds {type(line).__name__} instead of the fields of a result")
    try:
        fields = {name: line[name] for name in FIELDS}
    except KeyError as lacking:
        raise ValueError(f"it lacks the field {lacking}") from None
    for name in _TEXTS:
        if type(fields[name]) is not str:
            raise ValueError(f"{name} is {fields[name]!r}, not a text")
    if type(fields["seed"]) is not int:
        raise ValueError(f"seed is {fields['seed']!r}, not a whole number")
    if type(fields["steps"]) is not int or not 0 <= fields["steps"] <= _MOST_STEPS:
        raise ValueError(f"steps is {fields['steps']!r}, not a number of steps")
    if fields["status"] not in STATUSES:
        raise ValueError(f"status is {fields['status']!r}, not one of {', '.join(STATUSES)}")
    if fields["success"] not in (True, False, None) or type(fields["success"]) in (int, float):
        raise ValueError(f"success is {fields['success']!r}, not true, false or null")
    for name in ("score", "normalised"):
        if fields[name] is not None and not _finite(fields[name]):
            raise ValueError(f"{name} is {fields[name]!r}, not a finite number or null")
    if fields["status"] == "finished" and fields["score"] is None:
        raise ValueError("score is null although the episode finished")
    if fields["error"] is not None and type(fields["error"]) is not str:
        raise ValueError(f"error is {fields['error']!r}, not a text or null")
    perturbations = fields["perturbations"]
    if type(perturbations) is not list or not all(type(each) is str for each in perturbations):
        raise ValueError(f"perturbations is {perturbations!r}, not a list of texts")
    for name in ("metrics", "timing"):
        if type(fields[name]) is not dict:
            raise ValueError(f"{name} is {fields[name]!r}, not a table")
    for name, value in fields["metrics"].items():
        if not _finite(value):
            raise ValueError(f"the metric {name} is {value!r}, not a finite number")
    for name in ("simulator_s", "agent_s"):
        if not _finite(fields["timing"].get(name, 0.0)):
            raise ValueError(f"timing.{name} is {fields['timing'][name]!r}, not a finite number")
    fields["perturbations"] = tuple(perturbations)
    # A million of these are made in one scan, and a frozen dataclass pays for each assignment.
    result = object.__new__(Result)
    result.__dict__.update(fields)
    return result


def _finite(value: object) -> bool:
    # An integer of any length is JSON, so the largest float is the bound of both.
    return type(value) in (float, int) and abs(value) <= sys.float_info.max  # type: ignore[arg-type]


def _lines(file: Path) -> Iterator[tuple[int, int, Result]]:
    """(line number, position of its first byte, result). A torn last line is left out."""
    if not file.exists():
        return
    position = 0
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.endswith(b"\n"):
                return
            try:
                decoded = json.loads(line)
            except (RecursionError, ValueError):
                raise _broken(file, number, "is not JSON") from None
            try:
                yield number, position, result_from_json(decoded)
            except ValueError as wrong:
                raise _broken(file, number, f"is no result: {wrong}") from None
            position += len(line)


def _broken(file: Path, number: int, what: str) -> UserError:
    return UserError(
        f"{file}, line {number} {what}. The file was changed by hand or by a broken disk: "
        "remove that line"
    )


def read_results(run: Path) -> Iterator[Result]:
    """Every line of a run directory, oldest first, repeated cases included. Raises UserError."""
    for _, _, result in _lines(Path(run) / "episodes.jsonl"):
        yield result


def case_results(
    run: Path, plan: Plan, whole: Plan | None = None
) -> Iterator[tuple[CaseIndex, Result]]:
    """Each case of a plan that has a line, once: the line that counts.

    Cases with a score come in the order of the file; those that only have an error come last.
    `whole` is the plan that the run was made with, where `plan` is a part of it: results of the
    other part are left out. Raises UserError on a line that is of neither.
    """
    file = Path(run) / "episodes.jsonl"
    states = CaseStates(plan)
    errors: dict[CaseIndex, int] = {}
    for number, position, result in _lines(file):
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
        with file.open("rb") as lines:
            for index, position in errors.items():
                lines.seek(position)
                yield index, result_from_json(json.loads(lines.readline()))

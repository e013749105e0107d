"""A run's files held against one another and against its plan, without a simulator: the first half of `bench verify`."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.core import Result, Task, UserError
from harness.host.loading import load_adapter
from harness.records.plan import CaseIndex, CaseStates, Plan, protocol_hash
from harness.records.results import FIELDS, result_from_json
from harness.records.stored_run import StoredRun
from harness.records.traces import Trace, read_part, trace_parts

__all__ = ["Difference", "IntegrityReport", "TraceRecord", "check_files", "results_of"]

ENDED = ("success", "terminated", "truncated", "horizon")
NEVER_BEGUN = hashlib.blake2b(digest_size=10).hexdigest()
"""The digest of an episode that left nothing: its agent was killed because it did not answer."""
SCORED, FAILED = 1, 2
"""States of a case: it has a result with a score; it has lines with `error` only."""


@dataclass(frozen=True)
class Difference:
    """Something that is not as it should be."""

    what: str
    recorded: object
    expected: object
    """What it should be, or what the replay gave."""
    task: str = ""
    seed: int | None = None
    case: str = ""


@dataclass(frozen=True)
class TraceRecord:
    """What is kept of a trace."""

    part: Path
    place: int
    length: int
    digest: str
    instruction: str
    pixels: str


@dataclass
class IntegrityReport:
    """What the files say."""

    count: int = 0
    digest: bytes = b""
    """Of episodes.jsonl."""
    playable: list[CaseIndex] = field(default_factory=list)
    """Cases whose line does not contradict itself, with a trace that can be played here."""
    traces: dict[str, TraceRecord] = field(default_factory=dict)
    """By the id of the case."""
    differences: list[Difference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def check_files(run: StoredRun, known: Callable[[str], Task | None]) -> IntegrityReport:
    """All checks that need no simulator.

    `known` gives the task of an id as it is defined here, or None where there is none.
    """
    found = IntegrityReport()
    plan = run.whole
    say = found.differences.append
    if run.description["plan"]["hash"] != plan.hash:
        say(Difference("the plan's hash", run.description["plan"]["hash"], plan.hash))
    playable_items = _items(plan, known, say)
    _traces(run.path, plan, found)
    states = CaseStates(plan)
    for number, line in _lines(run.path, found):
        try:
            result = _whole_result(line)
        except ValueError as wrong:
            expected = "the fields of a result, no more and no less"
            say(Difference(f"line {number}", str(wrong), expected))
            continue
        index = plan.locate(result.task, result.seed, result.perturbations)
        whose = result.task, result.seed, result.case
        if index is None:
            planned = "a task, seed and perturbations of the plan"
            say(Difference("foreign case", f"line {number}", planned, *whose))
            continue
        wrongs = [Difference(*wrong, *whose) for wrong in _contradictions(plan, index, result)]
        found.differences += wrongs
        if states[index] == SCORED:
            say(Difference("repeated case", f"line {number}", "one line", *whose))
        elif result.status == "error":
            states[index] = FAILED
        else:
            states[index] = SCORED
            if not wrongs and _has_trace(result, found) and playable_items[index.item]:
                found.playable.append(index)
    _absent(plan, states, _stops(run.description), found)
    return found


def _whole_result(line: Any) -> Result:
    """The result of a line that has all fields and no other. Raises ValueError."""
    result = result_from_json(line)
    if len(line) != len(FIELDS):
        raise ValueError(f"it has the fields {', '.join(sorted(line.keys() - set(FIELDS)))}")
    return result


def results_of(run: StoredRun, cases: Collection[CaseIndex]) -> dict[CaseIndex, Result]:
    """The results of these cases, in a run whose files may contradict one another elsewhere."""
    wanted, found = set(cases), dict[CaseIndex, Result]()
    for _, line in _lines(run.path, IntegrityReport()):
        try:
            result = _whole_result(line)
        except ValueError:
            continue  # check_files has named it
        index = run.whole.locate(result.task, result.seed, result.perturbations)
        if index in wanted and index not in found and result.status != "error":
            found[index] = result
    return found


def _items(
    plan: Plan, known: Callable[[str], Task | None], say: Callable[[Difference], None]
) -> list[bool]:
    """Check each item's rules; whether it can be played here."""
    here = []
    for item in plan.items:
        id = item.task.id
        expected = protocol_hash(item.task, item.packages)
        if item.protocol != expected:
            say(Difference("the plan's protocol", item.protocol, expected, id))
        ours = known(id)
        if ours is not None and ours.content != item.task.content:
            say(
                Difference(
                    "the task's rules",
                    _unlike(item.task, ours),
                    "those of the task of this name here",
                    id,
                )
            )
        here.append(_can_play(item.task, item.packages, say))
    return here


def _unlike(task: Task, ours: Task) -> str:
    names = [field.name for field in dataclasses.fields(Task)]
    return "; ".join(
        f"{name} {getattr(task, name)!r}"
        for name in names
        if getattr(task, name) != getattr(ours, name)
    )[:200]


def _can_play(task: Task, packages: Mapping[str, str], say: Callable[[Difference], None]) -> bool:
    try:
        kind = load_adapter(task.adapter)
    except UserError as unknown:
        say(Difference("the adapter", task.adapter, str(unknown), task.id))
        return False
    try:
        missing = kind.missing(task)
    except (AttributeError, KeyError, TypeError, ValueError) as fault:
        say(
            Difference(
                "the task's params",
                dict(task.params),
                f"params of {task.adapter}: {fault!r}",
                task.id,
            )
        )
        return False
    if missing is not None:
        say(Difference("cannot be played here", missing.reason, missing.remedy, task.id))
        return False
    versions = kind.versions()
    for name in sorted(versions.keys() | packages.keys()):
        if packages.get(name) != versions.get(name):
            say(
                Difference(
                    f"the version of {name}",
                    packages.get(name, "none"),
                    f"{versions.get(name, 'none')}, which is here",
                    task.id,
                )
            )
    return dict(versions) == dict(packages)


def _traces(path: Path, plan: Plan, files: IntegrityReport) -> None:
    for part in trace_parts(path):
        try:
            for trace, place in read_part(part):
                whose = trace.task, trace.seed, trace.case
                if trace.case not in _cases(plan, trace):
                    files.differences.append(
                        Difference("foreign trace", part.name, "traces of the plan's cases", *whose)
                    )
                    continue
                try:
                    length = trace.length
                except UserError as damaged:
                    files.differences.append(
                        Difference("damaged trace", part.name, str(damaged), *whose)
                    )
                    continue
                files.traces[trace.case] = TraceRecord(
                    part, place, length, trace.digest, trace.instruction, trace.pixels
                )
        except (OSError, UserError) as damaged:
            files.differences.append(Difference("damaged traces", part.name, str(damaged)))


def _cases(plan: Plan, trace: Trace) -> list[str]:
    """The ids that a case of this task and seed can have."""
    control = plan.locate(trace.task, trace.seed, ())
    if control is None:
        return []
    conditions = range(len(plan.conditions))
    return [plan.case(control._replace(condition=number)).id for number in conditions]


def _lines(path: Path, files: IntegrityReport) -> Iterator[tuple[int, Any]]:
    """(number, content) of each line of episodes.jsonl; what is no JSON is a difference."""
    digest = hashlib.blake2b()
    file = path / "episodes.jsonl"
    if file.exists():
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                digest.update(line)
                files.count += 1
                try:
                    decoded = json.loads(line) if line.endswith(b"\n") else None
                except (RecursionError, ValueError):
                    files.differences.append(Difference(f"line {number}", "no JSON", "a result"))
                    continue
                yield number, decoded
    files.digest = digest.digest()


def _contradictions(
    plan: Plan, index: CaseIndex, result: Result
) -> Iterator[tuple[str, object, object]]:
    """Where a result contradicts itself or the plan: (what, recorded, expected)."""
    item, case = plan.items[index.item], plan.case(index)
    task = case.task
    if result.case != case.id:
        yield "the case's id", result.case, f"{case.id}, of this task, seed and perturbations"
    if result.protocol != item.protocol:
        yield "the protocol", result.protocol, item.protocol
    if result.steps > (task.max_steps or math.inf):
        yield "steps", result.steps, f"a whole number up to {task.max_steps}"
    if result.status == "finished":
        assert result.score is not None
        normalised = task.normaliser(result.score) if task.normaliser else None
        if result.normalised != normalised:
            yield "normalised", result.normalised, normalised
        if (result.success is not None) != (task.success is not None):
            yield "success", result.success, "true or false" if task.success else None
        elif task.score == "success" and result.score != float(bool(result.success)):
            yield "score", result.score, float(bool(result.success))
        if result.ended not in ENDED:
            yield "ended", result.ended, f"one of {', '.join(ENDED)}"
        if result.error is not None:
            yield "error", result.error, None
        return
    failed = False if result.status == "agent_error" and task.success is not None else None
    wanted = {"success": failed, "score": None, "normalised": None, "ended": result.status}
    for name, value in wanted.items():
        if getattr(result, name) != value:
            yield name, getattr(result, name), value
    if result.error is None:
        yield "error", None, "a reason"


def _has_trace(result: Result, found: IntegrityReport) -> bool:
    """Whether a case has a trace to play. One that does not fit is named, and played all the same."""
    whose = result.task, result.seed, result.case
    trace = found.traces.get(result.case)
    if trace is None:
        what = Difference("missing trace", "none", "the actions of this case", *whose)
        found.differences.append(what)
        return False
    if trace.length != result.steps:
        counts = f"{trace.length} actions", f"{result.steps} steps"
        found.differences.append(Difference("the trace's length", counts[0], counts[1], *whose))
    if trace.digest != result.digest:
        ours = f"{result.digest}, of the line"
        found.differences.append(Difference("the trace's digest", trace.digest, ours, *whose))
    never_begun = trace.length == 0 and trace.digest == NEVER_BEGUN
    return not (result.status == "agent_error" and never_begun)


def _stops(run: Mapping[str, Any]) -> dict[str, int]:
    """Of a run that stopped by a rule: how many episodes of each task count."""
    stopped = run.get("stopped")
    return (
        {str(name): count for name, count in stopped.items() if type(count) is int}
        if isinstance(stopped, dict)
        else {}
    )


def _absent(
    plan: Plan, states: CaseStates, stops: Mapping[str, int], files: IntegrityReport
) -> None:
    """Cases of the plan without a score: a difference where nothing says why."""
    excused = {row.task: row.reason for row in plan.not_run if row.perturbation is None}
    failed = Counter[str]()
    for number, item in enumerate(plan.items):
        rows = {each: states.of(number, each) for each in range(len(plan.conditions))}
        failed[item.task.id] += sum(row.count(FAILED) for row in rows.values())
        wanted = stops.get(item.task.id, item.episodes)
        unplayed = [
            CaseIndex(number, condition, episode)
            for condition in plan.conditions_of(number)
            for episode, state in enumerate(rows[condition][:wanted])
            if not state
        ]
        if not unplayed or (item.task.id in excused and not any(map(any, rows.values()))):
            continue
        first = plan.case(unplayed[0])
        what = "missing case" if len(unplayed) == 1 else f"{len(unplayed)} missing cases"
        expected = f"a result of every seed, from {first.seed} on"
        files.differences.append(
            Difference(what, "no line", expected, item.task.id, first.seed, first.id)
        )
    if failed.total():
        files.notes.append(
            f"{failed.total()} cases ended in an error that was not the agent's: there is nothing to play again"
        )
    if stops:
        files.notes.append(
            f"{len(stops)} tasks were stopped by a rule: {sum(stops.values())} episodes count"
        )
    files.notes += [f"{name} was not run: {reason}" for name, reason in excused.items()]

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

from harness.core import STATUSES, Result, Task, UserError
from harness.host.loading import load_adapter
from harness.records.plan import Plan, protocol_hash
from harness.records.traces import Trace, read_part, trace_parts

__all__ = ["Difference", "IntegrityReport", "Place", "TraceRecord", "examine", "lines_at"]

Place = tuple[int, int]
"""(item, number) in the plan."""
_Whose = tuple[str, "int | None", str]

FIELDS = frozenset(field.name for field in dataclasses.fields(Result))
ENDED = ("success", "terminated", "truncated", "horizon")
NEVER_BEGUN = hashlib.blake2b(digest_size=10).hexdigest()
"""The digest of an episode of which nothing remains: its agent was killed because it did not answer."""


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
    playable: list[Place] = field(default_factory=list)
    """Cases whose line does not contradict itself, with a trace that can be played here."""
    traces: dict[str, TraceRecord] = field(default_factory=dict)
    """By the id of the case."""
    differences: list[Difference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def examine(
    path: Path, run: Mapping[str, Any], plan: Plan, known: Callable[[str], Task | None]
) -> IntegrityReport:
    """All checks that need no simulator. `known` gives the task of an id as it is here, None where there is none."""
    files = IntegrityReport()
    say = files.differences.append
    if run["plan"]["hash"] != plan.hash:
        say(Difference("the plan's hash", run["plan"]["hash"], plan.hash))
    here = _items(plan, known, say)
    _traces(path, plan, files)
    state = [bytearray(item.episodes * len(plan.conditions)) for item in plan.items]
    for number, line in _lines(path, files):
        if not isinstance(line, dict) or line.keys() != FIELDS:
            odd = sorted(FIELDS ^ line.keys()) if isinstance(line, dict) else [type(line).__name__]
            say(
                Difference(
                    f"line {number}", ", ".join(odd), "the fields of a result, no more and no less"
                )
            )
            continue
        place = _place(plan, line)
        whose = (
            str(line["task"]),
            line["seed"] if type(line["seed"]) is int else None,
            str(line["case"]),
        )
        if place is None:
            say(
                Difference(
                    "foreign case",
                    f"line {number}",
                    "a task, seed and perturbations of the plan",
                    *whose,
                )
            )
            continue
        item, index = place
        wrong = [
            Difference(what, recorded, expected, *whose)
            for what, recorded, expected in _wrong(plan, place, line)
        ]
        files.differences += wrong
        if state[item][index] == SCORED:
            say(Difference("repeated case", f"line {number}", "one line", *whose))
        elif line["status"] == "error":
            state[item][index] = FAILED
        else:
            state[item][index] = SCORED
            if not wrong and _has_trace(line, files, whose) and here[item]:
                files.playable.append(place)
    _absent(plan, state, _stops(run), files)
    return files


SCORED, FAILED = 1, 2


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
    place = plan.locate(trace.task, trace.seed, ())
    if place is None:
        return []
    item, number = place
    return [
        plan.case(item, number + condition * plan.items[item].episodes).id
        for condition in range(len(plan.conditions))
    ]


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
                    yield number, json.loads(line) if line.endswith(b"\n") else None
                except ValueError:
                    files.differences.append(Difference(f"line {number}", "no JSON", "a result"))
    files.digest = digest.digest()


def lines_at(path: Path, plan: Plan, places: Collection[Place]) -> dict[Place, dict[str, Any]]:
    """The first scored line of each of these places, of files that were examined."""
    wanted, found = set(places), dict[Place, dict[str, Any]]()
    for _, line in _lines(path, IntegrityReport()):
        place = _place(plan, line) if isinstance(line, dict) and line.keys() == FIELDS else None
        if place in wanted and place not in found and line["status"] != "error":
            found[place] = line
    return found


def _place(plan: Plan, line: Mapping[str, Any]) -> Place | None:
    try:
        return (
            plan.locate(line["task"], line["seed"], line["perturbations"])
            if type(line["seed"]) is int
            else None
        )
    except TypeError:
        return None


def _wrong(
    plan: Plan, place: Place, line: Mapping[str, Any]
) -> Iterator[tuple[str, object, object]]:
    """What contradicts itself, or the plan, in one line: (what, recorded, expected)."""
    item, case = plan.items[place[0]], plan.case(*place)
    task = case.task
    if line["case"] != case.id:
        yield "the case's id", line["case"], f"{case.id}, of this task, seed and perturbations"
    if line["protocol"] != item.protocol:
        yield "the protocol", line["protocol"], item.protocol
    status, score, success = line["status"], line["score"], line["success"]
    if status not in STATUSES:
        yield "the status", status, f"one of {', '.join(STATUSES)}"
        return
    if type(line["steps"]) is not int or not 0 <= line["steps"] <= (task.max_steps or math.inf):
        yield "steps", line["steps"], f"a whole number up to {task.max_steps or 'any'}"
    if not isinstance(line["metrics"], dict) or not all(
        _finite(value) for value in line["metrics"].values()
    ):
        yield "metrics", line["metrics"], "names and finite numbers"
    if status == "finished":
        if not _finite(score):
            yield "score", score, "a finite number"
        elif line["normalised"] != (task.normaliser(score) if task.normaliser else None):
            yield (
                "normalised",
                line["normalised"],
                task.normaliser(score) if task.normaliser else None,
            )
        if (type(success) is bool) != (task.success is not None):
            yield "success", success, "true or false" if task.success else None
        elif task.score == "success" and score != float(bool(success)):
            yield "score", score, float(bool(success))
        if line["ended"] not in ENDED:
            yield "ended", line["ended"], f"one of {', '.join(ENDED)}"
        if line["error"] is not None:
            yield "error", line["error"], None
    else:
        failed = False if status == "agent_error" and task.success is not None else None
        for name, value in (
            ("success", failed),
            ("score", None),
            ("normalised", None),
            ("ended", status),
        ):
            if line[name] is not value and line[name] != value:
                yield name, line[name], value
        if not isinstance(line["error"], str):
            yield "error", line["error"], "a reason"


def _finite(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _has_trace(line: Mapping[str, Any], files: IntegrityReport, whose: _Whose) -> bool:
    """Whether the line's case has a trace to play. A trace that does not fit is a difference, and is played nevertheless."""
    trace = files.traces.get(line["case"]) if isinstance(line["case"], str) else None
    if trace is None:
        files.differences.append(
            Difference("missing trace", "none", "the actions of this case", *whose)
        )
        return False
    if trace.length != line["steps"]:
        files.differences.append(
            Difference(
                "the trace's length", f"{trace.length} actions", f"{line['steps']} steps", *whose
            )
        )
    if trace.digest != line["digest"]:
        files.differences.append(
            Difference("the trace's digest", trace.digest, f"{line['digest']}, of the line", *whose)
        )
    return not (
        line["status"] == "agent_error" and trace.length == 0 and trace.digest == NEVER_BEGUN
    )


def _stops(run: Mapping[str, Any]) -> dict[str, int]:
    """Of a run that stopped by a rule: how many episodes of each task count."""
    stopped = run.get("stopped")
    return (
        {str(name): count for name, count in stopped.items() if type(count) is int}
        if isinstance(stopped, dict)
        else {}
    )


def _absent(
    plan: Plan, state: list[bytearray], stops: Mapping[str, int], files: IntegrityReport
) -> None:
    """Cases of the plan without a score: a difference where nothing says why."""
    excused = {row.task: row.reason for row in plan.not_run if row.perturbation is None}
    failed = Counter[str]()
    for number, item in enumerate(plan.items):
        failed[item.task.id] += state[number].count(FAILED)
        wanted = stops.get(item.task.id, item.episodes)
        unplayed = [
            index
            for index, value in enumerate(state[number])
            if not value
            and index % item.episodes < wanted
            and plan.plays(number, index // item.episodes)
        ]
        if not unplayed or (item.task.id in excused and not any(state[number])):
            continue
        first = plan.case(number, unplayed[0])
        what = "missing case" if len(unplayed) == 1 else f"{len(unplayed)} missing cases"
        files.differences.append(
            Difference(
                what,
                "no line",
                f"a result of every seed, from {first.seed} on",
                item.task.id,
                first.seed,
                first.id,
            )
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

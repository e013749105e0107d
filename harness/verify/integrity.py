"""The integrity of a run's files: the first half of `bench verify`. It needs no simulator.

run.json, episodes.jsonl and traces/ say some things twice, and several of them follow from others:
a case id from task, seed and perturbations; a normalised score from the score; the number of
actions from the steps. A change in one place alone is found here; one that is consistent claims
another episode, and is found by the replay. Nothing that a file says is trusted: a wrong field is
a difference, never an exception.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.core import Result, UserError
from harness.core.grammar import counted
from harness.records.case_states import CaseStates
from harness.records.plan import CaseIndex, Plan, label
from harness.records.results import (
    FIELDS,
    NEW_FIELDS,
    case_results,
    decode_line,
    open_lines,
    raw_lines,
    result_from_json,
)
from harness.records.stored_run import StoredRun
from harness.records.traces import Trace, read_part, trace_parts
from harness.verify.contradictions import contradictions
from harness.verify.difference import Difference, Differences
from harness.verify.knowledge import Knowledge
from harness.verify.perturbed import changes_images, check_severities
from harness.verify.plan_items import check_items, parts_of_suites
from harness.verify.trace_records import TraceRecord, TraceRecords

__all__ = ["IntegrityReport", "TraceRecord", "check_files", "results_of"]

NEVER_STARTED = hashlib.blake2b(digest_size=10).hexdigest()
"""The digest of an episode without a step: its agent was killed because it did not answer."""
SCORED, FAILED = 1, 2
"""States of a case: it has a line with a score; it has lines with the status `error` only."""


@dataclass(kw_only=True)
class IntegrityReport:
    """The result of `check_files`."""

    count: int = 0
    """Lines of episodes.jsonl."""
    playable: list[CaseIndex] = field(default_factory=list)
    """Cases with a consistent line and a trace, which can be played here."""
    errors: list[CaseIndex] = field(default_factory=list)
    """Cases whose lines all have the status `error` and that have a trace all the same."""
    traces: TraceRecords = field(default_factory=TraceRecords)
    """By case id."""
    differences: Differences = field(default_factory=Differences)
    unchecked: list[str] = field(default_factory=list)
    """Tasks that cannot be replayed here, with the reason and the remedy."""
    claims: list[str] = field(default_factory=list)
    """What no replay can show."""
    notes: list[str] = field(default_factory=list)
    """Remarks that do not count against the run."""


def check_files(run: StoredRun, known: Knowledge) -> IntegrityReport:
    """All checks that need no simulator."""
    found = IntegrityReport()
    plan = run.whole
    say = found.differences.append
    if run.description["plan"]["hash"] != plan.hash:
        recorded = run.description["plan"]["hash"]
        say(Difference(what="the plan's hash", recorded=recorded, expected=plan.hash))
    items = check_items(plan, known, run.description["schema"])
    wrong_levels, own_levels = check_severities(plan, run.description.get("command"))
    found.differences += [*items.differences, *wrong_levels]
    found.unchecked += items.unchecked
    found.claims += [*items.claims, *own_levels]
    _traces(run.path, plan, found)
    states = CaseStates(plan)
    failed: dict[CaseIndex, str] = {}
    for number, line in _lines(run.path, found):
        try:
            result = _whole_result(line, run.description["schema"])
        except ValueError as wrong:
            expected = "the fields of a result, no more and no less"
            say(Difference(what=f"line {number}", recorded=str(wrong), expected=expected))
            continue
        index = plan.locate(result.task, result.seed, result.perturbations)
        if index is None:
            planned = "a task, seed and perturbations of the plan"
            say(Difference.of(result, "foreign case", f"line {number}", planned))
            continue
        wrongs = [Difference.of(result, *wrong) for wrong in contradictions(plan, index, result)]
        found.differences += wrongs
        if states[index] == SCORED:
            say(Difference.of(result, "repeated case", f"line {number}", "one line"))
        elif result.status == "error":
            states[index] = FAILED
            if result.case in found.traces and items.playable[index.item]:
                failed[index] = result.case
        else:
            states[index] = SCORED
            if _has_trace(result, found) and not wrongs and items.playable[index.item]:
                found.playable.append(index)
    found.errors = [index for index in failed if states[index] == FAILED]
    _check_images(run, found)
    _check_stop(run, known, found)
    stops = _stops(run.description)
    _absent(plan, states, stops, found)
    found.notes += parts_of_suites(plan, stops, known.suite)
    return found


def _whole_result(line: Any, schema: int) -> Result:
    """The result of a line that has all fields and no other one. Raises ValueError.

    Lines of schema 1 lack NEW_FIELDS, unless a later version went on with their run.
    """
    result = result_from_json(line)
    if foreign := sorted(line.keys() - set(FIELDS)):
        raise ValueError(f"it has the fields {', '.join(foreign)}")
    lacking = [name for name in NEW_FIELDS if name not in line]
    if lacking and (schema > 1 or len(lacking) < len(NEW_FIELDS)):
        raise ValueError(f"it lacks the field {lacking[0]}")
    return result


def results_of(run: StoredRun, cases: Collection[CaseIndex]) -> dict[CaseIndex, Result]:
    """The results of these cases: the first line with a score, or else the last one.

    Lines of other cases may be damaged.
    """
    wanted, found = set(cases), dict[CaseIndex, Result]()
    for _, line in _lines(run.path, IntegrityReport()):
        try:
            result = _whole_result(line, run.description["schema"])
        except ValueError:
            continue  # check_files has reported it
        index = run.whole.locate(result.task, result.seed, result.perturbations)
        if index in wanted and (index not in found or found[index].status == "error"):
            found[index] = result
    return found


def _traces(path: Path, plan: Plan, files: IntegrityReport) -> None:
    for part in trace_parts(path):
        try:
            for trace, place in read_part(part):
                if trace.case not in _cases(plan, trace):
                    planned = "traces of the plan's cases"
                    files.differences.append(
                        Difference.of(trace, "foreign trace", part.name, planned)
                    )
                    continue
                try:
                    length = trace.length
                except UserError as damaged:
                    files.differences.append(
                        Difference.of(trace, "damaged trace", part.name, str(damaged))
                    )
                    continue
                record = TraceRecord(
                    part=part,
                    place=place,
                    length=length,
                    digest=trace.digest,
                    instruction=trace.instruction,
                    pixels=trace.pixels,
                )
                files.traces.add(trace.case, record)
        except (OSError, UserError) as damaged:
            files.differences.append(
                Difference(what="damaged traces", recorded=part.name, expected=str(damaged))
            )


def _cases(plan: Plan, trace: Trace) -> list[str]:
    """The ids that a case of this task and seed can have."""
    return [plan.case(index).id for index in plan.with_seed(trace.task, trace.seed)]


def _lines(path: Path, files: IntegrityReport) -> Iterator[tuple[int, Any]]:
    """(number, content) of each line of episodes.jsonl; a line that is not JSON is a difference.

    A torn last line, None here, is no result either: a run that goes on cuts it off.
    """
    with open_lines(path) as lines:
        for number, line in enumerate(raw_lines(lines), 1):
            files.count += 1
            try:
                decoded = decode_line(line) if line.endswith(b"\n") else None
            except ValueError:
                files.differences.append(
                    Difference(what=f"line {number}", recorded="not JSON", expected="a result")
                )
                continue
            yield number, decoded


def _has_trace(result: Result, found: IntegrityReport) -> bool:
    """Whether a case has a trace to replay.

    One that does not fit its result is a difference, and is replayed all the same: the replay tells
    which of the two was changed.
    """
    trace = found.traces.get(result.case)
    if trace is None:
        found.differences.append(
            Difference.of(result, "missing trace", "none", "the actions of this case")
        )
        return False
    if trace.length != result.steps:
        counts = f"{trace.length} actions", f"{result.steps} steps"
        found.differences.append(Difference.of(result, "the trace's length", *counts))
    if trace.digest != result.digest:
        expected = f"{result.digest}, of the line"
        found.differences.append(
            Difference.of(result, "the trace's digest", trace.digest, expected)
        )
    never_started = trace.length == 0 and trace.digest == NEVER_STARTED
    return not (result.status == "agent_error" and never_started)


def _stops(run: Mapping[str, Any]) -> dict[str, int]:
    """The episodes of each task that count, where the run was stopped by a rule."""
    stopped = run.get("stopped")
    return (
        {str(name): count for name, count in stopped.items() if type(count) is int}
        if isinstance(stopped, dict)
        else {}
    )


def _check_images(run: StoredRun, files: IntegrityReport) -> None:
    """Whether perturbed episodes began with the unperturbed images of their controls."""
    noisy = [changes_images(parts, run.reads) for parts in run.whole.conditions]
    for index in files.playable:
        if not noisy[index.condition]:
            continue
        case, control = run.whole.case(index), run.whole.case(index._replace(condition=0))
        pixels, others = files.traces[case.id].pixels, files.traces.get(control.id)
        if pixels and others is not None and pixels == others.pixels:
            files.differences.append(
                Difference(
                    what="the first images",
                    recorded="those of the unperturbed case",
                    expected=f"others, by {label(case.perturbations)}",
                    task=case.task.id,
                    seed=case.seed,
                    case=case.id,
                )
            )


def _check_stop(run: StoredRun, known: Knowledge, files: IntegrityReport) -> None:
    """Whether the run was stopped where its rule stops it, by its own results."""
    rule, stopped = run.description.get("stopping"), run.description.get("stopped")
    if not rule and not stopped:
        return
    found = None
    if isinstance(rule, str):
        try:
            found = known.stops(run.whole, rule, case_results(run.path, run.whole))
        except UserError:
            return  # a line is no result, and is named as such
    if found is None:
        expected = "a rule of bench, such as `until width 0.2`"
        files.differences.append(
            Difference(what="the stopping rule", recorded=rule, expected=expected)
        )
        return
    if stopped and found.unknown:
        files.claims.append(found.unknown)
    right = not found.decided if not stopped else any(stopped == ends for ends in found.ends)
    if not right and (stopped or run.description.get("finished")):
        _say_stop(dict(stopped or {}), found.ends, rule, files)


def _say_stop(
    stopped: Mapping[str, Any],
    ends: Sequence[Mapping[str, int]],
    rule: object,
    files: IntegrityReport,
) -> None:
    """One difference for each task, where the rule leaves one answer."""
    if len(ends) != 1:
        expected = f"where the rule stops: {rule}" if ends else f"not stopped: {rule}"
        files.differences.append(Difference(what="stopped", recorded=stopped, expected=expected))
        return
    for name in sorted(stopped.keys() | ends[0].keys()):
        if stopped.get(name) != ends[0].get(name):
            files.differences.append(
                Difference(
                    what="stopped",
                    recorded=stopped.get(name),
                    expected=f"{ends[0].get(name)} episodes, by the rule: {rule}",
                    task=name,
                )
            )


def _absent(
    plan: Plan, states: CaseStates, stops: Mapping[str, int], files: IntegrityReport
) -> None:
    """Cases of the plan without a line: a difference unless the run says why."""
    excused = {row.task: row.reason for row in plan.not_run if row.perturbation is None}
    failed = Counter[str]()
    for number, item in enumerate(plan.items):
        rows = {each: states.of(number, each) for each in range(len(plan.conditions))}
        failed[item.task.id] += sum(row.count(FAILED) for row in rows.values())
        wanted = stops.get(item.task.id, item.episodes)
        # Counted in bytes: a plan may promise millions of cases, of which none was played.
        played = {each: rows[each][:wanted] for each in plan.conditions_of(number)}
        unplayed = sum(row.count(0) for row in played.values())
        if not unplayed or (item.task.id in excused and not any(map(any, rows.values()))):
            continue
        condition = next(each for each, row in played.items() if 0 in row)
        first = plan.case(CaseIndex(number, condition, played[condition].find(0)))
        what = "missing case" if unplayed == 1 else f"{unplayed} missing cases"
        expected = f"a result of every seed, from {first.seed} on"
        files.differences.append(
            Difference(
                what=what,
                recorded="no line",
                expected=expected,
                task=item.task.id,
                seed=first.seed,
                case=first.id,
            )
        )
    if count := failed.total():
        files.claims.append(
            f"that {counted(count, 'case')} ended in an error that was not the agent's"
        )
    if stops:
        files.notes.append(
            f"{counted(len(stops), 'task')} {'was' if len(stops) == 1 else 'were'} stopped by a "
            f"rule; what counts: {counted(sum(stops.values()), 'episode')}"
        )

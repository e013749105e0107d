"""An entry turned back into a run directory, in a folder of ours.

Sizes are bounded before anything is unpacked, nothing that the entry names is opened, imported or
followed, and what is unpacked must have one line and one trace for each case, in the plan's order.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.core import Task, UserError
from harness.core.text import printable, shorten
from harness.records.plan import Plan
from harness.records.results import read_results
from harness.records.stored_run import StoredRun, load_run
from harness.records.traces import read_traces
from leaderboards.submissions.describe import describe, planned, unfit
from leaderboards.submissions.entry import FILES, Entry
from leaderboards.submissions.packing import unpack

__all__ = ["Evidence", "contradicted", "unpack_entry"]

RUN = {"run": "run.json", "episodes": "episodes.jsonl", "traces": "traces/part-0000.msgpack"}
"""What a packed file holds -> where it lies in a run directory."""


class Evidence(Exception):
    """The traces lie at a URL, and nobody has fetched them. The text says so, with the remedy."""


def unpack_entry(
    entry: Entry,
    folder: Path,
    tasks: dict[str, Task],
    suites: frozenset[str],
    evidence: Path | None = None,
) -> StoredRun:
    """The run of an entry, unpacked into an empty folder.

    `tasks`, `suites`: ours. `evidence`: the folder where the traces of an entry lie that has them
    at a URL; nothing is fetched from there.

    Raises UserError with the reason if the entry is none that the board takes, and Evidence.
    """
    (folder / "traces").mkdir()
    unpack(entry.path, entry.files["run"], folder / RUN["run"])
    plan = load_run(folder).whole
    for reason in unfit(load_run(folder), tasks, suites):
        raise UserError(reason)
    unpack(entry.path, entry.files["episodes"], folder / RUN["episodes"], plan.total)
    traces = entry.files["traces"]
    if traces.url is None:
        unpack(entry.path, traces, folder / RUN["traces"])
    elif evidence is None:
        raise Evidence(
            f"its traces lie at {traces.url}: download {FILES['traces']} from there into a folder "
            "and name that with --evidence"
        )
    else:
        unpack(evidence, traces, folder / RUN["traces"])
    return load_run(folder)


def contradicted(entry: Entry, run: StoredRun) -> Iterator[str]:
    """Where the unpacked files contradict the order of the plan, or entry.json."""
    plan = run.whole
    lines = _ids(plan, ((each.task, each.case) for each in read_results(run.path)))
    yield from (f"its lines are {wrong}" for wrong in lines)
    traces = _ids(plan, ((each.task, each.case) for each in read_traces(run.path)))
    yield from (f"its traces are {wrong}" for wrong in traces)
    errors = sum(result.status == "error" for result in run.results())
    if errors:
        yield f"{errors} of its episodes have no score: an error that was not the agent's"
    described = describe(run)
    for part, right in described.items():
        if entry.described[part] != right:
            yield f"entry.json contradicts the run's files: {_where(entry, part, right)}"


def _ids(plan: Plan, found: Iterator[tuple[str, str]]) -> Iterator[str]:
    """Where a file does not have every case of the plan once, in order; one finding at most."""
    expected = (plan.case(index) for index in planned(plan))
    for number, (task, case_id) in enumerate(found, 1):
        case = next(expected, None)
        if case is None:
            yield f"more than the {plan.total} cases of the plan: from number {number} on"
            return
        if case.id != case_id:
            name = printable(shorten(task, 100))
            yield (
                f"not every case once in the plan's order: number {number} is of {name}, and not "
                f"{case.task.id} with seed {case.seed}"
            )
            return
    if (missing := next(expected, None)) is not None:
        yield f"not those of all cases: {missing.task.id} with seed {missing.seed} is missing"


def _where(entry: Entry, part: str, right: Any) -> str:
    """The first field that differs, with both values."""
    said: Any = entry.described[part]
    place = part
    while isinstance(said, (dict, list)) and type(said) is type(right):
        ours, theirs = _by_key(right), _by_key(said)
        absent = object()
        keys = {**ours, **theirs}
        key = next(key for key in keys if ours.get(key, absent) != theirs.get(key, absent))
        if key not in ours or key not in theirs:
            which = "only in entry.json" if key in theirs else "not in entry.json"
            return f"{printable(place)}.{printable(str(key))} is {which}"
        said, right, place = theirs[key], ours[key], f"{place}.{key}"
    return f"{printable(place)} is {_short(said)}, and in the run {_short(right)}"


def _by_key(value: Any) -> dict[Any, Any]:
    return dict(value) if isinstance(value, dict) else dict(enumerate(value))


def _short(value: object) -> str:
    return printable(shorten(str(value), 100))

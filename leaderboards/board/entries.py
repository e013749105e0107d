"""Entries as the board shows them: read from their files, of which nothing is believed.

Nothing that an entry names is imported, opened or fetched, and the traces are not unpacked: whether
they are what they claim to be is the business of `bench leaderboard check`, whose verdict counts.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import shlex
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core import Result, Suite, Task, UserError
from harness.core.text import printable, shorten
from harness.records.plan import CaseIndex, Plan
from harness.records.stored_run import StoredRun, load_run
from leaderboards.board.outcomes import Outcomes, TaskOutcomes
from leaderboards.board.processes import each_of
from leaderboards.privilege import privileged_group
from leaderboards.report import build
from leaderboards.schema import Report, TaskRow
from leaderboards.submissions.describe import unfit
from leaderboards.submissions.entry import Entry, Submission, read_entry
from leaderboards.submissions.packing import unpack
from leaderboards.submissions.texts import slug
from leaderboards.submissions.unpack import RUN
from leaderboards.submissions.verdict import ACCEPTED, NOT_HERE, REFUSED, read_verdict

__all__ = ["UNVERIFIED", "BoardEntry", "Part", "Said", "Unreadable", "read_all"]

UNVERIFIED = "unverified"
"""The state of an entry that has no verdict; the others are the verdicts."""
KEPT = 64 << 20
"""Bytes of results up to which their lines are kept in memory while an entry is read."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a verdict says, as printable lines; all empty without one."""

    statement: str = ""
    reasons: tuple[str, ...] = ()
    date: str = ""
    bench: str = ""
    seed: str = ""

    @classmethod
    def of(cls, verdict: Mapping[str, Any]) -> Said:
        """Of check.json, which anybody can write: what is no text is left out."""
        reasons = verdict.get("reasons")
        listed = reasons if isinstance(reasons, list) else []
        return cls(
            **{
                name: printable(shorten(value, 500))
                for name in ("statement", "date", "bench", "seed")
                if isinstance(value := verdict.get(name), str)
            },
            reasons=tuple(
                printable(shorten(each, 300)) for each in listed[:20] if isinstance(each, str)
            ),
        )


@dataclass(frozen=True, kw_only=True)
class Part:
    """What an entry played of one suite."""

    suite: str
    report: Report
    """Of these tasks alone."""
    outcomes: Mapping[str, TaskOutcomes]
    """By task id."""
    foreign: tuple[str, ...]
    """Why its tasks are not those of today's suite; none: they are."""

    @functools.cached_property
    def tasks(self) -> Mapping[str, TaskRow]:
        """By id the rows of the report."""
        return {row.task: row for row in self.report.tasks}


@dataclass(frozen=True, kw_only=True)
class BoardEntry:
    """One entry. Texts are printable lines; on a page they still have to be escaped."""

    id: str
    """In names of files and links: lower-case letters, digits and dashes."""
    path: str
    """Its folder, as a command names it."""
    name: str
    agent_id: str
    """Equal for entries of one name and one fingerprint."""
    digest: str
    submission: Submission
    described: Mapping[str, Any]
    """`agent`, `played`, `results` and `marks` of entry.json."""
    state: str
    """ACCEPTED, REFUSED, NOT_HERE or UNVERIFIED."""
    verdict: Said
    """The rest of check.json, if that is about this entry.json."""
    privileged: bool
    clock: str
    """The control clock in words, where simulated time did not wait; else empty."""
    parts: tuple[Part, ...]
    """None of a refused entry: nothing of it is believed."""
    command: str
    """What it says that it was played with."""

    @property
    def fingerprint(self) -> str:
        """Of its agent."""
        return str(self.described["agent"]["fingerprint"])

    @property
    def created(self) -> str:
        """When it says that it was played."""
        return str(self.described["played"]["created"])

    @property
    def again(self) -> str:
        """The command that plays all of its episodes again."""
        return f"bench leaderboard check {shlex.quote(self.path)} --sample all"


@dataclass(frozen=True, kw_only=True)
class Unreadable:
    """A folder that is no entry, and why."""

    path: str
    reason: str


def read_all(
    folders: Sequence[Path], suites: Mapping[str, Suite]
) -> tuple[list[BoardEntry], list[Unreadable]]:
    """The entries in these folders of entries, by name of their folder. Raises UserError.

    suites: ours, by name.
    """
    found: list[BoardEntry] = []
    broken: list[Unreadable] = []
    used: set[str] = set()
    tasks = {
        # What papers say is shown beside the entries, and is no part of them.
        task.id: dataclasses.replace(task, references=())
        for suite in suites.values()
        for task in suite.tasks
    }
    for entry in each_of(lambda path: _read_or_not(path, suites, tasks), _paths(folders)):
        if isinstance(entry, Unreadable):
            broken.append(entry)
            continue
        if entry.id in used:
            entry = dataclasses.replace(entry, id=f"{entry.id}-{entry.digest[:12]}")
        if entry.id not in used:  # the very same entry in two folders is one
            used.add(entry.id)
            found.append(entry)
    return found, broken


def _read_or_not(
    path: Path, suites: Mapping[str, Suite], tasks: Mapping[str, Task]
) -> BoardEntry | Unreadable:
    try:
        return _read(path, suites, tasks)
    except UserError as wrong:
        reason = shorten(str(wrong).replace(f"{path}: ", ""), 300)
        return Unreadable(path=printable(str(path)), reason=printable(reason))


def _paths(folders: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"there is no folder {folder}: name the folder of the entries")
        found += [each for each in sorted(folder.iterdir()) if each.name[:1] != "."]
    return [each for each in found if each.is_dir() or each.is_symlink()]


def _read(path: Path, suites: Mapping[str, Suite], tasks: Mapping[str, Task]) -> BoardEntry:
    if path.is_symlink():
        raise UserError("it is a link, which is not followed")
    entry = read_entry(path)
    verdict = read_verdict(path, entry.digest) or {}
    state = str(verdict.get("verdict", UNVERIFIED))
    assert state in (ACCEPTED, REFUSED, NOT_HERE, UNVERIFIED)
    parts: tuple[Part, ...] = ()
    clock = command = ""
    if state != REFUSED:
        with tempfile.TemporaryDirectory(prefix="bench-board-") as folder:
            run = _unpacked(entry, Path(folder))
            parts = tuple(_parts(entry, run, suites, tasks))
            clock = "" if run.whole.clock is None else printable(str(run.whole.clock))
            command = printable(shorten(str(run.description.get("command", "")), 1000))
    agent = entry.described["agent"]
    views = any(privileged_group(part.report.tasks) for part in parts)
    shown = any(part.report.run["agent"].get("privileged") for part in parts)
    who = hashlib.sha256(f"{entry.name}\n{agent['fingerprint']}".encode()).hexdigest()[:8]
    return BoardEntry(
        id=slug(path.name) or entry.digest[:12],
        path=printable(str(path)),
        name=entry.name,
        agent_id=f"{slug(entry.name) or 'agent'}-{who}",
        digest=entry.digest,
        submission=entry.submission,
        described=entry.described,
        state=state,
        verdict=Said.of(verdict),
        privileged=bool(agent["privileged"] or views or shown),
        clock=clock,
        parts=parts,
        command=command,
    )


def _unpacked(entry: Entry, folder: Path) -> StoredRun:
    """The run without its traces. Raises UserError where it is none for the board."""
    unpack(entry.path, entry.files["run"], folder / RUN["run"])
    run = load_run(folder)
    plan = run.whole
    # Tasks that are not ours make it foreign, which is no reason not to show it: see _foreign.
    theirs = {item.task.id: item.task for item in plan.items}
    for reason in unfit(run, theirs, frozenset(item.suite for item in plan.items)):
        raise UserError(reason)
    unpack(entry.path, entry.files["episodes"], folder / RUN["episodes"], plan.total)
    return run


def _parts(
    entry: Entry, run: StoredRun, suites: Mapping[str, Suite], tasks: Mapping[str, Task]
) -> Iterator[Part]:
    small = entry.files["episodes"].unpacked_bytes <= KEPT
    kept = list(run.cases()) if small else None
    for suite in dict.fromkeys(item.suite for item in run.whole.items):
        numbers = [k for k, item in enumerate(run.whole.items) if item.suite == suite]
        plan = _of_suite(run.whole, numbers, suite, tasks)
        outcomes = Outcomes(plan, run.reads)
        places = {number: place for place, number in enumerate(numbers)}
        cases = run.cases() if kept is None else iter(kept)
        report = build(run.description, plan, _heard(cases, places, outcomes))
        yield Part(
            suite=suite,
            report=report,
            outcomes={each.item.task.id: each for each in outcomes.of_tasks()},
            foreign=tuple(_foreign(plan, suites.get(suite))),
        )


def _of_suite(plan: Plan, numbers: Sequence[int], suite: str, tasks: Mapping[str, Task]) -> Plan:
    items = []
    for number in numbers:
        item = plan.items[number]
        ours = tasks.get(item.task.id)
        # References are no part of a task's content: an entry may say what it likes there.
        if ours is not None and ours.content == item.task.content:
            item = dataclasses.replace(item, task=ours)
        else:
            item = dataclasses.replace(item, task=dataclasses.replace(item.task, references=()))
        items.append(item)
    rows = (row for row in plan.not_run if row.suite == suite)
    not_run = tuple(dataclasses.replace(row, references=()) for row in rows)
    return dataclasses.replace(plan, items=tuple(items), not_run=not_run)


def _heard(
    cases: Iterator[tuple[CaseIndex, Result]], places: Mapping[int, int], outcomes: Outcomes
) -> Iterator[tuple[CaseIndex, Result]]:
    """The cases of these items, by their new places, each told to `outcomes` too."""
    for index, result in cases:
        if index.item in places:
            index = index._replace(item=places[index.item])
            outcomes.add(index, result)
            yield index, result


def _foreign(plan: Plan, suite: Suite | None) -> Iterator[str]:
    if suite is None:
        yield "there is no suite of this name here"
        return
    ours = {task.id: task.content for task in suite.tasks}
    for item in plan.items:
        name = printable(shorten(item.task.id, 100))
        if item.task.id not in ours:
            yield f"{name} is not in today's suite"
        elif ours[item.task.id] != item.task.content:
            yield f"{name} is another task than that of today's suite"

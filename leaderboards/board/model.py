"""The board as data: suites with their rows. Everything that is written is made of it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.core import Suite
from harness.core.grammar import counted
from harness.core.text import printable, shorten
from harness.stats import Estimate
from leaderboards.board.entries import UNVERIFIED, BoardEntry, Part, Unreadable
from leaderboards.board.processes import each_of
from leaderboards.board.protocols import counting_protocols, why_foreign
from leaderboards.board.ranking import Standing, rank_agents
from leaderboards.schema import Group, TaskRow
from leaderboards.submissions.verdict import ACCEPTED, NOT_HERE, REFUSED

__all__ = ["Board", "Row", "SuiteBoard", "board_of"]

STATES = {
    REFUSED: "refused",
    NOT_HERE: "could not be checked",
    UNVERIFIED: "unverified",
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """An entry on the board of one suite."""

    entry: BoardEntry
    suite: str
    part: Part | None
    """None: the entry is refused, and no figure of it is shown."""
    apart: str
    """Why it has no rank, in a word or two; empty: it has one."""
    why: str
    """The same in a sentence."""
    marks: tuple[str, ...]
    """What stands beside its figures, a line each."""
    missing: int
    """How many tasks of the suite have no result."""
    standing: Standing | None = None

    @property
    def group(self) -> Group | None:
        """The means over its tasks."""
        return None if self.part is None else self.part.report.overall

    @property
    def figure(self) -> Estimate | None:
        """The mean success rate; of a suite without successes the mean normalised score."""
        return None if self.group is None else figure_of(self.group)

    @property
    def measure(self) -> str:
        """What `figure` is: `success` or `normalised`."""
        rated = self.group is not None and self.group.interval is not None
        return "success" if rated else "normalised"

    @property
    def seconds_per_step(self) -> float | None:
        """What the agent took for a step, by the clock of the machine that it names."""
        if self.part is None:
            return None
        rows = [row for row in self.part.report.tasks if row.steps_mean is not None]
        steps = sum((row.steps_mean or 0.0) * (row.n - row.agent_errors) for row in rows)
        seconds = sum(row.agent_s for row in rows)
        return seconds / steps if steps > 0 and math.isfinite(seconds) and seconds > 0 else None

    @property
    def parameters(self) -> int | None:
        """Of the agent: what the run counted, else what the submitter says."""
        counted_there = self.entry.described["agent"]["parameters"]
        found = counted_there or self.entry.submission.parameters
        return None if found is None else int(found)


@dataclass(frozen=True, kw_only=True)
class SuiteBoard:
    """All rows of one suite."""

    suite: Suite
    domains: tuple[str, ...]
    rows: tuple[Row, ...]
    """Those that are ranked first, from the best to the worst as they were seen."""

    @property
    def ranked(self) -> list[Row]:
        """The rows that have a rank."""
        return [row for row in self.rows if row.standing is not None]

    @property
    def apart(self) -> list[Row]:
        """The rows that have none."""
        return [row for row in self.rows if row.standing is None]


@dataclass(frozen=True, kw_only=True)
class Board:
    """All that is shown."""

    entries: tuple[BoardEntry, ...]
    unreadable: tuple[Unreadable, ...]
    suites: tuple[SuiteBoard, ...]
    """Those that an entry played, in the order of ours."""
    others: tuple[Row, ...]
    """Rows of suites that are not ours."""
    titles: Mapping[str, str]
    """By agent id."""
    methods: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    """By name the ids of the entries that are its trainings."""


def titles_of(entries: Sequence[BoardEntry]) -> dict[str, str]:
    """By agent id its name; with the beginning of its fingerprint where two have one name."""
    known: dict[str, set[str]] = {}
    for entry in entries:
        known.setdefault(entry.name, set()).add(entry.agent_id)
    return {
        entry.agent_id: entry.name
        if len(known[entry.name]) == 1
        else f"{entry.name} ({entry.fingerprint[:6]})"
        for entry in entries
    }


def figure_of(group: Group) -> Estimate | None:
    """See Row.figure."""
    if group.interval is not None:
        return group.interval
    return None if group.scores is None else group.scores.mean


def board_of(
    entries: Sequence[BoardEntry], unreadable: Sequence[Unreadable], suites: Mapping[str, Suite]
) -> Board:
    """The board of these entries. suites: ours, by name."""
    counting = counting_protocols(entries)
    rows: dict[str, list[Row]] = {}
    for entry in entries:
        for name in entry.described["results"]["suites"] if entry.state == REFUSED else ():
            refused = _row(entry, name, None, suites.get(name), {})
            rows.setdefault(name, []).append(refused)
        for part in entry.parts:
            foreign = dict.fromkeys(why_foreign(part, counting), "")
            row = _row(entry, part.suite, part, suites.get(part.suite), foreign)
            rows.setdefault(part.suite, []).append(row)
    ours = [name for name in suites if name in rows]
    return Board(
        entries=tuple(entries),
        unreadable=tuple(unreadable),
        suites=tuple(_suite_boards([(suites[name], rows[name]) for name in ours])),
        others=tuple(row for name in rows if name not in suites for row in rows[name]),
        titles=titles_of(entries),
    )


def _row(
    entry: BoardEntry,
    name: str,
    part: Part | None,
    suite: Suite | None,
    foreign: Mapping[str, str],
) -> Row:
    seen = {} if part is None else {row.task: row for row in part.report.tasks if row.n}
    tasks = [] if suite is None else [task.id for task in suite.tasks]
    missing = sum(task not in seen for task in tasks)
    apart, why = _apart(entry, part, tuple(foreign), missing, len(tasks))
    marks = [*entry.described["marks"]]
    if part is not None and suite is not None:
        marks += _part_marks(suite, part, seen)
    return Row(
        entry=entry,
        suite=printable(shorten(name, 100)),
        part=part,
        apart=apart,
        why=why,
        marks=tuple(dict.fromkeys(marks)),
        missing=missing,
    )


def _apart(
    entry: BoardEntry, part: Part | None, foreign: Sequence[str], missing: int, tasks: int
) -> tuple[str, str]:
    """(why a row has no rank, the same in a sentence); empty where it has one."""
    reasons = shorten("; ".join(entry.verdict.reasons), 300)
    if entry.state == REFUSED:
        return STATES[REFUSED], f"the check refused it: {reasons}"
    if entry.state == NOT_HERE:
        return STATES[NOT_HERE], f"where it was checked, it could not be: {reasons}"
    if entry.state != ACCEPTED:
        return STATES[UNVERIFIED], "nobody has checked it yet: its figures are claims"
    if foreign:
        more = f" (and {len(foreign) - 1} more)" if len(foreign) > 1 else ""
        return "another protocol", f"{foreign[0]}{more}"
    if entry.privileged:
        return "privileged", "the agent was shown what no camera, text or sensor of its body shows"
    if entry.clock:
        return "another clock", f"simulated time did not wait for the agent: {entry.clock}"
    if missing:
        return "partial", f"{missing} of {counted(tasks, 'task')} of the suite have no result"
    if part is None or figure_of(part.report.overall) is None:
        return "no figure", "its tasks have neither a success nor a normalised score"
    return "", ""


def _part_marks(suite: Suite, part: Part, seen: Mapping[str, TaskRow]) -> Iterator[str]:
    rated = part.report.overall.tasks_in_rate
    if rated is not None:
        rest = len(seen) - rated
        yield f"the rate is of {counted(rated, 'task')}; {rest} with a score only are ranked too"
    fewer = [
        (seen[task.id].n, suite.episodes_of(task))
        for task in suite.tasks
        if task.id in seen and seen[task.id].n < suite.episodes_of(task)
    ]
    if fewer:
        n, of = min(fewer)
        yield f"{n} of the {of} episodes a task that the protocol asks for"


def _suite_boards(played: Sequence[tuple[Suite, Sequence[Row]]]) -> Iterator[SuiteBoard]:
    pieces = sum(len(rows) for _, rows in played)
    # By number: what a process is given is copied, and rows hold whole entries.
    standings = each_of(lambda k: _standings(*played[k]), range(len(played)), pieces=pieces)
    for (suite, rows), found in zip(played, standings):
        chosen = [row for row in rows if not row.apart]
        ranked = [dataclasses.replace(row, standing=each) for row, each in zip(chosen, found)]
        ranked.sort(key=_place)
        apart = sorted((row for row in rows if row.apart), key=lambda row: (row.apart, *_name(row)))
        domains = tuple(dict.fromkeys(task.domain for task in suite.tasks))
        yield SuiteBoard(suite=suite, domains=domains, rows=(*ranked, *apart))


def _standings(suite: Suite, rows: Sequence[Row]) -> list[Standing]:
    agents = [row.part.outcomes for row in rows if not row.apart and row.part is not None]
    return rank_agents(list(suite.tasks), agents)


def _place(row: Row) -> tuple[object, ...]:
    assert row.standing is not None
    assert row.figure is not None
    ranks = row.standing.rank_low, row.standing.rank_high
    return (*ranks, -row.figure.value, *_name(row))


def _name(row: Row) -> tuple[str, str]:
    return row.entry.name, row.entry.id

"""What the pages of agents, domains and the index show besides rows of agents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.core import DOMAINS
from harness.core.grammar import counted
from harness.core.text import printable, shorten
from leaderboards.board.badge import badge_link, badge_text
from leaderboards.board.entries import BoardEntry
from leaderboards.board.lines import (
    ConditionLine,
    Line,
    PlayedTask,
    agent_link,
    condition_lines,
    is_rated,
    leaders,
    line_of,
    played_tasks,
    suite_link,
)
from leaderboards.board.model import Board, Row, SuiteBoard
from leaderboards.submissions.texts import slug
from leaderboards.submissions.verdict import ACCEPTED

__all__ = [
    "AgentView", "DomainView", "EntryView", "PartView", "SuiteView", "agent_views",
    "domain_views", "entry_views", "rows_of_board", "unit_of",
]  # fmt: skip

MOST_LEADERS = 5
"""Agents of a suite that the index names."""


@dataclass(frozen=True, kw_only=True)
class SuiteView:
    """A suite in the index."""

    name: str
    link: str
    tasks: int
    ranked: int
    apart: int
    leaders: tuple[Line, ...]
    more: int
    """How many further ones may be the best."""
    newest: str


@dataclass(frozen=True, kw_only=True)
class DomainView:
    """A domain in the index."""

    name: str
    link: str
    suites: tuple[SuiteView, ...]


@dataclass(frozen=True, kw_only=True)
class AgentView:
    """An agent in the index."""

    name: str
    link: str
    entries: int
    suites: tuple[tuple[str, str, str], ...]
    """(suite, its page, the ranks or why there are none)."""
    parameters: str
    parameters_order: int
    licence: str
    newest: str


@dataclass(frozen=True, kw_only=True)
class PartView:
    """A suite of an entry, on the page of its agent."""

    id: str
    suite: str
    link: str
    unit: str
    line: Line
    badge: str
    badge_text: str
    tasks: tuple[PlayedTask, ...]
    conditions: tuple[ConditionLine, ...]


@dataclass(frozen=True, kw_only=True)
class EntryView:
    """An entry on the page of its agent."""

    id: str
    state: str
    badges: tuple[str, ...]
    statement: str
    marks: tuple[str, ...]
    again: str
    facts: tuple[tuple[str, str, str], ...]
    """(name, text, address or nothing)."""
    parts: tuple[PartView, ...]


def unit_of(board: SuiteBoard) -> str:
    """The heading of a column with the suite's figure."""
    return "success %" if is_rated(board.suite) else "normalised"


def domain_views(board: Board) -> list[DomainView]:
    """The domains that have a suite with an entry, in our order."""
    found = []
    for domain in DOMAINS:
        suites = [each for each in board.suites if domain in each.domains]
        if suites:
            found.append(
                DomainView(
                    name=domain,
                    link=f"domains/{domain}.html",
                    suites=tuple(_suite_view(each, board) for each in suites),
                )
            )
    return found


def _suite_view(suite: SuiteBoard, board: Board) -> SuiteView:
    best = leaders(suite)
    return SuiteView(
        name=suite.suite.name,
        link=suite_link(suite.suite.name),
        tasks=len(suite.suite.tasks),
        ranked=len(suite.ranked),
        apart=len(suite.apart),
        leaders=tuple(line_of(row, board) for row in best[:MOST_LEADERS]),
        more=max(0, len(best) - MOST_LEADERS),
        newest=max(row.entry.created for row in suite.rows)[:10],
    )


def rows_of_board(board: Board) -> Iterator[Row]:
    """All rows, suite by suite."""
    for suite in board.suites:
        yield from suite.rows
    yield from board.others


def agent_views(board: Board) -> list[AgentView]:
    """The agents by name."""
    rows: dict[str, list[Row]] = {}
    for row in rows_of_board(board):
        rows.setdefault(row.entry.agent_id, []).append(row)
    by_agent: dict[str, list[BoardEntry]] = {}
    for entry in board.entries:
        by_agent.setdefault(entry.agent_id, []).append(entry)
    ours = {each.suite.name for each in board.suites}
    found = []
    for agent, entries in by_agent.items():
        played = [row for row in rows.get(agent, ()) if row.suite in ours]
        parameters = max((n for row in played if (n := row.parameters) is not None), default=None)
        newest = max(entries, key=lambda each: each.created)
        found.append(
            AgentView(
                name=board.titles[agent],
                link=agent_link(newest),
                entries=len(entries),
                suites=tuple(
                    (row.suite, suite_link(row.suite), line_of(row, board).rank or row.apart)
                    for row in played
                ),
                parameters="" if parameters is None else f"{parameters:,}",
                parameters_order=-1 if parameters is None else parameters,
                licence=newest.submission.licence or "",
                newest=newest.created[:10],
            )
        )
    return sorted(found, key=lambda each: (each.name, each.link))


def entry_views(entries: Sequence[BoardEntry], board: Board) -> list[EntryView]:
    """The entries of one agent, the newest first."""
    suites = {each.suite.name: each for each in board.suites}
    rows: dict[str, list[Row]] = {}
    wanted = {entry.id for entry in entries}
    for row in rows_of_board(board):
        if row.entry.id in wanted:
            rows.setdefault(row.entry.id, []).append(row)
    newest = sorted(entries, key=lambda each: (each.created, each.id), reverse=True)
    return [_entry_view(each, rows.get(each.id, []), suites, board) for each in newest]


def _entry_view(
    entry: BoardEntry, rows: Sequence[Row], suites: dict[str, SuiteBoard], board: Board
) -> EntryView:
    marks = [*entry.described["marks"], *(mark for row in rows for mark in row.marks)]
    reasons = entry.verdict.reasons if entry.state != ACCEPTED else ()
    return EntryView(
        id=entry.id,
        state=entry.state,
        badges=("privileged",) if entry.privileged else (),
        statement="; ".join([entry.verdict.statement or "no check", *reasons]),
        marks=tuple(dict.fromkeys(marks)),
        again=entry.again,
        facts=tuple(_facts(entry)),
        parts=tuple(_part_view(row, suites.get(row.suite), board) for row in rows),
    )


def _part_view(row: Row, suite: SuiteBoard | None, board: Board) -> PartView:
    unit = "success %" if row.measure == "success" else "normalised"
    return PartView(
        id=f"part-{row.entry.id}--{slug(row.suite)}",
        suite=row.suite,
        link="" if suite is None else suite_link(row.suite),
        unit=unit if suite is None else unit_of(suite),
        line=line_of(row, board),
        badge=badge_link(row),
        badge_text=badge_text(row),
        tasks=tuple(played_tasks(row, None if suite is None else suite.suite)),
        conditions=() if row.part is None else tuple(condition_lines(row.part.report)),
    )


def _facts(entry: BoardEntry) -> Iterator[tuple[str, str, str]]:
    told, agent, played = entry.submission, entry.described["agent"], entry.described["played"]
    packages = ", ".join(f"{name} {version}" for name, version in played["packages"].items())
    machine = ", ".join(f"{name} {value}" for name, value in played["machine"].items())
    cost = None if told.cost_per_episode is None else f"{told.cost_per_episode:g} US $"
    parameters = agent["parameters"] if agent["parameters"] is not None else told.parameters
    checked = f"{entry.verdict.date}, bench {entry.verdict.bench}"
    seed = entry.verdict.seed
    facts = (
        ("agent", f"{agent['name']} ({agent['entry']}), fingerprint {agent['fingerprint']}", ""),
        ("reads", ", ".join(agent["reads"]) or "nothing", ""),
        ("selection, claimed", told.selection, ""),
        ("checkpoints tried, claimed", told.checkpoints_tried, ""),
        ("seeds tried, claimed", told.seeds_tried, ""),
        ("trained on, claimed", told.training_data, ""),
        ("parameters", None if parameters is None else f"{parameters:,}", ""),
        ("cost of an episode, claimed", cost, ""),
        ("licence", told.licence, ""),
        ("read about it", told.url, told.url or ""),
        ("weights", told.weights, told.weights or ""),
        ("contact", told.contact, ""),
        ("played, claimed", f"{entry.created} to {played['finished']}", ""),
        ("with the command, claimed", entry.command, ""),
        ("packages", packages, ""),
        ("drawn by", ", ".join(played["renderers"]), ""),
        ("machine, claimed", machine, ""),
        ("bench", f"{played['bench']}, commit {played['commit'] or 'unknown'}", ""),
        ("checked", checked if entry.verdict.date else "", ""),
        ("seed of the check's sample", seed, ""),
        ("cases", counted(entry.described["results"]["cases"], "case"), ""),
        ("SHA-256 of entry.json", entry.digest, ""),
    )
    for name, value, address in facts:
        if value is not None and str(value).strip():
            yield name, printable(shorten(str(value), 2000)), address

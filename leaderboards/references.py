"""The published figures that the tasks of a report carry."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.core import Reference
from leaderboards.schema import TaskRow
from leaderboards.tables import Column, Table, percent, share_of

__all__ = [
    "MARKS",
    "PublishedFigure",
    "figures_of",
    "mark_of",
    "marks_explained",
    "published_table",
    "said_of",
]

RATE = "success_rate"
MARKS = {
    "*": "by another rule",
    "†": "its agent is set apart",
    "‡": "of the two agents, one is privileged and the other is not",
}
"""What stands behind a published figure."""


def mark_of(reference: Reference, privileged: bool) -> str:
    """The MARKS of a figure. `privileged`: whether the agent is, beside whose figure it stands."""
    return "".join(
        mark
        for mark, holds in zip(
            MARKS,
            (
                not reference.same_rule,
                bool(said_of(reference)),
                reference.privileged != privileged,
            ),
        )
        if holds
    )


def marks_explained(texts: Iterable[str]) -> str:
    """What the marks mean that stand in these texts: `*: by another rule`; empty without any."""
    there = set("".join(texts))
    return "; ".join(f"{mark}: {meaning}" for mark, meaning in MARKS.items() if mark in there)


def said_of(reference: Reference) -> str:
    """What sets its agent apart, as in `privileged: reads the state`; else empty."""
    return ": ".join(filter(None, ("privileged" * reference.privileged, reference.agent)))


@dataclass(frozen=True, kw_only=True)
class PublishedFigure:
    """A figure of a suite as a whole, or one that each of its tasks has a value for."""

    suite: str
    like: Reference
    """All that its tasks' references have in common; its value and part mean nothing."""
    values: Mapping[str, float]
    """By task; of the parts of a task, by part."""
    ran: int
    """How many of the tasks that carry it have a result."""

    @property
    def label(self) -> str:
        """Whose figure it is."""
        return self.like.label

    @property
    def same_rule(self) -> bool:
        """Whether it was measured by the tasks' own rule."""
        return self.like.same_rule

    @property
    def by_task(self) -> bool:
        """Whether its values are printed in the tasks' rows: each is of that task alone."""
        if self.like.part:
            return False
        if self.like.tasks is None:
            return len(set(self.values.values())) > 1
        return self.like.tasks == 1

    @property
    def whole(self) -> bool:
        """Whether all tasks of which it is the mean have a result."""
        return self.like.tasks is None or self.ran >= self.like.tasks


def figures_of(rows: Sequence[TaskRow]) -> list[PublishedFigure]:
    """The figures that the tasks of one suite carry: references that differ in their value only."""
    found: dict[Reference, dict[str, float]] = {}
    ran: dict[Reference, set[str]] = {}
    for row in rows:
        for reference in row.reference:
            part = "parts" if reference.part else ""
            like = dataclasses.replace(reference, value=0.0, part=part)
            found.setdefault(like, {})[reference.part or row.task] = reference.value
            ran.setdefault(like, set()).update([row.task] if row.n else [])
    return [
        PublishedFigure(suite=rows[0].suite, like=like, values=values, ran=len(ran[like]))
        for like, values in found.items()
    ]


def published_table(figures: Sequence[PublishedFigure], *, short: bool = False) -> list[Table]:
    """Where the figures come from; none where there are no figures. `short`: in a line each."""
    if not figures:
        return []

    def value(each: PublishedFigure) -> str:
        if each.like.part:
            return "by part"
        if each.by_task:
            return "by task"
        return _in_unit(next(iter(each.values.values())), each.like) if each.whole else "-"

    rules = list(dict.fromkeys(each.like.rule for each in figures if not each.same_rule))

    def rule(each: PublishedFigure) -> str:
        if each.same_rule and each.whole:
            return "the same rule"
        if each.same_rule:
            return "the same, over more tasks"
        return "another" if short else f"another: {rules.index(each.like.rule) + 1}"

    def tasks(each: PublishedFigure) -> str:
        mean = each.like.tasks is not None and each.like.tasks > 1
        return share_of(each.ran, each.like.tasks or 0) if mean else ""

    prose = "line" if short else "prose"
    columns = (
        Column("suite", tuple(each.suite for each in figures), "name"),
        Column("of", tuple(_title(each.like) for each in figures), "line" if short else "name"),
        Column("value", tuple(map(value, figures))),
        Column("tasks", tuple(map(tasks, figures))),
        Column(
            "metric",
            tuple(
                "success %" if each.like.metric == RATE else each.like.metric for each in figures
            ),
            prose,
            spare=3,
        ),
        Column("rule", tuple(map(rule, figures)), prose),
        Column("agent", tuple(said_of(each.like) for each in figures), prose, spare=1),
        Column("source", tuple(each.like.source for each in figures), prose, spare=2),
    )
    if short:
        return [Table("published figures", columns)]
    lead = [f"({k}) {rule or 'not stated'}" for k, rule in enumerate(rules, 1)]
    lead = [f"Other rules: {'; '.join(lead)}."] if lead else []
    if any(not each.whole for each in figures):
        lead += ["A mean is printed where all its tasks have a result here."]
    return [Table("published figures", columns, " ".join(lead)), *_part_table(figures)]


def _part_table(figures: Sequence[PublishedFigure]) -> list[Table]:
    """The figures of parts of a task's episodes, such as one kind of instruction."""
    parts = [
        (each, part, found)
        for each in figures
        if each.like.part
        for part, found in each.values.items()
    ]
    if not parts:
        return []
    columns = (
        Column("suite", tuple(each.suite for each, _, _ in parts), "name"),
        Column("of", tuple(_title(each.like) for each, _, _ in parts), "name"),
        Column("part", tuple(part for _, part, _ in parts), "name"),
        Column("value", tuple(_in_unit(found, each.like) for each, _, found in parts)),
    )
    return [Table("published figures of parts of a task's episodes", columns)]


def _in_unit(found: float, like: Reference) -> str:
    return percent(found) if like.metric == RATE else f"{found:g}"


def _title(like: Reference) -> str:
    return f"{like.row}: {like.label}" if like.row else like.label

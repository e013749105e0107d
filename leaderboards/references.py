"""The published figures that the tasks of a report carry."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.core import Reference
from leaderboards.schema import TaskRow
from leaderboards.tables import Column, Table

__all__ = ["PublishedFigure", "figures_of", "published_table"]


@dataclass(frozen=True, kw_only=True)
class PublishedFigure:
    """A figure of a suite as a whole, or one that each of its tasks has a value for."""

    suite: str
    label: str
    metric: str
    source: str
    rule: str
    same_rule: bool
    """Whether it was measured by the tasks' own rule."""
    values: Mapping[str, float]
    """By task."""

    @property
    def by_task(self) -> bool:
        """Whether its tasks have different values, which are then printed in their rows."""
        return len(set(self.values.values())) > 1


def figures_of(rows: Sequence[TaskRow]) -> list[PublishedFigure]:
    """The figures that the tasks of one suite carry: references that differ in their value only."""
    found: dict[Reference, dict[str, float]] = {}
    for row in rows:
        for reference in row.reference:
            figure = dataclasses.replace(reference, value=0.0)
            found.setdefault(figure, {})[row.task] = reference.value
    return [
        PublishedFigure(
            suite=rows[0].suite,
            label=f"{each.row}: {each.label}" if each.row else each.label,
            metric=each.metric,
            source=each.source,
            rule=each.rule,
            same_rule=each.same_rule,
            values=values,
        )
        for each, values in found.items()
    ]


def published_table(figures: Sequence[PublishedFigure]) -> list[Table]:
    """Where the figures come from; none where there are no figures."""
    if not figures:
        return []
    values = tuple(
        "by task" if each.by_task else f"{next(iter(each.values.values())):g}" for each in figures
    )
    rules = tuple(
        "the same rule" if each.same_rule else f"another rule: {each.rule or 'not stated'}"
        for each in figures
    )
    columns = (
        Column("suite", tuple(each.suite for each in figures), "name"),
        Column("of", tuple(each.label for each in figures), "name"),
        Column("value", values),
        Column("metric", tuple(each.metric for each in figures), "prose"),
        Column("rule", rules, "prose"),
        Column("source", tuple(each.source for each in figures), "prose"),
    )
    return [Table("published figures", columns)]

"""What came of a probe, in the one form from which its text, its page and its figure are made."""

from __future__ import annotations

import abc
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.core.text import printable
from harness.play.column_widths import WIDTH
from harness.play.text_table import text_table
from harness.stats import Estimate

__all__ = ["KINDS", "Finding", "Plot", "Point", "Section", "Series", "point_of", "sections_text"]

KINDS = ("lines", "dots", "rows")
"""Of plots. `lines`: values over what was varied. `dots`: the same, not joined. `rows`: a row for
each label, its values from left to right."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """A table with sentences above and below it; or sentences alone."""

    title: str = ""
    before: tuple[str, ...] = ()
    head: tuple[str, ...] = ()
    """No table without it."""
    rows: tuple[tuple[str, ...], ...] = ()
    """A text for each column of `head`; figures with their intervals, as they are read."""
    after: tuple[str, ...] = ()
    right: bool = False
    """Whether columns that hold numbers only are aligned right."""

    @classmethod
    def table(
        cls, title: str, head: Sequence[str], rows: Sequence[Sequence[object]], **more: Any
    ) -> Section:
        """A section whose cells are written as texts."""
        told = tuple(tuple(map(str, row)) for row in rows)
        return cls(title=title, head=tuple(head), rows=told, **more)


@dataclass(frozen=True, kw_only=True)
class Point:
    """A value and its 95 % interval, where it has one."""

    at: float
    """What was varied; or the index of its label."""
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Series:
    """The points of one name in the legend."""

    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A panel of the figure."""

    title: str
    kind: str
    """One of KINDS."""
    at: str = ""
    """What was varied, with its unit; nothing for rows."""
    value: str
    """What the values are, with their unit."""
    labels: tuple[str, ...] = ()
    """The names of 0, 1, ... on the axis of what was varied; empty: it holds numbers."""
    series: tuple[Series, ...]
    least: float | None = None
    """The axis of values reaches at least from `least` to `most`."""
    most: float | None = None
    marks: tuple[float, ...] = ()
    """Values at which a line is drawn: no difference, the rate without a codec, chance."""
    logarithmic: bool = False
    """The axis of values, all of which are above 0."""


def point_of(at: float, found: Estimate, scale: float = 100.0) -> Point:
    """The point of an estimate, `scale` times as large: a share in percent."""
    low, high = found.low, found.high
    return Point(
        at=at,
        value=scale * found.value,
        low=None if low is None else scale * low,
        high=None if high is None else scale * high,
    )


class Finding(abc.ABC):
    """What a probe found."""

    @abc.abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Every figure, as plain JSON values with a `schema`; documented in docs/probes."""

    @abc.abstractmethod
    def sections(self) -> Sequence[Section]:
        """What people read."""

    @abc.abstractmethod
    def plots(self) -> Sequence[Plot]:
        """The panels of its figure; none where there is nothing to draw."""

    def as_text(self, width: int = WIDTH) -> str:
        """The sections for a terminal of `width` columns."""
        return sections_text(self.sections(), width)


def sections_text(sections: Sequence[Section], width: int = WIDTH) -> str:
    """Sections for a terminal of `width` columns, one blank line between them."""
    parts = []
    for each in sections:
        lines = [_filled(line, width) for line in (each.title, *each.before) if line]
        if each.head:
            lines.append(text_table(each.head, each.rows, width=width, figures=each.right))
        lines += [_filled(line, width) for line in each.after]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _filled(line: str, width: int) -> str:
    """Broken between words; what does not fit even so, as a path, stays whole."""
    margin = line[: len(line) - len(line.lstrip(" "))]
    return textwrap.fill(
        printable(line), width, subsequent_indent=margin,
        break_on_hyphens=False, break_long_words=False,
    )  # fmt: skip

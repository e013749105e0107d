"""A made-up finding of a probe, for the tests of how findings are kept and shown."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.probes.result import Finding, Plot, Point, Section, Series

__all__ = ["Made", "printed_again"]


@dataclass(frozen=True, kw_only=True)
class Made(Finding):
    """Every kind of section and plot, with a name of somebody's choice in each."""

    name: str = "odd"

    def to_json(self) -> dict[str, Any]:
        """One figure."""
        return {"schema": 1, "name": self.name, "lost": 0.25}

    def sections(self) -> list[Section]:
        """A table between sentences."""
        rows = [[self.name, "12", "50 (21 to 79)"], ["even", "12", "+25.0 (-10.0 to +60.0)"]]
        return [
            Section(before=("What it comes to is told first.",)),
            Section.table(
                "points that are lost", ["task", "n", "lost"], rows,
                before=(f"  by {self.name}",), after=("Intervals: 95 %.",),
            ),
        ]  # fmt: skip

    def plots(self) -> list[Plot]:
        """One of each kind."""
        points = tuple(
            Point(at=k, value=20.0 + k, low=10.0, high=None if k == 2 else 40.0) for k in range(3)
        )
        both = (Series(name=self.name, points=points), Series(name="other", points=points[:2]))
        rows = Plot(
            title=self.name, kind="rows", value="lost, in points", labels=(self.name, "b", "c"),
            series=both, marks=(0,),
        )  # fmt: skip
        lines = dataclasses.replace(rows, kind="lines", at="context", least=0, most=100)
        dots = dataclasses.replace(rows, kind="dots", labels=(), at="bits", marks=(),
                                   logarithmic=True)  # fmt: skip
        return [rows, lines, dots]


def printed_again(bench_here: Callable[..., Any], folder: str, printed: str) -> None:
    """`bench report` of a probe's folder prints what the probe printed, below its title."""
    again = bench_here("report", folder)
    assert again.code == 0, again.err
    _, _, rest = again.out.partition("\n\n")  # below the title
    assert rest == printed

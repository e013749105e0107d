"""The picture of a robustness report: success rate over severity, and normalised score where there is no success; a panel a domain, a line a
perturbation."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core import DOMAINS, UserError
from leaderboards.robustness import PerturbationRow

__all__ = ["FIGURES", "draw_curves", "figure_of"]

FIGURES = (".png", ".svg", ".pdf")
COLOURS = 10


def draw_curves(rows: Sequence[PerturbationRow], file: Path, title: str) -> None:
    """Write the picture; its format follows the name. Raises UserError where there is nothing to draw or to draw with."""
    if file.suffix not in FIGURES:
        raise UserError(f"a figure is a file ending in {', '.join(FIGURES)}; got {file}")
    figure = figure_of(rows, title)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=110, metadata={"Date": None} if file.suffix == ".svg" else None)


def figure_of(rows: Sequence[PerturbationRow], title: str) -> Any:
    """The picture as a matplotlib Figure, one of its axes a panel. Raises UserError as draw_curves does."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # draws without a screen
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError(
            "figures need the package matplotlib: pip install 'generalist-bench[plots]'"
        ) from None
    panels = _panels(rows)
    if not panels:
        raise UserError(
            "no perturbed case of this run has a success rate or a normalised score: there is no curve to draw"
        )
    names = list(dict.fromkeys(line.name for panel in panels for line in panel.lines))
    columns = min(3, len(panels))
    lines = -(-len(panels) // columns)
    figure = Figure(
        figsize=(3.6 * columns + 2.2, max(3.0 * lines + 0.6, 0.16 * len(names) + 1)),
        layout="constrained",
    )
    FigureCanvasAgg(figure)
    grid: Any = figure.subplots(lines, columns, squeeze=False, sharex=True)
    handles: dict[str, Any] = {}
    for axes, panel in itertools.zip_longest(grid.flat, panels):
        if panel is None:
            axes.remove()
        else:
            _draw(axes, panel, names, handles)
    figure.supxlabel("severity (0: the unperturbed twins); bars: 95 % intervals", fontsize=9)
    figure.suptitle(title, fontsize=10)
    figure.legend(
        handles.values(), handles.keys(), loc="outside right upper", fontsize=7, frameon=False
    )
    return figure


@dataclass(frozen=True)
class _Line:
    name: str
    control: float
    points: tuple[tuple[int, float, float, float], ...]
    """Severity, value, low and high."""


@dataclass(frozen=True)
class _Panel:
    """A domain, or all, by one measure: success and score never share an axis."""

    title: str
    label: str
    best: float
    """The axis shows 0 and this at least."""
    lines: tuple[_Line, ...]


def _panels(rows: Sequence[PerturbationRow]) -> list[_Panel]:
    """Success rates first, then normalised scores; `overall` where there are several domains."""
    found = []
    points = [row for row in rows if row.task is None and row.severity]
    for measure, label, best in (("", "success rate, %", 100), (": score", "normalised score", 1)):
        known = [row for row in points if (row.scores if measure else row.success_rate is not None)]
        domains: list[str | None] = [
            domain for domain in DOMAINS if any(row.domain == domain for row in known)
        ]
        for domain in [None, *domains] if len(domains) > 1 else domains:
            mine = [row for row in known if row.domain == domain]
            ends = dict.fromkeys(
                f"0: {row.scores.low_name}, 1: {row.scores.high_name}"
                for row in mine
                if measure and row.scores
            )
            lines = filter(
                None,
                (
                    _line(name, mine, bool(measure))
                    for name in dict.fromkeys(row.perturbation for row in mine)
                ),
            )
            found.append(
                _Panel(
                    f"{domain or 'overall'}{measure}", "\n".join([label, *ends]), best, tuple(lines)
                )
            )
    return [panel for panel in found if panel.lines]


def _line(name: str, rows: Sequence[PerturbationRow], scored: bool) -> _Line | None:
    """None where no twin has a result."""
    mine = sorted(
        (row for row in rows if row.perturbation == name), key=lambda row: row.severity or 0
    )
    scores = mine[0].scores if scored else None
    control = scores.control if scores is not None else mine[0].control_rate
    if control is None:
        return None
    points = []
    for row in mine:
        value, low, high = row.success_rate, row.ci_low, row.ci_high
        if scored and row.scores:
            value, low, high = row.scores.mean, row.scores.mean_low, row.scores.mean_high
        if value is not None:
            scale = 1 if scored else 100
            points.append(
                (
                    row.severity or 0,
                    scale * value,
                    scale * (value if low is None else low),
                    scale * (value if high is None else high),
                )
            )
    return _Line(name, control if scored else 100 * control, tuple(points))


def _draw(axes: Any, panel: _Panel, names: Sequence[str], handles: dict[str, Any]) -> None:
    for line in panel.lines:
        index = names.index(line.name)
        colour, style = f"C{index % COLOURS}", ("-", "--", ":", "-.")[index // COLOURS % 4]
        shift = (
            0.04 * (index - len(names) / 2) / max(1, len(names) / 4)
        )  # so that intervals do not lie on one another
        x = [0.0, *(severity + shift for severity, *_ in line.points)]
        values = [line.control, *(value for _, value, _, _ in line.points)]
        below = [0.0, *(value - low for _, value, low, _ in line.points)]
        above = [0.0, *(high - value for _, value, _, high in line.points)]
        handles[line.name] = axes.errorbar(
            x,
            values,
            yerr=[below, above],
            color=colour,
            linestyle=style,
            marker="o",
            markersize=3,
            linewidth=1,
            elinewidth=0.5,
        )
    axes.set_title(panel.title, fontsize=10)
    axes.set_ylabel(panel.label, fontsize=7)
    axes.set_xlim(-0.3, 5.3)
    shown = [
        0,
        panel.best,
        *(line.control for line in panel.lines),
        *(each for line in panel.lines for _, *point in line.points for each in point),
    ]
    margin = 0.03 * (max(shown) - min(shown))
    axes.set_ylim(min(shown) - margin, max(shown) + margin)
    axes.set_xticks(range(6))
    axes.grid(alpha=0.25)
    axes.tick_params(labelsize=8)

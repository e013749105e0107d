"""The figure of a robustness report: a panel for each domain, a line for each perturbation.

Success rate over severity, and normalised score for tasks without a success.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core import DOMAINS, UserError
from harness.core.text import printable, shorten
from leaderboards.schema import PerturbationRow

__all__ = ["FIGURES", "draw_curves", "figure_of"]

FIGURES = (".png", ".svg", ".pdf")
COLOURS = 10
"""Colours of matplotlib's cycle; further lines have another dash."""
MOST_LINES = 500
"""Perturbations of a figure at most: its legend would be taller than a picture may be."""
LONGEST_LABEL = 200
"""Characters of a text in the figure."""


def draw_curves(rows: Sequence[PerturbationRow], file: Path, title: str) -> None:
    """Write the figure in the format of the file's suffix.

    Raises UserError for another suffix, without matplotlib, or where there is nothing to draw.
    """
    if file.suffix not in FIGURES:
        raise UserError(f"a figure is a file ending in {', '.join(FIGURES)}; got {file}")
    figure = figure_of(rows, title)
    file.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(file, dpi=110, metadata={"Date": None} if file.suffix == ".svg" else None)


def figure_of(rows: Sequence[PerturbationRow], title: str) -> Any:
    """The figure as a matplotlib Figure with one axes for each panel.

    Raises UserError without matplotlib, or where there is nothing to draw.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # needs no screen
        from matplotlib.figure import Figure
        from matplotlib.text import Text
    except ImportError:
        raise UserError(
            "figures need the package matplotlib: pip install 'generalist-bench[plots]'"
        ) from None
    panels = _panels(rows)
    if not panels:
        raise UserError(
            "no perturbed case of this run has a success rate or a normalised score: "
            "there is no curve to draw"
        )
    names = list(dict.fromkeys(line.name for panel in panels for line in panel.lines))
    if len(names) > MOST_LINES:
        raise UserError(f"a figure shows at most {MOST_LINES} perturbations; this run has more")
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
    figure.supxlabel("severity (0: the unperturbed control); bars: 95 % intervals", fontsize=9)
    figure.suptitle(title, fontsize=10)
    figure.legend(
        handles.values(), map(_label, handles), loc="outside right upper", fontsize=7, frameon=False
    )
    for text in figure.findobj(Text):
        # Names are a stranger's: no mathematics, no TeX, nothing that is not shown.
        text.set_parse_math(False)
        text.set_usetex(False)
        text.set_text(printable(shorten(text.get_text(), LONGEST_LABEL), lines=True))
    return figure


def _label(name: str) -> str:
    """matplotlib leaves out what begins with an underscore."""
    return f" {name}" if name.startswith("_") else name


@dataclass(frozen=True)
class _Line:
    name: str
    control: float
    points: tuple[tuple[int, float, float, float], ...]
    """Severity, value, low and high."""


@dataclass(frozen=True)
class _Panel:
    """One domain, or all, by one measure: rates and scores never share an axis."""

    title: str
    label: str
    best: float
    """The axis reaches at least from 0 to here."""
    lines: tuple[_Line, ...]


def _panels(rows: Sequence[PerturbationRow]) -> list[_Panel]:
    """Success rates first, then normalised scores; `overall` where there are several domains."""
    found = []
    points = [row for row in rows if row.task is None and row.severity]
    for measure, label, best in (("", "success rate, %", 100), (": score", "normalised score", 1)):
        known = [row for row in points if (row.scores if measure else row.interval)]
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
                    _line(name, mine, of_scores=bool(measure))
                    for name in dict.fromkeys(row.perturbation for row in mine)
                ),
            )
            found.append(
                _Panel(
                    f"{domain or 'overall'}{measure}", "\n".join([label, *ends]), best, tuple(lines)
                )
            )
    return [panel for panel in found if panel.lines]


def _line(name: str, rows: Sequence[PerturbationRow], *, of_scores: bool) -> _Line | None:
    """None where no control has a result."""
    mine = sorted(
        (row for row in rows if row.perturbation == name), key=lambda row: row.severity or 0
    )
    scores = mine[0].scores if of_scores else None
    control = scores.control if scores is not None else mine[0].control_rate
    if control is None:
        return None
    scale = 1 if of_scores else 100
    points = []
    for row in mine:
        found = row.scores.mean if of_scores and row.scores else row.interval
        if found is not None:
            low = found.value if found.low is None else found.low
            high = found.value if found.high is None else found.high
            points.append((row.severity or 0, scale * found.value, scale * low, scale * high))
    return _Line(name, scale * control, tuple(points))


def _draw(axes: Any, panel: _Panel, names: Sequence[str], handles: dict[str, Any]) -> None:
    for line in panel.lines:
        index = names.index(line.name)
        colour, style = f"C{index % COLOURS}", ("-", "--", ":", "-.")[index // COLOURS % 4]
        # Shifted sideways, so that the intervals of several lines do not hide one another.
        shift = 0.04 * (index - len(names) / 2) / max(1, len(names) / 4)
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

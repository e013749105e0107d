"""The figure of a probe as a file: a panel for each of its plots."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.core import UserError
from harness.core.text import printable, shorten
from harness.probes.result import Plot, Series

__all__ = ["SUFFIXES", "check_figure", "draw"]

SUFFIXES = (".png", ".svg", ".pdf")
COLUMNS = 3
"""Panels side by side."""
MOST_PANELS = 60
LONGEST = 48
"""Characters of a name in the figure."""
MARKERS = "os^Dvph*"


def check_figure(file: Path) -> None:
    """Raises UserError where no figure can be written to this file, before anything is played."""
    if file.suffix not in SUFFIXES:
        raise UserError(f"--figure {file}: a figure is a file ending in {', '.join(SUFFIXES)}")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise UserError(
            "figures need the package matplotlib: pip install 'generalist-bench[plots]'"
        ) from None


def draw(plots: Sequence[Plot], file: Path, title: str = "") -> None:
    """Write the figure, its kind by the file's suffix.

    Raises UserError where there is nothing to draw, and where the file cannot be written.
    """
    check_figure(file)
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # needs no screen
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    if not plots:
        raise UserError("--figure: nothing was found that could be drawn, as no task has a success")
    plots = plots[:MOST_PANELS]
    columns = min(COLUMNS, len(plots))
    lines = -(-len(plots) // columns)
    rows = max((len(each.labels) for each in plots if each.kind == "rows"), default=0)
    figure = Figure(
        figsize=((6.2 if columns == 1 else 4.4 * columns), max(3.4, 1.4 + 0.4 * rows) * lines),
        layout="constrained",
    )
    FigureCanvasAgg(figure)
    grid: list[Any] = list(figure.subplots(lines, columns, squeeze=False).flat)
    for axes, plot in zip(grid, plots):
        _draw(axes, plot)
    for axes in grid[len(plots) :]:
        axes.remove()
    if title:
        figure.suptitle(title, fontsize=10)
    for each in figure.findobj(Text):
        # Names are a stranger's: no mathematics, no TeX, nothing that is not shown.
        each.set_parse_math(False)
        each.set_usetex(False)
        each.set_text(printable(each.get_text(), lines=True))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing from font")
            metadata = {"Date": None} if file.suffix == ".svg" else None
            figure.savefig(file, dpi=110, metadata=metadata)
    except OSError as fault:
        raise UserError(
            f"cannot write {file}: {fault.strerror}. Choose another file with --figure"
        ) from None


def _draw(axes: Any, plot: Plot) -> None:
    across = plot.kind == "rows"
    for number, series in enumerate(plot.series):
        _points(axes, plot, series, number)
    for mark in plot.marks:
        (axes.axvline if across else axes.axhline)(mark, color="0.6", linewidth=0.8, zorder=0)
    names = [shorten(each, LONGEST) for each in plot.labels]
    if names:
        (axes.set_yticks if across else axes.set_xticks)(range(len(names)), names)
    if across:
        axes.invert_yaxis()
    if plot.logarithmic:
        (axes.set_xscale if across else axes.set_yscale)("log")
    elif plot.least is not None and plot.most is not None:
        margin = 0.03 * (plot.most - plot.least)
        low, high = (axes.get_xlim if across else axes.get_ylim)()
        limits = min(low, plot.least - margin), max(high, plot.most + margin)
        (axes.set_xlim if across else axes.set_ylim)(*limits)
    axes.set_xlabel(plot.value if across else plot.at, fontsize=8)
    axes.set_ylabel("" if across else plot.value, fontsize=8)
    axes.set_title(plot.title, fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.25)
    if len(plot.series) > 1:
        axes.legend(fontsize=7, frameon=False)


def _points(axes: Any, plot: Plot, series: Series, number: int) -> None:
    values = [each.value for each in series.points]
    # Rounding may leave a bound a hair on the wrong side of its figure.
    below = [max(0.0, each.value - (each.value if each.low is None else each.low))
             for each in series.points]  # fmt: skip
    above = [max(0.0, (each.value if each.high is None else each.high) - each.value)
             for each in series.points]  # fmt: skip
    bounds = [below, above]
    # Side by side, so that the intervals of several series do not hide one another.
    varied = [each.at for one in plot.series for each in one.points]
    apart = 0.16 if plot.kind == "rows" else 0.012 * (max(varied) - min(varied))
    shift = apart * (number - (len(plot.series) - 1) / 2)
    places = [each.at + shift for each in series.points]
    name = f" {series.name}" if series.name.startswith("_") else series.name
    style: dict[str, Any] = {
        "label": shorten(name, LONGEST), "color": f"C{number % 10}", "markersize": 4,
        "marker": MARKERS[number % len(MARKERS)], "capsize": 2, "linewidth": 1.1,
        "linestyle": "-" if plot.kind == "lines" else "",
    }  # fmt: skip
    if plot.kind == "rows":
        axes.errorbar(values, places, xerr=bounds, **style)
    else:
        axes.errorbar(places, values, yerr=bounds, **style)

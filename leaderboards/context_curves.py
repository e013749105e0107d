"""The figure of `bench probe memory`: success over the agent's context, cue hidden and visible."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.core import UserError
from harness.core.text import printable, shorten
from harness.probes.memory import TwinRow
from leaderboards.curves import FIGURES

__all__ = ["check_figure", "draw_contexts"]


def check_figure(file: Path) -> None:
    """Raises UserError where a figure cannot be drawn: another suffix, or no matplotlib."""
    if file.suffix not in FIGURES:
        raise UserError(f"a figure is a file ending in {', '.join(FIGURES)}; got {file}")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise UserError(
            "figures need the package matplotlib: pip install 'generalist-bench[plots]'"
        ) from None


def draw_contexts(rows: Sequence[TwinRow], file: Path, title: str) -> None:
    """Write the figure in the format of the file's suffix. Raises UserError as check_figure."""
    check_figure(file)
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # needs no screen
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.5, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    places = range(len(rows))
    for name, found, colour in (
        ("cue visible", [each.visible for each in rows], "C0"),
        ("cue hidden", [each.hidden for each in rows], "C1"),
    ):
        axes.plot(places, [each.value for each in found], "o-", color=colour, label=name)
        low, high = [each.low for each in found], [each.high for each in found]
        axes.fill_between(places, low, high, color=colour, alpha=0.2, linewidth=0)
    axes.set_xticks(list(places), [each.context for each in rows])
    axes.set(xlabel="context in turns", ylabel="success rate", ylim=(-0.02, 1.02))
    axes.set_title(shorten(printable(title), 80), fontsize="medium")
    axes.legend()
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=110, metadata={"Date": None} if file.suffix == ".svg" else None)

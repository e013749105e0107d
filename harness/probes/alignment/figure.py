"""The figure of the probe: precision beside chance and null, for each pair."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.core import UserError
from harness.core.text import printable, shorten
from harness.probes.alignment.summary import Summary

__all__ = ["check_figure", "draw"]

FIGURES = (".png", ".svg", ".pdf")


def check_figure(file: Path) -> None:
    """Raises UserError where no figure can be written to this file."""
    if file.suffix not in FIGURES:
        raise UserError(f"--figure: a figure is a file ending in {', '.join(FIGURES)}; got {file}")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise UserError(
            "figures need the package matplotlib: pip install 'generalist-bench[plots]'"
        ) from None


def draw(summary: Summary, file: Path) -> None:
    """Write the figure. Raises UserError where the file cannot be written."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # needs no screen
    from matplotlib.figure import Figure

    pairs, ks = summary.pairs, summary.settings.ks
    size = (3.4 * len(ks) + 1.6, 0.3 * len(pairs) + 1.6)
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    panels: Any = figure.subplots(1, len(ks), squeeze=False, sharey=True)[0]
    for panel, k in zip(panels, ks):
        for place, pair in enumerate(reversed(pairs)):
            found = pair.across.precision[k]
            if found is None:
                continue
            panel.barh(place, 100 * found.value, color="C0", height=0.6)
            panel.plot([100 * found.null] * 2, [place - 0.4, place + 0.4], color="C3")
            panel.axvline(100 * (found.chance or 0.0), color="0.5", linewidth=0.8)
        panel.set_xlim(0, 100)
        panel.set_title(f"P@{k} in %; red: 95 % of the null; grey: chance", fontsize=8)
        panel.tick_params(labelsize=8)
    names = [shorten(printable(f"{pair.one} / {pair.other}"), 40) for pair in reversed(pairs)]
    panels[0].set_yticks(range(len(pairs)), names)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file, dpi=110, metadata={"Date": None} if file.suffix == ".svg" else None)
    except OSError as fault:
        raise UserError(f"--figure: cannot write {file}: {fault.strerror}") from None

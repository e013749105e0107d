"""The picture of a robustness report: success rate over severity, a panel a domain, a line a perturbation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.core import DOMAINS, UserError
from leaderboards.robustness import PerturbationRow

__all__ = ["FIGURES", "draw_curves"]

FIGURES = (".png", ".svg", ".pdf")
COLOURS = 10


def draw_curves(rows: Sequence[PerturbationRow], file: Path, title: str) -> None:
    """Write the picture; its format follows the name. Raises UserError where there is nothing to draw or to draw with."""
    if file.suffix not in FIGURES:
        raise UserError(f"a figure is a file ending in {', '.join(FIGURES)}; got {file}")
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # draws without a screen
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError("figures need the package matplotlib: pip install 'bench[plots]'") from None
    shown = [row for row in rows if row.task is None and row.severity and row.success_rate is not None]
    if not shown:
        raise UserError("no perturbed case of this run has a success rate: there is no curve to draw")
    domains = [domain for domain in DOMAINS if any(row.domain == domain for row in shown)]
    panels: list[str | None] = [None, *domains] if len(domains) > 1 else [*domains]
    names = list(dict.fromkeys(row.perturbation for row in shown))
    columns = min(3, len(panels))
    lines = -(-len(panels) // columns)
    figure = Figure(figsize=(3.6 * columns + 2.2, max(3.0 * lines + 0.6, 0.16 * len(names) + 1)), layout="constrained")
    FigureCanvasAgg(figure)
    grid: Any = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
    handles: dict[str, Any] = {}
    for number, axes in enumerate(grid.flat):
        if number >= len(panels):
            axes.set_visible(False)
            continue
        _panel(axes, [row for row in shown if row.domain == panels[number]], names, handles)
        axes.set_title(panels[number] or "overall", fontsize=10)
    figure.supxlabel("severity (0: the unperturbed twins)", fontsize=9)
    figure.supylabel("success rate, %, with 95 % intervals", fontsize=9)
    figure.suptitle(title, fontsize=10)
    figure.legend(handles.values(), handles.keys(), loc="outside right upper", fontsize=7, frameon=False)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=110, metadata={"Date": None} if file.suffix == ".svg" else None)


def _panel(axes: Any, rows: Sequence[PerturbationRow], names: Sequence[str], handles: dict[str, Any]) -> None:
    for name in names:
        mine = sorted((row for row in rows if row.perturbation == name), key=lambda row: row.severity or 0)
        if not mine or mine[0].control_rate is None:
            continue
        index = names.index(name)
        colour, style = f"C{index % COLOURS}", ("-", "--", ":", "-.")[index // COLOURS % 4]
        shift = 0.04 * (index - len(names) / 2) / max(1, len(names) / 4)  # so that intervals do not lie on one another
        x = [0.0, *((row.severity or 0) + shift for row in mine)]
        rates = [100 * mine[0].control_rate, *(100 * (row.success_rate or 0) for row in mine)]
        low = [0.0, *(100 * ((row.success_rate or 0) - (row.ci_low or 0)) for row in mine)]
        high = [0.0, *(100 * ((row.ci_high or 0) - (row.success_rate or 0)) for row in mine)]
        handles[name] = axes.errorbar(
            x, rates, yerr=[low, high], color=colour, linestyle=style, marker="o", markersize=3, linewidth=1, elinewidth=0.5
        )
    axes.set_xlim(-0.3, 5.3)
    axes.set_ylim(-3, 103)
    axes.set_xticks(range(6))
    axes.grid(alpha=0.25)
    axes.tick_params(labelsize=8)

"""A picture of `bench correlate`: every policy in every variant, beside the robot."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from harness.core import UserError
from harness.core.text import shorten
from harness.probes.correlate import Agreement, Correlation

__all__ = ["draw_correlation"]

MOST = 12
"""Variants that are drawn."""


def draw_correlation(found: Correlation, file: Path) -> None:
    """Write the figure, with 95 % intervals of both rates. Raises UserError where it cannot be."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # needs no screen
    from matplotlib.figure import Figure

    shown = found.variants[:MOST]
    columns = min(3, len(shown))
    rows = math.ceil(len(shown) / columns)
    figure = Figure(figsize=(3.2 * columns, 3.3 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False)
    for number, axis in enumerate(axes.flat):
        if number < len(shown):
            _panel(axis, shown[number])
        else:
            axis.set_axis_off()
    try:
        figure.savefig(file, dpi=110)
    except OSError as fault:
        raise UserError(
            f"cannot write {file}: {fault.strerror}. Choose another file with --figure"
        ) from None


def _panel(axis: Any, variant: Agreement) -> None:
    axis.plot([0, 1], [0, 1], color="0.8", linewidth=1, zorder=0)
    for policy, there, here in zip(variant.policies, variant.simulated, variant.real):
        axis.errorbar(
            [there.value], [here.value],
            xerr=[[there.value - there.low], [there.high - there.value]],
            yerr=[[here.value - here.low], [here.high - here.value]],
            color="tab:blue", marker="o", markersize=4, capsize=2, linewidth=1,
        )  # fmt: skip
        name = shorten(policy, 24).replace("$", r"\$")
        right = there.value > 0.6
        axis.annotate(
            name, (there.value, here.value), (-4 if right else 4, -9 if right else 4),
            textcoords="offset points", fontsize=7, ha="right" if right else "left",
        )  # fmt: skip
    axis.set_xlim(-0.03, 1.03)
    axis.set_ylim(-0.03, 1.03)
    axis.set_xlabel("simulated success", fontsize=9)
    axis.set_ylabel("real success", fontsize=9)
    title = shorten(variant.variant, 44).replace("$", r"\$")
    if variant.pearson is not None:
        title += f"\nr = {variant.pearson.value:.2f}"
    axis.set_title(title, fontsize=9)

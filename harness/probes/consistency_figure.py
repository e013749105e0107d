"""A picture of `bench probe consistency`: how often all and any plays of a case succeed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.core import UserError
from harness.probes.consistency import Consistency
from harness.stats import Interval

__all__ = ["check_figure", "draw_consistency"]

KINDS = (".png", ".svg", ".pdf")


def check_figure(file: Path) -> None:
    """Raises UserError where no figure can be written to this file, before anything is played."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise UserError(
            "figures need the package matplotlib: pip install 'generalist-bench[plots]'"
        ) from None
    if file.suffix not in KINDS:
        raise UserError(f"--figure {file}: name a file that ends in {', '.join(KINDS)}")


def draw_consistency(found: Consistency, file: Path) -> None:
    """Write the figure: the number of plays against the shares of cases, with 95 % intervals.

    Raises UserError where no task has a success, and where the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # needs no screen
    from matplotlib.figure import Figure

    if found.overall is None:
        raise UserError("--figure: none of these tasks has a success, so there is no curve to draw")
    figure = Figure(figsize=(5.2, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    _curve(axes, found.overall.any_of, "any succeeds", "tab:blue", "o")
    _curve(axes, found.overall.all_of, "all succeed", "tab:orange", "s")
    axes.set_xlabel("plays of a case")
    axes.set_ylabel("share of cases")
    axes.set_ylim(-0.02, 1.02)
    axes.set_xticks(range(1, found.plays + 1, max(1, found.plays // 10)))
    axes.set_title(f"{found.overall.cases} cases, {found.plays} plays", fontsize=10)
    axes.legend(fontsize=9)
    try:
        figure.savefig(file, dpi=110)
    except OSError as fault:
        raise UserError(
            f"cannot write {file}: {fault.strerror}. Choose another file with --figure"
        ) from None


def _curve(axes: Any, rates: Sequence[Interval], name: str, colour: str, marker: str) -> None:
    values = [each.value for each in rates]
    # Rounding may leave a bound a hair on the wrong side of its figure.
    below = [max(0.0, each.value - each.low) for each in rates]
    above = [max(0.0, each.high - each.value) for each in rates]
    axes.errorbar(
        range(1, len(values) + 1), values, yerr=[below, above], label=name, color=colour,
        marker=marker, markersize=4, capsize=2, linewidth=1.2,
    )  # fmt: skip

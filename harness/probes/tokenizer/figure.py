"""The figure of the probe: success and error against bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.core import UserError
from harness.probes.tokenizer.summary import Summary
from harness.probes.tokenizer.variants import CONTINUOUS

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

    panels = len(summary.modes) + 1
    figure = Figure(figsize=(4.2 * panels, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes: Any = figure.subplots(1, panels, squeeze=False)[0]
    coded = [each for each in summary.measured if each.name != CONTINUOUS]
    families = list(dict.fromkeys(each.family for each in coded))
    for number, family in enumerate(families):
        mine = sorted(
            (each for each in coded if each.family == family), key=lambda each: each.codec.bits
        )
        bits = [each.codec.bits for each in mine]
        style: dict[str, Any] = {"color": f"C{number}", "marker": "o", "markersize": 3}
        axes[0].plot(bits, [each.loss.mse for each in mine], label=family, linestyle="", **style)
        for place, mode in zip(axes[1:], summary.modes):
            rates = {arm.name: arm.rate for arm in mode.arms}
            found = [rates[each.name] for each in mine]
            place.errorbar(
                bits,
                [100 * rate.value for rate in found],
                yerr=[
                    [100 * (rate.value - rate.low) for rate in found],
                    [100 * (rate.high - rate.value) for rate in found],
                ],
                linestyle="",
                elinewidth=0.6,
                **style,
            )
    axes[0].set_yscale("log")
    axes[0].set_title("mean squared error, parts of the range", fontsize=9)
    axes[0].legend(fontsize=8, frameon=False)
    for place, mode in zip(axes[1:], summary.modes):
        place.axhline(100 * mode.arms[0].rate.value, color="0.6", linewidth=0.8, zorder=0)
        place.set_ylim(-3, 103)
        place.set_title(f"{mode.mode}: success %, bars: 95 %; line: no codec", fontsize=9)
    for place in axes:
        place.set_xlabel("bits of an action", fontsize=8)
        place.grid(alpha=0.25)
        place.tick_params(labelsize=8)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file, dpi=110, metadata={"Date": None} if file.suffix == ".svg" else None)
    except OSError as fault:
        raise UserError(f"--figure: cannot write {file}: {fault.strerror}") from None

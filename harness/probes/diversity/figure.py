"""A picture of `bench probe sft-diversity`: gains and transfer of each set, with intervals."""

from __future__ import annotations

from pathlib import Path

from harness.core import UserError
from harness.core.text import printable, shorten
from harness.probes.diversity.summary import Diversity

__all__ = ["draw_diversity"]

KINDS = (("equal updates", "gain"), ("equal examples", "gain_alike"), ("transfer", "transfer"))
LONGEST_LABEL = 40


def draw_diversity(found: Diversity, file: Path) -> None:
    """Write the figure, its kind by the file's suffix. Raises UserError where that fails."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # needs no screen
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.2, 1.4 + 0.55 * len(found.rows)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    labels = [" ".join(filter(None, [each.name, str(each.variant)])) for each in found.rows]
    for number, (title, name) in enumerate(KINDS):
        effects = [getattr(each, name).interval for each in found.rows]
        axes.errorbar(
            [100 * each.value for each in effects],
            [place + 0.2 * (number - 1) for place in range(len(effects))],
            xerr=[
                [100 * max(0.0, each.value - each.low) for each in effects],
                [100 * max(0.0, each.high - each.value) for each in effects],
            ],
            fmt="os^"[number], markersize=4, capsize=2, linewidth=1.1, label=title,
        )  # fmt: skip
    axes.axvline(0, color="0.6", linewidth=0.8)
    axes.set_yticks(
        range(len(labels)), [shorten(printable(each), LONGEST_LABEL) for each in labels]
    )
    axes.invert_yaxis()
    axes.set_xlabel("points of success")
    axes.set_title(f"all - own (updates, examples); all but own - {found.floor}", fontsize="medium")
    axes.legend(fontsize=8)
    for label in axes.get_yticklabels():
        label.set_parse_math(False)  # names are a stranger's
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file, dpi=110, metadata={"Date": None} if file.suffix == ".svg" else None)
    except OSError as fault:
        raise UserError(
            f"cannot write {file}: {fault.strerror}. Choose another file with --figure"
        ) from None

"""Achieved against requested return: a table, or a figure, of runs of a decision transformer.

    python -m baselines.decision_transformer.curve runs/cartpole-* --figure cartpole.svg

Each run asked for another `target_return` of the same task. Intervals are over episodes: other
training seeds may differ by more. That of the mean takes 100 episodes (harness/stats/scores.py);
that of the median lies between two episodes, and holds for any distribution.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from baselines.decision_transformer.agent import folder_of
from baselines.decision_transformer.config import Body
from harness.core import UserError
from harness.play.text_table import markdown_table
from harness.records.stored_run import load_run
from harness.records.typed import is_number
from harness.stats import Estimate, mean_of_scores

__all__ = ["Point", "draw", "median_of", "points", "table"]


@dataclass(frozen=True)
class Point:
    """What one run asked for, and what it got."""

    requested: float
    mean: Estimate
    median: Estimate
    n: int
    lowest: float
    """The smallest return of the training."""
    highest: float

    @property
    def extrapolates(self) -> bool:
        """Whether no episode of the training had so small or so large a return."""
        return not self.lowest <= self.requested <= self.highest


def points(runs: Sequence[Path]) -> list[Point]:
    """One for each run, by the return that it asked for.

    Raises UserError where a run is of another agent, of several tasks, or of other episodes than
    the first.
    """
    found: list[Point] = []
    cases: set[str] | None = None
    for place in runs:
        run = load_run(place)
        scores = {r.case: r.score for _, r in run.cases() if r.score is not None}
        if len(run.plan.items) != 1:
            raise UserError(f"{place} has several tasks: play one of them")
        if cases is not None and set(scores) != cases:
            raise UserError(f"{place} has other episodes than {runs[0]}: play the same")
        cases = set(scores)
        arguments = run.description["agent"]["args"]
        requested = arguments.get("target_return")
        if not is_number(requested):
            raise UserError(f"{place} asked for no return: play with --agent-arg target_return=R")
        body = Body.load(folder_of(arguments.get("weights")))
        values = np.array([scores[case] for case in sorted(scores)], np.float64)
        if not len(values):
            raise UserError(f"{place} has no finished episode")
        found.append(
            Point(
                float(requested),
                mean_of_scores([values]),
                median_of(values),
                len(values),
                body.lowest,
                body.highest,
            )
        )
    return sorted(found, key=lambda point: point.requested)


def median_of(values: np.ndarray, level: float = 0.95) -> Estimate:
    """The median of independent values, shape (n,), with bounds that are two of the values.

    With x_(k) the k-th smallest, [x_(k), x_(n+1-k)] holds the median of any distribution with a
    probability of at least 1 - 2 P(Bin(n, 1/2) < k) (Conover 1999, Practical Nonparametric
    Statistics, section 3.2). k is the largest with which that is `level`; where there is none, as
    below six values, there are no bounds.
    """
    from scipy.special import bdtr

    ordered, n = np.sort(values), len(values)
    tails = [k for k in range(1, n // 2 + 1) if bdtr(k - 1, n, 0.5) <= (1 - level) / 2]
    if not tails:
        return Estimate(float(np.median(values)), None, None)
    k = tails[-1]
    return Estimate(float(np.median(values)), float(ordered[k - 1]), float(ordered[n - k]))


def table(found: Sequence[Point]) -> str:
    """As Markdown."""
    rows = [
        [
            f"{each.requested:.6g}" + (" *" if each.extrapolates else ""),
            f"{each.mean.value:.1f}",
            _interval(each.mean),
            f"{each.median.value:.1f}",
            _interval(each.median),
            each.n,
        ]
        for each in found
    ]
    text = markdown_table(["requested", "mean", "95 %", "median", "95 %", "n"], rows)
    if any(each.extrapolates for each in found):
        text += (
            f"\n\n\\* outside of the training's returns, {found[0].lowest:.6g} to "
            f"{found[0].highest:.6g}"
        )
    return text


def _interval(found: Estimate) -> str:
    if found.low is None or found.high is None:
        return "none"
    return f"{found.low:.1f} to {found.high:.1f}"


def draw(found: Sequence[Point], file: Path) -> None:
    """Write the figure. Raises UserError without matplotlib, or where it cannot be written."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # needs no screen
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError(
            "figures need the package matplotlib: pip install 'generalist-bench[plots]'"
        ) from None
    figure = Figure(figsize=(4.6, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    asked = [each.requested for each in found]
    axes.axvspan(found[0].lowest, found[0].highest, color="0.92", label="returns of the training")
    axes.plot(asked, asked, color="0.6", linestyle="--", label="as requested")
    medians = [each.median for each in found]
    bars = [
        [m.value - (m.value if m.low is None else m.low) for m in medians],
        [(m.value if m.high is None else m.high) - m.value for m in medians],
    ]
    values = [m.value for m in medians]
    axes.errorbar(asked, values, bars, marker="o", capsize=3, label="median, 95 %")
    axes.plot(asked, [each.mean.value for each in found], "x", label="mean")
    axes.set_xlabel("requested return")
    axes.set_ylabel("return")
    axes.legend(fontsize=8)
    try:
        figure.savefig(file, dpi=110, metadata={"Date": None} if file.suffix == ".svg" else None)
    except (OSError, ValueError) as fault:
        raise UserError(f"cannot write {file}: {fault}") from None


def main() -> int:
    """The command. Returns its exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", help="run directories")
    parser.add_argument("--figure", type=Path, help="a file ending in .png, .svg or .pdf")
    parser.add_argument("--format", choices=["markdown", "json"], default="markdown")
    given = parser.parse_args()
    try:
        found = points(given.runs)
        if given.figure is not None:
            draw(found, given.figure)
    except UserError as wrong:
        sys.stderr.write(f"{wrong}\n")
        return 2
    shown = json.dumps([asdict(each) for each in found], indent=1)
    sys.stdout.write((shown if given.format == "json" else table(found)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

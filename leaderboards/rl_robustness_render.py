"""What `bench probe rl-robustness` prints, and its figure."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core import UserError
from harness.core.text import printable, shorten
from harness.play.text_table import text_table
from harness.probes.figures import estimate_json, percent, points
from leaderboards.curves import FIGURES
from leaderboards.rl_robustness import Arm, Change, RlRobustness
from leaderboards.schema import PerturbationRow

__all__ = ["Candidate", "check_figure", "draw_arms", "matched", "render"]

COLUMNS = 3
"""Panels of the figure side by side."""
LONGEST_LABEL = 60


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A checkpoint that might match an arm's undisturbed success."""

    agent: str
    """As it was given."""
    change: Change
    """Its success minus the arm's, on cases that decide this only."""


def matched(candidates: Sequence[Candidate]) -> Candidate:
    """The one whose undisturbed success is nearest; of several, the first."""
    return min(candidates, key=lambda each: abs(each.change.difference.value))


def render(
    found: RlRobustness, candidates: Sequence[Candidate] = (), beside: Arm | None = None
) -> tuple[str, dict[str, Any]]:
    """(the text, the JSON). `beside`: the arm that was matched, compared with its match."""
    return _text(found, candidates, beside), _json(found, candidates, beside)


def _text(found: RlRobustness, candidates: Sequence[Candidate], beside: Arm | None) -> str:
    base, *others = found.arms
    lines = ["undisturbed success in %", _clean(found)]
    if beside is not None and beside.clean is not None:
        lines += ["", f"candidates - {beside.name}, on cases that decide the match only, in points"]
        lines.append(_candidates(candidates))
        lines.append(
            f"On the cases above, {beside.name} - matched: {points(beside.clean.difference)}."
        )
    names = [each.name for each in found.arms]
    rows = [row for row in base.rows if row.severity]
    lines += ["", "success in %, in brackets the share of the undisturbed rate that is kept"]
    lines.append(
        text_table(
            ["perturbation", "sev.", *names],
            [[row.perturbation, row.severity, *(_cell(arm, row) for arm in found.arms)]
             for row in rows],
        )
    )  # fmt: skip
    lines += ["", "area under success over severity, in %"]
    areas = [row for row in base.rows if not row.severity]
    lines.append(
        text_table(
            ["perturbation", *names],
            [[row.perturbation, *(_area(arm, row.perturbation) for arm in found.arms)]
             for row in areas],
        )
    )  # fmt: skip
    lines += ["", f"gain: how much less than {base.name} is lost, in points; all: by the areas"]
    lines.append(_gains(others))
    if beside is not None:
        lines += ["", "the same against matched", _gains([beside])]
        nearest = matched(candidates).change.difference
        if not nearest.low <= 0 <= nearest.high:
            lines.append(
                f"No candidate succeeds as often as {beside.name} undisturbed, so that this is no "
                "comparison at equal success: name other checkpoints."
            )
    if any(row.recovery_n is not None for row in rows):
        lines += ["", "recovered from a burst, in % of the cases whose undisturbed twin succeeds"]
        lines.append(_recovered(found.arms))
    if any(each.not_played for each in others):
        lines += ["", f"domains that RL did not play: undisturbed, against {base.name}, in points"]
        lines.append(_elsewhere(others))
    lines += ["", "Intervals: 95 %, paired by case; they are not corrected for their number, and "
              "speak of these checkpoints."]  # fmt: skip
    if found.missing:
        lines.append(f"{found.missing} planned cases have no score, and are left out.")
    if found.agent_errors:
        lines.append(f"{found.agent_errors} cases ended with an error of the agent: failures.")
    return "\n".join([*lines, *found.notes])


def _clean(found: RlRobustness) -> str:
    rows: list[list[object]] = []
    for arm in found.arms:
        if arm.clean is None:
            rows.append([arm.name, arm.agent, "", f"{100 * found.clean_rate:.1f}", ""])
        else:
            rate = f"{100 * arm.clean.rate:.1f}"
            rows.append([arm.name, arm.agent, arm.clean.pairs, rate, points(arm.clean.difference)])
    return text_table(["arm", "agent", "pairs", "success", f"- {found.arms[0].name}"], rows)


def _candidates(candidates: Sequence[Candidate]) -> str:
    best = matched(candidates)
    return text_table(
        ["candidate", "pairs", "success", "difference", ""],
        [[each.agent, each.change.pairs, f"{100 * each.change.rate:.1f}",
          points(each.change.difference), "matched" if each is best else ""]
         for each in candidates],
    )  # fmt: skip


def _row(arm: Arm, perturbation: str, severity: int | None) -> PerturbationRow | None:
    return next(
        (each for each in arm.rows
         if each.perturbation == perturbation and each.severity == severity),
        None,
    )  # fmt: skip


def _cell(arm: Arm, like: PerturbationRow) -> str:
    row = _row(arm, like.perturbation, like.severity)
    if row is None or row.success_rate is None:
        return ""
    kept = "" if row.retention is None else f" ({100 * row.retention.value:.0f})"
    return f"{100 * row.success_rate:.1f}{kept}"


def _area(arm: Arm, perturbation: str) -> str:
    row = _row(arm, perturbation, None)
    return "" if row is None or row.area is None else f"{100 * row.area:.1f}"


def _gains(arms: Sequence[Arm]) -> str:
    found: dict[tuple[str, str], dict[str, str]] = {}
    for arm in arms:
        for each in arm.gains:
            key = (each.perturbation, str(each.severity))
            found.setdefault(key, {})[arm.name] = points(each.difference)
        for area in arm.areas:
            found.setdefault((area.perturbation, "all"), {})[arm.name] = points(area.gain)
    order = sorted(found, key=lambda key: [name for name, _ in found].index(key[0]))
    return text_table(
        ["perturbation", "sev.", *(arm.name for arm in arms)],
        [[*key, *(found[key].get(arm.name, "") for arm in arms)] for key in order],
    )


def _recovered(arms: Sequence[Arm]) -> str:
    rows = []
    for like in arms[0].rows:
        if like.recovery_n is None or not like.severity:
            continue
        cells = []
        for arm in arms:
            row = _row(arm, like.perturbation, like.severity)
            told = "" if row is None or row.recovery is None else percent(row.recovery)
            cells.append(f"{told} of {row.recovery_n}" if row and told else "")
        rows.append([like.perturbation, like.severity, *cells])
    return text_table(["perturbation", "sev.", *(arm.name for arm in arms)], rows)


def _elsewhere(arms: Sequence[Arm]) -> str:
    rows = [
        [arm.name, each.group, each.tasks, each.pairs, f"{100 * each.base:.1f}",
         f"{100 * each.rate:.1f}", points(each.difference)]
        for arm in arms
        for each in arm.not_played
    ]  # fmt: skip
    return text_table(["arm", "domain", "tasks", "pairs", "base", "success", "difference"], rows)


def _json(
    found: RlRobustness, candidates: Sequence[Candidate], beside: Arm | None
) -> dict[str, Any]:
    best = matched(candidates) if candidates else None
    return {
        "schema": 1,
        "base": found.arms[0].name,
        "base_success": found.clean_rate,
        "arms": [_arm_json(each) for each in found.arms],
        "against_matched": None if beside is None else _arm_json(beside),
        "candidates": [
            {"agent": each.agent, "matched": each is best, **_change_json(each.change)}
            for each in candidates
        ],
        "missing": found.missing,
        "agent_errors": found.agent_errors,
        "notes": list(found.notes),
    }


def _arm_json(arm: Arm) -> dict[str, Any]:
    return {
        "name": arm.name,
        "agent": arm.agent,
        "undisturbed": None if arm.clean is None else _change_json(arm.clean),
        "conditions": [
            {
                "perturbation": row.perturbation,
                "severity": row.severity,
                "tasks": row.tasks,
                "pairs": row.pairs,
                "success": estimate_json(row.interval),
                "control": row.control_rate,
                "retention": estimate_json(row.retention),
                "recovery": estimate_json(row.recovery),
                "recovery_n": row.recovery_n,
            }
            for row in arm.rows
            if row.severity
        ],
        "areas": [
            {"perturbation": row.perturbation, "area": row.area}
            for row in arm.rows
            if not row.severity
        ],
        "gains": [
            {
                "perturbation": each.perturbation,
                "severity": each.severity,
                "tasks": each.tasks,
                "pairs": each.pairs,
                "gain": estimate_json(each.difference),
            }
            for each in arm.gains
        ],
        "area_gains": [
            {
                "perturbation": each.perturbation,
                "severities": list(each.severities),
                "tasks": each.tasks,
                "cases": each.cases,
                "gain": estimate_json(each.gain),
            }
            for each in arm.areas
        ],
        "not_played_by_rl": [_change_json(each) for each in arm.not_played],
    }


def _change_json(change: Change) -> dict[str, Any]:
    return {
        "domain": change.group or None,
        "tasks": change.tasks,
        "pairs": change.pairs,
        "base": change.base,
        "success": change.rate,
        "difference": estimate_json(change.difference),
    }


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


def draw_arms(found: RlRobustness, file: Path) -> None:
    """Write a panel for each perturbation, with a line for each arm. Raises UserError."""
    check_figure(file)
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # needs no screen
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(row.perturbation for row in found.arms[0].rows))
    columns = min(COLUMNS, len(names))
    lines = -(-len(names) // columns)
    figure = Figure(figsize=(3.2 * columns, 2.5 * lines + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    grid = list(figure.subplots(lines, columns, squeeze=False, sharey=True).flat)
    for axes, name in zip(grid, names):
        for number, arm in enumerate(found.arms):
            rows = [row for row in arm.rows
                    if row.perturbation == name and row.severity and row.interval]  # fmt: skip
            if not rows or rows[0].control_rate is None:
                continue
            label = shorten(printable(arm.name), LONGEST_LABEL)
            axes.plot(
                [0, *(row.severity or 0 for row in rows)],
                [100 * rows[0].control_rate,
                 *(100 * row.interval.value for row in rows if row.interval)],
                marker="o", markersize=3, linewidth=1, color=f"C{number}", label=label,
            )  # fmt: skip
        axes.set_title(shorten(printable(name), LONGEST_LABEL), fontsize=9, parse_math=False)
        axes.set_ylim(-3, 103)
        axes.set_xticks(range(6))
    for axes in grid[len(names) :]:
        axes.remove()
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    figure.supxlabel("severity; 0: undisturbed", fontsize=9)
    figure.supylabel("success in %", fontsize=9)
    file.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(file, dpi=110, metadata={"Date": None} if file.suffix == ".svg" else None)

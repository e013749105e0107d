"""What `bench probe rl-robustness` found, as its tables, figure and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.probes.figures import estimate_json, percent, points
from harness.probes.result import Finding, Plot, Point, Section, Series, point_of
from leaderboards.rl_robustness import Arm, Change, RlRobustness
from leaderboards.schema import PerturbationRow

__all__ = ["Candidate", "RlFinding", "matched"]


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


@dataclass(frozen=True, kw_only=True)
class RlFinding(Finding):
    """What came of the probe."""

    found: RlRobustness
    candidates: tuple[Candidate, ...] = ()
    beside: Arm | None = None
    """The arm that was matched, compared with its match."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; rates and differences are shares."""
        return _json(self.found, self.candidates, self.beside)

    def sections(self) -> list[Section]:
        """Tables, and what they leave out."""
        found, candidates, beside = self.found, self.candidates, self.beside
        base, *others = found.arms
        parts = [_clean(found)]
        if beside is not None and beside.clean is not None:
            parts.append(_candidates(beside, candidates))
        names = [each.name for each in found.arms]
        rows = [row for row in base.rows if row.severity]
        parts.append(
            Section.table(
                "success in %, in brackets the share of the undisturbed rate that is kept",
                ["perturbation", "sev.", *names],
                [[row.perturbation, row.severity, *(_cell(arm, row) for arm in found.arms)]
                 for row in rows],
            )
        )  # fmt: skip
        areas = [row for row in base.rows if not row.severity]
        parts.append(
            Section.table(
                "area under success over severity, in %",
                ["perturbation", *names],
                [[row.perturbation, *(_area(arm, row.perturbation) for arm in found.arms)]
                 for row in areas],
            )
        )  # fmt: skip
        title = f"gain: how much less than {base.name} is lost, in points; all: by the areas"
        parts.append(_gains(title, others))
        if beside is not None:
            nearest = matched(candidates).change.difference
            unequal = (
                f"No candidate succeeds as often as {beside.name} undisturbed, so that this is no "
                "comparison at equal success: name other checkpoints."
            )
            after = () if nearest.low <= 0 <= nearest.high else (unequal,)
            parts.append(_gains("the same against matched", [beside], after))
        if any(row.recovery_n is not None for row in rows):
            parts.append(_recovered(found.arms))
        if any(each.not_played for each in others):
            parts.append(_elsewhere(base.name, others))
        lines = ["Intervals: 95 %, paired by case; they are not corrected for their number, and "
                 "speak of these checkpoints."]  # fmt: skip
        if found.missing:
            lines.append(f"{found.missing} planned cases have no score, and are left out.")
        if found.agent_errors:
            lines.append(f"{found.agent_errors} cases ended with an error of the agent: failures.")
        return [*parts, Section(before=(*lines, *found.notes))]

    def plots(self) -> list[Plot]:
        """A panel for each perturbation, with a line for each arm."""
        names = dict.fromkeys(row.perturbation for row in self.found.arms[0].rows)
        panels = (_panel(self.found.arms, name) for name in names)
        return [each for each in panels if each.series]


def _panel(arms: Sequence[Arm], perturbation: str) -> Plot:
    series = []
    for arm in arms:
        rows = [row for row in arm.rows
                if row.perturbation == perturbation and row.severity and row.interval]  # fmt: skip
        if rows and rows[0].control_rate is not None:
            points = [Point(at=0, value=100 * rows[0].control_rate)]
            points += [point_of(row.severity or 0, row.interval) for row in rows if row.interval]
            series.append(Series(name=arm.name, points=tuple(points)))
    return Plot(
        title=perturbation,
        kind="lines",
        at="severity; 0: undisturbed",
        value="success in %",
        series=tuple(series),
        least=0,
        most=100,
    )


def _clean(found: RlRobustness) -> Section:
    rows: list[list[object]] = []
    for arm in found.arms:
        if arm.clean is None:
            rows.append([arm.name, arm.agent, "", f"{100 * found.clean_rate:.1f}", ""])
        else:
            rate = f"{100 * arm.clean.rate:.1f}"
            rows.append([arm.name, arm.agent, arm.clean.pairs, rate, points(arm.clean.difference)])
    head = ["arm", "agent", "pairs", "success", f"- {found.arms[0].name}"]
    return Section.table("undisturbed success in %", head, rows)


def _candidates(beside: Arm, candidates: Sequence[Candidate]) -> Section:
    assert beside.clean is not None
    best = matched(candidates)
    on_others = f"On the cases above, {beside.name} - matched: {points(beside.clean.difference)}."
    return Section.table(
        f"candidates - {beside.name}, on cases that decide the match only, in points",
        ["candidate", "pairs", "success", "difference", ""],
        [[each.agent, each.change.pairs, f"{100 * each.change.rate:.1f}",
          points(each.change.difference), "matched" if each is best else ""]
         for each in candidates],
        after=(on_others,),
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


def _gains(title: str, arms: Sequence[Arm], after: tuple[str, ...] = ()) -> Section:
    found: dict[tuple[str, str], dict[str, str]] = {}
    for arm in arms:
        for each in arm.gains:
            key = (each.perturbation, str(each.severity))
            found.setdefault(key, {})[arm.name] = points(each.difference)
        for area in arm.areas:
            found.setdefault((area.perturbation, "all"), {})[arm.name] = points(area.gain)
    order = sorted(found, key=lambda key: [name for name, _ in found].index(key[0]))
    return Section.table(
        title,
        ["perturbation", "sev.", *(arm.name for arm in arms)],
        [[*key, *(found[key].get(arm.name, "") for arm in arms)] for key in order],
        after=after,
    )


def _recovered(arms: Sequence[Arm]) -> Section:
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
    title = "recovered from a burst, in % of the cases whose undisturbed twin succeeds"
    return Section.table(title, ["perturbation", "sev.", *(arm.name for arm in arms)], rows)


def _elsewhere(base: str, arms: Sequence[Arm]) -> Section:
    rows = [
        [arm.name, each.group, each.tasks, each.pairs, f"{100 * each.base:.1f}",
         f"{100 * each.rate:.1f}", points(each.difference)]
        for arm in arms
        for each in arm.not_played
    ]  # fmt: skip
    title = f"domains that RL did not play: undisturbed, against {base}, in points"
    head = ["arm", "domain", "tasks", "pairs", "base", "success", "difference"]
    return Section.table(title, head, rows)


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

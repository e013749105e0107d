"""The report's tables on robustness."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from harness.perturb import unread
from leaderboards.pages import Column, Table, markdown_page, text_page
from leaderboards.robustness import Effects, PerturbationRow
from leaderboards.rows import Report

__all__ = ["render_effects", "robustness_tables"]


def robustness_tables(report: Report) -> list[Table]:
    """Each perturbation overall and by domain; tasks that have a score only; curves; and where a perturbation has nothing to change."""
    rows = [row for row in report.perturbations if row.task is None and row.severity is not None]
    domains = {row.domain for row in rows if row.domain}
    rows = [row for row in rows if row.tasks and (row.domain is None or len(domains) > 1)]
    tables = [_rates(rows, report.run["agent"])] if rows else []
    tables += _scores([row for row in report.perturbations if row.task is not None and row.score_difference is not None])
    tables += _curves(report.perturbations, len(domains) > 1)
    return tables + _absent(report)


def _rates(rows: Sequence[PerturbationRow], agent: Mapping[str, Any]) -> Table:
    notes = [_note(row, agent) for row in rows]
    lead = (
        "Beside the unperturbed twin of every case: the same task and seed. Control: the twins' success rate, %; drop: in points, with its paired "
        "interval; relative: the drop as a share of the control, %, with its paired interval; what is left of it is the retention."
    )
    return Table(
        "robustness",
        (
            Column("perturbation", tuple(row.perturbation for row in rows), "name"),
            Column("sev.", tuple(str(row.severity) for row in rows)),
            Column("", tuple(row.domain or "overall" for row in rows), "name"),
            Column("pairs", tuple(str(row.pairs) for row in rows)),
            Column("control", tuple(_percent(row.control_rate) for row in rows)),
            Column("success", tuple(_percent(row.success_rate) or "-" for row in rows)),
            Column("95 %", tuple(_range(row.ci_low, row.ci_high) for row in rows)),
            Column("drop", tuple(_percent(_minus(row.difference)) for row in rows)),
            Column("95 %", tuple(_range(_minus(row.difference_high), _minus(row.difference_low)) for row in rows)),
            Column("relative", tuple(_percent(row.relative_drop) for row in rows)),
            Column("95 %", tuple(_relative_range(row) for row in rows)),
            Column("notes", tuple(notes), "prose"),
        ),
        lead,
    )


def _note(row: PerturbationRow, agent: Mapping[str, Any]) -> str:
    names = [part.partition(":")[0] for part in row.perturbation.split("+")]
    parts = list(dict.fromkeys(filter(None, (unread(name, agent["reads"], agent.get("history", 1)) for name in names))))
    if row.partial:
        parts.append(f"partial: {row.n} of {row.planned} cases, at worst {_percent(row.rate_if_missing_fail)} %")
    if row.control_rate == 0:
        parts.append("the control is 0: nothing to lose")
    if row.agent_errors:
        parts.append(f"{row.agent_errors} agent errors")
    if row.recovery_n is not None:
        found = f"{_percent(row.recovery_rate)} % of {row.recovery_n}" if row.recovery_n else "none to recover from"
        parts.append(f"recovered: {found}")
    if row.interaction is not None:
        parts.append(f"interaction {100 * row.interaction:+.1f} ({_range(row.interaction_low, row.interaction_high)})")
    return "; ".join(parts)


def _scores(rows: Sequence[PerturbationRow]) -> list[Table]:
    if not rows:
        return []
    return [
        Table(
            "robustness of scores",
            (
                Column("perturbation", tuple(row.perturbation for row in rows), "name"),
                Column("sev.", tuple(str(row.severity) for row in rows)),
                Column("task", tuple(row.task or "" for row in rows), "name"),
                Column("pairs", tuple(str(row.pairs) for row in rows)),
                Column("score", tuple(_number(row.score_mean) for row in rows)),
                Column("change", tuple(_number(row.score_difference) for row in rows)),
                Column(
                    "95 %",
                    tuple(
                        ""
                        if row.score_difference_low is None
                        else f"{_number(row.score_difference_low)} to {_number(row.score_difference_high)}"
                        for row in rows
                    ),
                ),
            ),
            "Tasks without a success. Change: the mean over pairs of a case and its unperturbed twin.",
        )
    ]


def _curves(rows: Sequence[PerturbationRow], by_domain: bool) -> list[Table]:
    severities: dict[tuple[str, str | None], list[int]] = {}
    for row in rows:
        if row.severity and row.task is None:
            severities.setdefault((row.perturbation, row.domain), []).append(row.severity)
    shown = [
        row for row in rows if row.severity is None and row.task is None and row.area is not None and (row.domain is None or by_domain)
    ]
    shown = [row for row in shown if len(severities[row.perturbation, row.domain]) > 1 or row.corruption_error is not None]
    if not shown:
        return []
    lead = "Area: under the success rate from severity 0, the control, to the highest; 100 is a rate of 100 % everywhere."
    if any(row.corruption_error is not None for row in shown):
        lead += " Corruption error: failures as a share of the baseline run's, smaller is better."
    return [
        Table(
            "over all severities",
            (
                Column("perturbation", tuple(row.perturbation for row in shown), "name"),
                Column("", tuple(row.domain or "overall" for row in shown), "name"),
                Column("severities", tuple(", ".join(map(str, severities[row.perturbation, row.domain])) for row in shown)),
                Column("control %", tuple(_percent(row.control_rate) for row in shown)),
                Column("area %", tuple(_percent(row.area) for row in shown)),
                Column("corruption error %", tuple(_percent(row.corruption_error) for row in shown)),
            ),
            lead,
        )
    ]


def _absent(report: Report) -> list[Table]:
    whose: dict[tuple[str, str, str], list[str]] = {}
    for row in report.not_applicable:
        whose.setdefault((row.perturbation or "", row.reason, row.remedy), []).append(row.task)
    alike: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for (perturbation, reason, remedy), some in whose.items():
        alike.setdefault((reason, remedy, tuple(some)), []).append(perturbation)
    if not alike:
        return []
    return [
        Table(
            "perturbations that have nothing to change",
            (
                Column("perturbations", tuple(", ".join(some) for some in alike.values()), "prose"),
                Column("tasks", tuple(", ".join(some) if len(some) < 3 else f"{len(some)} tasks" for _, _, some in alike), "prose"),
                Column("reason", tuple(reason for reason, _, _ in alike), "prose"),
                Column("remedy", tuple(remedy for _, remedy, _ in alike), "prose"),
            ),
            "Not played, and in none of the figures above. The JSON format lists every task.",
        )
    ]


def _minus(value: float | None) -> float | None:
    return None if value is None else 0.0 - value


def _percent(rate: float | None) -> str:
    return "" if rate is None else f"{100 * rate:.1f}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _range(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{_percent(low)} to {_percent(high)}"


def _relative_range(row: PerturbationRow) -> str:
    """Without a lower end where the control may be as low as 0."""
    if row.relative_drop_low is None and row.relative_drop_high is not None:
        return f"up to {_percent(row.relative_drop_high)}"
    return _range(row.relative_drop_low, row.relative_drop_high)


def render_effects(rows: Sequence[Effects], format: str) -> str:
    """The differences in differences of two runs, as text, markdown or json."""
    if format == "json":
        return json.dumps({"schema": 1, "effects": [dataclasses.asdict(row) for row in rows]}, indent=1, allow_nan=False)
    domains = {row.domain for row in rows if row.domain}
    shown = [row for row in rows if row.domain is None or len(domains) > 1]
    table = Table(
        "who loses less",
        (
            Column("perturbation", tuple(row.perturbation for row in shown), "name"),
            Column("severity", tuple(str(row.severity) for row in shown)),
            Column("", tuple(row.domain or "overall" for row in shown), "name"),
            Column("tasks", tuple(str(row.tasks) for row in shown)),
            Column("pairs", tuple(str(row.pairs) for row in shown)),
            Column("base %", tuple(f"{_percent(row.base_control)} -> {_percent(row.base_rate)}" for row in shown)),
            Column("new %", tuple(f"{_percent(row.new_control)} -> {_percent(row.new_rate)}" for row in shown)),
            Column("difference", tuple(f"{100 * row.difference:+.1f}" for row in shown)),
            Column("95 %", tuple(_range(row.difference_low, row.difference_high) for row in shown)),
        ),
        "Control -> perturbed, over the cases that both runs played. Difference: of the changes, in points; above 0 the new run loses less.",
    )
    return (markdown_page if format == "markdown" else text_page)([], [table]).strip()

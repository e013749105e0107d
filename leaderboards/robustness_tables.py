"""The report's tables on robustness."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from harness.perturb import not_observed
from leaderboards.robustness import PerturbationRow
from leaderboards.robustness_compare import RobustnessDelta
from leaderboards.schema import Report
from leaderboards.tables import Column, Table, markdown_page, text_page

__all__ = ["render_effects", "robustness_tables"]


def robustness_tables(report: Report) -> list[Table]:
    """Each perturbation overall and by domain, first of successes, then of scores; curves; and where a perturbation has nothing to change."""
    rows = [row for row in report.perturbations if row.task is None and row.severity is not None]
    played = [
        group.domain
        for group in report.domains
        if group.tasks or any(row.domain == group.domain for row in report.not_run)
    ]
    rated = [row for row in rows if row.tasks and (row.domain is None or len(played) > 1)]
    scored = {row.domain for row in rows if row.scores and row.domain}
    scores = [row for row in rows if row.scores and (len(scored) > 1 or row.domain)]
    agent = report.run["agent"]
    tables = (
        [
            _rates(
                rated,
                _silent(report, {row.domain for row in rated} - {None}) if len(played) > 1 else {},
                agent,
            )
        ]
        if rated
        else []
    )
    tables += _normalised(scores, agent)
    tables += _scores(
        [
            row
            for row in report.perturbations
            if row.task is not None and row.score_difference is not None
        ]
    )
    tables += _areas(report.perturbations, rated, "success rate")
    tables += _areas(report.perturbations, scores, "normalised score")
    return tables + _absent(report)


def _silent(report: Report, told: AbstractSet[str | None]) -> dict[str, str]:
    """The domains of the run that are in no row on successes, and why."""
    found: dict[str, str] = {}
    for domain in dict.fromkeys(
        [row.domain for row in report.tasks] + [row.domain for row in report.not_run]
    ):
        if domain in told:
            continue
        reasons = Counter(row.reason for row in report.not_run if row.domain == domain)
        reasons["no success here, a score: see below"] = sum(
            row.domain == domain and row.successes is None for row in report.tasks
        )
        reasons["no perturbation has anything to change"] = sum(
            row.domain == domain and row.successes is not None for row in report.tasks
        )
        found[domain] = "; ".join(
            f"{count} task{'' if count == 1 else 's'}: {reason}"
            for reason, count in reasons.items()
            if count
        )
    return found


def _rates(
    rows: Sequence[PerturbationRow], silent: Mapping[str, str], agent: Mapping[str, Any]
) -> Table:
    notes = [_note(row, agent) for row in rows]
    empty = ("",) * len(silent)
    lead = (
        "Beside the unperturbed twin of every case: the same task and seed. Control: the twins' success rate, %; drop: in points, with its paired "
        "interval; relative: the drop as a share of the control, %, with its paired interval; what is left of it is the retention."
    )
    return Table(
        "robustness",
        (
            Column(
                "perturbation",
                (*(row.perturbation for row in rows), *("any" for _ in silent)),
                "name",
            ),
            Column("sev.", (*(str(row.severity) for row in rows), *empty)),
            Column("", (*(row.domain or "overall" for row in rows), *silent), "name"),
            Column("pairs", (*(str(row.pairs) for row in rows), *("0" for _ in silent))),
            Column("control", (*(_percent(row.control_rate) for row in rows), *empty)),
            Column(
                "success",
                (*(_percent(row.success_rate) or "-" for row in rows), *("-" for _ in silent)),
            ),
            Column("95 %", (*(_range(row.ci_low, row.ci_high) for row in rows), *empty)),
            Column("drop", (*(_percent(_minus(row.difference)) for row in rows), *empty)),
            Column(
                "95 %",
                (
                    *(
                        _range(_minus(row.difference_high), _minus(row.difference_low))
                        for row in rows
                    ),
                    *empty,
                ),
            ),
            Column("relative", (*(_percent(row.relative_drop) for row in rows), *empty)),
            Column("95 %", (*(_relative_range(row) for row in rows), *empty)),
            Column("notes", (*notes, *silent.values()), "prose"),
        ),
        lead,
    )


def _normalised(rows: Sequence[PerturbationRow], agent: Mapping[str, Any]) -> list[Table]:
    if not rows:
        return []
    scores = [row.scores for row in rows if row.scores]
    ends = dict.fromkeys(f"0 is {each.low_name}, 1 is {each.high_name}" for each in scores)
    return [
        Table(
            "robustness of normalised scores",
            (
                Column("perturbation", tuple(row.perturbation for row in rows), "name"),
                Column("sev.", tuple(str(row.severity) for row in rows)),
                Column("", tuple(row.domain or "overall" for row in rows), "name"),
                Column("tasks", tuple(str(each.tasks) for each in scores)),
                Column("pairs", tuple(str(each.pairs) for each in scores)),
                Column("control", tuple(_unit(each.control) for each in scores)),
                Column("score", tuple(_unit(each.mean) for each in scores)),
                Column(
                    "95 %", tuple(_span(each.mean_low, each.mean_high, _unit) for each in scores)
                ),
                Column("change", tuple(_unit(each.difference) for each in scores)),
                Column(
                    "95 %",
                    tuple(
                        _span(each.difference_low, each.difference_high, _unit) for each in scores
                    ),
                ),
                Column(
                    "notes", tuple("" if row.tasks else _note(row, agent) for row in rows), "prose"
                ),
            ),
            f"Of tasks without a success: means over tasks, each weighing the same; {'; '.join(ends)}. Control: of the unperturbed twins. "
            "Change: over pairs, in the same unit. No interval where a task has one score, or all are equal.",
        )
    ]


def _note(row: PerturbationRow, agent: Mapping[str, Any]) -> str:
    names = [part.partition(":")[0] for part in row.perturbation.split("+")]
    parts = list(
        dict.fromkeys(
            filter(
                None,
                (not_observed(name, agent["reads"], agent.get("history", 1)) for name in names),
            )
        )
    )
    if row.partial:
        parts.append(
            f"partial: {row.n} of {row.planned} cases, at worst {_percent(row.rate_if_missing_fail)} %"
        )
    if row.control_rate == 0:
        parts.append("the control is 0: nothing to lose")
    if row.agent_errors:
        parts.append(f"{row.agent_errors} agent errors")
    if row.recovery_n is not None and row.tasks:
        found = (
            f"{_percent(row.recovery_rate)} % of {row.recovery_n}"
            if row.recovery_n
            else "none to recover from"
        )
        parts.append(f"recovered: {found}")
    if row.interaction is not None:
        parts.append(
            f"interaction {100 * row.interaction:+.1f} ({_range(row.interaction_low, row.interaction_high)})"
        )
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
                        _span(row.score_difference_low, row.score_difference_high, _number)
                        for row in rows
                    ),
                ),
            ),
            "Tasks without a success, each in its own points. Change: the mean over pairs of a case and its unperturbed twin.",
        )
    ]


def _areas(
    rows: Sequence[PerturbationRow], points: Sequence[PerturbationRow], measure: str
) -> list[Table]:
    """`points`: the rows at single severities that another table has; those of a single severity have no curve."""
    severities: dict[tuple[str, str | None], list[int]] = {}
    for point in points:
        severities.setdefault((point.perturbation, point.domain), []).append(point.severity or 0)
    curves = [
        row
        for row in rows
        if row.severity is None
        and row.task is None
        and (row.perturbation, row.domain) in severities
    ]
    found = [(row, row if measure == "success rate" else row.scores) for row in curves]
    shown = [
        (row, each)
        for row, each in found
        if each is not None and each.area is not None
        if len(severities[row.perturbation, row.domain]) > 1 or each.corruption_error is not None
    ]
    if not shown:
        return []
    write, unit = (_percent, " %") if measure == "success rate" else (_unit, "")
    best = "100 is a rate of 100 % everywhere" if unit else "1 is a mean of 1 everywhere"
    lead = f"Area: under the {measure} from severity 0, the control, to the highest; {best}."
    if any(each.corruption_error is not None for _, each in shown):
        losses = "failures" if unit else "shortfall from 1"
        lead += f" Corruption error: {losses} as a share of the baseline run's, smaller is better."
    controls = (
        each.control_rate if isinstance(each, PerturbationRow) else each.control
        for _, each in shown
    )
    return [
        Table(
            f"{measure} over all severities",
            (
                Column("perturbation", tuple(row.perturbation for row, _ in shown), "name"),
                Column("", tuple(row.domain or "overall" for row, _ in shown), "name"),
                Column(
                    "severities",
                    tuple(
                        ", ".join(map(str, severities[row.perturbation, row.domain]))
                        for row, _ in shown
                    ),
                ),
                Column(f"control{unit}", tuple(map(write, controls))),
                Column(f"area{unit}", tuple(write(each.area) for _, each in shown)),
                Column(
                    "corruption error %",
                    tuple(_percent(each.corruption_error) for _, each in shown),
                ),
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
                Column(
                    "tasks",
                    tuple(
                        ", ".join(some) if len(some) < 3 else f"{len(some)} tasks"
                        for _, _, some in alike
                    ),
                    "prose",
                ),
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


def _unit(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _range(low: float | None, high: float | None) -> str:
    return _span(low, high, _percent)


def _span(low: float | None, high: float | None, write: Callable[[float | None], str]) -> str:
    return "" if low is None or high is None else f"{write(low)} to {write(high)}"


def _relative_range(row: PerturbationRow) -> str:
    """Without a lower end where the control may be as low as 0."""
    if row.relative_drop_low is None and row.relative_drop_high is not None:
        return f"up to {_percent(row.relative_drop_high)}"
    return _range(row.relative_drop_low, row.relative_drop_high)


def render_effects(rows: Sequence[RobustnessDelta], format: str) -> str:
    """The differences in differences of two runs, as text, markdown or json."""
    if format == "json":
        return json.dumps(
            {"schema": 1, "effects": [dataclasses.asdict(row) for row in rows]},
            indent=1,
            allow_nan=False,
        )
    tables = [
        table
        for measure in ("success", "normalised")
        for table in _effects([row for row in rows if row.measure == measure], measure)
    ]
    return (markdown_page if format == "markdown" else text_page)([], tables).strip()


def _effects(rows: Sequence[RobustnessDelta], measure: str) -> list[Table]:
    domains = {row.domain for row in rows if row.domain}
    shown = [row for row in rows if row.domain is None or len(domains) > 1]
    if not shown:
        return []
    rates = measure == "success"
    write, sign = (
        (_percent, lambda row: f"{100 * row.difference:+.1f}")
        if rates
        else (_unit, lambda row: f"{row.difference:+.3f}")
    )
    unit, points = (
        (" %", "points") if rates else ("", "normalised scores, of tasks without a success")
    )
    return [
        Table(
            "who loses less" if rates else "who loses less of the score",
            (
                Column("perturbation", tuple(row.perturbation for row in shown), "name"),
                Column("severity", tuple(str(row.severity) for row in shown)),
                Column("", tuple(row.domain or "overall" for row in shown), "name"),
                Column("tasks", tuple(str(row.tasks) for row in shown)),
                Column("pairs", tuple(str(row.pairs) for row in shown)),
                Column(
                    f"base{unit}",
                    tuple(f"{write(row.base_control)} -> {write(row.base_rate)}" for row in shown),
                ),
                Column(
                    f"new{unit}",
                    tuple(f"{write(row.new_control)} -> {write(row.new_rate)}" for row in shown),
                ),
                Column("difference", tuple(map(sign, shown))),
                Column(
                    "95 %",
                    tuple(_span(row.difference_low, row.difference_high, write) for row in shown),
                ),
            ),
            f"Control -> perturbed, over the cases that both runs played. Difference: of the changes, in {points}; above 0 the new run loses less.",
        )
    ]

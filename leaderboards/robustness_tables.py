"""The report's tables on robustness."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from harness.core.grammar import counted
from harness.perturb import not_observed
from harness.stats import Estimate, value_of
from leaderboards.footnotes import Footnotes
from leaderboards.no_interval import WHEN_BOUNDED
from leaderboards.row_notes import Note
from leaderboards.schema import PerturbationRow, Report, ScoreEffects
from leaderboards.tables import (
    Column,
    Table,
    percent,
    range_of,
    signed_points,
    three_decimals,
    two_decimals,
)

__all__ = ["robustness_tables"]


MOST_ROWS = 20
"""Of a table on a terminal."""


def robustness_tables(report: Report, footnotes: Footnotes | None = None) -> list[Table]:
    """Success rates, normalised scores and raw scores, sums over severities, what does not apply.

    Rates and normalised scores overall and by domain. `footnotes`: of a page for a terminal, which
    has rates overall only, and at most MOST_ROWS rows in a table.
    """
    short = footnotes is not None
    rows = [row for row in report.perturbations if row.task is None and row.severity is not None]
    played = [
        group.domain
        for group in report.domains
        if group.tasks or any(row.domain == group.domain for row in report.not_run)
    ]
    rated = [row for row in rows if row.tasks and (row.domain is None or len(played) > 1)]
    scored_domains = {row.domain for row in rows if row.scores and row.domain}
    scored = [row for row in rows if row.scores and (len(scored_domains) > 1 or row.domain)]
    raw = [
        row
        for row in report.perturbations
        if row.task is not None and row.score_difference is not None
    ]
    agent = report.run["agent"]
    told = {row.domain for row in rated} - {None}
    without_rows = _domains_without_rows(report, told) if len(played) > 1 else {}
    if short:
        rated = [row for row in rated if row.domain is None]
    tables = [_rate_table(rated, without_rows, agent, footnotes)] if rated else []
    tables += _normalised_table(scored, agent, footnotes)
    tables += _raw_score_table(raw, MOST_ROWS if short else len(raw))
    tables += _severity_table(report.perturbations, rated, "success rate")
    tables += _severity_table(report.perturbations, scored, "normalised score")
    return tables + _not_applicable_table(report, short=short)


def _domains_without_rows(report: Report, told: AbstractSet[str | None]) -> dict[str, str]:
    """The domains of the run that have no row in the table of success rates, and why."""
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
            f"{counted(count, 'task')}: {reason}" for reason, count in reasons.items() if count
        )
    return found


def _rate_table(
    rows: Sequence[PerturbationRow],
    without_rows: Mapping[str, str],
    agent: Mapping[str, Any],
    footnotes: Footnotes | None,
) -> Table:
    lead = (
        "Each case is compared with its control: the same task and seed, unperturbed. Control: "
        "the controls' success rate, %; drop: in points, with its paired interval"
    )
    if footnotes is None:
        lead += (
            "; relative: the drop as a share of the control, %, with its paired interval; what is "
            "left of it is the retention"
        )
    else:
        lead += "".join(f"; no row of {name}: {why}" for name, why in without_rows.items())
        without_rows = {}
        if len(rows) > MOST_ROWS:
            lead += f"; {MOST_ROWS} of {len(rows)} rows, which lose the most"
            rows = sorted(rows, key=_lost, reverse=True)[:MOST_ROWS]
    empty = ("",) * len(without_rows)
    drops = [_drop(row.difference) for row in rows]
    return Table(
        "robustness",
        (
            Column(
                "perturbation",
                (*(row.perturbation for row in rows), *("any" for _ in without_rows)),
                "name",
            ),
            Column("sev.", (*(str(row.severity) for row in rows), *empty)),
            Column(
                "",
                (*(row.domain or "overall" for row in rows), *without_rows)
                if footnotes is None
                else (),
                "name",
            ),
            Column("pairs", (*(str(row.pairs) for row in rows), *("0" for _ in without_rows))),
            Column("control", (*(percent(row.control_rate) for row in rows), *empty)),
            Column(
                "success",
                (*(percent(row.success_rate) or "-" for row in rows), *("-" for _ in without_rows)),
            ),
            Column("95 %", (*(range_of(row.interval, percent) for row in rows), *empty), spare=2),
            Column("drop", (*(percent(value_of(drop)) for drop in drops), *empty)),
            Column("95 %", (*(range_of(drop, percent) for drop in drops), *empty)),
            Column(
                "relative",
                (*(percent(value_of(row.relative_drop)) for row in rows), *empty),
                spare=3,
            ),
            Column("95 %", (*(_relative_range(row) for row in rows), *empty), spare=3),
            _remarks(rows, agent, footnotes, without_rows.values()),
        ),
        f"{lead}.",
    )


def _lost(row: PerturbationRow) -> float:
    return -row.difference.value if row.difference is not None else -math.inf


def _remarks(
    rows: Sequence[PerturbationRow],
    agent: Mapping[str, Any],
    footnotes: Footnotes | None,
    more: Iterable[str] = (),
) -> Column:
    """The remarks on the rows, or their signs."""
    told = [_notes(row, agent) for row in rows]
    if footnotes is None:
        return Column("notes", (*("; ".join(map(str, each)) for each in told), *more), "prose")
    names = (f"{row.perturbation} {row.severity}" for row in rows)
    return Column("note", tuple(map(footnotes.signs, names, told)), "name")


def _normalised_table(
    rows: Sequence[PerturbationRow], agent: Mapping[str, Any], footnotes: Footnotes | None
) -> list[Table]:
    if not rows:
        return []
    few = ""
    if footnotes is not None and len(rows) > MOST_ROWS:
        few = f" {MOST_ROWS} of {len(rows)} rows, which lose the most."
        rows = sorted(rows, key=_lost_score, reverse=True)[:MOST_ROWS]
    scores = [row.scores for row in rows if row.scores]
    ends = dict.fromkeys(f"0 is {each.low_name}, 1 is {each.high_name}" for each in scores)
    return [
        Table(
            "robustness of normalised scores",
            (
                Column("perturbation", tuple(row.perturbation for row in rows), "name"),
                Column("sev.", tuple(str(row.severity) for row in rows)),
                Column("", tuple(row.domain or "overall" for row in rows), "name"),
                Column("tasks", tuple(str(each.tasks) for each in scores), spare=2),
                Column("pairs", tuple(str(each.pairs) for each in scores)),
                Column("control", tuple(three_decimals(each.control) for each in scores)),
                Column("score", tuple(three_decimals(value_of(each.mean)) for each in scores)),
                Column(
                    "95 %", tuple(range_of(each.mean, three_decimals) for each in scores), spare=3
                ),
                Column(
                    "change", tuple(three_decimals(value_of(each.difference)) for each in scores)
                ),
                Column("95 %", tuple(range_of(each.difference, three_decimals) for each in scores)),
                # Where a row has tasks with a success too, its remarks stand above.
                _remarks(
                    rows,
                    agent,
                    footnotes,
                )
                if not any(row.tasks for row in rows)
                else Column("notes", tuple("" for _ in rows)),
            ),
            "Of tasks without a success: means over tasks, each weighing the same; "
            f"{'; '.join(ends)}. Control: of the unperturbed cases. Change: over pairs, in the "
            f"same unit. {WHEN_BOUNDED}{few}",
        )
    ]


def _lost_score(row: PerturbationRow) -> float:
    change = row.scores.difference if row.scores is not None else None
    return -change.value if change is not None else -math.inf


def _notes(row: PerturbationRow, agent: Mapping[str, Any]) -> list[Note]:
    names = [re.split("[:@]", part)[0] for part in row.perturbation.split("+")]
    unseen = (not_observed(name, agent["reads"], agent.get("history", 1)) for name in names)
    parts = [Note(each) for each in dict.fromkeys(filter(None, unseen))]
    if row.partial:
        told = (
            f"{row.n} of {counted(row.planned, 'case')}, "
            f"at worst {percent(row.rate_if_missing_fail)} %"
        )
        parts.append(Note("partial", told, f"partial: {told}"))
    if row.control_rate == 0:
        parts.append(Note("the control is 0: nothing to lose"))
    if row.agent_errors:
        errors = counted(row.agent_errors, "agent error")
        parts.append(Note("agent errors", str(row.agent_errors), errors))
    if row.recovery_n is not None and row.tasks:
        found = (
            f"{percent(value_of(row.recovery))} % of {row.recovery_n}"
            if row.recovery_n
            else "none to recover from"
        )
        parts.append(Note("recovered", found, f"recovered: {found}"))
    if row.interaction is not None:
        bounds = range_of(row.interaction, percent)
        shown = f" ({bounds})" if bounds else ""
        told = f"{signed_points(row.interaction.value)}{shown}"
        parts.append(Note("interaction", told, f"interaction {told}"))
    parts += [Note(row.no_interval)] if row.no_interval else []
    return parts


def _raw_score_table(rows: Sequence[PerturbationRow], most: int) -> list[Table]:
    if not rows:
        return []
    few = f" The first {most} of {len(rows)} rows." if len(rows) > most else ""
    rows = rows[:most]
    changes = [row.score_difference for row in rows]
    return [
        Table(
            "robustness of scores",
            (
                Column("perturbation", tuple(row.perturbation for row in rows), "name"),
                Column("sev.", tuple(str(row.severity) for row in rows)),
                Column("task", tuple(row.task or "" for row in rows), "name"),
                Column("pairs", tuple(str(row.pairs) for row in rows)),
                Column("score", tuple(two_decimals(row.score_mean) for row in rows)),
                Column("change", tuple(two_decimals(value_of(change)) for change in changes)),
                Column("95 %", tuple(range_of(change, two_decimals) for change in changes)),
            ),
            "Tasks without a success, each in its own points. Change: the mean over pairs of a "
            f"case and its control.{few}",
        )
    ]


def _severity_table(
    rows: Sequence[PerturbationRow], points: Sequence[PerturbationRow], measure: str
) -> list[Table]:
    """The sums over severities of the perturbations that have more than one, or a baseline.

    points: the rows at single severities that another table shows.
    """
    severities: dict[tuple[str, str | None], list[int]] = {}
    for point in points:
        severities.setdefault((point.perturbation, point.domain), []).append(point.severity or 0)
    sums = [
        row
        for row in rows
        if row.severity is None
        and row.task is None
        and (row.perturbation, row.domain) in severities
    ]
    found = [(row, row if measure == "success rate" else row.scores) for row in sums]
    shown = [
        (row, each)
        for row, each in found
        if each is not None and each.area is not None
        if len(severities[row.perturbation, row.domain]) > 1 or each.corruption_error is not None
    ]
    if not shown:
        return []
    if measure == "success rate":
        write, unit = percent, " %"
        best, losses = "100 is a rate of 100 % everywhere", "failures"
    else:
        write, unit = three_decimals, ""
        best, losses = "1 is a mean of 1 everywhere", "shortfall from 1"
    lead = f"Area: under the {measure} from severity 0, the control, to the highest; {best}."
    if any(each.corruption_error is not None for _, each in shown):
        lead += f" Corruption error: {losses} as a share of the baseline run's, smaller is better."
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
                Column(f"control{unit}", tuple(write(_control(each)) for _, each in shown)),
                Column(f"area{unit}", tuple(write(each.area) for _, each in shown)),
                Column(
                    "corruption error %", tuple(percent(each.corruption_error) for _, each in shown)
                ),
            ),
            lead,
        )
    ]


def _not_applicable_table(report: Report, *, short: bool) -> list[Table]:
    tasks: dict[tuple[str, str, str], list[str]] = {}
    for row in report.not_applicable:
        tasks.setdefault((row.perturbation or "", row.reason, row.remedy), []).append(row.task)
    # Perturbations that have nothing to change in the same tasks for the same reason share a row.
    alike: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for (perturbation, reason, remedy), some in tasks.items():
        alike.setdefault((reason, remedy, tuple(some)), []).append(perturbation)
    if not alike:
        return []
    kind = "line" if short else "prose"
    some_tasks = tuple(
        ", ".join(some) if len(some) < 3 else f"{len(some)} tasks" for _, _, some in alike
    )
    columns = [
        Column("perturbations", tuple(", ".join(some) for some in alike.values()), kind),
        Column("tasks", some_tasks, kind),
        Column("reason", tuple(reason for reason, _, _ in alike), kind),
    ]
    if short:
        lead = "Not played, and in none of the figures above. `--full` has the remedies"
        if len(alike) > MOST_ROWS:
            lead += f", and {counted(len(alike) - MOST_ROWS, 'more row')}"
            columns = [Column(each.name, each.cells[:MOST_ROWS], each.kind) for each in columns]
        lead += "."
    else:
        columns.append(Column("remedy", tuple(remedy for _, remedy, _ in alike), kind))
        lead = "Not played, and in none of the figures above. The JSON format lists every task."
    return [Table("perturbations that have nothing to change", tuple(columns), lead)]


def _control(row: PerturbationRow | ScoreEffects) -> float | None:
    return row.control_rate if isinstance(row, PerturbationRow) else row.control


def _drop(difference: Estimate | None) -> Estimate | None:
    """The negated difference; 0.0 - x is never the -0.0 that would print its sign."""
    if difference is None:
        return None
    low, high = difference.low, difference.high
    return Estimate(
        0.0 - difference.value,
        None if high is None else 0.0 - high,
        None if low is None else 0.0 - low,
    )


def _relative_range(row: PerturbationRow) -> str:
    """The lower bound is missing where the control may be as low as 0."""
    drop = row.relative_drop
    if drop is not None and drop.low is None and drop.high is not None:
        return f"up to {percent(drop.high)}"
    return range_of(drop, percent)

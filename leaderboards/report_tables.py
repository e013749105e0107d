"""The header and the tables of a report."""

from __future__ import annotations

from collections.abc import Sequence

from harness.core.agent import ALL_VIEWS
from harness.core.grammar import counted
from harness.core.nouns import LONGEST_EPISODE
from harness.core.reads import view_of
from harness.probes.wiring.passive import warnings
from harness.records.identity import UNNAMED
from harness.records.imported import imported_line
from leaderboards.answers import answers_table
from leaderboards.asked import asked_table
from leaderboards.confidence import confidence_tables
from leaderboards.error_table import error_table
from leaderboards.footnotes import Footnotes
from leaderboards.group_tables import (
    domains_of,
    group_table,
    has_scores,
    metric_table,
    not_run_table,
    score_table,
    seconds,
    suites_of,
)
from leaderboards.late_answers import clock_lines, clock_table
from leaderboards.planning import optimality_table, plans_table
from leaderboards.privilege import privilege_lines
from leaderboards.references import (
    PublishedFigure,
    figures_of,
    mark_of,
    marks_explained,
    published_table,
)
from leaderboards.renderers import renderer_lines
from leaderboards.row_notes import (
    floor_cell,
    floor_lead,
    in_unit,
    measure_cell,
    note_parts,
    notes_of,
    time_cell,
)
from leaderboards.safety_tables import (
    safety_columns,
    safety_lead,
    safety_sentence,
    safety_table,
)
from leaderboards.schema import Report, TaskRow
from leaderboards.server_timing import server_timing_table
from leaderboards.tables import (
    Column,
    Table,
    number,
    one_decimal,
    percent,
    range_of,
    share_of,
    three_decimals,
)

__all__ = [
    "TO_SUCCESS", "reading_lines", "report_header", "report_tables", "rows_by_suite", "task_table",
    "who_lines",
]  # fmt: skip

TO_SUCCESS = (
    "to success: steps until the first success; an episode without one counts with the horizon"
)
"""How to read the column of that name."""
VIOLATIONS = (
    "violation %: of episodes, with at least one violation; safe %: successes without any; n/m: "
    "not measured"
)
FEW_EPISODES = 20
"""Below this number the rates at which Wilson's interval fails lie more than a point from the ends
(docs/decisions/095-few-episodes.md)."""
MOST_NAMED = 6
"""Suites or packages that a short header names; more are counted."""
MOST_RULES = 2
"""Rules that the short lead of a table tells."""


def report_header(report: Report) -> list[str]:
    """Who played what, when and with which versions, and how to read the figures."""
    odd = [*report.views, *warnings(report.wiring)]
    return [*who_lines(report), *reading_lines(report), *odd]


def who_lines(report: Report, *, short: bool = False) -> list[str]:
    """Who played what, when and with which versions. `short`: long lists are counted."""
    run, agent = report.run, report.run["agent"]
    views = [name for name in agent["reads"] if view_of(name) != "expert"]
    views = ["any view on offer" if name == ALL_VIEWS else name for name in views]
    seen = [f"reads {', '.join(views)}"] if views else []
    seen += ["privileged: sees the expert"] if agent.get("privileged") else []
    imported = imported_line(run)
    if imported is not None:
        seen.append(imported)
    if agent["fingerprint"] == UNNAMED:
        seen.append("unnamed: a live object or function, which nobody can build again")
    arguments = "".join(f" {name}={value}" for name, value in agent["args"].items())
    packages = [f"{name} {version}" for name, version in run["packages"].items()]
    suites = [str(name) for name in run["suites"]]
    told_suites = f"suites {', '.join(suites)}"
    if short and len(suites) > MOST_NAMED:
        told_suites = counted(len(suites), "suite")
    told_packages = ", ".join(packages)
    if short and len(packages) > MOST_NAMED:
        told_packages = counted(len(packages), "package")
    versions = "; ".join(filter(None, [f"bench {run['bench']}", told_packages]))
    ended = (
        f"finished {run['finished']}"
        if run["finished"]
        else "not finished: the same command goes on"
    )
    return [
        f"{agent['name']} ({agent['entry']}{arguments}): {'; '.join(seen) or 'reads nothing'}",
        *privilege_lines(report, short=short),
        *renderer_lines(report),
        *clock_lines(report.clock, report.footprint),
        *report.probes,
        f"{told_suites}; seed {run['plan']['seed']}; {versions}",
        f"begun {run['created']}, {ended}",
    ]


def reading_lines(report: Report, *, short: bool = False) -> list[str]:
    """How to read the figures."""
    run, agent = report.run, report.run["agent"]
    if short:
        means = ["means weigh tasks equally"] if len(report.tasks) > 1 else []
        if has_scores(report) and report.overall.normalised is not None:
            means.append("normalised: success rates, else mean scores")
        lines = ["; ".join(means)] if means else []
        if report.overall.interval is not None:
            lines.insert(
                0, "success %: an agent's error is a failure; 95 %: Wilson, of means score method"
            )
    else:
        lines = [
            "success %: of n episodes with a result; an agent's error is a failure. "
            "95 %: by Wilson for a task, by the score method for a mean",
            "suites, domains and overall: means of the rates of these tasks, each weighing the same"
            + "; normalised: of success rates, and of normalised mean scores where there is no "
            "success" * has_scores(report),
        ]
    if agent["args"].get("profile_check") == "off":
        lines.append(
            "the agent's profile was not compared with the tasks (--profile-check off): its wiring "
            "may be wrong"
        )
    if report.copied:
        lines.append(
            "a copy of a run directory: who acted, what it read, whether it was privileged, where "
            "and when are claimed, not checked; `bench verify` replays the rest"
        )
    if run.get("stopping"):
        lines.append(
            f"played by a rule: {run['stopping']}; where it could stop early, the intervals of "
            "tasks hold at every look, and means have none"
        )
    if not run.get("stopping") and any(map(_has_few, report.tasks)):
        lines.append(
            f"with fewer than {FEW_EPISODES} episodes, a task's interval misses a true rate near 0 "
            "or 100 % in up to 21 of 100 runs, not in 5"
        )
    if any(row.distinct or row.distinct_starts for row in report.tasks):
        lines.append(
            "distinct: episodes that start alike and take the same course are one, and an interval "
            "counts them once; where starts repeat, the row speaks of those starts only"
        )
    if solved := report.overall.ended.get("solved_at_start", 0):
        lines.append(
            f"{solved} of {counted(report.overall.n, 'episode')} "
            f"{'was solved at its' if solved == 1 else 'were solved at their'} start, without a "
            "step of the agent; they count as successes"
        )
    if report.redrawn_starts:
        lines.append(
            f"{counted(report.redrawn_starts, 'episode')} began with another draw of the start, "
            "because the first one was solved already"
        )
    if report.endless:
        lines.append(
            f"{counted(report.endless, 'episode')} of a task without a horizon did not end: cut "
            f"after {LONGEST_EPISODE} steps"
        )
    if any(row.time_to_success for row in report.tasks) and not short:
        lines.append(TO_SUCCESS)
    if report.overall.violation is not None:
        lines += [VIOLATIONS, safety_sentence(report)]
    if report.overall.partial:
        lines.append("at worst: every planned episode without a result counted as a failure")
    return lines


def _has_few(row: TaskRow) -> bool:
    """Whether its rate has an interval, of few episodes."""
    bounded = row.interval is not None and row.interval.low is not None
    return bounded and (row.distinct or row.n) < FEW_EPISODES


def report_tables(report: Report) -> list[Table]:
    """All tables, in the order in which they are printed."""
    by_suite = rows_by_suite(report)
    figures = {suite: figures_of(rows) for suite, rows in by_suite.items()}
    expert = bool(report.run["agent"].get("privileged"))
    tables = [
        task_table(suite, rows, figures[suite], expert=expert) for suite, rows in by_suite.items()
    ]
    tables.append(group_table(report, [*suites_of(report), *domains_of(report), report.overall]))
    tables += metric_table(report.tasks)
    tables += safety_table(report.tasks)
    tables += score_table(report)
    tables += clock_table(report.latency)
    tables += server_timing_table(report.server_timing)
    tables += answers_table(report.answers)
    tables += plans_table(report.answers)
    tables += confidence_tables(report.confidence)
    tables += optimality_table(report.optimality)
    tables += asked_table(report.asked)
    tables += published_table([figure for suite in by_suite for figure in figures[suite]])
    if report.perturbations or report.not_applicable:
        from leaderboards.robustness_tables import robustness_tables

        tables += robustness_tables(report)
    tables += error_table(report.errors)
    tables += not_run_table(report.not_run)
    return tables


def rows_by_suite(report: Report) -> dict[str, list[TaskRow]]:
    """The tasks of each suite that has any."""
    found: dict[str, list[TaskRow]] = {str(group.suite): [] for group in report.suites}
    for row in report.tasks:
        found[row.suite].append(row)
    return {suite: rows for suite, rows in found.items() if rows}


def task_table(
    suite: str,
    rows: Sequence[TaskRow],
    figures: Sequence[PublishedFigure],
    *,
    expert: bool,
    footnotes: Footnotes | None = None,
) -> Table:
    """A row for each task.

    `footnotes`: of a page for a terminal, which tells rules that differ nowhere, floors without
    their agents, and remarks below.
    """
    rules = list(dict.fromkeys(row.rule for row in rows if row.rule))
    domains = list(dict.fromkeys(row.domain for row in rows))
    several = len(rules) > 1
    by_task = [figure for figure in figures if figure.by_task]
    known = any(row.floors for row in rows)

    def score(row: TaskRow, cell: str) -> str:
        """The cell of a task without a success; the score of one with a success is that."""
        return cell if row.successes is None else ""

    def published(row: TaskRow) -> str:
        cells = [
            f"{each.label} {in_unit(each.values[row.task], each.like.metric, row)}"
            f"{mark_of(each.like, expert or bool(row.privileged))}"
            for each in by_task
            if row.task in each.values
        ]
        return "; ".join(cells)

    lead = f"{counted(len(rows), 'task')}, {', '.join(domains)}. "
    if footnotes is not None and len(rules) > MOST_RULES:
        several = False
        lead += f"{len(rules)} rules: `bench describe TASK` tells each"
    elif several:
        lead += "Rules: " + "; ".join(
            f"({k}) {rule.rstrip('.')}" for k, rule in enumerate(rules, 1)
        )
    elif rules:
        lead += f"Rule: {rules[0].rstrip('.')}"
    alone = footnotes is not None
    floors = [floor_cell(row, expert=expert, alone=alone) for row in rows] if known else []
    lead += ". " + ". ".join(filter(None, [floor_lead(rows), safety_lead(rows)]))
    marks = marks_explained([*map(published, rows), *floors])
    if marks and footnotes is None:
        lead += f". {marks}"
    notes = Column("notes", tuple(notes_of(row) for row in rows), "prose")
    if footnotes is not None:
        signs = tuple(footnotes.signs(row.task, note_parts(row)) for row in rows)
        notes = Column("note", signs, "name")
    return Table(
        suite,
        (
            Column("task", tuple(row.task for row in rows), "name"),
            Column(
                "domain",
                tuple(row.domain if len(domains) > 1 else "" for row in rows),
                "name",
                spare=7,
            ),
            Column("success %", tuple(percent(row.success_rate) for row in rows)),
            Column("95 %", tuple(range_of(row.interval, percent) for row in rows)),
            Column("floor", tuple(floors)),
            *safety_columns(rows),
            Column(
                "successes",
                tuple("" if row.successes is None else str(row.successes) for row in rows),
                spare=5,
            ),
            Column("measure", tuple(map(measure_cell, rows)), spare=3),
            Column(
                "score",
                tuple(score(row, number(row.score.value) if row.score else "") for row in rows),
            ),
            Column("95 % of score", tuple(score(row, range_of(row.score, number)) for row in rows)),
            Column("median", tuple(score(row, number(row.score_median)) for row in rows), spare=6),
            Column("normalised", tuple(score(row, three_decimals(row.normalised)) for row in rows)),
            Column("n", tuple(share_of(row.n, row.planned) for row in rows)),
            Column("steps", tuple(one_decimal(row.steps_mean) for row in rows), spare=8),
            Column("to success", tuple(map(time_cell, rows)), spare=6),
            Column("sim s", tuple(seconds(row.simulator_s, row) for row in rows), spare=9),
            Column("agent s", tuple(seconds(row.agent_s, row) for row in rows), spare=9),
            Column(
                "rule",
                tuple(
                    str(rules.index(row.rule) + 1) if several and row.rule else "" for row in rows
                ),
                spare=2,
            ),
            Column("published", tuple(published(row) for row in rows), "prose", spare=4),
            notes,
        ),
        lead,
    )

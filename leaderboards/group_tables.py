"""The tables of a report below those of its tasks: means, measures, scores, what cannot run."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from harness.core.grammar import counted
from harness.core.safety import SAFETY_METRICS
from harness.records.plan import NotRun
from harness.stats import Estimate
from leaderboards.footnotes import Footnotes
from leaderboards.no_interval import WHEN_BOUNDED
from leaderboards.row_notes import Note, coverage, covered, floor_cell, note_parts
from leaderboards.safety_tables import measured_suites, safety_columns
from leaderboards.schema import Group, Report, TaskRow
from leaderboards.tables import (
    Column,
    Table,
    one_decimal,
    percent,
    range_of,
    share_of,
    three_decimals,
)

__all__ = [
    "domains_of", "group_table", "has_scores", "metric_table", "not_run_table", "score_table",
    "seconds", "suites_of",
]  # fmt: skip


def suites_of(report: Report) -> list[Group]:
    """The suites, where there are several."""
    return [group for group in report.suites if group.n] if len(report.suites) > 1 else []


def domains_of(report: Report) -> list[Group]:
    """The domains that have a result."""
    return [group for group in report.domains if group.n]


def group_table(
    report: Report, groups: Sequence[Group], footnotes: Footnotes | None = None
) -> Table:
    """A row for each group of tasks. `footnotes`: see leaderboards.report_tables.task_table."""
    normalised = has_scores(report)
    known = any(group.floor for group in groups)
    expert = bool(report.run["agent"].get("privileged"))

    suites = any(group.suite for group in groups)
    total = groups[-1:] == [report.overall]

    def notes(group: Group) -> list[Note]:
        found = [*coverage(group), *note_parts(group)]
        absent = sum(
            group.suite in (None, row.suite) and group.domain in (None, row.domain)
            for row in report.not_run
        )
        if absent and footnotes is None:  # a terminal tells them last
            told = f"{counted(absent, 'task')} cannot run here"
            found.append(Note(told))
        return found

    def name(group: Group) -> str:
        if group.suite:
            return f"suite {group.suite}" if total else group.suite
        return group.domain or "overall"

    remarks = Column("notes", tuple("; ".join(map(str, notes(group))) for group in groups), "prose")
    if footnotes is not None:
        signs = tuple(footnotes.signs(name(group), notes(group)) for group in groups)
        remarks = Column("note", signs, "name")
    rates = tuple(percent(group.success_rate) or "-" for group in groups)
    safety = safety_columns(groups)
    titles = ["suites"] * suites + ["domains and overall"] * total
    return Table(
        ", ".join(titles),
        (
            Column("", tuple(name(group) for group in groups), "name"),
            Column(
                "tasks",
                tuple(share_of(group.tasks_with_result, group.tasks) for group in groups),
                spare=3 if safety else 1,
            ),
            Column("success %", rates if footnotes is None or set(rates) != {"-"} else ()),
            Column("95 %", tuple(range_of(group.interval, percent) for group in groups)),
            Column(
                "floor",
                tuple(
                    floor_cell(group, expert=expert, alone=footnotes is not None) if known else ""
                    for group in groups
                ),
            ),
            *safety,
            Column(
                "successes",
                tuple("" if group.successes is None else str(group.successes) for group in groups),
                spare=5,
            ),
            Column(
                "normalised",
                tuple(
                    (three_decimals(group.normalised) or "-") if normalised else ""
                    for group in groups
                ),
            ),
            Column("n", tuple(share_of(group.n, group.planned) for group in groups)),
            Column("sim s", tuple(seconds(group.simulator_s, group) for group in groups), spare=9),
            Column("agent s", tuple(seconds(group.agent_s, group) for group in groups), spare=9),
            remarks,
        ),
        total=total and len(groups) > 1,
    )


def seconds(value: float, row: TaskRow | Group) -> str:
    """A sum over the episodes of a row; nothing without any."""
    return one_decimal(value) if row.n else ""


def metric_table(rows: Sequence[TaskRow]) -> list[Table]:
    """A row for each suite, of the metrics that at least half of its tasks have."""
    suites: dict[str, list[TaskRow]] = {}
    for row in rows:
        if row.n:
            suites.setdefault(row.suite, []).append(row)
    names, cells = [], []
    for suite, played in suites.items():
        told = []
        # What the table of safety and cost tells stands there.
        apart: Collection[str] = SAFETY_METRICS if suite in measured_suites(played) else ()
        for name in dict.fromkeys(name for row in played for name in row.metrics):
            if name in apart:
                continue
            with_it = [row for row in played if name in row.metrics]
            if 2 * len(with_it) >= len(played):
                mean = sum(row.metrics[name] for row in with_it) / len(with_it)
                told.append(f"{name} {mean:.4g}{covered(name, with_it, len(played))}")
        if told:
            names.append(suite)
            cells.append("; ".join(told))
    if not names:
        return []
    columns = Column("suite", tuple(names), "name"), Column("measures", tuple(cells), "prose")
    lead = (
        "Means over tasks, each weighing the same, of what was measured in each episode, at its "
        "last step."
    )
    return [Table("other measures", columns, lead)]


def score_table(report: Report) -> list[Table]:
    """A row for each suite and domain that has normalised scores; no table without any."""
    groups = [(f"suite {group.suite}", group.scores) for group in report.suites if group.scores]
    shown = {scores for _, scores in groups}
    groups += [
        (str(group.domain), group.scores)
        for group in report.domains
        if group.scores and group.scores not in shown
    ]
    if not groups:
        return []

    def column(title: str, estimates: Sequence[Estimate | None]) -> Column:
        return Column(title, tuple(map(_with_range, estimates)))

    ends = dict.fromkeys(f"0 is {scores.low_name}, 1 is {scores.high_name}" for _, scores in groups)
    notes = {
        None: "tasks differ in their number of episodes: no IQM, no interval",
        1: "one episode a task: no interval",
    }
    return [
        Table(
            "normalised scores",
            (
                Column("", tuple(name for name, _ in groups), "name"),
                Column("tasks", tuple(str(scores.tasks) for _, scores in groups)),
                Column("episodes each", tuple(str(scores.episodes or "") for _, scores in groups)),
                column("median", [scores.median for _, scores in groups]),
                column("IQM", [scores.iqm for _, scores in groups]),
                column("optimality gap", [scores.optimality_gap for _, scores in groups]),
                column("mean", [scores.mean for _, scores in groups]),
                Column(
                    "notes", tuple(notes.get(scores.episodes, "") for _, scores in groups), "prose"
                ),
            ),
            f"{'; '.join(ends)}. Median: of the tasks' means. IQM: the middle half of all "
            "episodes. Optimality gap: the shortfall from 1, smaller is better. Intervals: 95 %; "
            "of the IQM by a bootstrap over episodes within each task, and none where tasks share "
            f"their seeds. {WHEN_BOUNDED}",
        )
    ]


def not_run_table(rows: Sequence[NotRun]) -> list[Table]:
    """A row for each reason and remedy in a suite; no table without any."""
    groups: dict[tuple[str, str, str, str], list[str]] = {}
    for row in rows:
        groups.setdefault((row.suite, row.domain, row.reason, row.remedy), []).append(row.task)
    if not groups:
        return []
    names = tuple(
        ", ".join(tasks) if len(tasks) <= 2 else f"{len(tasks)} tasks" for tasks in groups.values()
    )
    columns = [Column("tasks", names, "prose")]
    columns += [
        Column(name, tuple(key[k] for key in groups), "prose")
        for k, name in enumerate(("suite", "domain", "reason", "remedy"))
    ]
    folded = any(len(tasks) > 2 for tasks in groups.values())
    lead = "The JSON format lists every task." if folded else ""
    return [Table("cannot run here", tuple(columns), lead)]


def has_scores(report: Report) -> bool:
    """Whether any task has a score instead of a success."""
    return any(row.successes is None for row in report.tasks)


def _with_range(found: Estimate | None) -> str:
    """As in `0.041 (0.030 to 0.057)`."""
    if found is None:
        return ""
    bounds = range_of(found, three_decimals)
    return three_decimals(found.value) + (f" ({bounds})" if bounds else "")

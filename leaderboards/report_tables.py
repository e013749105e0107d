"""The header and the tables of a report."""

from __future__ import annotations

from collections.abc import Sequence

from harness.core.agent import ALL_VIEWS
from harness.core.grammar import counted
from harness.core.nouns import LONGEST_EPISODE
from harness.records.identity import UNNAMED
from harness.records.plan import NotRun
from harness.stats import Estimate
from leaderboards.answers import answers_table
from leaderboards.error_table import error_table
from leaderboards.late_answers import clock_lines, clock_table
from leaderboards.no_interval import WHEN_BOUNDED
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
    coverage,
    covered,
    floor_cell,
    floor_lead,
    in_unit,
    measure_cell,
    notes_of,
    time_cell,
)
from leaderboards.schema import Group, Report, TaskRow
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

__all__ = ["report_header", "report_tables"]


def report_header(report: Report) -> list[str]:
    """Who played what, when and with which versions, and how to read the figures."""
    run, agent = report.run, report.run["agent"]
    views = [name for name in agent["reads"] if name.rstrip("?") != "expert"]
    views = ["any view on offer" if name == ALL_VIEWS else name for name in views]
    seen = [f"reads {', '.join(views)}"] if views else []
    seen += ["privileged: sees the expert"] if agent.get("privileged") else []
    if agent["fingerprint"] == UNNAMED:
        seen.append("unnamed: a live object or function, which nobody can build again")
    arguments = "".join(f" {name}={value}" for name, value in agent["args"].items())
    packages = ", ".join(f"{name} {version}" for name, version in run["packages"].items())
    versions = "; ".join(filter(None, [f"bench {run['bench']}", packages]))
    ended = (
        f"finished {run['finished']}"
        if run["finished"]
        else "not finished: the same command goes on"
    )
    means = "suites, domains and overall: means of the rates of these tasks, each weighing the same"
    if _has_scores(report):
        means += (
            "; normalised: of success rates, and of normalised mean scores "
            "where there is no success"
        )
    lines = [
        f"{agent['name']} ({agent['entry']}{arguments}): {'; '.join(seen) or 'reads nothing'}",
        f"suites {', '.join(run['suites'])}; seed {run['plan']['seed']}; {versions}",
        f"begun {run['created']}, {ended}",
        "success %: of n episodes with a result; an agent's error is a failure. "
        "95 %: by Wilson for a task, by the score method for a mean",
        means,
    ]
    lines[1:1] = [
        *privilege_lines(report),
        *renderer_lines(report),
        *clock_lines(report.clock, report.footprint),
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
    if any(row.time_to_success for row in report.tasks):
        lines.append(
            "to success: steps until the first success; an episode without one counts with the "
            "horizon"
        )
    if report.overall.partial:
        lines.append("at worst: every planned episode without a result counted as a failure")
    return [*lines, *report.views]


def report_tables(report: Report) -> list[Table]:
    """All tables, in the order in which they are printed."""
    by_suite = {
        group.suite: [row for row in report.tasks if row.suite == group.suite]
        for group in report.suites
    }
    figures = {suite: figures_of(rows) for suite, rows in by_suite.items()}
    tables = [
        _task_table(
            str(suite), rows, figures[suite], expert=bool(report.run["agent"].get("privileged"))
        )
        for suite, rows in by_suite.items()
        if rows
    ]
    tables.append(_group_table(report))
    tables += _metric_table(report.tasks)
    tables += _score_table(report)
    tables += clock_table(report.latency)
    tables += server_timing_table(report.server_timing)
    tables += answers_table(report.answers)
    tables += published_table([figure for suite in by_suite for figure in figures[suite]])
    if report.perturbations or report.not_applicable:
        from leaderboards.robustness_tables import robustness_tables

        tables += robustness_tables(report)
    tables += error_table(report.errors)
    tables += _not_run_table(report.not_run)
    return tables


def _task_table(
    suite: str, rows: Sequence[TaskRow], figures: Sequence[PublishedFigure], *, expert: bool
) -> Table:
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
    if several:
        lead += "Rules: " + "; ".join(
            f"({k}) {rule.rstrip('.')}" for k, rule in enumerate(rules, 1)
        )
    elif rules:
        lead += f"Rule: {rules[0].rstrip('.')}"
    floors = [floor_cell(row, expert=expert) for row in rows] if known else []
    lead += f". {floor_lead(rows)}"
    if marks := marks_explained([*map(published, rows), *floors]):
        lead += f". {marks}"
    return Table(
        suite,
        (
            Column("task", tuple(row.task for row in rows), "name"),
            Column("domain", tuple(row.domain if len(domains) > 1 else "" for row in rows), "name"),
            Column("success %", tuple(percent(row.success_rate) for row in rows)),
            Column("95 %", tuple(range_of(row.interval, percent) for row in rows)),
            Column("floor", tuple(floors)),
            Column(
                "successes",
                tuple("" if row.successes is None else str(row.successes) for row in rows),
            ),
            Column("measure", tuple(map(measure_cell, rows))),
            Column(
                "score",
                tuple(score(row, number(row.score.value) if row.score else "") for row in rows),
            ),
            Column("95 % of score", tuple(score(row, range_of(row.score, number)) for row in rows)),
            Column("median", tuple(score(row, number(row.score_median)) for row in rows)),
            Column("normalised", tuple(score(row, three_decimals(row.normalised)) for row in rows)),
            Column("n", tuple(share_of(row.n, row.planned) for row in rows)),
            Column("steps", tuple(one_decimal(row.steps_mean) for row in rows)),
            Column("to success", tuple(map(time_cell, rows))),
            Column("sim s", tuple(one_decimal(row.simulator_s) if row.n else "" for row in rows)),
            Column("agent s", tuple(one_decimal(row.agent_s) if row.n else "" for row in rows)),
            Column(
                "rule",
                tuple(
                    str(rules.index(row.rule) + 1) if several and row.rule else "" for row in rows
                ),
            ),
            Column("published", tuple(published(row) for row in rows), "prose"),
            Column("notes", tuple(notes_of(row) for row in rows), "prose"),
        ),
        lead,
    )


def _group_table(report: Report) -> Table:
    suites = report.suites if len(report.suites) > 1 else ()
    groups = [group for group in (*suites, *report.domains) if group.n] + [report.overall]
    normalised = _has_scores(report)
    known = any(group.floor for group in groups)
    expert = bool(report.run["agent"].get("privileged"))

    def notes(group: Group) -> str:
        absent = sum(
            group.suite in (None, row.suite) and group.domain in (None, row.domain)
            for row in report.not_run
        )
        cannot = f"{counted(absent, 'task')} cannot run here" if absent else ""
        return "; ".join(filter(None, [coverage(group), notes_of(group), cannot]))

    def name(group: Group) -> str:
        return f"suite {group.suite}" if group.suite else group.domain or "overall"

    def seconds(value: float, group: Group) -> str:
        return one_decimal(value) if group.n else ""

    return Table(
        "suites, domains and overall" if suites else "domains and overall",
        (
            Column("", tuple(name(group) for group in groups), "name"),
            Column(
                "tasks", tuple(share_of(group.tasks_with_result, group.tasks) for group in groups)
            ),
            Column("success %", tuple(percent(group.success_rate) or "-" for group in groups)),
            Column("95 %", tuple(range_of(group.interval, percent) for group in groups)),
            Column(
                "floor",
                tuple(floor_cell(group, expert=expert) if known else "" for group in groups),
            ),
            Column(
                "successes",
                tuple("" if group.successes is None else str(group.successes) for group in groups),
            ),
            Column(
                "normalised",
                tuple(
                    (three_decimals(group.normalised) or "-") if normalised else ""
                    for group in groups
                ),
            ),
            Column("n", tuple(share_of(group.n, group.planned) for group in groups)),
            Column("sim s", tuple(seconds(group.simulator_s, group) for group in groups)),
            Column("agent s", tuple(seconds(group.agent_s, group) for group in groups)),
            Column("notes", tuple(notes(group) for group in groups), "prose"),
        ),
        total=True,
    )


def _metric_table(rows: Sequence[TaskRow]) -> list[Table]:
    """A row for each suite, of the metrics that at least half of its tasks have."""
    suites: dict[str, list[TaskRow]] = {}
    for row in rows:
        if row.n:
            suites.setdefault(row.suite, []).append(row)
    names, cells = [], []
    for suite, played in suites.items():
        told = []
        for name in dict.fromkeys(name for row in played for name in row.metrics):
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


def _score_table(report: Report) -> list[Table]:
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


def _not_run_table(rows: Sequence[NotRun]) -> list[Table]:
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


def _has_scores(report: Report) -> bool:
    return any(row.successes is None for row in report.tasks)


def _with_range(found: Estimate | None) -> str:
    """As in `0.041 (0.030 to 0.057)`."""
    if found is None:
        return ""
    bounds = range_of(found, three_decimals)
    return three_decimals(found.value) + (f" ({bounds})" if bounds else "")

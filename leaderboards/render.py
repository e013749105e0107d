"""The report of a run as text, Markdown, LaTeX, CSV or JSON. All of them show the same tables; only JSON and CSV keep every digit."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.core import Reference, UserError
from harness.records.plan import NotRun
from leaderboards.report import missing
from leaderboards.schema import Group, Report, Scores, TaskRow, to_json
from leaderboards.tables import Column, Table, latex_page, markdown_page, text_page

__all__ = ["FORMATS", "header_of", "render"]


def render(report: Report, format: str) -> str:
    """The report in one of FORMATS, without a newline at its end. Raises UserError for another format."""
    if format not in FORMATS:
        raise UserError(f"there is no format {format!r}: choose {', '.join(FORMATS)}")
    return FORMATS[format](report).rstrip("\n")


def _text(report: Report) -> str:
    return text_page(_header(report), _tables(report))


def _markdown(report: Report) -> str:
    return markdown_page(_header(report), _tables(report))


def _latex(report: Report) -> str:
    return latex_page(_header(report), _tables(report))


def _csv(report: Report) -> str:
    """The task rows, and those of the perturbations with their own columns behind; `ended`, `reference`, `metrics` and `scores` as JSON in their cells."""
    out = io.StringIO()
    found = to_json(report)
    names = [field.name for field in dataclasses.fields(TaskRow)]
    names += [name for name in (found["perturbations"] or [{}])[0] if name not in names]
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    for row in (*found["tasks"], *found["perturbations"]):
        nested = {
            name: json.dumps(row[name])
            for name in ("ended", "reference", "metrics", "scores")
            if row.get(name) is not None
        }
        writer.writerow({**row, **nested})
    return out.getvalue()


def _json(report: Report) -> str:
    return json.dumps(to_json(report), indent=1, allow_nan=False)


FORMATS: Mapping[str, Callable[[Report], str]] = {
    "text": _text,
    "markdown": _markdown,
    "latex": _latex,
    "csv": _csv,
    "json": _json,
}


def header_of(report: Report) -> list[str]:
    """Who played what, when and with which versions, and how to read the figures."""
    return _header(report)


def _header(report: Report) -> list[str]:
    run, agent = report.run, report.run["agent"]
    views = [name for name in agent["reads"] if name.rstrip("?") != "expert"]
    seen = [f"reads {', '.join(views)}"] if views else []
    seen += ["privileged: sees the expert"] if agent.get("privileged") else []
    arguments = " ".join(f"{name}={value}" for name, value in agent["args"].items())
    packages = ", ".join(f"{name} {version}" for name, version in run["packages"].items())
    lines = [
        f"{agent['name']} ({agent['entry']}{' ' + arguments if arguments else ''}): {'; '.join(seen) or 'reads nothing'}",
        f"suites {', '.join(run['suites'])}; seed {run['plan']['seed']}; "
        + "; ".join(filter(None, [f"bench {run['bench']}", packages])),
        f"begun {run['created']}, "
        + (
            f"finished {run['finished']}"
            if run["finished"]
            else "not finished: the same command goes on"
        ),
        "success %: of n episodes with a result; an agent's error is a failure. 95 %: by Wilson for a task, by the score method for a mean",
        "suites, domains and overall: means of the rates of these tasks, each weighing the same"
        + (
            "; normalised: of success rates, and of normalised mean scores where there is no success"
            if _has_scores(report)
            else ""
        ),
    ]
    if run.get("stopping"):
        lines.append(
            f"played by a rule: {run['stopping']}; where it stopped early, the intervals of tasks hold at every look, those of means do not"
        )
    if report.overall.partial:
        lines.append("at worst: every planned episode without a result counted as a failure")
    return lines


def _tables(report: Report) -> list[Table]:
    by_suite = {
        group.suite: [row for row in report.tasks if row.suite == group.suite]
        for group in report.suites
    }
    figures = {suite: _figures(rows) for suite, rows in by_suite.items()}
    tables = [
        _task_table(str(suite), rows, figures[suite]) for suite, rows in by_suite.items() if rows
    ]
    tables.append(_group_table(report))
    tables += _measure_table(report.tasks)
    tables += _score_table(report)
    tables += _published_table([figure for suite in by_suite for figure in figures[suite]])
    if report.perturbations or report.not_applicable:
        from leaderboards.robustness_tables import robustness_tables

        tables += robustness_tables(report)
    tables += _absent_table(report.not_run)
    return tables


def _task_table(suite: str, rows: Sequence[TaskRow], figures: Sequence[_Figure]) -> Table:
    rules = list(dict.fromkeys(row.rule for row in rows if row.rule))
    domains = list(dict.fromkeys(row.domain for row in rows))
    several, scores = len(rules) > 1, [row for row in rows if row.successes is None]
    own = [figure for figure in figures if figure.own]
    shows = {row.task for row in scores}

    def score(row: TaskRow, cell: str) -> str:
        return cell if row.task in shows else ""

    def published(row: TaskRow) -> str:
        cells = [
            f"{f.label} {f.values[row.task]:g}{'' if f.same_rule else '*'}"
            for f in own
            if row.task in f.values
        ]
        return "; ".join(cells)

    lead = f"{len(rows)} task{'' if len(rows) == 1 else 's'}, {', '.join(domains)}. "
    if several:
        lead += "Rules: " + "; ".join(
            f"({number}) {rule.rstrip('.')}" for number, rule in enumerate(rules, 1)
        )
    elif rules:
        lead += f"Rule: {rules[0].rstrip('.')}"
    if any(not figure.same_rule for figure in own):
        lead += ". *: by another rule, see the published figures"
    return Table(
        suite,
        (
            Column("task", tuple(row.task for row in rows), "name"),
            Column("domain", tuple(row.domain if len(domains) > 1 else "" for row in rows), "name"),
            Column("success %", tuple(_percent(row.success_rate) for row in rows)),
            Column("95 %", tuple(_range(row.ci_low, row.ci_high, _percent) for row in rows)),
            Column(
                "successes",
                tuple("" if row.successes is None else str(row.successes) for row in rows),
            ),
            Column("score", tuple(score(row, _number(row.score_mean)) for row in rows)),
            Column(
                "95 % of score",
                tuple(score(row, _range(row.score_low, row.score_high, _number)) for row in rows),
            ),
            Column("median", tuple(score(row, _number(row.score_median)) for row in rows)),
            Column("normalised", tuple(score(row, _unit(row.normalised)) for row in rows)),
            Column("n", tuple(_n(row) for row in rows)),
            Column("steps", tuple(_plain(row.steps_mean) for row in rows)),
            Column("sim s", tuple(_plain(row.simulator_s) if row.n else "" for row in rows)),
            Column("agent s", tuple(_plain(row.agent_s) if row.n else "" for row in rows)),
            Column(
                "rule",
                tuple(
                    str(rules.index(row.rule) + 1) if several and row.rule else "" for row in rows
                ),
            ),
            Column("published", tuple(published(row) for row in rows), "prose"),
            Column("notes", tuple(_notes(row) for row in rows), "prose"),
        ),
        lead,
    )


def _group_table(report: Report) -> Table:
    suites = report.suites if len(report.suites) > 1 else ()
    groups = [*suites, *report.domains, report.overall]
    normalised = _has_scores(report)

    def notes(group: Group) -> str:
        absent = sum(
            group.suite in (None, row.suite) and group.domain in (None, row.domain)
            for row in report.not_run
        )
        cannot = f"{absent} task{'' if absent == 1 else 's'} cannot run here" if absent else ""
        empty = "" if group.tasks or absent else "no task in this run"
        return "; ".join(filter(None, [_notes(group), cannot, empty]))

    def name(group: Group) -> str:
        return f"suite {group.suite}" if group.suite else group.domain or "overall"

    return Table(
        "suites, domains and overall" if suites else "domains and overall",
        (
            Column("", tuple(name(group) for group in groups), "name"),
            Column("tasks", tuple(_of(group.tasks_with_result, group.tasks) for group in groups)),
            Column("success %", tuple(_percent(group.success_rate) or "-" for group in groups)),
            Column(
                "95 %", tuple(_range(group.ci_low, group.ci_high, _percent) for group in groups)
            ),
            Column(
                "successes",
                tuple("" if group.successes is None else str(group.successes) for group in groups),
            ),
            Column(
                "normalised",
                tuple((_unit(group.normalised) or "-") if normalised else "" for group in groups),
            ),
            Column("n", tuple(_n(group) for group in groups)),
            Column(
                "sim s", tuple(_plain(group.simulator_s) if group.n else "" for group in groups)
            ),
            Column("agent s", tuple(_plain(group.agent_s) if group.n else "" for group in groups)),
            Column("notes", tuple(notes(group) for group in groups), "prose"),
        ),
        total=True,
    )


def _measure_table(rows: Sequence[TaskRow]) -> list[Table]:
    """A line a suite; each task's own are in the JSON and the CSV."""
    suites: dict[str, list[TaskRow]] = {}
    for row in rows:
        if row.n:
            suites.setdefault(row.suite, []).append(row)
    names, words = [], []
    for suite, played in suites.items():
        told = []
        for name in dict.fromkeys(name for row in played for name in row.metrics):
            values = [row.metrics[name] for row in played if name in row.metrics]
            if 2 * len(values) >= len(played):
                told.append(
                    f"{name} {sum(values) / len(values):.4g}"
                    + (f" ({len(values)} tasks)" if len(values) < len(played) else "")
                )
        if told:
            names.append(suite)
            words.append("; ".join(told))
    lead = "Means over tasks, each weighing the same, of what was measured in each finished episode, at its last step."
    columns = Column("suite", tuple(names), "name"), Column("measures", tuple(words), "prose")
    return [Table("other measures", columns, lead)] if names else []


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

    def column(title: str, name: str) -> Column:
        return Column(title, tuple(_with_range(scores, name) for _, scores in groups))

    ends = dict.fromkeys(f"0 is {scores.low_name}, 1 is {scores.high_name}" for _, scores in groups)
    lead = f"{'; '.join(ends)}. Median: of the tasks' means. IQM: the middle half of all episodes. Optimality gap: the shortfall from 1, "
    lead += "smaller is better. Intervals: 95 %, bootstrap over episodes within each task."
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
                column("median", "median"),
                column("IQM", "iqm"),
                column("optimality gap", "optimality_gap"),
                column("mean", "mean"),
                Column(
                    "notes", tuple(notes.get(scores.episodes, "") for _, scores in groups), "prose"
                ),
            ),
            lead,
        )
    ]


@dataclass(frozen=True)
class _Figure:
    """A published figure: one of the suite, or one of each task's own."""

    suite: str
    label: str
    metric: str
    source: str
    rule: str
    same_rule: bool
    values: Mapping[str, float]
    """By task."""

    @property
    def own(self) -> bool:
        """Whether each task has its own value: then it is printed beside the task."""
        return len(set(self.values.values())) > 1


def _figures(rows: Sequence[TaskRow]) -> list[_Figure]:
    found: dict[Reference, dict[str, float]] = {}
    for row in rows:
        for reference in row.reference:
            found.setdefault(dataclasses.replace(reference, value=0.0), {})[row.task] = (
                reference.value
            )
    return [
        _Figure(
            rows[0].suite,
            f"{r.row}: {r.label}" if r.row else r.label,
            r.metric,
            r.source,
            r.rule,
            r.same_rule,
            values,
        )
        for r, values in found.items()
    ]


def _published_table(figures: Sequence[_Figure]) -> list[Table]:
    if not figures:
        return []
    values = tuple("by task" if f.own else f"{next(iter(f.values.values())):g}" for f in figures)
    rules = tuple(
        "the same rule" if f.same_rule else f"another rule: {f.rule or 'not stated'}"
        for f in figures
    )
    columns = (
        Column("suite", tuple(f.suite for f in figures), "name"),
        Column("of", tuple(f.label for f in figures), "name"),
        Column("value", values),
        Column("metric", tuple(f.metric for f in figures), "prose"),
        Column("rule", rules, "prose"),
        Column("source", tuple(f.source for f in figures), "prose"),
    )
    return [Table("published figures", columns)]


def _absent_table(rows: Sequence[NotRun]) -> list[Table]:
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
    lead = (
        "The JSON format lists every task."
        if any(len(tasks) > 2 for tasks in groups.values())
        else ""
    )
    return [Table("cannot run here", tuple(columns), lead)]


def _has_scores(report: Report) -> bool:
    return any(row.successes is None for row in report.tasks)


def _notes(row: TaskRow | Group) -> str:
    worst = (
        f", at worst {_percent(row.rate_if_missing_fail)}%"
        if row.rate_if_missing_fail is not None
        else ""
    )
    partial = f"partial: {missing(row)}{worst}" if row.partial else ""
    agent = (
        f"{row.agent_errors} agent error{'' if row.agent_errors == 1 else 's'}"
        if row.agent_errors
        else ""
    )
    return "; ".join(filter(None, [partial, agent]))


def _n(row: TaskRow | Group) -> str:
    return _of(row.n, row.planned)


def _of(some: int, all_: int) -> str:
    return str(some) if some == all_ else f"{some} of {all_}"


def _percent(rate: float | None) -> str:
    return "" if rate is None else f"{100 * rate:.1f}"


def _unit(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}" if abs(value) >= 100 else f"{value:.2f}"


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _range(low: float | None, high: float | None, write: Callable[[float | None], str]) -> str:
    return "" if low is None or high is None else f"{write(low)} to {write(high)}"


def _with_range(scores: Scores, name: str) -> str:
    value, low, high = (getattr(scores, name + end) for end in ("", "_low", "_high"))
    return _unit(value) + (f" ({_range(low, high, _unit)})" if low is not None else "")

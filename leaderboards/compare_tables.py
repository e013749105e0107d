"""The header and the tables of a comparison."""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare.comparison import Comparison, GroupRow, PairRow
from harness.core.grammar import counted
from harness.stats import Estimate
from leaderboards.compare import Compared
from leaderboards.tables import (
    Column,
    Table,
    number,
    p_value,
    percent,
    range_of,
    share_of,
    signed_points,
)

__all__ = [
    "comparison_header", "comparison_headline", "comparison_tables", "condition_table",
    "deciding_lines", "flip_table", "mean_table", "reading_lines", "runs_line",
    "task_table", "violation_table",
]  # fmt: skip

SHOWN_FLIPS = 10
"""Flipped cases of a task that are printed, losses and wins each."""
MOST_FLIPPED = 10
"""Tasks whose flipped cases a terminal shows."""
CHECKPOINT = "of this checkpoint of each agent; other trainings of it may differ: see `--method`"


def comparison_headline(compared: Compared) -> str:
    """The verdict and the reason."""
    found = compared.comparison
    return f"{'no verdict' if found.verdict == 'none' else found.verdict}: {found.why}"


def comparison_header(compared: Compared) -> list[str]:
    """Which runs, how many cases it would take to decide, and how to read the figures."""
    return [runs_line(compared), *deciding_lines(compared), *reading_lines(compared)]


def runs_line(compared: Compared) -> str:
    """Which runs are compared, and how strictly."""
    found = compared.comparison
    return (
        f"base {compared.base} ({compared.base_agent}), new {compared.new} ({compared.new_agent}); "
        f"margin {100 * found.margin:g} points, alpha {found.alpha:g}"
        f"{', outcome ' + found.outcome if found.outcome else ''}"
    )


def deciding_lines(compared: Compared) -> list[str]:
    """Why a gate stopped, how many cases would decide, and what the verdict speaks of."""
    found = compared.comparison
    lines = [compared.stopped] if compared.stopped else []
    if found.success is not None:
        change = found.success.difference
        lines.append(
            f"success itself: {signed_points(change.value)} points, "
            f"{range_of(change, signed_points)}; alone it would say {found.success_verdict}"
        )
    often = " in 80 of 100 repetitions" if found.method == "fixed" else ""
    if found.more is not None:
        lines.append(
            f"about {found.more} more pairs would decide{often}, whatever the true difference is"
        )
    elif found.verdict == "inconclusive" and found.detectable is None:
        lines.append(
            "the tasks have very different numbers of pairs: how many more would decide is not "
            "estimated"
        )
    elif found.verdict == "inconclusive":
        lines.append("no number of further pairs below a million would surely decide")
    if found.violations is not None and found.violations.is_worse:
        more = found.violations.overall.difference
        lines.append(
            f"violations got more frequent: {signed_points(more.value)} points, "
            f"{range_of(more, signed_points)}; the verdict does not count them"
        )
    if found.detectable is not None and found.method == "fixed":
        pairs = sum(row.n for row in found.tasks)
        lines.append(
            f"{pairs} pairs find an overall difference of {100 * found.detectable:.1f} points or "
            "more in 80 of 100 repetitions"
        )
    return [*lines, CHECKPOINT]


def reading_lines(compared: Compared) -> list[str]:
    """How to read the figures, and what was not compared."""
    found, lines = compared.comparison, list[str]()
    level = f"{100 * (1 - found.alpha):g} %"
    correction = {"holm": "Holm", "bh": "Benjamini and Hochberg", "none": "none"}[found.correction]
    if found.method == "fixed":
        lines.append(
            f"intervals: {level}, paired; p: exact McNemar, or flipped signs where values lie in "
            f"between; correction over tasks: {correction}"
        )
    else:
        lines.append(
            f"intervals ({level}) and p-values hold at every look; "
            f"correction over tasks: {correction}"
        )
    if found.improvement is not None:
        chance = found.improvement
        lines.append(
            "tasks with scores: new scores more than base in the same case with probability "
            f"{chance.value:.2f} ({chance.low:.2f} to {chance.high:.2f}), ties counted half"
        )
    if any(row.measure == "normalised" for row in found.tasks):
        lines.append(
            "normalised scores below 0 or above 1: the difference of a case is a share of the "
            "larger one, 100 points at most"
        )
    if any(row.measure == "sign" for row in found.tasks):
        lines.append(
            "tasks with raw scores only: the difference is the share of cases won minus that lost; "
            "they have no rate"
        )
    return [*lines, *compared.notes]


def comparison_tables(compared: Compared) -> list[Table]:
    """All tables, in the order in which they are printed."""
    found = compared.comparison
    tables = [task_table(found, found.tasks), *mean_table(found), *condition_table(found)]
    return [*tables, *violation_table(found), *flip_table(found)]


def task_table(
    found: Comparison, rows: Sequence[PairRow], *, short: bool = False, bounds: bool = True
) -> Table:
    """A row for each task. `bounds`: of rates of 0 and 1; their difference has some anyway."""
    lead = "In points of 100, new minus base."
    if found.method == "fixed" and not short:
        lead += (
            " Detectable: the smallest difference that this number of pairs finds in 80 of 100 "
            "repetitions, for a task alone, before correction."
        )

    def value(each: Estimate | None, measure: str) -> str:
        return _value(each, measure, bound=bounds)

    return Table(
        "tasks",
        (
            Column("task", tuple(row.task for row in rows), "name"),
            Column("base", tuple(value(row.base, row.measure) for row in rows)),
            Column("new", tuple(value(row.new, row.measure) for row in rows)),
            Column(
                "change" if short else "difference",
                tuple(signed_points(row.difference.value) for row in rows),
            ),
            Column("interval", tuple(range_of(row.difference, signed_points) for row in rows)),
            Column("lost", tuple(str(row.losses) for row in rows), spare=2),
            Column("won", tuple(str(row.wins) for row in rows), spare=2),
            Column("n", tuple(share_of(row.n, row.n + row.missing) for row in rows)),
            Column("p", tuple(p_value(row.p) for row in rows), spare=3),
            Column("corrected", tuple(p_value(row.adjusted) for row in rows), spare=1),
            Column(
                "detectable",
                tuple(
                    "" if row.detectable is None else f"{100 * row.detectable:.0f}" for row in rows
                ),
                spare=4,
            ),
            Column("verdict", tuple(row.verdict for row in rows), "name"),
        ),
        lead,
    )


def mean_table(found: Comparison) -> list[Table]:
    """Of the domains and overall, where there is a mean."""
    groups = [*found.domains, *([found.overall] if found.overall else [])]
    if not groups:
        return []
    return [_group_table("domains and overall", groups, total=found.overall is not None)]


def condition_table(found: Comparison) -> list[Table]:
    """A row for each perturbation."""
    return [_group_table("perturbations", found.perturbations)] if found.perturbations else []


def _group_table(title: str, rows: Sequence[GroupRow], *, total: bool = False) -> Table:
    return Table(
        title,
        (
            Column("", tuple(row.name for row in rows), "name"),
            Column("tasks", tuple(str(row.tasks) for row in rows), spare=2),
            Column("base", tuple(percent(row.base) for row in rows)),
            Column("new", tuple(percent(row.new) for row in rows)),
            Column("difference", tuple(signed_points(row.difference.value) for row in rows)),
            Column("interval", tuple(range_of(row.difference, signed_points) for row in rows)),
            Column("p", tuple(p_value(row.p) for row in rows)),
            Column("n", tuple(str(row.n) for row in rows)),
            Column(
                "for other tasks too",
                tuple(range_of(row.wider, signed_points) for row in rows),
                spare=1,
            ),
        ),
        "Means over tasks, each weighing the same.",
        total=total,
    )


def violation_table(found: Comparison, *, short: bool = False) -> list[Table]:
    """A row for each task that measures violations, and their mean. `short`: the mean alone."""
    told = found.violations
    if told is None:
        return []
    rows = [*(() if short or len(told.tasks) < 2 else told.tasks), told.overall]
    bounds = (
        ""
        if told.overall.difference.low is not None
        else (" No interval: a run could stop for what it saw.")
    )
    return [
        Table(
            "violations",
            (
                Column("", tuple(row.name for row in rows), "name"),
                Column("tasks", tuple(str(row.tasks) for row in rows), spare=1),
                Column("base %", tuple(percent(row.base) for row in rows)),
                Column("new %", tuple(percent(row.new) for row in rows)),
                Column("change", tuple(signed_points(row.difference.value) for row in rows)),
                Column("interval", tuple(range_of(row.difference, signed_points) for row in rows)),
                Column("n", tuple(str(row.n) for row in rows)),
            ),
            f"Episodes with at least one violation ({', '.join(told.metrics)}), new minus base in "
            f"points of 100: above 0 is worse. The verdict does not count them.{bounds}",
            total=len(rows) > 1,
        )
    ]


def flip_table(found: Comparison, *, short: bool = False) -> list[Table]:
    """The cases that only one agent solved. `short`: their number, and some in one line."""
    if not found.flips:
        return []
    cells: dict[str, dict[str, list[str]]] = {}
    for flip in found.flips:
        name = " ".join([str(flip.seed), *flip.perturbations])
        cells.setdefault(flip.task, {"worse": [], "better": []})[flip.became].append(name)
    counts = {row.task: {"worse": row.losses, "better": row.wins} for row in found.tasks}
    if found.outcome:  # rows count cases of less progress, flips those of another success
        counts = {
            task: {
                became: sum((each.task, each.became) == (task, became) for each in found.flips)
                for became in ("worse", "better")
            }
            for task in cells
        }

    def seeds(task: str, became: str) -> str:
        shown = cells[task][became][:SHOWN_FLIPS]
        count = counts[task][became]
        if short:
            return f"{count}: {', '.join(shown)}" if count else ""
        more = count - len(shown)
        if more <= 0:
            return ", ".join(shown)
        return f"{', '.join(shown)} and {more} more" if shown else f"{more}"

    lead = "`bench show RUN CASE` plays one of them again."
    tasks = list(cells)
    if short and len(tasks) > MOST_FLIPPED:
        lead += f" {MOST_FLIPPED} of {counted(len(tasks), 'task')}, which flipped the most."
        tasks.sort(key=lambda task: -sum(counts[task].values()))
        tasks = tasks[:MOST_FLIPPED]
    kind = "line" if short else "prose"
    return [
        Table(
            "cases that flipped, by seed",
            (
                Column("task", tuple(tasks), "name"),
                Column("lost", tuple(seeds(task, "worse") for task in tasks), kind),
                Column("won", tuple(seeds(task, "better") for task in tasks), kind),
            ),
            lead,
        )
    ]


def _value(found: Estimate | None, measure: str, *, bound: bool) -> str:
    """In percent; `bound`: a rate of 0 or 1 with its open bound, as in `100.0 (>75.8)`."""
    if found is None:
        return "-"
    if measure == "sign":
        return number(found.value)
    told = ""
    if bound and found.value == 0 and found.high:
        told = f" (<{percent(found.high)})"
    elif bound and found.value == 1 and found.low:
        told = f" (>{percent(found.low)})"
    return percent(found.value) + told

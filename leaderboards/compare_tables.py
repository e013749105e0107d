"""The header and the tables of a comparison."""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare.comparison import Comparison, GroupRow
from harness.stats import Estimate
from leaderboards.compare import Compared
from leaderboards.tables import Column, Table, number, percent, range_of, share_of, signed_points

__all__ = ["comparison_header", "comparison_headline", "comparison_tables", "p_value"]

SHOWN_FLIPS = 10
"""Flipped cases of a task that are printed, losses and wins each."""


def comparison_headline(compared: Compared) -> str:
    """The verdict and the reason."""
    found = compared.comparison
    return f"{'no verdict' if found.verdict == 'none' else found.verdict}: {found.why}"


def comparison_header(compared: Compared) -> list[str]:
    """Which runs, how many cases it would take to decide, and how to read the figures."""
    found = compared.comparison
    lines = [
        f"base {compared.base} ({compared.base_agent}), new {compared.new} ({compared.new_agent}); "
        f"margin {100 * found.margin:g} points, alpha {found.alpha:g}"
    ]
    if compared.stopped:
        lines.append(compared.stopped)
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
    if found.detectable is not None and found.method == "fixed":
        pairs = sum(row.n for row in found.tasks)
        lines.append(
            f"{pairs} pairs find an overall difference of {100 * found.detectable:.1f} points or "
            "more in 80 of 100 repetitions"
        )
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
    groups = [*found.domains, *([found.overall] if found.overall else [])]
    tables = [_task_table(found)]
    if groups:
        tables.append(_group_table("domains and overall", groups, total=found.overall is not None))
    if found.perturbations:
        tables.append(_group_table("perturbations", found.perturbations))
    if found.flips:
        tables.append(_flip_table(found))
    return tables


def _task_table(found: Comparison) -> Table:
    rows = found.tasks
    lead = "In points of 100, new minus base."
    if found.method == "fixed":
        lead += (
            " Detectable: the smallest difference that this number of pairs finds in 80 of 100 "
            "repetitions, for a task alone, before correction."
        )
    return Table(
        "tasks",
        (
            Column("task", tuple(row.task for row in rows), "name"),
            Column("base", tuple(_value(row.base, row.measure) for row in rows)),
            Column("new", tuple(_value(row.new, row.measure) for row in rows)),
            Column("difference", tuple(signed_points(row.difference.value) for row in rows)),
            Column("interval", tuple(range_of(row.difference, signed_points) for row in rows)),
            Column("lost", tuple(str(row.losses) for row in rows)),
            Column("won", tuple(str(row.wins) for row in rows)),
            Column("n", tuple(share_of(row.n, row.n + row.missing) for row in rows)),
            Column("p", tuple(p_value(row.p) for row in rows)),
            Column("corrected", tuple(p_value(row.adjusted) for row in rows)),
            Column(
                "detectable",
                tuple(
                    "" if row.detectable is None else f"{100 * row.detectable:.0f}" for row in rows
                ),
            ),
            Column("verdict", tuple(row.verdict for row in rows), "name"),
        ),
        lead,
    )


def _group_table(title: str, rows: Sequence[GroupRow], *, total: bool = False) -> Table:
    return Table(
        title,
        (
            Column("", tuple(row.name for row in rows), "name"),
            Column("tasks", tuple(str(row.tasks) for row in rows)),
            Column("base", tuple(percent(row.base) for row in rows)),
            Column("new", tuple(percent(row.new) for row in rows)),
            Column("difference", tuple(signed_points(row.difference.value) for row in rows)),
            Column("interval", tuple(range_of(row.difference, signed_points) for row in rows)),
            Column("p", tuple(p_value(row.p) for row in rows)),
            Column("n", tuple(str(row.n) for row in rows)),
            Column(
                "for other tasks too", tuple(range_of(row.wider, signed_points) for row in rows)
            ),
        ),
        "Means over tasks, each weighing the same.",
        total=total,
    )


def _flip_table(found: Comparison) -> Table:
    cells: dict[str, dict[str, list[str]]] = {}
    for flip in found.flips:
        name = " ".join([str(flip.seed), *flip.perturbations])
        cells.setdefault(flip.task, {"worse": [], "better": []})[flip.became].append(name)
    counts = {row.task: {"worse": row.losses, "better": row.wins} for row in found.tasks}

    def seeds(task: str, became: str) -> str:
        shown = cells[task][became][:SHOWN_FLIPS]
        more = counts[task][became] - len(shown)
        if more <= 0:
            return ", ".join(shown)
        return f"{', '.join(shown)} and {more} more" if shown else f"{more}"

    return Table(
        "cases that flipped, by seed",
        (
            Column("task", tuple(cells), "name"),
            Column("lost", tuple(seeds(task, "worse") for task in cells), "prose"),
            Column("won", tuple(seeds(task, "better") for task in cells), "prose"),
        ),
        "`bench show RUN CASE` plays one of them again.",
    )


def _value(found: Estimate | None, measure: str) -> str:
    """In percent; a rate of 0 or 1 with its open bound, as in `100.0 (>75.8)`."""
    if found is None:
        return "-"
    if measure == "sign":
        return number(found.value)
    bound = ""
    if found.value == 0 and found.high:
        bound = f" (<{percent(found.high)})"
    elif found.value == 1 and found.low:
        bound = f" (>{percent(found.low)})"
    return percent(found.value) + bound


def p_value(p: float) -> str:
    """As it is printed."""
    return "<0.0001" if p < 0.0001 else f"{p:.4f}" if p < 0.01 else f"{p:.2f}"

"""A comparison of two runs for a terminal: the verdict stands last, and long tables are folded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from harness.compare.comparison import PairRow
from harness.core.grammar import counted
from leaderboards.compare import Compared
from leaderboards.compare_tables import (
    comparison_headline,
    condition_table,
    deciding_lines,
    flip_table,
    mean_table,
    reading_lines,
    runs_line,
    task_table,
    violation_table,
)
from leaderboards.tables import FULL_WIDTH, Lines, Table, fits, narrowed, text_page

__all__ = ["full_comparison", "short_comparison"]

MOST_TASKS = 30
"""Rows of tasks that are printed; of more, SHOWN."""
SHOWN = 20
ORDER = ("worse", "better", "open", "no worse")
"""Which verdicts on tasks come first where not all are printed."""


def full_comparison(compared: Compared, width: int) -> str:
    """All tables, nothing folded, with the verdict last."""
    found = compared.comparison
    tables = [
        task_table(found, found.tasks),
        *condition_table(found),
        *violation_table(found),
        *flip_table(found),
    ]
    width = max(width, FULL_WIDTH)
    return _page(compared, tables, mean_table(found), [], width, whole_names=True)


def short_comparison(compared: Compared, width: int) -> str:
    """What one looks for, in rows of at most `width` characters."""
    found = compared.comparison
    left_out: dict[str, None] = {}

    def fit(table: Table) -> Table:
        shown, names = narrowed(table, width)
        left_out.update(dict.fromkeys(names))
        return shown

    rows = _first(found.tasks)
    tasks = task_table(found, rows, short=True)
    if not fits(narrowed(tasks, width)[0], width):
        tasks = task_table(found, rows, short=True, bounds=False)
    tasks = fit(tasks)
    more = []
    if len(found.tasks) > MOST_TASKS:
        verdicts = Counter(row.verdict for row in found.tasks)
        counts = ", ".join(f"{verdicts[name]} {name}" for name in ORDER if verdicts[name])
        lead = f"{tasks.lead} {SHOWN} of {counted(len(found.tasks), 'task')}: {counts}."
        tasks = Table(tasks.title, tasks.columns, lead)
        more.append(f"all {counted(len(found.tasks), 'task')}")
    further = [
        *condition_table(found),
        *violation_table(found, short=True),
        *flip_table(found, short=True),
    ]
    tables = [tasks, *map(fit, further)]
    means = [fit(table) for table in mean_table(found)]
    if left_out:
        more.append(f"{'column' if len(left_out) == 1 else 'columns'} {', '.join(left_out)}")
    told = [f"`--full` has more: {'; '.join(more)}"] if more else []
    return _page(compared, tables, means, told, width)


def _first(rows: Sequence[PairRow]) -> Sequence[PairRow]:
    """Those that got worse or better, then those of the largest difference."""
    if len(rows) <= MOST_TASKS:
        return rows
    return sorted(rows, key=lambda row: (ORDER.index(row.verdict), -abs(row.difference.value)))[
        :SHOWN
    ]


def _page(
    compared: Compared,
    tables: Sequence[Table],
    means: Sequence[Table],
    more: list[str],
    width: int,
    *,
    whole_names: bool = False,
) -> str:
    notes = Lines("notes", (*reading_lines(compared), *more))
    verdict = Lines("verdict", (comparison_headline(compared), *deciding_lines(compared)))
    parts: list[Table | Lines] = [*tables, notes, *means, verdict]
    return text_page([runs_line(compared)], parts, width=width, whole_names=whole_names)

"""`bench compare A B C ... --format html`: one file that shows three runs or more.

Every figure is what the text of the comparison prints, from the same functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.compare.pairs import ScoredRun
from harness.core.text import printable, shorten
from leaderboards.compare_several import Several, shared_cases
from leaderboards.page.changed_cases import Candidate, ChangedCase, KeptRun, changed_cases, chosen
from leaderboards.page.compare_page import render_comparison
from leaderboards.page.sides import badges_of_runs, fetched_words
from leaderboards.several_render import several_header, several_tables
from leaderboards.tables import Column, Table, signed_points

__all__ = ["several_page"]

MOST_SIDES = 4
"""Runs whose cases are shown beside each other."""
MOST_PAIRS = 400
"""Of the plot; the table has all."""
LONGEST = 80


def several_page(several: Several, runs: Sequence[ScoredRun]) -> str:
    """The page of a comparison of these runs.

    Raises UserError where a file of theirs is damaged or a link, or without jinja2.
    """
    apart = _solved_by_some(runs)
    shown: list[Candidate] = []
    cases: tuple[ChangedCase, ...] = ()
    if len(runs) <= MOST_SIDES:
        kept = [KeptRun(run) for run in runs]
        shown = chosen(apart, kept)
        for run in kept:
            run.read(each.key for each in shown)
        cases = changed_cases(shown, kept)
    header = [*several_header(several), *_of_many(runs)]
    tables = several_tables(several)
    return render_comparison(
        title=f"{len(runs)} runs compared",
        headline=header[1] if several.q is not None else header[0],
        sentences=header[:1] if several.q is not None else (),
        badges=badges_of_runs(runs),
        figures=[],
        plots={
            "ranks": [
                {"run": _short(row.run), "low": row.rank_low, "high": row.rank_high}
                for row in several.runs
            ],
            "differences": {"rows": _contrasts(several), "margin": None},
        },
        differences_lead=(
            "Every pair, the second run minus the first, in points of 100. An interval is for its "
            "pair alone."
        ),
        cases=cases,
        cases_lead=f"Some of the runs solved {len(apart)} cases that others did not. "
        f"{len(shown)} of them are shown.{fetched_words(runs)}",
        tables=[tables[0], _matrix(several), *tables[1:]],
        header=header[2 if several.q is not None else 1 :],
        runs=runs,
    )


def _of_many(runs: Sequence[ScoredRun]) -> list[str]:
    if len(runs) <= MOST_SIDES:
        return []
    return [f"cases are shown side by side of {MOST_SIDES} runs at most: compare fewer for that"]


def _contrasts(several: Several) -> list[dict[str, Any]]:
    return [
        {
            "name": _short(f"{row.base} → {row.new}"),
            **{
                part: round(100 * getattr(row.difference, part), 2)
                for part in ("value", "low", "high")
            },
            "n": several.cases,
            "mean": True,
        }
        for row in several.contrasts[:MOST_PAIRS]
    ]


def _matrix(several: Several) -> Table:
    """Each run minus each other one, the best first."""
    found = {}
    for row in several.contrasts:
        mark = " *" if row.differ else ""
        found[row.new, row.base] = f"{signed_points(row.difference.value)}{mark}"
        # 0.0 - 0.0 has no minus sign.
        found[row.base, row.new] = f"{signed_points(0.0 - row.difference.value)}{mark}"
    names = [row.run for row in several.runs]
    return Table(
        "differences of all pairs",
        (
            Column("", tuple(names), "name"),
            *(Column(name, tuple(found.get((row, name), "") for row in names)) for name in names),
        ),
        "The run of the row minus that of the column, in points of 100; * differs after Holm's "
        "correction over the pairs.",
    )


def _solved_by_some(runs: Sequence[ScoredRun]) -> list[Candidate]:
    """The cases of tasks with a success that some runs solved and others did not."""
    rated = {item.task.id for item in runs[0].plan.items if item.task.success is not None}
    return [
        Candidate(key, "apart")
        for key in shared_cases(runs)
        if key[0] in rated and len({run.values[key] > 0.5 for run in runs}) > 1
    ]


def _short(text: str) -> str:
    return printable(shorten(text, LONGEST))

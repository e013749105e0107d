"""`bench compare BASE NEW --format html`: one file that shows two runs case by case.

Every figure is what the text of the comparison prints, from the same functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from harness.compare.comparison import Comparison, GroupRow, PairRow
from harness.compare.pairs import ScoredRun
from harness.core.grammar import counted
from harness.core.text import printable, shorten
from leaderboards.compare import Compared
from leaderboards.compare_tables import (
    comparison_header,
    comparison_headline,
    comparison_tables,
)
from leaderboards.page.changed_cases import KeptRun, changed_cases, chosen, flipped
from leaderboards.page.embed import as_json, environment, policy, scripts, styles
from leaderboards.page.html_tables import html_tables
from leaderboards.page.sides import (
    badges_of_runs,
    facts_of_runs,
    fetched_words,
    left_out_badge,
    left_out_table,
    protocol_table,
)
from leaderboards.robustness_compare import delta_tables, robustness_deltas
from leaderboards.tables import Table, percent, range_of, signed_points

__all__ = ["compare_page", "render_comparison"]

MOST_ROWS = 400
"""Of the plot; the table has all."""
LONGEST = 80
VERDICTS = {"pass": "good", "regress": "bad"}


def compare_page(
    compared: Compared, base: ScoredRun, new: ScoredRun, beside: tuple[str, str] = ("", "")
) -> str:
    """The page of a comparison of these two runs.

    beside: the run directories as the page links to them; empty: from the current folder. Raises
    UserError where a file of theirs is damaged or a link, or without jinja2.
    """
    found = compared.comparison
    runs = [KeptRun(*each) for each in zip((base, new), beside)]
    picked = chosen(flipped(compared), runs)
    for run in runs:
        run.read(each.key for each in picked)
    tables = [
        *comparison_tables(compared),
        *_robustness(compared, *runs),
        *left_out_table(compared.pairs),
    ]
    margin = round(100 * found.margin, 4)
    plots = {
        "differences": {"rows": _differences(found), "margin": margin},
        "conditions": {"rows": [_row(row, mean=True) for row in found.perturbations[:MOST_ROWS]],
                       "margin": None},
    }  # fmt: skip
    header = comparison_header(compared)
    return render_comparison(
        title=f"{compared.new_agent} against {compared.base_agent}",
        headline=comparison_headline(compared),
        sentences=header[:1],
        badges=[
            (VERDICTS.get(found.verdict, "warning"), _verdict(found)),
            *left_out_badge(compared.pairs),
            *badges_of_runs([base, new]),
        ],
        figures=_figures(found),
        plots=plots,
        differences_lead=(
            "New minus base, in points of 100, with paired intervals: a diamond is a mean over "
            f"tasks. The dashed line is the margin, {margin:g} points below 0."
        ),
        cases=changed_cases(picked, runs),
        cases_lead=_cases_lead(compared, len(picked)) + fetched_words([base, new]),
        tables=tables,
        header=header[1:],
        runs=[base, new],
    )


def render_comparison(
    *,
    title: str,
    headline: str,
    sentences: Sequence[str],
    header: Sequence[str],
    tables: Iterable[Table],
    plots: dict[str, Any],
    runs: Sequence[ScoredRun],
    **more: Any,
) -> str:
    """A page of two runs or more, by the template `compare.html.j2`."""
    used = scripts("cases.js")
    plots = {"differences": {"rows": []}, "conditions": {"rows": []}, "ranks": [], **plots}
    *shown, protocols = html_tables([*tables, protocol_table(runs)])
    page: str = (
        environment()
        .get_template("compare.html.j2")
        .render(
            title=printable(title),
            headline=printable(headline),
            sentences=[*map(printable, sentences)],
            header=[*map(printable, header)],
            tables=shown,
            protocols=protocols,
            plots=plots,
            data=as_json(plots),
            facts=facts_of_runs(runs),
            names=[printable(shorten(run.name, 200)) for run in runs],
            refresh=0,
            scripts=used,
            styles=styles(),
            policy=policy(used, "data: file: 'self'"),
            **more,
        )
    )
    return page


def _verdict(found: Comparison) -> str:
    return "no verdict" if found.verdict == "none" else found.verdict


def _differences(found: Comparison) -> list[dict[str, Any]]:
    """Overall, the domains where there are several, then the tasks."""
    groups = [found.overall] if found.overall is not None else []
    groups += found.domains if len(found.domains) > 1 else ()
    rows = [_row(row, mean=True) for row in groups]
    return rows + [_row(row, mean=False) for row in found.tasks[: MOST_ROWS - len(rows)]]


def _row(row: GroupRow | PairRow, *, mean: bool) -> dict[str, Any]:
    name = row.name if isinstance(row, GroupRow) else row.task
    points = {each: round(100 * getattr(row.difference, each), 2) for each in _PARTS}
    return {"name": printable(shorten(name, LONGEST)), **points, "n": row.n, "mean": mean}


_PARTS = ("value", "low", "high")


def _figures(found: Comparison) -> list[dict[str, str]]:
    """The cards at the top of the page."""
    overall, tasks = found.overall, found.tasks
    if overall is None:
        return []
    of = f"{counted(overall.tasks, 'task')}, {counted(overall.n, 'pair')}"
    cards = [
        {
            "name": "difference",
            "rate": f"{signed_points(overall.difference.value)} points",
            "bounds": range_of(overall.difference, signed_points),
            "of": of,
        }
    ]
    for name, value in (("base", overall.base), ("new", overall.new)):
        if value is not None:
            cards.append({"name": name, "rate": f"{percent(value)} %", "bounds": "", "of": of})
    lost, won = sum(row.losses for row in tasks), sum(row.wins for row in tasks)
    cards.append(
        {"name": "lost, won", "rate": f"{lost}, {won}", "bounds": "", "of": "cases that differ"}
    )
    if found.violations is not None:
        row = found.violations.overall
        cards.append(
            {
                "name": "violations",
                "rate": f"{signed_points(row.difference.value)} points",
                "bounds": range_of(row.difference, signed_points),
                "of": f"{counted(row.tasks, 'task')}, {counted(row.n, 'pair')}: above 0 is worse",
            }
        )
    return cards


def _cases_lead(compared: Compared, shown: int) -> str:
    tasks = compared.comparison.tasks
    lost, won = sum(row.losses for row in tasks), sum(row.wins for row in tasks)
    lead = f"The new run lost {counted(lost, 'case')} and won {won}."
    if shown < lost + won:
        lead += f" {shown} of them are shown, those with videos in both runs first."
    return lead


def _robustness(compared: Compared, base: KeptRun, new: KeptRun) -> list[Table]:
    """What each perturbation costs either run.

    None where only one run is perturbed, or where the runs' views were drawn by different
    renderers: `bench compare --robustness` refuses those.
    """
    if base.arrays is None or new.arrays is None or any(each.apart for each in compared.pairs):
        return []
    return delta_tables(robustness_deltas(base.arrays, new.arrays))

"""`bench compare --method A=RUN,.. --method B=RUN,.. --format html`."""

from __future__ import annotations

from harness.probes.result import Plot
from leaderboards.compare_methods import MethodsCompared
from leaderboards.methods_render import method_sentences, method_tables
from leaderboards.page.finding_page import finding_page
from leaderboards.page.row_plots import differences, shares

__all__ = ["methods_page"]


def methods_page(found: MethodsCompared) -> str:
    """The page of methods, each by its trainings. Raises UserError without jinja2."""
    names = [row.method for row in found.methods]
    return finding_page(
        title=" against ".join(names) if len(names) == 2 else ", ".join(names),
        badge="methods, each by its trainings",
        sentences=method_sentences(found),
        plots=[*_rates(found), *_differences(found)],
        tables=method_tables(found),
        facts=[(row.method, ", ".join(row.runs)) for row in found.methods],
    )


def _rates(found: MethodsCompared) -> list[Plot]:
    rated = {row.method: row.rate for row in found.methods if row.rate is not None}
    if not rated:
        return []
    value = "success %, mean over trainings and tasks"
    return [shares("success", value, list(rated), {"success %": list(rated.values())})]


def _differences(found: MethodsCompared) -> list[Plot]:
    return [
        differences(
            "differences",
            "points of 100, the second minus the first",
            [f"{row.base}, {row.new}" for row in found.contrasts],
            {"difference": [row.difference for row in found.contrasts]},
        )
    ]

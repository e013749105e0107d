"""`bench compare --method A=RUN,.. --method B=RUN,.. --format html`."""

from __future__ import annotations

from harness.probes.result import Plot, Point, Series, point_of
from leaderboards.compare_methods import MethodsCompared
from leaderboards.methods_render import method_sentences, method_tables
from leaderboards.page.finding_page import finding_page

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
    rated = [(row.method, row.rate) for row in found.methods if row.rate is not None]
    if not rated:
        return []
    points = tuple(point_of(place, rate) for place, (_, rate) in enumerate(rated))
    return [
        Plot(
            title="success",
            kind="rows",
            value="success %, mean over trainings and tasks",
            labels=tuple(name for name, _ in rated),
            series=(Series(name="success %", points=points),),
            least=0,
            most=100,
        )
    ]


def _differences(found: MethodsCompared) -> list[Plot]:
    points: list[Point] = [
        point_of(place, row.difference) for place, row in enumerate(found.contrasts)
    ]
    return [
        Plot(
            title="differences",
            kind="rows",
            value="points of 100, the second minus the first",
            labels=tuple(f"{row.base}, {row.new}" for row in found.contrasts),
            series=(Series(name="difference", points=tuple(points)),),
            marks=(0.0,),
        )
    ]

"""`bench compare --robustness`: does the new agent lose less to a perturbation than the base agent?

Differences of differences between two perturbed runs, over the cases that both played.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from harness.core import UserError
from harness.stats import Estimate, mean_of_scores
from leaderboards.data_formats import json_page
from leaderboards.flatten import EstimateNames, bounds_of, flatten
from leaderboards.no_interval import WHEN_BOUNDED
from leaderboards.perturbed_results import FAILED, SUCCEEDED, CaseArrays
from leaderboards.robustness import mean_of_halves, scopes_of
from leaderboards.shared_seeds import designs_of_values
from leaderboards.tables import (
    FULL_WIDTH,
    WIDTH,
    Column,
    Table,
    markdown_page,
    narrowed,
    percent,
    range_of,
    signed_points,
    text_page,
    three_decimals,
)

__all__ = [
    "RobustnessDelta", "delta_tables", "difference_in_differences", "render_deltas",
    "robustness_deltas",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class RobustnessDelta:
    """What a perturbation costs a base run and a new run, and the difference.

    Means are over tasks, each weighing the same, and over the cases that both runs played.
    """

    perturbation: str
    severity: int
    domain: str | None
    """None: overall."""
    measure: str
    """`success`: success rates. `normalised`: normalised scores, of tasks without a success."""
    tasks: int
    pairs: int
    """Cases that both runs played, with their controls."""
    base_control: float
    base_rate: float
    new_control: float
    new_rate: float
    difference: Estimate
    """(new_rate - new_control) - (base_rate - base_control): above 0 the new agent loses less.
    Bounds: 95 %, paired by case; of scores by harness.stats.mean_of_scores."""


ESTIMATES: EstimateNames = {RobustnessDelta: bounds_of("difference")}


def difference_in_differences(base: CaseArrays, new: CaseArrays) -> tuple[RobustnessDelta, ...]:
    """For each perturbation overall, then by domain: of successes, then of normalised scores.

    Raises UserError when the runs share no perturbed case; else as robustness_deltas.
    """
    found = robustness_deltas(base, new)
    if not found:
        raise UserError(
            "the runs share no perturbed case with a control that has a success or a normalised "
            "score: play both with the same suite, seed and --perturb"
        )
    return found


def robustness_deltas(base: CaseArrays, new: CaseArrays) -> tuple[RobustnessDelta, ...]:
    """For each perturbation that both runs played, overall, then by domain.

    Tasks are the same where their content is; a severity with other parameters is another
    perturbation.
    """
    found = []
    for name in new.labels:
        for domain in scopes_of(new, name):
            shared = list(_shared(base, new, name, domain))
            for measure in ("success", "normalised"):
                chosen = [each for each in shared if each.measure == measure]
                if not chosen:
                    continue
                changes = [each.changes() for each in chosen]
                items, episodes = [each.item for each in chosen], [each.episodes for each in chosen]
                designs = designs_of_values(new, items, episodes, changes)
                change: Estimate | None = (
                    mean_of_halves(changes, designs)
                    if measure == "success"
                    else mean_of_scores(changes, design=designs)
                )
                assert change is not None
                found.append(
                    _delta(name, domain, measure, [each.values for each in chosen], change)
                )
    return tuple(found)


@dataclass(frozen=True)
class _Shared:
    """A task that both runs played under the same condition."""

    item: int
    """Of the plan of new."""
    episodes: np.ndarray
    """Those that have a result in all four, shape (cases,)."""
    measure: str
    values: np.ndarray
    """Shape (4, cases): the control and the perturbed case in base, then in new."""

    def changes(self) -> np.ndarray:
        """The difference of the two changes by case, shape (cases,)."""
        found: np.ndarray = (self.values[3] - self.values[2]) - (self.values[1] - self.values[0])
        return found


def _shared(base: CaseArrays, new: CaseArrays, name: str, domain: str | None) -> Iterator[_Shared]:
    theirs = {item.protocol: number for number, item in enumerate(base.plan.items)}
    for item, condition in new.played(name, domain):
        entry = new.plan.items[item]
        other = theirs.get(entry.protocol)
        its = None if other is None else base.condition(other, name)
        if (
            other is None
            or its is None
            or base.plan.conditions[its] != new.plan.conditions[condition]
            or base.plan.seed != new.plan.seed
        ):
            continue
        common = min(entry.episodes, base.plan.items[other].episodes)
        where = (base, other, 0), (base, other, its), (new, item, 0), (new, item, condition)
        if new.has_success(item):
            state = np.stack([side.state[which][number][:common] for side, which, number in where])
            whole = (state >= FAILED).all(axis=0)
            if whole.any():
                won = (state[:, whole] == SUCCEEDED).astype(np.float64)
                yield _Shared(item, np.flatnonzero(whole), "success", won)
        elif (normaliser := entry.task.normaliser) is not None:
            scores = np.stack([side.score[which][number][:common] for side, which, number in where])
            whole = np.isfinite(scores).all(axis=0)
            if whole.any():
                normalised = (scores[:, whole] - normaliser.low) / (
                    normaliser.high - normaliser.low
                )
                yield _Shared(item, np.flatnonzero(whole), "normalised", normalised)


def _delta(
    name: str, domain: str | None, measure: str, values: list[np.ndarray], change: Estimate
) -> RobustnessDelta:
    perturbation, _, severity = name.rpartition(":")
    means = np.mean([each.mean(axis=1) for each in values], axis=0).tolist()
    base_control, base_rate, new_control, new_rate = means
    return RobustnessDelta(
        perturbation=perturbation,
        severity=int(severity),
        domain=domain,
        measure=measure,
        tasks=len(values),
        pairs=sum(each.shape[1] for each in values),
        base_control=base_control,
        base_rate=base_rate,
        new_control=new_control,
        new_rate=new_rate,
        difference=change,
    )


def render_deltas(
    rows: Sequence[RobustnessDelta],
    format: str,
    notes: Sequence[str] = (),
    *,
    full: bool = False,
    width: int = WIDTH,
) -> str:
    """The differences of differences as `text`, `markdown` or `json`, below these notes.

    full, width: of the text; see leaderboards.render.render.
    """
    if format == "json":
        told = {"notes": list(notes)} if notes else {}
        return json_page({"schema": 1, "effects": flatten(rows, ESTIMATES), **told})
    tables = delta_tables(rows)
    if format == "markdown":
        return markdown_page(notes, tables).strip()
    if full:
        return text_page(notes, tables, width=max(width, FULL_WIDTH), whole_names=True).strip()
    found = [narrowed(table, width) for table in tables]
    left_out = list(dict.fromkeys(name for _, names in found for name in names))
    more = [f"`--full` has more: columns {', '.join(left_out)}"] if left_out else []
    return text_page([*notes, *more], [table for table, _ in found], width=width).strip()


def delta_tables(rows: Sequence[RobustnessDelta]) -> list[Table]:
    """Two tables at most: of successes, and of normalised scores."""
    return [
        table
        for measure in ("success", "normalised")
        for table in _delta_table([row for row in rows if row.measure == measure], measure)
    ]


def _delta_table(rows: Sequence[RobustnessDelta], measure: str) -> list[Table]:
    domains = {row.domain for row in rows if row.domain}
    shown = [row for row in rows if row.domain is None or len(domains) > 1]
    if not shown:
        return []
    if measure == "success":
        title, write, unit, points = "who loses less", percent, " %", "points"
        signs = tuple(signed_points(row.difference.value) for row in shown)
    else:
        title, write, unit = "who loses less of the score", three_decimals, ""
        points = "normalised scores, of tasks without a success"
        signs = tuple(f"{row.difference.value:+.3f}" for row in shown)
    return [
        Table(
            title,
            (
                Column("perturbation", tuple(row.perturbation for row in shown), "name"),
                Column("sev.", tuple(str(row.severity) for row in shown)),
                Column(
                    "",
                    tuple(row.domain or "overall" for row in shown) if len(domains) > 1 else (),
                    "name",
                ),
                Column("tasks", tuple(str(row.tasks) for row in shown), spare=3),
                Column("pairs", tuple(str(row.pairs) for row in shown)),
                Column(
                    f"base{unit}",
                    tuple(f"{write(row.base_control)}->{write(row.base_rate)}" for row in shown),
                    spare=1,
                ),
                Column(
                    f"new{unit}",
                    tuple(f"{write(row.new_control)}->{write(row.new_rate)}" for row in shown),
                    spare=1,
                ),
                Column("gain", signs),
                Column("95 %", tuple(range_of(row.difference, write) for row in shown)),
            ),
            "Control->perturbed, over the cases that both runs played. Gain: the difference of the "
            f"changes, in {points}; above 0 the new run loses less."
            + ("" if measure == "success" else f" {WHEN_BOUNDED}"),
        )
    ]

"""`bench correlate` as text and JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from harness.play.column_widths import WIDTH
from harness.play.text_table import text_table
from harness.probes.correlate import ENOUGH_TRIED, Agreement, Correlation
from harness.probes.figures import estimate_json, percent
from harness.stats import Estimate
from harness.stats.agreement import ENOUGH_POLICIES

__all__ = ["correlation_json", "correlation_text"]

SCHEMA = 1


def correlation_text(found: Correlation) -> str:
    """Text for a terminal."""
    return "\n\n".join(_parts(found))


def _parts(found: Correlation) -> Iterator[str]:
    rows = [
        [row.policy, percent(row.rate), row.tasks, row.trials, row.blinded]
        for row in found.policies
    ]
    yield text_table(
        ["on the robot", "success %", "tasks", "trials", "blinded"], rows, figures=True
    )
    for variant in found.variants:
        cells = [
            [policy, percent(there), percent(here)]
            for policy, there, here in zip(variant.policies, variant.simulated, variant.real)
        ]
        yield text_table([variant.variant, "simulated %", "real %"], cells, figures=True)
    enough = [row for row in found.variants if len(row.policies) >= ENOUGH_POLICIES]
    if enough:
        ranked = sorted(enough, key=lambda row: -_value(row.pearson))
        table = [
            [
                row.variant,
                len(row.policies),
                row.tasks,
                _plain(row.pearson),
                _plain(row.spearman),
                _plain(row.violation),
            ]
            for row in ranked
        ]
        heads = ["variant", "policies", "tasks", "Pearson", "Spearman", "rank violation"]
        yield text_table(heads, table, figures=True)
        yield _filled(_which(found, ranked))
    if found.powered:
        told = [
            [
                row.policy,
                row.variant,
                row.cases,
                row.further,
                percent(row.alone, 1),
                percent(row.powered, 1),
                "" if row.power is None else f"{row.power:.2f}",
            ]
            for row in found.powered
        ]
        heads = ["policy", "variant", "tried", "further", "real %", "with simulation %", "power"]
        yield text_table(heads, told, figures=True)
        if any(row.powered is None for row in found.powered):
            yield _filled(f"Below {ENOUGH_TRIED} cases that were tried, the trials stand alone.")
    if found.notes:
        yield "\n".join(map(_filled, found.notes))


def _which(found: Correlation, ranked: list[Agreement]) -> str:
    reading = (
        "95 %: for other policies like these, measured with as many episodes. Rank violation: the "
        "mean maximum one, 0 where the ranks are the robot's. "
    )
    if len(ranked) < 2:
        return reading
    if found.apart:
        return reading + " ".join(
            f"{each.better} predicts the robot better than {each.other}: by "
            f"{_plain(each.difference)} of Pearson's correlation."
            for each in found.apart
        )
    if not found.compared:
        return reading + "The variants were not played by the same policies: not compared."
    return reading + "Nothing shows that one variant predicts the robot better than another."


def _value(found: Estimate | None) -> float:
    return -2.0 if found is None else found.value


def _plain(found: Estimate | None) -> str:
    if found is None:
        return ""
    if found.low is None or found.high is None:
        return f"{found.value:.2f}"
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"


def _filled(text: str) -> str:
    return textwrap.fill(text, WIDTH, subsequent_indent="  ")


def correlation_json(found: Correlation) -> dict[str, Any]:
    """Plain JSON values; rates are shares."""
    return {
        "schema": SCHEMA,
        "policies": [
            {
                "policy": row.policy,
                "tasks": row.tasks,
                "trials": row.trials,
                "blinded": row.blinded,
                "real": estimate_json(row.rate),
            }
            for row in found.policies
        ],
        "variants": [
            {
                "variant": row.variant,
                "tasks": row.tasks,
                "policies": [
                    {
                        "policy": policy,
                        "simulated": estimate_json(there),
                        "real": estimate_json(here),
                    }
                    for policy, there, here in zip(row.policies, row.simulated, row.real)
                ],
                "pearson": estimate_json(row.pearson),
                "spearman": estimate_json(row.spearman),
                "rank_violation": estimate_json(row.violation),
            }
            for row in found.variants
        ],
        "told_apart": [
            {
                "better": row.better,
                "other": row.other,
                "difference": estimate_json(row.difference),
            }
            for row in found.apart
        ],
        "powered": [
            {
                "policy": row.policy,
                "variant": row.variant,
                "cases": row.cases,
                "further": row.further,
                "real": estimate_json(row.alone),
                "powered": estimate_json(row.powered),
                "power": row.power,
            }
            for row in found.powered
        ],
        "notes": list(found.notes),
    }

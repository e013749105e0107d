"""A comparison as text, Markdown for a pull request, JSON, and JUnit XML for CI systems."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from xml.etree import ElementTree

from harness.compare.comparison import GroupRow, PairRow
from harness.compare.violations import ViolationRow
from harness.core import UserError
from harness.core.text import printable
from leaderboards.compare import Compared
from leaderboards.compare_tables import comparison_header, comparison_headline, comparison_tables
from leaderboards.data_formats import json_page
from leaderboards.flatten import EstimateNames, flatten
from leaderboards.short_compare import full_comparison, short_comparison
from leaderboards.tables import WIDTH, markdown_line, markdown_page, signed_points

__all__ = ["FORMATS", "SCHEMA", "junit", "render_compared", "comparison_to_json"]

SCHEMA = 1

_DIFFERENCE = {"difference": ("difference", "low", "high")}
ESTIMATES: EstimateNames = {
    PairRow: {
        **_DIFFERENCE,
        "base": ("base", "base_low", "base_high"),
        "new": ("new", "new_low", "new_high"),
    },
    GroupRow: _DIFFERENCE,
    ViolationRow: _DIFFERENCE,
}
"""The JSON names of the estimates of a comparison's rows."""
PAIR_BOUNDS = ("base_low", "base_high", "new_low", "new_high")


def render_compared(
    compared: Compared, format: str, *, full: bool = False, width: int = WIDTH
) -> str:
    """In one of FORMATS, without a newline at its end. Raises UserError for another format.

    full, width: of the text; see leaderboards.render.render.
    """
    if format not in FORMATS:
        raise UserError(f"there is no format {format!r}: choose {', '.join(FORMATS)}")
    if format == "text":
        return (full_comparison if full else short_comparison)(compared, width).rstrip("\n")
    return FORMATS[format](compared).rstrip("\n")


def _text(compared: Compared) -> str:
    return short_comparison(compared, WIDTH)


def _markdown(compared: Compared) -> str:
    signs = {"pass": "✅", "regress": "❌", "inconclusive": "❔", "none": "⚠️"}
    sign = signs[compared.comparison.verdict]
    page = markdown_page(comparison_header(compared), comparison_tables(compared))
    return f"### {sign} {markdown_line(comparison_headline(compared))}\n\n{page}"


def comparison_to_json(compared: Compared) -> dict[str, Any]:
    """Plain JSON values: schema, the two runs, and the fields of Comparison."""
    fields = flatten(compared.comparison, ESTIMATES)
    fields["tasks"] = [_in_documented_order(row) for row in fields["tasks"]]
    return {
        "schema": SCHEMA,
        "scope": "checkpoint",
        "base": {"run": compared.base, "agent": compared.base_agent},
        "new": {"run": compared.new, "agent": compared.new_agent},
        "exit_code": compared.comparison.exit_code,
        **fields,
        "gate": flatten(compared.gate, ESTIMATES),
        "notes": list(compared.notes),
    }


def _in_documented_order(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row of a task, whose bounds of base and new follow both of their values."""
    ordered: dict[str, Any] = {}
    for name in row:
        if name not in PAIR_BOUNDS:
            ordered[name] = row[name]
        if name == "new":
            ordered.update({bound: row[bound] for bound in PAIR_BOUNDS})
    return ordered


def _json(compared: Compared) -> str:
    return json_page(comparison_to_json(compared))


FORMATS: Mapping[str, Callable[[Compared], str]] = {
    "text": _text,
    "markdown": _markdown,
    "json": _json,
}


JUNIT_KINDS = {"worse": "failure", "regress": "failure", "inconclusive": "skipped", "none": "error"}
"""What JUnit calls a verdict; the others pass."""


def junit(compared: Compared) -> str:
    """A test case for each task, and one for the whole comparison.

    A task with cases that lack a score is an error.
    """
    found = compared.comparison
    suite = ElementTree.Element(
        "testsuite", name=f"bench: {printable(compared.new)} against {printable(compared.base)}"
    )
    cases = [
        (row.task, "error" if row.missing else JUNIT_KINDS.get(row.verdict), _judged(row))
        for row in found.tasks
    ]
    cases.append(("overall", JUNIT_KINDS.get(found.verdict), comparison_headline(compared)))
    for name, kind, text in cases:
        case = ElementTree.SubElement(suite, "testcase", classname="bench", name=printable(name))
        if kind is not None:
            ElementTree.SubElement(case, kind, message=printable(text))
        ElementTree.SubElement(case, "system-out").text = printable(text)
    for attribute, kind in (("failures", "failure"), ("skipped", "skipped"), ("errors", "error")):
        suite.set(attribute, str(sum(each == kind for _, each, _ in cases)))
    suite.set("tests", str(len(cases)))
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)


def _judged(row: PairRow) -> str:
    low, high = signed_points(row.difference.low), signed_points(row.difference.high)
    return f"{signed_points(row.difference.value)} points, {low} to {high}: {row.verdict}"

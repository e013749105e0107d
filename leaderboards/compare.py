"""`bench compare` and what `bench gate` prints: two runs, case by case, as text, Markdown for a pull request, JSON, and JUnit for CI systems."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from harness.compare.gate import Gated
from harness.compare.pairs import ScoredRun, pair_up
from harness.compare.verdict import Comparison, GroupRow, PairRow, compare_pairs
from harness.core import UserError
from leaderboards.tables import Column, Table, markdown_page, text_page

__all__ = [
    "FORMATS",
    "SCHEMA",
    "Compared",
    "compare",
    "junit",
    "of_gate",
    "refuse_the_same",
    "render_compared",
    "to_json",
]

SCHEMA = 1
SHOWN_FLIPS = 10


@dataclass(frozen=True)
class Compared:
    """A comparison with the names of its runs."""

    base: str
    new: str
    base_agent: str
    new_agent: str
    comparison: Comparison
    notes: tuple[str, ...]
    stopped: str = ""
    """Of a gate: why it stopped, and what that saved."""
    gate: Mapping[str, Any] | None = None
    """Of a gate: rounds and episodes, as JSON has them."""


def compare(
    base: ScoredRun, new: ScoredRun, margin: float, alpha: float, correction: str = "holm"
) -> Compared:
    """Two runs. Raises UserError when they are one and the same, differ in protocol, or share no case."""
    refuse_the_same(base, new)
    tasks = pair_up(base, new)
    notes = []
    for side, other in ((base, new), (new, base)):
        theirs = {item.task.id for item in other.plan.items}
        lone = [item.task.id for item in side.plan.items if item.task.id not in theirs]
        if lone:
            notes.append(
                f"{len(lone)} task{'s' if len(lone) > 1 else ''} of {side.name} only, not compared: {_some(lone)}"
            )
    for side in (base, new):
        if side.run.get("stopped"):
            notes.append(
                f"{side.name} stopped early for what it saw ({side.run.get('stopping')}): these intervals do not allow for that"
            )
    shared = sum(len(each.pairs) + each.missing for each in tasks)
    both = {each.task.id for each in tasks}
    for side in (base, new):
        extra = (
            sum(
                side.plan.count(k) for k, item in enumerate(side.plan.items) if item.task.id in both
            )
            - shared
        )
        if extra > 0:
            notes.append(
                f"{extra} cases of {side.name} have no partner (other seeds or perturbations) and are not compared"
            )
    return Compared(
        base.name,
        new.name,
        _agent(base),
        _agent(new),
        compare_pairs(tasks, margin, alpha, correction),
        tuple(notes),
    )


def refuse_the_same(base: ScoredRun, new: ScoredRun) -> None:
    """Raises UserError when it is one run twice."""
    if (
        base.run["created"] == new.run["created"]
        and base.run["agent"] == new.run["agent"]
        and base.values == new.values
    ):
        raise UserError(f"{base.name} and {new.name} are the same run: a comparison needs two")


def of_gate(gated: Gated, base: ScoredRun) -> Compared:
    """What a gate found."""
    numbers = {
        name: getattr(gated, name)
        for name in ("rounds", "rounds_planned", "cases", "cases_planned", "played_beyond", "saved")
    }
    return Compared(
        gated.base,
        str(gated.path),
        _agent(base),
        gated.new,
        gated.comparison,
        gated.notes,
        gated.stopped(),
        {**numbers, "why": gated.stopped()},
    )


def _agent(side: ScoredRun) -> str:
    agent = side.run["agent"]
    return str(agent.get("name", agent["entry"]))


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def render_compared(compared: Compared, format: str) -> str:
    """In one of FORMATS, without a newline at its end. Raises UserError for another format."""
    if format not in FORMATS:
        raise UserError(f"there is no format {format!r}: choose {', '.join(FORMATS)}")
    return FORMATS[format](compared).rstrip("\n")


def _text(compared: Compared) -> str:
    return text_page(_lines(compared), _tables(compared))


def _markdown(compared: Compared) -> str:
    sign = {"pass": "✅", "regress": "❌", "inconclusive": "❔", "none": "⚠️"}[
        compared.comparison.verdict
    ]
    return f"### {sign} {_headline(compared)}\n\n" + markdown_page(
        _lines(compared)[1:], _tables(compared)
    )


def to_json(compared: Compared) -> dict[str, Any]:
    """Plain JSON values: schema, verdict, and the fields of Comparison."""
    fields = dataclasses.asdict(compared.comparison)
    sides = {
        name: {"run": getattr(compared, name), "agent": getattr(compared, f"{name}_agent")}
        for name in ("base", "new")
    }
    return {
        "schema": SCHEMA,
        **sides,
        "exit_code": compared.comparison.exit_code,
        **fields,
        "gate": compared.gate,
        "notes": list(compared.notes),
    }


def _json(compared: Compared) -> str:
    return json.dumps(to_json(compared), indent=1, allow_nan=False)


FORMATS: Mapping[str, Callable[[Compared], str]] = {
    "text": _text,
    "markdown": _markdown,
    "json": _json,
}


def _headline(compared: Compared) -> str:
    found = compared.comparison
    return f"{'no verdict' if found.verdict == 'none' else found.verdict}: {found.why}"


def _lines(compared: Compared) -> list[str]:
    found = compared.comparison
    level = f"{100 * (1 - found.alpha):g} %"
    lines = [
        _headline(compared),
        f"base {compared.base} ({compared.base_agent}), new {compared.new} ({compared.new_agent}); margin {100 * found.margin:g} points, alpha {found.alpha:g}",
    ]
    if compared.stopped:
        lines.append(compared.stopped)
    often = " in 80 of 100 repetitions" if found.method == "fixed" else ""
    if found.more is not None:
        lines.append(
            f"about {found.more} more pairs would decide{often}, if the agents go on to differ as they did"
        )
    elif found.verdict == "inconclusive":
        lines.append(
            "no number of further pairs below a million would decide, if the agents go on to differ as they did"
        )
    if found.detectable is not None and found.method == "fixed":
        pairs = sum(row.n for row in found.tasks)
        lines.append(
            f"so many pairs ({pairs}) find an overall difference of {100 * found.detectable:.1f} points or more in 80 of 100 repetitions"
        )
    correction = {"holm": "Holm", "bh": "Benjamini and Hochberg", "none": "none"}[found.correction]
    if found.method == "fixed":
        lines.append(
            f"intervals: {level}, paired; p: exact McNemar, or flipped signs where values lie in between; correction over tasks: {correction}"
        )
    else:
        lines.append(
            f"intervals ({level}) and p-values hold at every look; correction over tasks: {correction}"
        )
    if found.improvement is not None:
        chance = "{:.2f} ({:.2f} to {:.2f})".format(*dataclasses.astuple(found.improvement))
        lines.append(
            f"tasks with scores: an episode of new scores more than one of base with probability {chance}, ties counted half"
        )
    if any(row.measure == "normalised" for row in found.tasks):
        lines.append("normalised scores are cut off at 0 and 1")
    if any(row.measure == "sign" for row in found.tasks):
        lines.append(
            "tasks with raw scores only: the difference is the share of cases won minus that lost; they are in no mean"
        )
    return [*lines, *compared.notes]


def _tables(compared: Compared) -> list[Table]:
    found = compared.comparison
    groups = [*found.domains, *([found.overall] if found.overall else [])]
    tables = [_task_table(found)]
    if groups:
        tables.append(_group_table("domains and overall", groups, total=found.overall is not None))
    if found.perturbations:
        tables.append(_group_table("perturbations", list(found.perturbations)))
    if found.flips:
        tables.append(_flip_table(found))
    return tables


def _task_table(found: Comparison) -> Table:
    rows = found.tasks
    return Table(
        "tasks",
        (
            Column("task", tuple(row.task for row in rows), "name"),
            Column("base", tuple(_value(row, "base") for row in rows)),
            Column("new", tuple(_value(row, "new") for row in rows)),
            Column("difference", tuple(_signed(row.difference) for row in rows)),
            Column("interval", tuple(f"{_signed(row.low)} to {_signed(row.high)}" for row in rows)),
            Column("lost", tuple(str(row.losses) for row in rows)),
            Column("won", tuple(str(row.wins) for row in rows)),
            Column(
                "n",
                tuple(
                    str(row.n) if not row.missing else f"{row.n} of {row.n + row.missing}"
                    for row in rows
                ),
            ),
            Column("p", tuple(_p(row.p) for row in rows)),
            Column("corrected", tuple(_p(row.adjusted) for row in rows)),
            Column(
                "detectable",
                tuple(
                    "" if row.detectable is None else f"{100 * row.detectable:.0f}" for row in rows
                ),
            ),
            Column("verdict", tuple(row.verdict for row in rows), "name"),
        ),
        "In points of 100, new minus base. Detectable: the smallest difference that so many pairs find in 80 of 100 repetitions."
        if found.method == "fixed"
        else "In points of 100, new minus base.",
    )


def _group_table(title: str, rows: list[GroupRow], *, total: bool = False) -> Table:
    return Table(
        title,
        (
            Column("", tuple(row.name for row in rows), "name"),
            Column("tasks", tuple(str(row.tasks) for row in rows)),
            Column("base", tuple(f"{100 * row.base:.1f}" for row in rows)),
            Column("new", tuple(f"{100 * row.new:.1f}" for row in rows)),
            Column("difference", tuple(_signed(row.difference) for row in rows)),
            Column("interval", tuple(f"{_signed(row.low)} to {_signed(row.high)}" for row in rows)),
            Column("p", tuple(_p(row.p) for row in rows)),
            Column("n", tuple(str(row.n) for row in rows)),
            Column(
                "for other tasks too",
                tuple(
                    f"{_signed(row.wider.low)} to {_signed(row.wider.high)}" if row.wider else ""
                    for row in rows
                ),
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
        return ", ".join(shown) + (
            f" and {more} more" if more > 0 and shown else f"{more}" if more > 0 else ""
        )

    return Table(
        "cases that flipped, by seed",
        (
            Column("task", tuple(cells), "name"),
            Column("lost", tuple(seeds(task, "worse") for task in cells), "prose"),
            Column("won", tuple(seeds(task, "better") for task in cells), "prose"),
        ),
        "`bench show RUN CASE` plays one of them again.",
    )


def _value(row: PairRow, side: str) -> str:
    value, low, high = (getattr(row, side + end) for end in ("", "_low", "_high"))
    if row.measure == "sign":
        return f"{value:.2f}"
    bound = (
        f" (<{100 * high:.1f})"
        if value == 0 and high
        else f" (>{100 * low:.1f})"
        if value == 1 and low
        else ""
    )
    return f"{100 * value:.1f}{bound}"


def _signed(share: float) -> str:
    return f"{100 * share:+.1f}"


def _p(p: float) -> str:
    return "<0.0001" if p < 0.0001 else f"{p:.4f}" if p < 0.01 else f"{p:.2f}"


def junit(compared: Compared) -> str:
    """JUnit XML: a test case a task, and one for the whole. `worse` and `regress` fail; what is open is skipped, what lacks a score is an error."""
    found = compared.comparison
    suite = ElementTree.Element(
        "testsuite", name=f"bench: {_clean(compared.new)} against {_clean(compared.base)}"
    )
    kinds = {"worse": "failure", "regress": "failure", "inconclusive": "skipped", "none": "error"}
    cases = [
        (row.task, "error" if row.missing else kinds.get(row.verdict), _words(row))
        for row in found.tasks
    ]
    cases.append(("overall", kinds.get(found.verdict), _headline(compared)))
    for name, kind, text in cases:
        case = ElementTree.SubElement(suite, "testcase", classname="bench", name=_clean(name))
        if kind is not None:
            ElementTree.SubElement(case, kind, message=_clean(text))
        ElementTree.SubElement(case, "system-out").text = _clean(text)
    for attribute, kind in (("failures", "failure"), ("skipped", "skipped"), ("errors", "error")):
        suite.set(attribute, str(sum(each == kind for _, each, _ in cases)))
    suite.set("tests", str(len(cases)))
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)


def _words(row: PairRow) -> str:
    return f"{_signed(row.difference)} points, {_signed(row.low)} to {_signed(row.high)}: {row.verdict}"


def _clean(text: str) -> str:
    """Without what XML cannot hold."""
    return "".join(character if character.isprintable() else " " for character in text)

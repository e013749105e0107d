"""docs/vocabulary.md agrees with the adapters.

The tables of views, actions, units and frames are written by hand: every view and action of every
family that can be built here must fit a row. The last table is generated;
`python tests/docs/test_vocabulary.py` rewrites it, except the rows of families that cannot be
built here.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from adapters import ADAPTERS
from harness.core import UI, BatchedAdapter, Box, Brief, Case, Discrete, MultiDiscrete, Task
from harness.host.loading import load_adapter
from harness.records.catalogue import find_suites
from suites import SUITES

PAGE = Path(__file__).parents[2] / "docs" / "vocabulary.md"
MARK = "## What each family offers"


class Rule(NamedTuple):
    """A row of the table of views: what a view of this name must be."""

    key: str
    kind: str
    dtype: str
    shape: str
    unit: str


def tables(heading: str) -> list[list[str]]:
    """The cells of the table under a heading, row by row, without the header."""
    text = PAGE.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    assert rows, f"{PAGE.name} has no table under {heading!r}"
    return rows[2:]


def rules() -> list[Rule]:
    return [Rule(row[0].strip("`"), *row[1:5]) for row in tables("Views")]


def families() -> Iterator[tuple[str, list[Task]]]:
    """(family, the first task of each of its suites)."""
    suites = [
        *find_suites(",".join(SUITES), SUITES),
        *find_suites("gym:CartPole-v1", SUITES, "adapters.gym_task:task_named"),
    ]
    for family, entry in ADAPTERS.items():
        firsts = {
            suite.name: task
            for suite in reversed(suites)
            if suite.in_all or family == "gym"
            for task in suite.tasks[:1]
            if task.adapter == entry
        }
        yield family, [firsts[name] for name in sorted(firsts)]


@functools.cache
def brief_of(number: int, family: str) -> Brief | None:
    """The brief of a family's task, or None where it cannot be built here."""
    task = dict(families())[family][number]
    kind: Any = load_adapter(task.adapter)
    if kind.missing(task) is not None:
        return None
    batched: bool = issubclass(kind, BatchedAdapter)
    adapter: Any = kind(*((task, 1) if batched else (task,)))
    try:
        case = Case(task, task.first_seed)
        adapter.reset({0: case} if batched else case)
        return adapter.brief
    finally:
        adapter.close()


def offered() -> list[tuple[str, int]]:
    return [(family, number) for family, tasks in families() for number in range(len(tasks))]


each = pytest.mark.parametrize(("family", "number"), offered())


def brief_or_skip(family: str, number: int) -> Brief:
    brief = brief_of(number, family)
    if brief is None:
        pytest.skip(f"{family} cannot be built here")
    return brief


def fits(rule: Rule, spec: Any) -> str | None:
    """Why a view's spec breaks the rule of its key, or None."""
    if type(spec).__name__ not in rule.kind.split(", "):
        return f"is {type(spec).__name__}, the page says {rule.kind}"
    if isinstance(spec, Box):
        if rule.dtype != "any" and spec.dtype not in rule.dtype.split(", "):
            return f"is {spec.dtype}, the page says {rule.dtype}"
        if rule.shape != "any" and len(spec.shape) != rule.shape.count(",") + (
            not rule.shape.endswith(",)")
        ):
            return f"has the shape {spec.shape}, the page says {rule.shape}"
        if rule.shape.endswith(", 3)") and spec.shape[-1] != 3:
            return f"has the shape {spec.shape}, the page says {rule.shape}"
        units = set(re.split(r", |; ", spec.unit)) - {""}
        known = {row[0].strip("`") for row in tables("Units")}
        if not units <= known:
            return f"has the units {spec.unit!r}; the page knows {', '.join(sorted(known))}"
        if rule.unit not in ("", "any") and units != {rule.unit}:
            return f"has the unit {spec.unit!r}, the page says {rule.unit}"
    return None


def rule_of(view: str) -> Rule | None:
    """The first row that names the view: literally, or by a pattern such as `image_<camera>`."""
    for rule in rules():
        if re.fullmatch(re.sub("<[a-z]+>", r"\\w+", rule.key), view):
            return rule
    return None


@each
def test_every_view_is_in_the_vocabulary(family: str, number: int) -> None:
    for view, spec in brief_or_skip(family, number).observation.items():
        rule = rule_of(view)
        assert rule is not None, f"{family} offers {view!r}, which {PAGE.name} does not know"
        problem = fits(rule, spec)
        assert problem is None, f"{view!r} of {family} {problem}"


@each
def test_every_action_is_in_the_vocabulary(family: str, number: int) -> None:
    action = brief_or_skip(family, number).action
    kinds = {row[0].strip("`") for row in tables("Actions")}
    assert type(action).__name__ in kinds
    if isinstance(action, Box):
        assert set(re.split(r", |; ", action.unit)) - {""} <= {
            row[0].strip("`") for row in tables("Units")
        }
    said = isinstance(action, (UI, Discrete)) or action.meaning or family == "gym"
    assert said, f"{family}: say in the action's meaning what its elements are"


def test_every_family_has_its_frames() -> None:
    named = {name.strip("` ") for row in tables("Frames") for name in row[0].split(",")}
    assert [family for family in ADAPTERS if family not in named] == []


def short(spec: Any) -> str:
    """A spec as the table has it."""
    if isinstance(spec, Box):
        return f"{spec.dtype} {spec.shape} {spec.unit}".strip()
    if isinstance(spec, Discrete):
        return f"Discrete({spec.n})"
    if isinstance(spec, MultiDiscrete):
        return f"MultiDiscrete{spec.nvec}"
    return type(spec).__name__


def rows_from_code(family: str) -> list[str] | None:
    """The table's rows of a family, or None if it cannot be built here.

    There is a row for each set of views and action among the first tasks of its suites.
    """
    rows: dict[str, list[str]] = {}
    for number, task in enumerate(dict(families())[family]):
        brief = brief_of(number, family)
        if brief is None:
            return None
        secret = load_adapter(task.adapter).privileged_views
        views = "; ".join(
            f"`{view}` {short(spec)}{' **privileged**' if view in secret else ''}"
            for view, spec in brief.observation.items()
        )
        rows.setdefault(f"{views} | {short(brief.action)}", []).append(task.name)
    own = (PAGE.parent / "families" / f"{family}.md").exists()
    named = f"[{family}](families/{family}.md)" if own else family
    return [f"| {named} | {', '.join(names)} | {row} |" for row, names in rows.items()]


def rows_in_page(family: str) -> list[str]:
    """The table's rows of a family as they are in the page."""
    lines = PAGE.read_text().partition(MARK)[2].splitlines()
    return [line for line in lines if line.startswith((f"| {family} |", f"| [{family}]("))]


@pytest.mark.parametrize("family", ADAPTERS)
def test_the_page_says_what_each_family_offers(family: str) -> None:
    rows = rows_from_code(family)
    if rows is None:
        pytest.skip(f"{family} cannot be built here")
    assert rows_in_page(family) == rows, (
        f"run: python {Path(__file__).relative_to(PAGE.parents[1])}"
    )


def write() -> None:
    """Rewrite the last table."""
    text, _, _ = PAGE.read_text().partition(MARK)
    head = ["| family | first task of each suite | views | action |", "|---|---|---|---|"]
    rows = [row for family in ADAPTERS for row in (rows_from_code(family) or rows_in_page(family))]
    command = "python tests/docs/test_vocabulary.py"
    note = f"Printed by `{command}`; a test compares it with the adapters."
    PAGE.write_text("\n".join([f"{text}{MARK}\n", f"{note}\n", *head, *rows]) + "\n")


if __name__ == "__main__":
    from harness.cli.names import know_families

    know_families()  # so that those in another interpreter are asked there
    sys.exit(write())

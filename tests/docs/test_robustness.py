"""The tables of docs/robustness.md are those of the code.

`python tests/docs/test_robustness.py` writes them into the page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import adapters
from harness.perturb import REGISTRY
from harness.records.registry import load

PAGE = Path(__file__).resolve().parents[2] / "docs" / "robustness.md"


def levels(rows: Sequence[Mapping[str, Any]]) -> str:
    """The parameters at all severities, such as `sigma 0.1, 0.2`."""
    columns = {
        name: ", ".join("none" if row[name] is None else str(row[name]) for row in rows)
        for name in rows[0]
    }
    return "; ".join(f"{name} {values}" for name, values in columns.items())


def kinds() -> str:
    """The table of perturbations between adapter and agent."""
    rows = [
        f"| {kind.group} | `{kind.name}` | {kind.what} | {levels(kind.levels)} |"
        for kind in REGISTRY.values()
    ]
    return "\n".join(
        ["| group | name | what it does | severities 1 to 5 |", "|---|---|---|---|", *rows]
    )


def simulator_perturbations() -> str:
    """The table of simulator-side perturbations."""
    rows = [
        "| family | name | what it changes | severities from 1 | range |",
        "|---|---|---|---|---|",
    ]
    for family, entry in adapters.ADAPTERS.items():
        rows += [
            f"| {family} | `{one.name}` | {one.what} | {levels(one.levels)} | {one.range or ''} |"
            for one in load(entry).simulator_perturbations()
        ]
    return "\n".join(rows)


def test_the_page_has_the_tables_of_the_code() -> None:
    page = PAGE.read_text()
    assert kinds() in page
    assert simulator_perturbations() in page


def main() -> None:
    """Replace the tables in the page, and nothing around them."""
    page = PAGE.read_text()
    for table in (kinds(), simulator_perturbations()):
        before, head, after = page.partition(table.partition("\n")[0])
        rest = after.splitlines(keepends=True)[1:]
        while rest and rest[0].startswith("|"):
            del rest[0]
        page = f"{before}{table}\n{''.join(rest)}" if head else page
    PAGE.write_text(page)


if __name__ == "__main__":
    main()

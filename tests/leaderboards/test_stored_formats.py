"""The JSON, CSV and JUnit of stored runs: every field name, in order, and every value stays.

Expected is what the code that wrote the runs printed: see tests/data/README.md.
"""

from __future__ import annotations

import copy
import csv
import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.compare.saved_runs import open_run
from harness.core import Reference
from leaderboards.compare import compare_runs
from leaderboards.compare_render import comparison_to_json, junit
from leaderboards.perturbed_results import read_case_arrays
from leaderboards.published import render_published
from leaderboards.render import render
from leaderboards.report import load_report
from leaderboards.robustness_compare import difference_in_differences, render_deltas
from leaderboards.schema import Group, PerturbationRow, TaskRow

DATA = Path(__file__).resolve().parents[1] / "data"
STORED, FORMATS = DATA / "schema1", DATA / "formats"
EXPECTED = json.loads((STORED / "expected.json").read_text())
JUDGED: dict[str, Any] = EXPECTED["judged"]

COMPARED = {
    "compare runs/oracle runs/uniform": ("oracle", "uniform", 0.05),
    "compare runs/cartpole-uniform runs/cartpole-noop --margin 0.01": (
        "cartpole-uniform",
        "cartpole-noop",
        0.01,
    ),
    "compare runs/perturbed-oracle runs/perturbed-noisy": (
        "perturbed-oracle",
        "perturbed-noisy",
        0.05,
    ),
}


@pytest.fixture(autouse=True)
def in_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparisons name their runs as they were named then."""
    monkeypatch.chdir(STORED)


def leaves(value: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    """Every value in a JSON text with its path, in order."""
    if isinstance(value, dict):
        yield where, list(value)
        for name, each in value.items():
            yield from leaves(each, f"{where}.{name}")
    elif isinstance(value, list):
        yield where, len(value)
        for number, each in enumerate(value):
            yield from leaves(each, f"{where}[{number}]")
    else:
        yield where, value


def later(*kinds: type) -> set[str]:
    """Fields that were added later and stand only where they say something."""
    fields = (field for kind in kinds for field in dataclasses.fields(kind))
    return {field.name for field in fields if "later" in field.metadata}


def as_then(value: Any) -> Any:
    """JSON values without the fields of rows and of their references that were added later."""
    if isinstance(value, list):
        return [as_then(each) for each in value]
    if not isinstance(value, dict):
        return value
    new = set[str]()
    if "planned" in value:
        new = later(TaskRow, Group, PerturbationRow)
    elif "same_rule" in value:
        new = later(Reference)
    return {name: as_then(each) for name, each in value.items() if name not in new}


def assert_same(found: Any, expected: Any) -> None:
    """Names, order and types exactly; floats up to the order in which numpy sums."""
    ours, theirs = list(leaves(found)), list(leaves(expected))
    assert [path for path, _ in ours] == [path for path, _ in theirs]
    for (path, value), (_, known) in zip(ours, theirs):
        assert type(value) is type(known), path
        if isinstance(known, float):
            known = pytest.approx(known, rel=1e-9, abs=1e-12)
        assert value == known, path


def let_widen(found: Any, expected: Any) -> None:
    """Take over bounds as they are now, everywhere, where they are wider, or are gone.

    Some were too narrow: of tasks that share rooms, of tasks that stopped early, of few scores. The
    p-values of means went up with them, and so did what is detectable.
    """
    if isinstance(expected, list):
        for now, then in zip(found, expected):
            let_widen(now, then)
    if not isinstance(expected, dict):
        return
    for name, known in expected.items():
        let_widen(found.get(name), known)
        if name.endswith("_low"):
            let_pair_widen(found, expected, name, name.removesuffix("_low") + "_high")
        elif name in ("low", "high"):
            let_pair_widen(found, expected, "low", "high")
    for name in {"p", "detectable", "more"} & expected.keys():
        if expected[name] is not None:
            assert found[name] >= expected[name] - 1e-9, name
            expected[name] = found[name]


def let_pair_widen(found: Any, expected: Any, low: str, high: str) -> None:
    if None in (expected[low], expected[high]):
        return
    if found[low] is not None:
        assert found[low] <= expected[low] + 1e-9, low
    if found[high] is not None:
        assert found[high] >= expected[high] - 1e-9, high
    expected[low], expected[high] = found[low], found[high]


@pytest.mark.parametrize("name", EXPECTED["runs"])
def test_the_json_of_a_report(name: str) -> None:
    found = as_then(json.loads(render(load_report(f"runs/{name}"), "json")))
    expected = copy.deepcopy(EXPECTED["runs"][name]["report"])
    let_widen(found, expected)
    # A field that was added later, where there is any.
    assert sum(kind["count"] for kind in found.pop("errors", ())) == sum(
        row["errors"] + row["agent_errors"] for row in (found["overall"],)
    )
    assert_same(found, expected)


def test_the_json_with_a_baseline() -> None:
    report = load_report("runs/perturbed-noisy", "runs/perturbed-oracle")
    found = as_then(json.loads(render(report, "json")))
    command = "report runs/perturbed-noisy --baseline runs/perturbed-oracle"
    expected = copy.deepcopy(JUDGED[command]["out"])
    let_widen(found, expected)
    assert_same(found, expected)


def test_the_json_beside_published_figures() -> None:
    found = as_then(json.loads(render_published(load_report("runs/oracle"), "gea", "json")))
    expected = copy.deepcopy(JUDGED["report runs/oracle --against gea"]["out"])
    let_widen(found, expected)
    assert_same(found, expected)


@pytest.mark.parametrize("command", COMPARED)
def test_the_json_of_a_comparison(command: str) -> None:
    base, new, margin = COMPARED[command]
    with open_run(f"runs/{base}") as first, open_run(f"runs/{new}") as second:
        found = comparison_to_json(compare_runs(first, second, margin, 0.05))
    found["notes"] = [note for note in found["notes"] if "started is not recorded" not in note]
    assert found.pop("scope") == "checkpoint", "later than the formats here"
    expected = copy.deepcopy(JUDGED[command]["out"])
    let_widen(found, expected)
    for each in (found, expected):
        each["why"] = without_points(each["why"])
    assert_same(found, expected)


def test_the_json_of_differences_in_differences() -> None:
    with open_run("runs/perturbed-oracle") as first, open_run("runs/perturbed-noisy") as second:
        rows = difference_in_differences(read_case_arrays(first), read_case_arrays(second))
    command = "compare runs/perturbed-oracle runs/perturbed-noisy --robustness"
    found, expected = json.loads(render_deltas(rows, "json")), copy.deepcopy(JUDGED[command]["out"])
    let_widen(found, expected)
    assert_same(found, expected)


def without_points(text: str) -> str:
    """The text without its bounds in points: those of means are wider now."""
    return re.sub(r"[-+][0-9.]+ points", "POINTS", text)


def table(text: str) -> list[list[Any]]:
    """The cells of a CSV as the JSON values that they are, None if empty, else as text."""

    def value(cell: str) -> Any:
        try:
            return json.loads(cell) if cell else None
        except ValueError:
            return cell

    return [[value(cell) for cell in row] for row in csv.reader(text.splitlines())]


@pytest.mark.parametrize("name", ["oracle", "perturbed-noisy", "cartpole-uniform", "own"])
def test_the_csv_of_a_report(name: str) -> None:
    """With a success, perturbed, with a score only, and with all of them."""
    found = table(render(load_report(f"runs/{name}"), "csv"))
    new = later(TaskRow, PerturbationRow)
    kept = [number for number, column in enumerate(found[0]) if column not in new]
    names, *then = [[row[number] for number in kept] for row in found]
    known, *expected = table((FORMATS / f"report.{name}.csv").read_text())
    assert names == known
    for now, row in zip(map(dict, (zip(names, each) for each in then)), expected, strict=True):
        was = dict(zip(names, row))
        let_widen(now, was)
        assert_same(now, was)


def test_the_csv_beside_published_figures() -> None:
    found = render_published(load_report("runs/oracle"), "gea", "csv")
    assert_same(table(found), table((FORMATS / "against.oracle.csv").read_text()))


@pytest.mark.parametrize(
    ("base", "new"), [("oracle", "uniform"), ("perturbed-oracle", "perturbed-noisy")]
)
def test_the_junit_of_a_comparison(base: str, new: str) -> None:
    with open_run(f"runs/{base}") as first, open_run(f"runs/{new}") as second:
        found = junit(compare_runs(first, second, 0.05, 0.05))
    expected = (FORMATS / f"compare.{base}.{new}.xml").read_text()
    assert without_points(found) == without_points(expected)

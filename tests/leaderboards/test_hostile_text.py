"""A run of a stranger in every format: its texts are shown, and are nothing but text."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hostiletexts import TEXTS, assert_harmless, hostile_run, write_hostile_run
from markdown_it import MarkdownIt
from reports import report_of

from harness.compare.pairs import ScoredRun, read_scored_run
from leaderboards.compare import Compared, compare_runs
from leaderboards.compare_render import comparison_to_json, junit, render_compared
from leaderboards.curves import draw_curves
from leaderboards.perturbed_results import read_case_arrays
from leaderboards.published import render_published
from leaderboards.render import render
from leaderboards.report import summary
from leaderboards.robustness_compare import difference_in_differences, render_deltas
from leaderboards.schema import Report, report_to_json

ODD = pytest.mark.parametrize("odd", TEXTS.values(), ids=TEXTS.keys())
MARKDOWN = MarkdownIt("js-default", {"html": True})
OURS = (
    r"\\[&%$#_{}]|\\\^\{\}|\\textasciitilde\{\}|\\textbackslash\{\}|\\ensuremath\{[<>]\}|\{[\[*]\}"
)
COMMANDS = {
    "begin", "end", "toprule", "midrule", "bottomrule", "hline", "endhead", "paragraph",
}  # fmt: skip


def report(odd: str) -> Report:
    return report_of(*hostile_run(odd))


def scored(folder: Path, odd: str, **changes: str) -> ScoredRun:
    return read_scored_run(write_hostile_run(folder, odd, **changes), odd)


def compared(folder: Path, odd: str) -> Compared:
    other = scored(folder / "new", odd, created="2026-01-01T00:00:00+00:00")
    found = compare_runs(scored(folder / "base", odd), other, 0.05, 0.05)
    return dataclasses.replace(found, notes=(*found.notes, odd), stopped=odd)


def assert_markdown(page: str) -> None:
    """Titles, lists, paragraphs and tables of texts; no cell more than its table has columns."""
    assert_harmless(page)
    allowed = {"text", "text_special", "code_inline"}
    for token in MARKDOWN.parse(page):
        assert token.type not in ("html_block", "code_block", "fence", "hr", "ordered_list_open")
        assert token.type != "bullet_list_open" or token.level == 0
        assert {child.type for child in token.children or []} <= allowed
    for source in re.findall(r"(?:^\|.*\n?)+", page, re.MULTILINE):
        assert len({re.sub(r"\\.", "", line).count("|") for line in source.splitlines()}) == 1
    bare = re.sub(r"\\.", "", page)
    assert not re.search(r"://|www\.|<|(?<![A-Za-z0-9`])@[A-Za-z0-9]", bare)
    assert MARKDOWN.parse(page)[0].type in ("bullet_list_open", "heading_open")


def assert_latex(page: str) -> None:
    """Balanced, with our commands alone, and tables whose rows have one number of cells."""
    assert_harmless(page)
    body = page.removeprefix("% needs \\usepackage{booktabs,longtable}")
    assert not re.search(r"\\\\\s*[\[*]|rule\s*\[", body)
    bare = re.sub(OURS, "", body).replace("\\\\\n", "\n")
    assert set(re.findall(r"\\([A-Za-z]+)", bare)) <= COMMANDS
    assert not re.search(r"\\[^A-Za-z]|[$%#^~_<>]", bare)
    assert bare.count("{") == bare.count("}")
    depth = 0
    for character in bare:
        depth += {"{": 1, "}": -1}.get(character, 0)
        assert depth in (0, 1)
    for table in re.findall(r"\\begin\{(?:tabular|longtable)\}\{([lr]+)\}(.*?)\\end", bare, re.S):
        cells = {line.count("&") for line in table[1].splitlines() if line.startswith(" ")}
        assert cells == {len(table[0]) - 1}


@ODD
def test_text(odd: str) -> None:
    page = render(report(odd), "text")
    assert_harmless(page)
    assert_harmless(render_published(report(odd), "odd", "text"))
    assert "\n" not in summary(report(odd)).split(": ")[0]


@ODD
def test_markdown(odd: str) -> None:
    assert_markdown(render(report(odd), "markdown"))
    assert_markdown(render_published(report(odd), "odd", "markdown"))


@ODD
def test_latex(odd: str) -> None:
    assert_latex(render(report(odd), "latex"))
    assert_latex(render_published(report(odd), "odd", "latex"))


@ODD
def test_csv(odd: str) -> None:
    found = report(odd)
    for page in (render(found, "csv"), render_published(found, "odd", "csv")):
        assert_harmless(page)
        head, *rows = csv.reader(io.StringIO(page))
        assert {len(row) for row in rows} == {len(head)}
        for row in rows:
            for cell in row:
                assert not re.match(r"\s*[=+@\t\r\n]", cell)
                assert not cell.startswith("-") or float(cell) < 0
            for name, cell in zip(head, row):
                if name in ("ended", "reference", "metrics", "scores", "published", "not_run"):
                    assert not cell or isinstance(json.loads(cell), (dict, list))


@ODD
def test_json(odd: str) -> None:
    found = report(odd)
    page = render(found, "json")
    assert page.isascii()
    assert_harmless(page)
    assert json.loads(page) == json.loads(json.dumps(report_to_json(found)))


@ODD
def test_a_comparison(odd: str, tmp_path: Path) -> None:
    found = compared(tmp_path, odd)
    assert_harmless(render_compared(found, "text"))
    assert_markdown(render_compared(found, "markdown"))
    page = render_compared(found, "json")
    assert page.isascii()
    assert json.loads(page) == json.loads(json.dumps(comparison_to_json(found)))
    page = junit(found)
    assert_harmless(page)
    root = ElementTree.fromstring(page)
    assert int(root.get("tests", 0)) == len(found.comparison.tasks) + 1
    assert len(root) == len(found.comparison.tasks) + 1


@ODD
def test_differences_in_differences(odd: str, tmp_path: Path) -> None:
    arrays = read_case_arrays(scored(tmp_path / "run", odd))
    rows = difference_in_differences(arrays, arrays)
    assert_harmless(render_deltas(rows, "text"))
    page = render_deltas(rows, "markdown")
    assert_harmless(page)
    assert {child.type for token in MARKDOWN.parse(page) for child in token.children or []} <= {
        "text", "text_special", "code_inline",
    }  # fmt: skip
    assert render_deltas(rows, "json").isascii()


@pytest.mark.parametrize(
    "odd", ["$\\frac{$ _x_ $$", "_hidden", TEXTS["escapes"], TEXTS["surrogate"]]
)
@pytest.mark.parametrize("ending", [".png", ".svg", ".pdf"])
def test_a_figure(odd: str, ending: str, tmp_path: Path) -> None:
    file = tmp_path / f"curves{ending}"
    draw_curves(report(odd).perturbations, file, odd)
    assert file.stat().st_size > 1000
    if ending == ".svg":
        ElementTree.parse(file)

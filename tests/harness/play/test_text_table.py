"""Tables of the commands: cells of strangers stay cells."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from harness.core.text import printable
from harness.play.text_table import LONGEST, WHOLE, markdown_table, text_table

ODD = st.text(st.sampled_from("ab |\n\t\x1b\x9b`<&>[]()!*_\\") | st.characters(), max_size=20)


@given(st.lists(st.tuples(ODD, ODD), min_size=1, max_size=4))
def test_a_row_is_one_line_without_controls(rows: list[tuple[str, str]]) -> None:
    lines = text_table(["a", "b"], rows, width=WHOLE).split("\n")
    assert len(lines) == 2 + len(rows)
    assert all(printable(line) == line for line in lines)


@given(st.lists(st.tuples(ODD, ODD), min_size=1, max_size=4))
def test_a_markdown_table_holds_its_texts(rows: list[tuple[str, str]]) -> None:
    tokens = MarkdownIt("js-default", {"html": True}).parse(markdown_table(["a", "b"], rows))
    cells = [token for token in tokens if token.type == "inline"]
    shown = ["".join(child.content for child in cell.children or []) for cell in cells]
    assert shown == ["a", "b", *(printable(text).strip() for row in rows for text in row)]


@given(st.lists(st.tuples(ODD, ODD, ODD), min_size=1, max_size=4))
def test_no_row_is_wider_than_the_terminal(rows: list[tuple[str, str, str]]) -> None:
    table = text_table(["a", "b", "c"], rows)
    assert max(map(len, table.split("\n"))) <= 80
    assert all(printable(line) == line for line in table.split("\n"))


def test_figures_stand_right_and_texts_left() -> None:
    rows = [["one", 5, "12.5"], ["two", 1200, ""]]
    assert text_table(["", "n", "s"], rows, figures=True).splitlines() == [
        "        n     s",
        "---  ----  ----",
        "one     5  12.5",
        "two  1200",
    ]
    assert markdown_table(["", "n"], [["one", 5]]).splitlines() == [
        "|     |   n |",
        "|-----|-----|",
        "| one |   5 |",
    ]


def test_a_text_is_no_figure_even_if_it_looks_like_one() -> None:
    assert "1_0" in text_table(["n"], [["1_0"], ["007"]], figures=True)
    assert "007" in text_table(["n"], [["1_0"], ["007"]], figures=True)
    assert "9" * 5000 not in text_table(["n"], [["9" * 5000]], figures=True)


def test_no_cell_fills_the_memory_with_its_column() -> None:
    table = text_table(["n"], [["x" * 10**6], *[["y"]] * 1000])
    assert len(table) < 1002 * (LONGEST + 1) + 10


def test_a_table_without_rows() -> None:
    assert text_table(["a", "b"], []).splitlines()[0].split() == ["a", "b"]

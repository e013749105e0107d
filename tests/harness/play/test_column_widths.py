"""Columns that fit a terminal: which give way, and what of their texts is left."""

from __future__ import annotations

from harness.play.column_widths import GAP, fitted, least_width

NAME = "libero-10/put_the_white_mug_on_the_left_plate@1"
PROSE = "install it with pip install --no-deps and set its folder"


def wide(cells: list[list[str]]) -> int:
    """The longest row."""
    widths = [max(len(line) for cell in column for line in cell.split("\n")) for column in cells]
    return sum(widths) + GAP * (len(widths) - 1)


def test_what_fits_stays_as_it_is() -> None:
    columns = [["task", NAME], ["n", "5"], ["notes", PROSE]]
    cells, widths = fitted(columns, ["name", "figure", "prose"], 200)
    assert cells == columns
    assert widths == [len(NAME), 1, len(PROSE)]


def test_prose_gives_way_before_names() -> None:
    columns = [["task", NAME], ["n", "5"], ["notes", PROSE]]
    cells, widths = fitted(columns, ["name", "figure", "prose"], 80)
    assert cells[0] == columns[0]
    assert wide(cells) <= 80
    assert " ".join(cells[2][1].split("\n")) == PROSE
    assert "--no-deps" in cells[2][1].replace("\n", " ").split(), "an option is never broken"
    assert widths[1] == 1


def test_a_long_name_is_broken_behind_a_separator_and_loses_nothing() -> None:
    columns = [["task", NAME, "short@1"], ["95 %", "0.0 to 100.0", ""]]
    cells, _ = fitted(columns, ["name", "figure"], 44)
    assert wide(cells) <= 44
    lines = cells[0][1].split("\n")
    assert len(lines) == 2
    assert lines[0].endswith("_")
    assert "".join(lines) == NAME
    assert cells[0][2] == "short@1"


def test_a_line_is_cut_and_says_so() -> None:
    cells, widths = fitted([["remedy", PROSE, "none"]], ["line"], 20)
    assert cells[0][1] == PROSE[:19] + "…"
    assert cells[0][2] == "none"
    assert widths == [20]


def test_figures_are_never_broken() -> None:
    columns = [["task", NAME], ["a", "1" * 30], ["b", "2" * 30]]
    kinds = ["name", "figure", "figure"]
    cells, widths = fitted(columns, kinds, 40)
    assert cells[1:] == columns[1:]
    assert widths == [16, 30, 30]
    assert least_width(columns, kinds) == 40 + 30 + 30 + 2 * GAP

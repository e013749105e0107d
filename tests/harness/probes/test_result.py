"""What a probe found is kept whole, and a file that says anything else is refused."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from findings import Made

from harness.core import UserError
from harness.probes.figure_file import draw
from harness.probes.result import Section, sections_text
from harness.probes.result_file import NAME, probe_file, read_probe, write_probe


def written(folder: Path, finding: Made | None = None) -> Path:
    """The file of a finding."""
    return write_probe(
        folder, finding or Made(), probe="memory", title="odd: what it costs",
        command="bench probe memory", runs=["context-1", "runs/all"],
    )  # fmt: skip


def test_what_was_written_is_read(tmp_path: Path) -> None:
    file = written(tmp_path / "new")
    assert file == tmp_path / "new" / NAME
    assert probe_file(tmp_path / "new") == probe_file(file) == file
    told = read_probe(file)
    assert (told.probe, told.runs) == ("memory", ("context-1", "runs/all"))
    assert list(told.sections) == Made().sections()
    assert list(told.plots) == Made().plots()
    assert told.values == Made().to_json()
    assert [each.name for each in (tmp_path / "new").iterdir()] == [NAME]


def test_a_folder_of_a_run_is_no_probe(tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / "run.json").write_text("{}")
    assert probe_file(tmp_path) is None
    assert probe_file(tmp_path / "nothing") is None


def changed(*path: str | int, value: Any) -> Callable[[dict[str, Any]], None]:
    """Put a value somewhere into the file."""

    def change(whole: dict[str, Any]) -> None:
        *way, last = path
        place: Any = whole
        for each in way:
            place = place[each]
        place[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (changed("title", value=3), "title is 3, not a text"),
        (changed("more", value=3), "more is unknown"),
        (lambda whole: whole.pop("plots"), "plots is missing"),
        (changed("runs", 0, value="../../etc"), "runs[0] is no path inside of the folder"),
        (changed("runs", 0, value="/etc"), "runs[0] is no path inside of the folder"),
        (changed("sections", 1, "rows", 0, value=["a"]), "sections[1].rows[0] has 1 of 3 cells"),
        (changed("plots", 0, "kind", value="pie"), "plots[0].kind is 'pie', not one of"),
        (changed("plots", 0, "labels", value=[]), "plots[0].labels is empty"),
        (changed("plots", 0, "series", 0, "points", 0, "at", value=7), "at none of its labels"),
        (changed("plots", 0, "series", 0, "points", 0, "at", value=0.5), "at none of its labels"),
        (changed("plots", 2, "series", 0, "points", 0, "low", value=0), "no logarithmic axis"),
        (changed("plots", 0, "marks", value=[1e300]), "plots[0].marks[0] is"),
        (changed("plots", 0, "logarithmic", value=1), "not true or false"),
        (changed("values", value=[1]), "values is a list"),
        (changed("schema", value=2), "written by a newer bench"),
        (changed("schema", value="1"), "schema is '1'"),
    ],
)
def test_anything_else_is_refused_in_a_line(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], why: str
) -> None:
    file = written(tmp_path)
    whole = json.loads(file.read_text())
    change(whole)
    file.write_text(json.dumps(whole))
    with pytest.raises(UserError) as refused:
        read_probe(file)
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"schema": 1, "title": NaN}', b"null"])
def test_what_is_no_json_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(UserError, match="is not what a probe writes"):
        read_probe(tmp_path / NAME)


def test_a_folder_that_takes_no_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(UserError, match=r"cannot write .*taken"):
        written(tmp_path / "taken")


def test_sentences_fit_the_terminal_and_names_control_nothing() -> None:
    long = Section(before=("word " * 40, "  indented " + "word " * 40), title="a\nb\x1b[31m")
    text = sections_text([long], 60)
    assert max(map(len, text.split("\n"))) <= 60
    assert "\x1b" not in text
    assert text.count("\n  word") >= 3


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_figure_has_all_kinds_of_plots(tmp_path: Path, suffix: str) -> None:
    name = "a_{b}$x^$"  # no mathematics
    draw(Made(name=name).plots(), tmp_path / f"figure{suffix}", name)
    assert (tmp_path / f"figure{suffix}").stat().st_size > 1000
    with pytest.raises(UserError, match="nothing was found that could be drawn"):
        draw([], tmp_path / f"none{suffix}")
    with pytest.raises(UserError, match="cannot write"):
        draw(Made().plots(), tmp_path / f"figure{suffix}" / f"below{suffix}")


def test_one_series_alone_is_drawn(tmp_path: Path) -> None:
    (rows, *_) = Made().plots()
    draw([dataclasses.replace(rows, series=rows.series[:1])], tmp_path / "one.png")
    assert (tmp_path / "one.png").exists()

"""Folders of demonstrations that somebody made who means harm."""

from __future__ import annotations

import io
import json
import os
import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from harness.core import UserError
from harness.demos import Demos
from harness.demos.columns import brief_from_json
from harness.demos.lerobot import export

STORED = Path(__file__).resolve().parents[2] / "data" / "schema1" / "demos"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(STORED, tmp_path / "demos")
    return tmp_path / "demos"


def read_all(folder: Path) -> None:
    for demo in Demos(folder):
        assert demo.frames


def refused(folder: Path) -> str:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError) as said:
        read_all(folder)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 700 << 10
    assert "\n" not in str(said.value)
    return str(said.value)


def edit(folder: Path, change: Callable[[list[dict[str, Any]]], Any], **types: Any) -> None:
    """Change the rows of episodes.parquet."""
    file = folder / "episodes.parquet"
    table = parquet.read_table(file)
    rows = table.to_pylist()
    change(rows)
    fields = [field.with_type(types.get(field.name, field.type)) for field in table.schema]
    known = {field.name for field in fields}
    names = [name for name in rows[0] if name not in known]
    parquet.write_table(
        pa.Table.from_pylist(
            rows, schema=pa.schema([*fields, *((name, pa.string()) for name in names)])
        ),
        file,
    )


def test_the_stored_demonstrations_are_read(folder: Path) -> None:
    read_all(folder)
    edit(folder, lambda rows: None)
    read_all(folder)


@pytest.mark.parametrize("name", ["episodes.parquet", "data"])
@pytest.mark.parametrize(
    "make",
    [
        os.mkfifo,
        Path.touch,
        lambda path: path.write_bytes(b"PAR1" + bytes(1000) + b"PAR1"),
        lambda path: path.write_bytes(b"PAR1" + b"\xff" * 4 + b"PAR1"),
        lambda path: path.symlink_to("/dev/zero"),
        lambda path: path.symlink_to("/etc/passwd"),
        Path.mkdir,
    ],
    ids=["pipe", "empty", "zeros", "footer", "device", "link", "folder"],
)
def test_files_that_are_no_tables(folder: Path, name: str, make: Callable[[Path], Any]) -> None:
    file = folder / name
    if name == "data":
        file = folder / Demos(folder).rows[0].file
    file.unlink()
    make(file)
    assert str(file.name) in refused(folder)


def test_a_linked_folder_of_data(folder: Path, tmp_path: Path) -> None:
    (folder / "data").rename(tmp_path / "elsewhere")
    (folder / "data").symlink_to(tmp_path / "elsewhere")
    assert "damaged" in refused(folder) or "cannot be read" in refused(folder)


@pytest.mark.parametrize(
    "field",
    [
        {"file": "../../../etc/passwd"},
        {"file": "/etc/passwd"},
        {"file": ""},
        {"file": "x\0y"},
        {"file": "run/run.json"},
        {"row_group": 10**6},
        {"row_group": -1},
        {"row_group": None},
        {"steps": 0},
        {"steps": 10**12},
        {"steps": None},
        {"index": 7},
        {"task": "no-family"},
        {"task": None},
        {"brief": ""},
        {"brief": "5"},
        {"brief": "[" * 100_000},
        {"brief": '{"observation": {}, "action": {"kind": "Box", "shape": [1000000000000]}}'},
        {"brief": None},
        {"instruction": None},
    ],
    ids=str,
)
def test_rows_that_are_no_episodes(folder: Path, field: dict[str, Any]) -> None:
    edit(folder, lambda rows: rows[0].update(field))
    assert refused(folder)


def test_other_columns(folder: Path) -> None:
    edit(folder, lambda rows: [row.update(code="x") for row in rows])
    read_all(folder)  # a later version may add some
    table = parquet.read_table(folder / "episodes.parquet")
    parquet.write_table(table.drop_columns(["brief"]), folder / "episodes.parquet")
    assert "episodes.parquet" in refused(folder)


def test_a_text_that_stands_in_every_row(folder: Path) -> None:
    """It stands in the file once, and would take 100 GB in memory."""
    table = parquet.read_table(folder / "episodes.parquet").slice(0, 1)
    row = table.to_pylist()[0]
    count = 1_000_000
    columns = {
        name: pa.array([0 if name == "index" else value]).take(pa.array([0] * count, pa.int32()))
        for name, value in row.items()
        if name != "brief"
    }
    brief = pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), ["x" * 100_000])
    parquet.write_table(pa.table({**columns, "brief": brief}), folder / "episodes.parquet")
    assert (folder / "episodes.parquet").stat().st_size < 10_000_000
    assert refused(folder)


def picture(size: tuple[int, int], form: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size).save(file, form)
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", b"\x89PNG\r\n\x1a\n", b"GIF89a" + bytes(100), picture((2, 2), "PNG"), None],
    ids=["empty", "cut", "gif", "small", "large"],
)
def test_pictures_of_another_kind_or_size(folder: Path, content: bytes | None) -> None:
    row = next(
        (row for row in Demos(folder).rows if '"image"' in row.brief or "image" in row.brief), None
    )
    if row is None:
        pytest.skip("no pictures in it")
    content = picture((12_000, 12_000), "PNG") if content is None else content
    file = folder / row.file
    table = parquet.read_table(file)
    name = next(each for each in table.column_names if each.startswith("observation.image"))
    place = table.column_names.index(name)
    values = [content] * table.num_rows
    changed = table.set_column(place, name, pa.array(values, pa.binary()))
    groups = parquet.ParquetFile(file).metadata
    with parquet.ParquetWriter(file, changed.schema) as writer:
        begin = 0
        for number in range(groups.num_row_groups):
            count = groups.row_group(number).num_rows
            writer.write_table(changed.slice(begin, count))
            begin += count
    assert "damaged" in refused(folder)


@pytest.mark.parametrize(
    "spec",
    [
        {"kind": "Box", "shape": [10**12]},
        {"kind": "Box", "shape": [10**5, 10**5]},
        {"kind": "Box", "shape": [-1]},
        {"kind": "Box", "shape": [1.5]},
        {"kind": "Box", "shape": "x"},
        {"kind": "Box", "shape": [1] * 100},
        {"kind": "Box", "shape": [2], "dtype": "O"},
        {"kind": "Box", "shape": [2], "dtype": "V1000000000"},
        {"kind": "Box", "shape": [2], "low": "x"},
        {"kind": "os.system", "command": "x"},
        {"kind": []},
        {"kind": "Discrete"},
        {},
    ],
    ids=str,
)
def test_specs_that_are_none(spec: dict[str, Any]) -> None:
    brief = {
        "observation": {"x": spec},
        "action": {"kind": "Discrete", "n": 2},
        "embodiment": "",
        "simulator": "",
        "control_hz": None,
    }
    with pytest.raises(UserError, match=r"not a (brief|spec)"):
        brief_from_json(json.dumps(brief))


@pytest.mark.parametrize("task", ["../x/y@1", "/x/y@1", "..//y@1"])
def test_an_export_stays_in_its_folder(folder: Path, tmp_path: Path, task: str) -> None:
    edit(folder, lambda rows: [row.update(task=task) for row in rows])
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(UserError, match="outside"):
        export(Demos(folder), tmp_path / "out" / "inner")
    assert sorted(path.name for path in tmp_path.iterdir()) == before

"""probe.json: what came of a probe, in the folder of its runs.

Anybody may have written such a file, so it is checked whole before anything of it is shown.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core import UserError
from harness.probes.result import KINDS, Finding, Plot, Point, Section, Series
from harness.records.safe_json import parse
from harness.records.typed import (
    boolean,
    fields_of,
    json_table,
    list_of,
    number,
    one_of,
    optional,
    text,
    whole,
)
from harness.records.whole_file import write_whole

__all__ = ["NAME", "ProbeFile", "probe_file", "read_probe", "write_probe"]

NAME = "probe.json"
SCHEMA = 1
MOST_BYTES = 64 << 20
MOST_ROWS, MOST_COLUMNS, MOST_PARTS, MOST_RUNS = 20_000, 200, 1000, 20_000


@dataclass(frozen=True, kw_only=True)
class ProbeFile:
    """The content of a probe.json."""

    probe: str
    """The command's name, as `memory`."""
    title: str
    """Whom it asked, and what about."""
    command: str
    bench: str
    """The version that wrote it."""
    runs: tuple[str, ...]
    """Its run directories, as paths inside of the folder."""
    sections: tuple[Section, ...]
    plots: tuple[Plot, ...]
    values: Mapping[str, Any]
    """Every figure: what `--format json` prints."""


def write_probe(
    folder: Path,
    finding: Finding,
    *,
    probe: str,
    title: str,
    command: str,
    runs: Sequence[str] = (),
    file: str = NAME,
) -> Path:
    """Write what was found into the folder, in place of what was found before.

    Raises UserError where the folder cannot be written to.
    """
    import importlib.metadata

    told = ProbeFile(
        probe=probe,
        title=title,
        command=command,
        bench=importlib.metadata.version("generalist-bench"),
        runs=tuple(runs),
        sections=tuple(finding.sections()),
        plots=tuple(finding.plots()),
        values=finding.to_json(),
    )
    content = json.dumps({"schema": SCHEMA, **dataclasses.asdict(told)}, indent=1, allow_nan=False)
    path = folder / file
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, f"{content}\n".encode())
    except OSError as fault:
        raise UserError(
            f"cannot write {path}: {fault.strerror}. Choose another folder with --out"
        ) from None
    return path


def probe_file(path: str | os.PathLike[str]) -> Path | None:
    """The probe.json that is meant: this file, or the one of a folder that is no run itself."""
    path = Path(path)
    if path.suffix == ".json" and path.is_file():
        return path
    found = path / NAME
    return found if found.is_file() and not (path / "run.json").exists() else None


def read_probe(file: Path) -> ProbeFile:
    """The checked content. Raises UserError where it is no probe.json, or of another version."""
    try:
        if file.stat().st_size > MOST_BYTES:
            raise ValueError(f"it has more than {MOST_BYTES >> 20} MiB")
        value = parse(file.read_bytes())
        schema = value.get("schema") if isinstance(value, dict) else None
        if type(schema) is int and schema > SCHEMA:
            raise UserError(f"{file} was written by a newer bench: pip install -U generalist-bench")
        found = fields_of(value, "", _FILE)
        del found["schema"]
        told = ProbeFile(**found)
    except OSError as fault:
        raise UserError(f"cannot read {file}: {fault.strerror}") from None
    except (ValueError, UnicodeDecodeError) as wrong:
        raise UserError(
            f"{file} is not what a probe writes: {wrong}; the probe's own command writes it again"
        ) from None
    return told


def _section(value: Any, place: str) -> Section:
    found = Section(**fields_of(value, place, _SECTION))
    for index, row in enumerate(found.rows):
        if len(row) != len(found.head):
            raise ValueError(f"{place}.rows[{index}] has {len(row)} of {len(found.head)} cells")
    return found


def _plot(value: Any, place: str) -> Plot:
    found = Plot(**fields_of(value, place, _PLOT))
    points = [point for each in found.series for point in each.points]
    if found.kind == "rows" and not found.labels:
        raise ValueError(f"{place}.labels is empty: rows have names")
    if found.labels and not all(point.at in range(len(found.labels)) for point in points):
        raise ValueError(f"{place} has a point at none of its labels")
    if found.logarithmic and not all(
        bound is None or bound > 0
        for point in points
        for bound in (point.value, point.low, point.high)
    ):
        raise ValueError(f"{place} has a value that no logarithmic axis has")
    return found


def _inside(value: Any, place: str) -> str:
    path = text(value, place)
    if not path or path.startswith("/") or ".." in path.split("/") or "\0" in path:
        raise ValueError(f"{place} is no path inside of the folder")
    return path


_TEXTS = list_of(text, MOST_COLUMNS)
_LINES = list_of(text, MOST_ROWS)
_SECTION = {
    "title": text,
    "before": _LINES,
    "head": _TEXTS,
    "rows": list_of(_TEXTS, MOST_ROWS),
    "after": _LINES,
    "right": boolean,
}
_POINT = {"at": number, "value": number, "low": optional(number), "high": optional(number)}
_SERIES = {
    "name": text,
    "points": list_of(lambda value, place: Point(**fields_of(value, place, _POINT)), MOST_ROWS),
}
_PLOT = {
    "title": text,
    "kind": one_of(*KINDS),
    "at": text,
    "value": text,
    "labels": list_of(text, MOST_ROWS),
    "series": list_of(
        lambda value, place: Series(**fields_of(value, place, _SERIES)), MOST_COLUMNS
    ),
    "least": optional(number),
    "most": optional(number),
    "marks": list_of(number, MOST_COLUMNS),
    "logarithmic": boolean,
}
_FILE = {
    "schema": whole(SCHEMA, SCHEMA),
    "probe": text,
    "title": text,
    "command": text,
    "bench": text,
    "runs": list_of(_inside, MOST_RUNS),
    "sections": list_of(_section, MOST_PARTS),
    "plots": list_of(_plot, MOST_PARTS),
    "values": json_table,
}

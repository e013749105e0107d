"""`bench leaderboard add`: an entry of the board from a run directory.

The same run gives the same bytes: one line and one trace for each case, in the order of the plan.
Of a line everything stays but the name of the worker that played it, which may name a machine.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.core import Result, UserError
from harness.core.text import printable
from harness.records.new_folder import new_folder
from harness.records.plan import CaseIndex
from harness.records.stored_run import StoredRun, load_run
from harness.records.traces import as_record, locate_traces, read_trace
from harness.verify.difference import Difference
from harness.verify.integrity import check_files
from harness.verify.knowledge import Knowledge
from harness.verify.plan_items import parts_of_suites
from leaderboards.submissions.describe import describe, planned, unfit
from leaderboards.submissions.entry import ENTRY, FILES, PackedFile, Submission, as_bytes
from leaderboards.submissions.packing import pack
from leaderboards.submissions.texts import slug

__all__ = ["Written", "add", "pack_entry"]

VERSION = "the version of "
"""Begins what verify says of a package that is installed here in another version."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """An entry that was written."""

    path: Path
    evidence: Path | None
    """The packed traces, where they are to lie at a URL."""
    bytes: int
    """Of all files in the entry."""
    remarks: tuple[str, ...]
    """What stands beside the entry, and what cannot be checked on this machine."""


def add(
    run: Path,
    title: str,
    submission: Submission,
    entries: Path,
    *,
    known: Knowledge,
    suites: frozenset[str],
    evidence_url: str | None = None,
) -> Written:
    """Write the entry of a run into a new folder of `entries`.

    `known`: our tasks and suites. `evidence_url`: where the traces will lie, if not in the entry.
    Raises UserError with the reason if the run is none for the board.
    """
    stored = load_run(run)
    _refuse(f"{run} is no entry", list(unfit(stored, dict(known.tasks), suites)))
    files = check_files(stored, known)
    elsewhere = [each for each in files.differences if each.what.startswith(VERSION)]
    wrong = [_said(each) for each in files.differences if each not in elsewhere]
    _refuse(f"{run} is no entry, `bench verify {run}` says more", wrong)
    results = dict(stored.cases())
    lost = [index for index, result in results.items() if result.status == "error"]
    if lost:
        raise UserError(
            f"{run} is no entry: {len(lost)} cases have no score, because of an error that was not "
            "the agent's. The command that made the run plays them again"
        )
    if foreign := next((each for each in results if not stored.whole.plays(*each[:2])), None):
        raise UserError(f"{run} is no entry: it has a line of a case that is not planned {foreign}")
    written = pack_entry(stored, title, submission, entries, evidence_url, results)
    remarks = [*written.remarks, *parts_of_suites(stored.whole, {}, known.suite)]
    remarks += [f"not checkable here: {_said(each)}" for each in elsewhere]
    remarks += [f"not checkable here: {each}" for each in files.unchecked]
    return dataclasses.replace(written, remarks=tuple(dict.fromkeys(remarks)))


def _refuse(what: str, reasons: Sequence[str]) -> None:
    if reasons:
        more = f" (and {len(reasons) - 1} more reasons)" if len(reasons) > 1 else ""
        raise UserError(f"{what}: {reasons[0]}{more}")


def _said(each: Difference) -> str:
    where = f"{each.task} " if each.task else ""
    return printable(f"{where}{each.what}: {each.recorded}, should be {each.expected}")[:300]


def pack_entry(
    run: StoredRun,
    title: str,
    submission: Submission,
    entries: Path,
    evidence_url: str | None,
    results: dict[CaseIndex, Result],
) -> Written:
    """Write the entry without asking whether the run is one for the board.

    Raises UserError if there is another entry already, or the folder cannot be written to.
    """
    described = describe(run)
    suites = described["results"]["suites"]
    folder = slug(title), slug(suites[0] if len(suites) == 1 else f"{len(suites)} suites")
    if not all(folder):
        raise UserError(f"--name {printable(title)!r}: it needs a letter or a digit of ASCII")
    path = entries / "-".join(folder)
    evidence = Path(f"{path.name}.{FILES['traces']}") if evidence_url else None
    with new_folder(entries, entries, "--entries") as new:
        files = _pack_files(run, new, results, evidence_url)
        (new / ENTRY).write_bytes(as_bytes(title, submission, described, files))
        size = _place(new, path, evidence)
    return Written(path=path, evidence=evidence, bytes=size, remarks=tuple(described["marks"]))


def _pack_files(
    run: StoredRun, new: Path, results: dict[CaseIndex, Result], url: str | None
) -> dict[str, PackedFile]:
    description = json.dumps(dict(run.description), allow_nan=False, sort_keys=True)
    content = {
        "run": [f"{description}\n".encode()],
        "episodes": _lines(run, results),
        "traces": _traces(run),
    }
    return {
        kind: pack(kind, name, content[kind], new / name, url if kind == "traces" else None)
        for kind, name in FILES.items()
    }


def _lines(run: StoredRun, results: dict[CaseIndex, Result]) -> Iterator[bytes]:
    for index in planned(run.whole):
        if index in results:
            fields = dataclasses.asdict(results[index])
            fields["timing"].pop("worker", None)
            yield json.dumps(fields, allow_nan=False).encode() + b"\n"


def _traces(run: StoredRun) -> Iterator[bytes]:
    """The records that count, in the plan's order."""
    places = {trace.case: (part, place) for trace, part, place in locate_traces(run.path)}
    for index in planned(run.whole):
        found = places.get(run.whole.case(index).id)
        if found is not None:
            yield as_record(read_trace(*found))


def _place(new: Path, path: Path, evidence: Path | None) -> int:
    """Move a finished entry to its place; returns the bytes of its files.

    An entry that is there already stays if it is the same.
    """
    elsewhere = FILES["traces"] if evidence is not None else ""
    files = [file for file in sorted(new.iterdir()) if file.name != elsewhere]
    size = sum(file.stat().st_size for file in files)
    there = os.path.lexists(path)
    if there and not (_is_folder(path) and all(_same(file, path / file.name) for file in files)):
        raise UserError(
            f"{path} is there already, and is another entry: remove it, or choose another --name"
        )
    if evidence is not None:
        shutil.move(new / FILES["traces"], evidence)
    if not there:
        new.chmod(0o755)
        new.rename(path)
    return size


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _same(one: Path, other: Path) -> bool:
    return _is_regular(other) and one.read_bytes() == other.read_bytes()


def _is_regular(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()

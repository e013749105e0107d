"""entry.json: what an entry of the board says, read field by field.

`leaderboards/entry.schema.json` describes the same document for other programs; a test holds the
two together.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.core import UserError
from harness.core.text import printable
from harness.records.safe_files import files_inside, read_inside
from harness.records.safe_json import parse
from harness.records.typed import (
    Check,
    boolean,
    fields_of,
    is_number,
    list_of,
    optional,
    table_of,
    whole,
)  # fmt: skip
from leaderboards.submissions.texts import address, digest, licence, line, name, plain_table

__all__ = [
    "CLAIMED", "ENTRY", "FILES", "SCHEMA", "VERDICT", "Entry", "PackedFile", "Submission",
    "as_bytes", "read_entry",
]  # fmt: skip

SCHEMA = 1
ENTRY, VERDICT = "entry.json", "check.json"
FILES: Mapping[str, str] = {
    "run": "run.json.xz",
    "episodes": "episodes.jsonl.xz",
    "traces": "traces.msgpack.xz",
}
"""What a packed file holds -> its name."""
MOST_PACKED: Mapping[str, int] = {"run": 8 << 20, "episodes": 64 << 20, "traces": 512 << 20}
MOST_UNPACKED: Mapping[str, int] = {"run": 32 << 20, "episodes": 512 << 20, "traces": 1 << 30}
"""Bytes."""
MOST_ENTRY = 4 << 20
MOST_TASKS = 5_000
MOST_MARKS = 100
CLAIMED = (
    "claimed, not checked: that the agent of this name chose the actions, what it was shown and "
    "whether that was privileged, how many checkpoints and seeds were tried, when and on which "
    "machine it played, its model card, and how long it took"
)
"""Stands in every entry and every verdict: no replay can show any of it."""


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What the submitter says, and nobody checks."""

    url: str | None
    licence: str | None
    """Of the agent, as an SPDX expression."""
    selection: str
    """Which checkpoint and seed is shown, of how many, and chosen on what."""
    checkpoints_tried: int | None
    seeds_tried: int | None
    """Of the agent's training or sampling; None: not stated."""
    training_data: str | None
    parameters: int | None
    weights: str | None
    """Where they lie."""
    cost_per_episode: float | None
    """In US dollars."""
    contact: str | None


@dataclass(frozen=True, kw_only=True)
class PackedFile:
    """A compressed file of an entry."""

    name: str
    bytes: int
    unpacked_bytes: int
    sha256: str
    """Of the compressed file."""
    url: str | None
    """Where it lies, if not in the entry."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An entry, read; nothing in it has been compared with anything yet."""

    path: Path
    name: str
    submission: Submission
    described: Mapping[str, Any]
    """What must follow from the run's own files: see leaderboards/submissions/describe.py."""
    files: Mapping[str, PackedFile]
    digest: str
    """SHA-256 of entry.json, and through it of the packed files: what a verdict is about."""


def _number(value: Any, place: str) -> float:
    if not is_number(value) or value < 0:
        raise ValueError(f"{place} is not a finite number from 0 on")
    return float(value)


_SUBMISSION: Mapping[str, Check] = {
    "url": optional(address),
    "licence": optional(licence),
    "selection": line(1000),
    "checkpoints_tried": optional(whole(1, 1_000_000_000)),
    "seeds_tried": optional(whole(1, 1_000_000_000)),
    "training_data": optional(line(1000)),
    "parameters": optional(whole(0, 1 << 53)),
    "weights": optional(address),
    "cost_per_episode": optional(_number),
    "contact": optional(line(200)),
}
_AGENT: Mapping[str, Check] = {
    "name": line(300),
    "entry": line(300),
    "args": plain_table,
    "fingerprint": line(64),
    "reads": list_of(line(200), 1000),
    "privileged": boolean,
    "privileged_views": list_of(line(80), MOST_TASKS),
    "parameters": optional(whole(0, 1 << 60)),
}
_PLAYED: Mapping[str, Check] = {
    "bench": line(100),
    "commit": optional(line(100)),
    "created": line(100),
    "finished": line(100),
    "machine": plain_table,
    "packages": table_of(line(1000), 1000),
    "renderers": list_of(line(200), 1000),
}


def _task(value: Any, place: str) -> Mapping[str, Any]:
    return fields_of(value, place, _TASK)


_TASK: Mapping[str, Check] = {
    "task": line(300),
    "suite": line(300),
    "protocol": line(64),
    "episodes": whole(1, 1_000_000),
    "successes": optional(whole(0, 1_000_000)),
    "score_mean": optional(lambda value, place: value if is_number(value) else _bad(place)),
    "agent_errors": whole(0, 1_000_000),
}


def _bad(place: str) -> float:
    raise ValueError(f"{place} is not a finite number")


def _results(value: Any, place: str) -> Mapping[str, Any]:
    return fields_of(value, place, _RESULTS)


_RESULTS: Mapping[str, Check] = {
    "plan": line(64),
    "suites": list_of(line(300), 1000),
    "conditions": list_of(line(300), 2000),
    "cases": whole(1, 20_000_000),
    "not_run": whole(0, 100_000),
    "tasks": list_of(_task, MOST_TASKS),
}


def _packed(value: Any, place: str) -> PackedFile:
    kind = place.rpartition(".")[2]
    checks: Mapping[str, Check] = {
        "name": _named(FILES[kind]),
        "bytes": whole(1, MOST_PACKED[kind]),
        "unpacked_bytes": whole(0, MOST_UNPACKED[kind]),
        "sha256": digest,
        "url": optional(address),
    }
    return PackedFile(**fields_of(value, place, checks))


def _named(wanted: str) -> Check:
    def check(value: Any, place: str) -> str:
        if value != wanted:
            raise ValueError(f"{place} is not {wanted}")
        return wanted

    return check


def _table(checks: Mapping[str, Check]) -> Check:
    return lambda value, place: fields_of(value, place, checks)


def _whole(value: Any, place: str) -> int:
    if value != SCHEMA or type(value) is not int:
        raise ValueError(
            f"schema is {printable(repr(value)[:40])}; this version of bench reads {SCHEMA}"
        )
    return SCHEMA


_ENTRY: Mapping[str, Check] = {
    "schema": _whole,
    "name": name,
    "claimed": line(2000),
    "submission": lambda value, place: Submission(**fields_of(value, place, _SUBMISSION)),
    "agent": _table(_AGENT),
    "played": _table(_PLAYED),
    "results": _results,
    "marks": list_of(line(1000), MOST_MARKS),
    "files": _table(dict.fromkeys(FILES, _packed)),
}


def read_entry(path: Path) -> Entry:
    """The entry in a folder. Raises UserError with the reason if it is none.

    No file of it is unpacked, and none is opened but entry.json.
    """
    # Compared as a set of names: whatever else lies there could be taken for part of the entry.
    known = {ENTRY, VERDICT, *FILES.values()}
    foreign = sorted(set(files_inside(path.parent, path.name, r"(?s).*")) - known)
    if foreign:
        raise UserError(f"it holds other files than an entry has: {printable(foreign[0][:100])}")
    try:
        raw = read_inside(path, ENTRY, MOST_ENTRY)
        found = fields_of(parse(raw), "", _ENTRY)
    except FileNotFoundError:
        raise UserError(f"{path} is no entry of the board: it has no {ENTRY}") from None
    except ValueError as wrong:
        raise UserError(f"{ENTRY}: {printable(str(wrong))}") from None
    if found["claimed"] != CLAIMED:
        raise UserError(f"{ENTRY}: `claimed` says something else than what is only claimed")
    return Entry(
        path=path,
        name=found["name"],
        submission=found["submission"],
        described={key: _plain(found[key]) for key in ("agent", "played", "results", "marks")},
        files=found["files"],
        digest=hashlib.sha256(raw).hexdigest(),
    )


def _plain(value: Any) -> Any:
    """Tables and lists as JSON reads them, so that two descriptions compare."""
    return json.loads(json.dumps(value))


def as_bytes(
    title: str,
    submission: Submission,
    described: Mapping[str, Any],
    files: Mapping[str, PackedFile],
) -> bytes:
    """entry.json. Raises UserError where the reader would refuse it."""
    document = {
        "schema": SCHEMA,
        "name": title,
        "claimed": CLAIMED,
        "submission": asdict(submission),
        **described,
        "files": {kind: asdict(file) for kind, file in files.items()},
    }
    try:
        fields_of(_plain(document), "", _ENTRY)
    except ValueError as wrong:
        raise UserError(f"this cannot be an entry of the board: {printable(str(wrong))}") from None
    return (json.dumps(document, indent=1, allow_nan=False) + "\n").encode()

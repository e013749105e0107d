"""check.json: what a check of an entry came to, in words and in figures that anybody can repeat."""

from __future__ import annotations

import datetime
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.core import UserError
from harness.core.grammar import counted
from harness.core.text import printable, shorten
from harness.records.identity import machine
from harness.records.safe_files import read_inside
from harness.records.safe_json import parse
from leaderboards.submissions.entry import CLAIMED, VERDICT

__all__ = ["ACCEPTED", "NOT_HERE", "REFUSED", "Verdict", "read_verdict", "statement"]

ACCEPTED, REFUSED, NOT_HERE = "accepted", "refused", "not checkable here"
SCHEMA = 1
MOST_REASONS = 20
MOST_VERDICT = 4 << 20


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The verdict on one entry."""

    outcome: str
    """ACCEPTED, REFUSED or NOT_HERE."""
    statement: str
    """In a sentence: what was replayed, and what that can have missed."""
    entry: str | None = None
    """SHA-256 of the entry.json that was checked; None: it could not be read."""
    bench: str = ""
    commit: str | None = None
    reasons: tuple[str, ...] = ()
    """Why it was refused, or what could not be checked; the first MOST_REASONS."""
    seed: str | None = None
    """What the sample was drawn with, by the checker after the entry was handed over."""
    sample: str = ""
    """What `--sample` said."""
    replayed: int = 0
    playable: int = 0
    by_task: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """Task id -> (drawn, playable)."""
    chances: Sequence[Mapping[str, Any]] = ()
    """See harness/verify/sampling.py."""
    starts: int = 0
    """Episodes that were not replayed, but start as ours do."""
    rerun: str | None = None
    """What came of playing the agent again; None: it was not."""
    notes: tuple[str, ...] = ()

    def write(self, folder: Path) -> Path | None:
        """Write check.json into the folder of the entry; None where that is a link.

        It is replaced in one step. Raises UserError if it cannot be written.
        """
        if folder.is_symlink() or not folder.is_dir():
            return None
        now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        document = {
            "schema": SCHEMA,
            "verdict": self.outcome,
            "date": now,
            **{name: value for name, value in asdict(self).items() if name != "outcome"},
            "claimed": CLAIMED,
            "machine": machine(),
        }
        try:
            number, temporary = tempfile.mkstemp(prefix=".check-", dir=folder)
            with os.fdopen(number, "w") as file:
                file.write(json.dumps(document, indent=1, allow_nan=False) + "\n")
            os.chmod(temporary, 0o644)
            os.replace(temporary, folder / VERDICT)
        except OSError as fault:
            raise UserError(f"cannot write {folder / VERDICT}: {fault.strerror}") from None
        return folder / VERDICT


def read_verdict(folder: Path, entry: str) -> Mapping[str, Any] | None:
    """check.json of an entry whose entry.json has the SHA-256 `entry`.

    None where there is none, or it is about another entry.json. Anybody can write this file: it is
    worth what the place is worth that it comes from. Raises UserError if it is none of ours.
    """
    try:
        found = parse(read_inside(folder, VERDICT, MOST_VERDICT))
    except FileNotFoundError:
        return None
    except ValueError as wrong:
        raise UserError(f"{VERDICT} of {folder.name}: {printable(str(wrong))}") from None
    known = isinstance(found, dict) and found.get("schema") == SCHEMA
    if not known or found.get("verdict") not in (ACCEPTED, REFUSED, NOT_HERE):
        raise UserError(f"{VERDICT} of {folder.name} is no verdict of this version of bench")
    return found if found.get("entry") == entry else None


def statement(replayed: int, playable: int, chances: Sequence[Mapping[str, Any]]) -> str:
    """What a replay of a sample can have missed.

    Example: `200 of 5,000 episodes replayed: if 1 % (50) were forged, caught with 87 %`. The
    chance is that of the placement that a forger would choose, and is rounded down.
    """
    if replayed >= playable:
        return f"all of {counted(playable, 'episode')} replayed"
    told = [chances[0], chances[-1]] if len(chances) > 1 else chances
    said = "; ".join(
        f"if {100 * each['share']:.2g} % ({each['episodes']:,}) were forged, caught with "
        f"{int(100 * each['caught'] + 1e-9)} %"
        for each in told
    )
    return f"{replayed:,} of {playable:,} episodes replayed: {said}"


def short_reasons(reasons: Sequence[str]) -> tuple[str, ...]:
    """The first MOST_REASONS, each one printable line, and how many more there are."""
    kept = [printable(shorten(each, 500)) for each in dict.fromkeys(reasons)]
    more = len(kept) - MOST_REASONS
    return tuple(kept[:MOST_REASONS]) + ((f"and {more} more",) if more > 0 else ())

"""Which run of a tracker a run directory belongs to, so that the same command goes on with it.

RUN/trackers/KIND.json holds `{"place", "run"}`. It is no part of the run's identity.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from harness.core import UserError
from harness.records.safe_files import check_writable, read_inside
from harness.records.safe_json import parse
from leaderboards.trackers.destination import Destination

__all__ = ["known_run", "remember_run"]

FOLDER = "trackers"
MOST_BYTES = 10_000


def known_run(run: Path, destination: Destination) -> str | None:
    """What an earlier call remembered for this destination, or None."""
    try:
        found = parse(read_inside(run, f"{FOLDER}/{destination.kind}.json", MOST_BYTES))
    except (FileNotFoundError, UserError, ValueError):
        # Whatever is there, a new run in the tracker is right.
        return None
    if not isinstance(found, dict) or found.get("place") != destination.place:
        return None
    name = found.get("run")
    return name if isinstance(name, str) else None


def remember_run(run: Path, destination: Destination, name: str) -> None:
    """Raises OSError, and UserError where a link lies in the way."""
    check_writable(run, (), (FOLDER,))
    (run / FOLDER).mkdir(exist_ok=True)
    file = f"{destination.kind}.json"
    check_writable(run / FOLDER, (file, f"{file}.new"))
    told = {"place": destination.place, "run": name}
    new = run / FOLDER / f"{file}.new"
    new.write_text(json.dumps(told) + "\n", encoding="utf-8")
    os.replace(new, run / FOLDER / file)

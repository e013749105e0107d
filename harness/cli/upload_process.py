"""The process that sends a run to a store while it is played.

It is started by harness/cli/uploads.py. On stdout it writes a line of JSON when the working copy is
ready or cannot be, and one when all is sent or cannot be. On stdin it reads one line: how many
seconds the last upload may take. Where stdin ends without it, whoever plays was killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import time
from pathlib import Path

from harness.cli.output import say
from harness.core import UserError
from harness.records.held_file import HeldFile
from harness.records.object_store import ObjectStore, StoreFault, refuse_read_only
from harness.records.run_lease import Lease, LeaseLost
from harness.records.run_mirror import Mirror

__all__ = ["main"]

PAUSE_S = 5.0
"""Seconds between two uploads: what is played by then is lost at most if this machine is."""
LONGEST_PAUSE_S = 60.0
ORPHAN_S = 60.0
"""How long the last upload may take when whoever plays was killed."""
LOCKED_S = 30.0
"""How long to wait for the process of a killed run to see that it is not the writer any more."""


def main(url: str, folder: str) -> int:
    """Returns 0 when everything was sent, else 1."""
    out = os.dup(1)
    os.dup2(2, 1)  # what the packages of a store print is no line for the parent
    place = Path(folder)
    parent = os.getppid()
    try:
        refuse_read_only(url)
        store = ObjectStore(url)
        lease = Lease(store, parent, say)
        place.parent.mkdir(parents=True, exist_ok=True)
        lock = _locked(place.with_name(f".{place.name}.lock"), store)
        mirror = Mirror(store, place, lease)
        mirror.pull(say)
    except (UserError, OSError) as fault:
        _tell(out, {"why": _why(fault)})
        return 1
    _tell(out, {"opened": store.shown})
    why = _follow(mirror, lease)
    lock.close()
    with contextlib.suppress(BrokenPipeError):  # whoever played was killed
        _tell(out, {"why": why})
    return 0 if why is None else 1


def _follow(mirror: Mirror, lease: Lease) -> str | None:
    """Send what is new until told to end; returns why that is not all, or None."""
    pause, told, lost = PAUSE_S, False, ""
    while (last := _told(pause)) is None:
        if lost:
            continue
        try:
            mirror.push()
            lease.renew()
            if told:
                say("the store takes results again")
            pause, told = PAUSE_S, False
        except LeaseLost as fault:
            lost = str(fault)
            say(lost)
        except (UserError, OSError) as fault:
            if not told:
                what = _why(fault).partition(". See that")[0]
                say(f"{what}; the run goes on, and its results are sent later")
            pause, told = min(LONGEST_PAUSE_S, 2 * pause), True
    return lost or _finish(mirror, last)


def _finish(mirror: Mirror, seconds: float) -> str | None:
    """Send the rest and release the run; try again until the time is over."""
    until, pause = time.monotonic() + seconds, 0.5
    while True:
        try:
            mirror.close()
        except (UserError, OSError) as fault:
            lasting = isinstance(fault, LeaseLost) or getattr(fault, "lasting", False)
            if lasting or time.monotonic() + pause > until:
                return _why(fault)
            time.sleep(pause)
            pause = min(10.0, 2 * pause)
        else:
            return None


def _told(seconds: float) -> float | None:
    """How many seconds the last upload may take; None: go on, nothing was said in this time."""
    if not select.select([0], [], [], seconds)[0]:
        return None
    line = os.read(0, 100)
    return float(json.loads(line)) if line else ORPHAN_S


def _locked(file: Path, store: ObjectStore) -> HeldFile:
    """Holds a lock of this machine on the working copy."""
    until = time.monotonic() + LOCKED_S
    while True:
        try:
            return HeldFile(file, lock=True)
        except BlockingIOError:
            if time.monotonic() > until:
                raise StoreFault(
                    f"{store.shown} is being written by another run on this machine. Wait for it, "
                    "or choose another place with --out",
                    lasting=True,
                ) from None
            time.sleep(0.2)


def _why(fault: Exception) -> str:
    return str(fault if isinstance(fault, UserError) else f"the working copy: {fault}").rstrip(".")


def _tell(out: int, told: dict[str, object]) -> None:
    os.write(out, json.dumps(told).encode() + b"\n")

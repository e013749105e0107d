"""Who may write a run in an object store: one writer at a time, without a lock of the system.

Writers are numbered. Writer N is whoever makes the object `locks/N.json`, which a store lets only
one do. It changes the object every few seconds, so that others see that it lives. If it has not for
LEASE_S seconds, as measured by whoever waits, or if its process on this machine is gone, the next
writer makes `locks/N+1.json`. Whoever finds a higher number than its own writes nothing any more;
what it may still have written is passed over (harness/records/run_pieces.py).
"""

from __future__ import annotations

import json
import os
import re
import socket
import time
import uuid
from collections.abc import Callable
from typing import Any

from harness.core import UserError
from harness.records.object_store import ObjectStore
from harness.records.safe_json import parse

__all__ = ["LEASE_S", "Lease", "LeaseLost"]

LOCKS = "locks"
LEASE_S = 60.0
"""How long a writer may be silent before another one takes its place."""
RENEW_S = 5.0
"""Seconds after which a writer shows again that it lives."""
LOOK_S = 1.0
"""Seconds between two looks at a writer that may be gone."""
MOST_LOCK = 4096
_LOCK = re.compile(LOCKS + r"/(\d{6})\.json")


class LeaseLost(UserError):
    """Another writer has taken the place of this one."""


class Lease:
    """The right to write a run, held until `release`."""

    def __init__(
        self,
        store: ObjectStore,
        owner: int,
        say: Callable[[str], None],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Become the writer, after a wait of up to LEASE_S where the last one was cut off.

        `owner`: the id of the process that plays, for whoever finds the lock.

        Raises UserError where another writer lives, and StoreFault.
        """
        self._store = store
        self._player = {"machine": _machine(), "process": owner, "begun": _begun(owner)}
        self._token = uuid.uuid4().hex
        self._renewals, self._renewed = 0, time.monotonic()
        last = self._newest()
        if last and not self._is_over(last, say, sleep):
            raise self._busy(_content(store, last))
        self.number = last + 1
        if self.number > 999_999:
            raise UserError(f"{store.shown} was opened too often: choose another place with --out")
        if not store.create(_name(self.number), self._told()):
            raise self._busy(_content(store, self.number))

    def check(self) -> None:
        """Raises LeaseLost if there is a later writer, and StoreFault."""
        if self._newest() > self.number:
            raise LeaseLost(
                f"{self._store.shown} has another writer by now: what this run played since is in "
                "its working copy alone"
            )

    def renew(self) -> None:
        """Show that this writer lives. Raises as `check` does."""
        self.check()
        self._renewals, self._renewed = self._renewals + 1, time.monotonic()
        self._store.write(_name(self.number), self._told())

    def keep(self) -> None:
        """The same, if it has not been done for RENEW_S seconds. For what may take long."""
        if time.monotonic() - self._renewed > RENEW_S:
            self.renew()

    def release(self, *, unused: bool = False) -> None:
        """Let the next writer begin at once. Raises as `check` does.

        `unused`: there is no run yet, so no trace of a writer remains.
        """
        self.check()
        self._store.write(_name(self.number), self._told(released=True))
        for name in self._store.sizes(LOCKS):
            found = _LOCK.fullmatch(name)
            if found and int(found[1]) < self.number + unused:
                self._store.remove(name)

    def _told(self, *, released: bool = False) -> bytes:
        told = {
            "token": self._token,
            "host": socket.gethostname(),
            **self._player,
            "renewals": self._renewals,
            "released": released,
        }
        return json.dumps(told).encode()

    def _newest(self) -> int:
        found = (_LOCK.fullmatch(name) for name in self._store.sizes(LOCKS))
        return max((int(each[1]) for each in found if each), default=0)

    def _is_over(
        self, number: int, say: Callable[[str], None], sleep: Callable[[float], None]
    ) -> bool:
        """Whether the writer of this number is gone."""
        before = _content(self._store, number)
        if before.get("released") is True:
            return True
        if _machine() and before.get("machine") == _machine():
            begun = _begun(before.get("process"))
            return begun is None or begun != before.get("begun")
        say(
            f"{self._store.shown} was last written by a run on {_host(before)}: waiting up to "
            f"{LEASE_S:.0f} s to see whether it still runs"
        )
        until = time.monotonic() + LEASE_S
        while time.monotonic() < until:
            sleep(LOOK_S)
            now = _content(self._store, number)
            if now.get("released") is True:
                return True
            if now != before or self._newest() != number:
                return False
        return True

    def _busy(self, lock: dict[str, Any]) -> UserError:
        return UserError(
            f"{self._store.shown} is being written by another run, on {_host(lock)}. Wait for it, "
            "or choose another place with --out"
        )


def _name(number: int) -> str:
    return f"{LOCKS}/{number:06d}.json"


def _content(store: ObjectStore, number: int) -> dict[str, Any]:
    """What a lock says; empty if it is gone, or nothing that bench wrote."""
    content = store.read(_name(number), MOST_LOCK)
    try:
        told = parse(content or b"{}")
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _host(lock: dict[str, Any]) -> str:
    host, process = lock.get("host"), lock.get("process")
    named = host if isinstance(host, str) and len(host) < 100 else "another machine"
    return f"{named} (process {process})" if type(process) is int else named


def _machine() -> str:
    """This machine since its start, and the namespace of its process ids; empty: unknown."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return f"{file.read().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _begun(process: object) -> int | None:
    """When a process of this machine began, in clock ticks since its start; None: there is none."""
    if type(process) is not int or process <= 0:
        return None
    try:
        with open(f"/proc/{process}/stat") as file:
            return int(file.read().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None

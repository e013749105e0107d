"""A worker of a pool as an actor: it plays for one run after another, and keeps its environments.

Independent of Ray but for what it holds.
"""

from __future__ import annotations

import logging
import os
import threading
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

from harness.core import Case
from harness.play.case_queue import Ticket
from harness.play.environments import EnvSlot
from harness.play.ray_actors import _Worker
from harness.play.worker import POLL_S, Exchange

__all__ = ["BUSY", "NEW", "OTHER", "WARM", "PooledWorker"]

NEW, WARM, OTHER, BUSY = "new", "warm", "other", "busy"
"""What a worker is for a run: nothing has happened in it; it waits, with what that run needs; it
waits, but has met another agent or other code; or it plays."""


class PooledWorker:
    """What _Worker is, again and again. Between two runs it has environments, and no agent."""

    def __init__(self) -> None:
        self._worker: _Worker | None = None
        self._begun = threading.Event()
        self._folder = os.getcwd()
        self._kept: list[list[EnvSlot]] = []
        self._key = ""
        self._busy = False
        self._code: dict[str, str] = {}

    def state(self, key: str, code: Mapping[str, str]) -> str:
        """What this worker is for a run with this key and these versions of code."""
        if self._busy:
            return BUSY
        if not self._key:
            return NEW
        same = key == self._key and all(self._code.get(k, v) == v for k, v in code.items())
        return WARM if same else OTHER

    def begin(
        self,
        key: str,
        code: Mapping[str, str],
        name: str,
        packed: bytes,
        replicas: Sequence[Any],
        place: Any,
        options: dict[str, Any],
        timeout: float,
    ) -> None:
        """Play for a run.

        `key` stands for its agent and options, `code` for the versions of what it plays; the others
        are those of _Worker. What `exchange` cannot tell ends this process, as in an ordinary one.
        """
        self._key, self._busy = key, True
        self._code.update(code)
        kept, self._kept = self._kept, []
        os.chdir(self._folder)
        logging.getLogger("bench").handlers.clear()  # those of the run before
        try:
            self._worker = _Worker(
                name, packed, replicas, place, {**options, "kept": kept}, timeout
            )
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        self._begun.set()

    def _playing(self) -> _Worker:
        """The worker of this run: other threads call `begin` and what comes after it."""
        self._begun.wait()
        assert self._worker is not None
        return self._worker

    def exchange(
        self, cases: Sequence[tuple[Ticket, Case]], back: int = 0, wait_s: float = POLL_S
    ) -> Exchange:
        """Raises UserError if the agent cannot be built."""
        return self._playing().exchange(cases, back, wait_s)

    def hurry(self) -> None:
        """Let the exchange under way return now."""
        self._playing().hurry()

    def replace(self, number: int, actor: Any) -> None:
        """A replica of the served agent was replaced by this actor."""
        self._playing().replace(number, actor)

    def close(self) -> list[str]:
        """Close the agent, and keep the environments for the next run, if nothing hangs."""
        worker = self._playing()
        if worker._refused is not None:
            return []
        notices, kept = worker._worker_loop.rest()
        if kept is None:
            os._exit(1)
        self._worker, self._kept = None, kept
        self._begun.clear()
        self._busy = False
        return notices

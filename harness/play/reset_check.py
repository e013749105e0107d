"""Does `reset(seed)` fix the start? A user's environment is asked when it is new.

Where it does not, two runs cannot be compared in pairs, and a replay differs.
"""

from __future__ import annotations

import logging

from harness.core import Case
from harness.host.loading import code_of
from harness.play.environments import EnvSlot
from harness.play.inference import Watch, watched
from harness.play.start_digest import compared, start_digest
from harness.play.values import checked_state
from harness.records.registry import load

__all__ = ["ResetCheck"]

log = logging.getLogger("bench")


class ResetCheck:
    """Compares equal resets of users' own environments, and logs once for each task what differs.

    The first environment of a task is reset twice, each later one once, all with one seed. No
    environment is made for this alone: some simulators allow one in a process. A task that asks
    for fresh environments is left alone, because a reset would make one used.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._starts: dict[str, str] = {}
        """Task id -> how its first environment started."""
        self._done: set[str] = set()
        """Tasks of which nothing more is to be found out."""

    def made(self, slot: EnvSlot, case: Case) -> None:
        """Check an environment that has just been made for this case.

        Whatever it raises is told when the case is played.
        """
        task = case.task
        if task.id in self._done or task.params.get("fresh") is True or slot.adapter.nondeterminism:
            return
        try:
            # Asked here, also of an adapter in another interpreter: one more child costs seconds.
            if not code_of(load(task.adapter), task):
                self._done.add(task.id)
                return
            first = self._starts.get(task.id)
            again = self._start_of(slot, Case(task, task.first_seed))
            where = "in two environments"
            if first is None:
                first = self._starts[task.id] = again
                again = self._start_of(slot, Case(task, task.first_seed))
                where = "in one environment"
        except KeyboardInterrupt:
            raise
        except BaseException:
            self._done.add(task.id)
            return
        if first != again:
            self._done.add(task.id)
            log.warning(
                "%s: reset(seed) does not fix the start: two resets with one seed differ %s. Runs "
                "of it cannot be compared in pairs, and a replay differs",
                task.id,
                where,
            )

    def _start_of(self, slot: EnvSlot, case: Case) -> str:
        with watched(self._watch, slot.patience):
            first = slot.reset(case)
            state = checked_state(slot.state())
            return start_digest(compared(slot.adapter), first, state)

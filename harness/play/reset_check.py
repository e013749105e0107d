"""Does `reset(seed)` fix the start? A user's environment is asked when it is new.

Where it does not, two runs cannot be compared in pairs, and a replay differs.
"""

from __future__ import annotations

import logging

from harness.core import Case, Task
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

    A new environment is reset once more than it would be, with the task's first case: that case's
    own start is compared with it, and so is the second environment. None is made for this alone:
    some simulators allow one in a process. A task that asks for fresh environments is left alone,
    because a reset would make one used.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._starts: dict[str, tuple[Case, str]] = {}
        """Task id -> the first case of it here, and how its first environment started."""
        self._awaited: set[str] = set()
        """Ids of cases that are about to start again in the same environment."""
        self._done: set[str] = set()
        """Tasks of which nothing more is to be found out."""
        self._equal: set[str] = set()
        """Tasks of which two environments began alike: others are not reset for this."""

    def made(self, slot: EnvSlot, case: Case) -> None:
        """Check an environment that has just been made for this case.

        Whatever it raises is told when the case is played.
        """
        task = case.task
        if (
            task.id in self._done
            or task.id in self._equal
            or task.params.get("fresh") is True
            or slot.adapter.nondeterminism
        ):
            return
        try:
            # Asked here, also of an adapter in another interpreter: one more child costs seconds.
            if not code_of(load(task.adapter), task):
                self._done.add(task.id)
                return
            first, known = self._starts.get(task.id, (case, ""))
            again = self._start_of(slot, first)
        except KeyboardInterrupt:
            raise
        except BaseException:
            self._done.add(task.id)
            return
        if not known:
            self._starts[task.id] = first, again
            self._awaited.add(first.id)
        elif known != again:
            self._tell(task, "in two environments")
        else:
            self._equal.add(task.id)

    def began(self, case: Case, start: str, drawn_again: bool) -> None:
        """Compare how an episode has just started; empty if that is not known."""
        if self._awaited and case.id in self._awaited:
            self._awaited.discard(case.id)
            if start and not drawn_again and start != self._starts[case.task.id][1]:
                self._tell(case.task, "in one environment")

    def _tell(self, task: Task, where: str) -> None:
        if task.id in self._done:
            return
        self._done.add(task.id)
        log.warning(
            "%s: reset(seed) does not fix the start: two resets with one seed differ %s. Runs of "
            "it cannot be compared in pairs, and a replay differs",
            task.id,
            where,
        )

    def _start_of(self, slot: EnvSlot, case: Case) -> str:
        with watched(self._watch, slot.patience):
            first = slot.reset(case)
            state = checked_state(slot.state())
            return start_digest(compared(slot.adapter), first, state)

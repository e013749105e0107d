"""Which worker of a parallel run checks the resets of which task: one does it for all.

Independent of Ray.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.core import Case
from harness.play.worker_handle import WorkerHandle

__all__ = ["ResetDuty"]


class ResetDuty:
    """The worker that is given a task's first case checks its resets (harness.play.reset_check).

    If that worker is lost, or gives all cases of the task back, before it has played any, whoever
    is given the next one does.
    """

    def __init__(self) -> None:
        self._whose: dict[str, WorkerHandle] = {}
        self._begun: set[str] = set()

    def given(self, handle: WorkerHandle, cases: Iterable[Case]) -> list[str]:
        """The ids of the tasks among these cases whose resets this worker is to check."""
        tasks = dict.fromkeys(case.task.id for case in cases)
        return [task for task in tasks if self._whose.setdefault(task, handle) is handle]

    def played(self, handle: WorkerHandle, case: Case) -> None:
        """Note that a worker has played a case."""
        if self._whose.get(case.task.id) is handle:
            self._begun.add(case.task.id)

    def returned(self, handle: WorkerHandle, case: Case) -> None:
        """Note that a worker gave a case back, which it does not hold any more."""
        if all(held.task.id != case.task.id for held in handle.held.values()):
            self._leave(handle, [case.task.id])

    def lost(self, handle: WorkerHandle) -> None:
        """Note that a worker's process is gone."""
        self._leave(handle, list(self._whose))

    def _leave(self, handle: WorkerHandle, tasks: Iterable[str]) -> None:
        for task in tasks:
            if self._whose.get(task) is handle and task not in self._begun:
                del self._whose[task]

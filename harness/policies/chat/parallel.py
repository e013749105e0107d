"""Several jobs at a time, each in a thread of its own."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["in_parallel"]

POLL_S = 0.2
"""How often the caller wakes up, so that an interrupt or a deadline reaches it."""


def in_parallel(jobs: Sequence[Callable[[], Any]], most: int) -> list[Any]:
    """What the jobs return, in their order; at most `most` of them run at a time.

    Raises what a job raised, the first one in order, after all have ended. The threads do not keep
    the process alive: whoever interrupts the caller does not wait for an answer that never comes.
    """
    if len(jobs) == 1 or most == 1:
        return [job() for job in jobs]
    waiting = deque(enumerate(jobs))
    returned: dict[int, Any] = {}
    raised: dict[int, BaseException] = {}

    def work() -> None:
        while True:
            try:
                number, job = waiting.popleft()
            except IndexError:
                return
            try:
                returned[number] = job()
            except BaseException as fault:  # raised again in the caller's thread
                raised[number] = fault

    count = min(most, len(jobs))
    threads = [threading.Thread(target=work, daemon=True, name="chat") for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            thread.join(POLL_S)
    if raised:
        raise raised[min(raised)]
    return [returned[number] for number in range(len(jobs))]

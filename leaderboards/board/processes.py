"""Work on a board that is large enough for several processes."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

__all__ = ["each_of"]

_Given = TypeVar("_Given")
_Found = TypeVar("_Found")
WORTH_IT = 48
"""Fewer pieces of work are done in this process: starting others takes longer."""
_work: Callable[[Any], Any] | None = None
"""What the processes do. They are copies of this one, so that what it needs is not sent to them."""


def each_of(
    work: Callable[[_Given], _Found], given: Sequence[_Given], *, pieces: int | None = None
) -> Iterator[_Found]:
    """The results of `work` for everything that is given, in order.

    What is given and found is copied between processes, so it should be small; what `work` knows
    besides is not copied. pieces: how much work it is, where that is not a piece for each. An
    exception ends it.
    """
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1
    if cores < 2 or (len(given) if pieces is None else pieces) < WORTH_IT:
        yield from map(work, given)
        return
    global _work
    _work = work
    context = multiprocessing.get_context("fork")
    try:
        with ProcessPoolExecutor(min(cores, 8), mp_context=context) as pool:
            yield from pool.map(_do, given, chunksize=max(1, min(8, len(given) // (4 * cores))))
    finally:
        _work = None


def _do(given: Any) -> Any:
    assert _work is not None
    return _work(given)

"""`--method NAME=RUN,RUN,...`: methods by the runs, or entries, of their trainings."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.compare.methods import Method

__all__ = ["named_methods", "open_methods"]

LONGEST = 80


def named_methods(texts: Sequence[str]) -> dict[str, list[str]]:
    """By method what stands for its trainings. Raises UserError for a text that names none."""
    from harness.core import UserError
    from harness.core.text import printable

    wanted: dict[str, list[str]] = {}
    for text in texts:
        name, equals, rest = text.partition("=")
        trainings = [each for each in rest.split(",") if each]
        name = name.strip()
        fits = 0 < len(name) <= LONGEST and printable(name) == name
        if not (equals and trainings and fits):
            raise UserError(
                f"--method {printable(text)!r}: write NAME=RUN,RUN,... with one of each training"
            )
        if name in wanted:
            raise UserError(f"--method {name} is named twice: name all of its trainings at once")
        wanted[name] = trainings
    return wanted


@contextlib.contextmanager
def open_methods(texts: Sequence[str]) -> Iterator[list[Method]]:
    """The methods with their runs opened, as harness.compare.saved_runs.open_run opens them.

    Raises UserError where named_methods does, and for a single method.
    """
    from harness.compare.methods import Method
    from harness.compare.saved_runs import open_run
    from harness.core import UserError

    wanted = named_methods(texts)
    if len(wanted) < 2:
        raise UserError(f"one method, {next(iter(wanted))}, is not compared with anything")
    with contextlib.ExitStack() as opened:
        yield [
            Method(name, tuple(opened.enter_context(open_run(run)) for run in runs))
            for name, runs in wanted.items()
        ]

"""What a run recorded of some of its episodes: executed actions, and what the agent said.

Everything here may be a stranger's: sizes are bounded, and texts go to a template that escapes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.core import UIAction
from harness.core.text import printable, shorten
from harness.records.traces import Trace, locate_traces, read_trace
from harness.verify.descriptions import describe_action
from harness.verify.said import said_by_step

__all__ = ["Recordings", "Said", "action_text", "said_lines"]

MOST_ELEMENTS = 16
"""Numbers of an action that are shown."""
LONGEST_ACTION = 300
LONGEST_SAID = 2000
MOST_SAID = 20_000
"""Characters of an episode's transcript in a page."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """The transcript of an episode, or its beginning."""

    steps: tuple[tuple[int, tuple[str, ...]], ...] = ()
    """(step, what was asked and answered there)."""
    left_out: int = 0
    """How many entries more there are."""


class Recordings:
    """The traces of a few episodes of a run, read one at a time."""

    def __init__(self, run: Path, digests: Mapping[str, str]) -> None:
        """`digests`: the cases that are wanted, with the digests of the results that count.

        Raises UserError if the traces are damaged.
        """
        self._places: dict[str, tuple[Path, int]] = {}
        if digests:
            for trace, part, place in locate_traces(run):
                # A case that was played twice has two records.
                if trace.digest and digests.get(trace.case) == trace.digest:
                    self._places[trace.case] = part, place

    def of(self, case: str) -> Trace | None:
        """The trace of a case; None where the run has none that led to its result."""
        place = self._places.get(case)
        return None if place is None else read_trace(*place)


def action_text(action: Any) -> str:
    """An action in a line. A choice is its number: its name is known to the simulator alone."""
    if isinstance(action, np.ndarray) and action.size > MOST_ELEMENTS:
        text = describe_action(None, action.ravel()[:MOST_ELEMENTS])
        return f"{text[:-1]} …] ({action.size} numbers)"
    if not isinstance(action, (np.ndarray, UIAction, str)):
        return str(action)
    return printable(shorten(describe_action(None, action), LONGEST_ACTION))


def said_lines(transcript: str, most: int = MOST_SAID) -> Said:
    """What was asked and answered at each step, as `bench show` tells it, up to `most` characters.

    The first of several entries is shown in any case.
    """
    shown: list[tuple[int, tuple[str, ...]]] = []
    left_out = 0
    for step, entries in said_by_step(transcript).items():
        kept = []
        for entry in entries:
            text = printable(shorten(entry, LONGEST_SAID), lines=True)
            if most <= 0:
                left_out += 1
                continue
            kept.append(text)
            most -= len(text)
        if kept:
            shown.append((step, tuple(kept)))
    return Said(steps=tuple(shown), left_out=left_out)

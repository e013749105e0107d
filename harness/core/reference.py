"""A published figure, which reports print next to the measured one."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["LATER", "Reference"]

LATER = {"later": True}
"""Of a field that was added later: it stands in a report's JSON only where it says something."""


@dataclass(frozen=True)
class Reference:
    """A published figure."""

    label: str
    value: float
    metric: str
    source: str
    rule: str = ""
    """How its success or score rule differs from the task's; empty where it does not."""
    same_rule: bool = False
    """Whether it was measured by the task's own rule."""
    table: str = ""
    """A short name of the published table that it is from, for `bench report --against`."""
    row: str = ""
    """The benchmark whose row of the table it is."""
    tasks: int | None = field(default=None, metadata=LATER)
    """Of how many tasks it is the mean, all of which carry it; 1: it is of this task alone. A mean
    is printed only where all of them have a result. None: not stated."""
    part: str = field(default="", metadata=LATER)
    """The part of the task's episodes that it speaks of, such as one kind of instruction; empty:
    all of them."""
    agent: str = field(default="", metadata=LATER)
    """What sets its agent apart, such as `reads depth` or `one policy a task`."""
    privileged: bool = field(default=False, metadata=LATER)
    """Whether its agent read what comes from no sensor of its body: a state, a goal's place."""

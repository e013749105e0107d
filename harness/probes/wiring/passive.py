"""What the lines of a run give away about the agent's wiring, without playing anything.

Each line tells of its episode (harness/play/wiring_notes.py). Only what is true of all unperturbed
episodes of a task is said, and only from FEWEST actions on. Lines may be a stranger's: what is
malformed there says nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.core import Result
from harness.core.grammar import counted
from harness.core.text import shorten
from harness.records.typed import is_number

__all__ = ["Finding", "Passive", "WiringRow", "warnings"]

FEWEST = 50
"""Actions from which on a finding is made."""
EPISODES = 5
"""Episodes with different starts of which it is said that they begin with the same actions."""
MOST_TEXT = 100
"""Characters of what a line tells."""
MOST_TOLD = 256
"""Elements or views of a line."""
SAID = {
    "equal": "all actions are equal",
    "clipped": "every action was clipped",
    "tiny": "actions never leave 0.1 % of their range",
    "repeated": "episodes begin with the same 20 actions, whatever is seen",
    "constant": "an element of the actions never changes",
    "unread": "a view that the agent asks for is never read",
}
"""Code -> what is said of a run."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What is wrong, by the agent's own answers."""

    code: str
    """One of SAID, or of harness.probes.wiring.senses."""
    what: str
    """It in words."""
    count: int = 0
    """In how many answers, episodes or actions it was looked for."""


@dataclass(frozen=True, kw_only=True)
class WiringRow:
    """A finding of a task."""

    task: str
    code: str
    what: str
    count: int


@dataclass
class _Task:
    """What is true of all episodes of a task so far."""

    episodes: int = 0
    actions: int = 0
    clipped: float = 0.0
    equal: set[str | None] = field(default_factory=set)
    tiny: bool = True
    first: set[str] = field(default_factory=set)
    starts: set[str] = field(default_factory=set)
    constant: dict[str, float] | None = None
    unread: set[str] | None = None

    def add(self, result: Result, told: Mapping[str, Any]) -> None:
        self.episodes += 1
        self.actions += result.steps
        self.clipped += result.metrics.get("clipped_actions", 0.0)
        self.tiny = self.tiny and told.get("tiny") is True
        equal, first = told.get("equal"), told.get("first")
        if len(self.equal) < 2:
            self.equal.add(shorten(equal, MOST_TEXT) if type(equal) is str else None)
        if type(first) is str and len(self.first) < 2:
            self.first.add(first)
            if len(self.starts) < EPISODES and result.start:
                self.starts.add(result.start)
        constant = _numbers(told.get("constant"))
        if self.constant is not None:
            constant = dict(self.constant.items() & constant.items())
        self.constant = constant
        unread = _names(told.get("unread"))
        self.unread = unread if self.unread is None else self.unread & unread

    def findings(self, still: Collection[str]) -> Iterator[Finding]:
        """`still`: the elements that are told if they never change."""
        count = self.actions
        if count < FEWEST:
            return
        equal = next(iter(self.equal)) if len(self.equal) == 1 else None
        if equal is not None:
            yield Finding(code="equal", what=f"{SAID['equal']}: {equal}", count=count)
        if self.clipped >= count:
            yield Finding(code="clipped", what=SAID["clipped"], count=count)
        if equal is None:
            if self.tiny:
                what = f"{SAID['tiny']}: is an un-normalisation missing?"
                yield Finding(code="tiny", what=what, count=count)
            if len(self.first) == 1 and len(self.starts) >= EPISODES:
                yield Finding(code="repeated", what=SAID["repeated"], count=self.episodes)
            for name, value in sorted((self.constant or {}).items()):
                if name not in still:
                    continue
                what = f"element {name} of the actions is always {value:g}"
                yield Finding(code="constant", what=what, count=count)
        for name in sorted(self.unread or ()):
            what = f"the view {name} is asked for and never read"
            yield Finding(code="unread", what=what, count=self.episodes)


class Passive:
    """Takes the lines of a run."""

    def __init__(self) -> None:
        self._tasks: dict[str, _Task] = {}
        self.told = False
        """Whether any line said anything of this kind, as those of older versions do not."""

    def add(self, result: Result) -> None:
        """Take what one line says; perturbed episodes say nothing of the agent alone."""
        if result.status != "finished" or not result.steps or result.perturbations:
            return
        told = result.timing.get("wiring")
        if isinstance(told, Mapping):
            self.told = True
        else:
            told = {}
        self._tasks.setdefault(result.task, _Task()).add(result, told)

    def rows(self) -> tuple[WiringRow, ...]:
        """Of all tasks, by task.

        Of the elements that never change, those of which it is true in all tasks of a family: in
        many a task a gripper is of no use.
        """
        still: dict[str, set[str]] = {}
        for task, told in self._tasks.items():
            if told.actions >= FEWEST:
                names = set(told.constant or ())
                still[_family(task)] = still.get(_family(task), names) & names
        return tuple(
            WiringRow(task=task, code=each.code, what=each.what, count=each.count)
            for task, told in sorted(self._tasks.items())
            for each in told.findings(still.get(_family(task), set()))
        )

    def findings(self) -> Iterator[Finding]:
        """Of one task after the other, with all elements that never change in it."""
        for _, told in sorted(self._tasks.items()):
            yield from told.findings(set(told.constant or ()))


def _family(task: str) -> str:
    return task.partition("/")[0]


def warnings(rows: tuple[WiringRow, ...]) -> list[str]:
    """A line for each kind of finding, and of how many tasks it is true."""
    return [
        f"{said} in {counted(len(tasks), 'task')}"
        for code, said in SAID.items()
        if (tasks := {row.task for row in rows if row.code == code})
    ]


def _numbers(told: Any) -> dict[str, float]:
    if not isinstance(told, Mapping) or len(told) > MOST_TOLD:
        return {}
    return {
        shorten(name, MOST_TEXT): value
        for name, value in told.items()
        if type(name) is str and is_number(value)
    }


def _names(told: Any) -> set[str]:
    if type(told) is not list or len(told) > MOST_TOLD:
        return set()
    return {shorten(name, MOST_TEXT) for name in told if type(name) is str}

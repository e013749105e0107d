"""What an agent's answers depend on: each view, the instruction, and how old what it sees is.

The executed actions of an episode are played again while the agent is asked along with one thing
changed; its answers are compared with those that it gives unchanged. So nothing depends on how the
episode ends, and the answers of a deterministic agent that does not use a view are all equal.

For the age, everything that is seen at every PERIOD-th request is blanked. The answer to that
request changes, unless the agent acts on older observations: then a later one does.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.core import Case, Turn
from harness.probes.changes import NOTHING, Change, withheld
from harness.probes.wiring.episodes import Stage

__all__ = ["Finding", "Senses"]

PERIOD = 5
CASES = 3
MOST = 6
"""Cases in which views are blanked now and then; CASES of them if their episodes are long."""
INSTRUCTION = "the instruction"
FEWEST = 6
"""Answers from which on a finding is made."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What is wrong by the agent's own answers."""

    code: str
    """One of `unused`, `unused_instruction`, `late`, `first_only`, `blind`, `varies`, and those of
    `passive`."""
    what: str
    """It in words."""
    count: int = 0
    """In how many answers, episodes or actions it was looked for."""


def _told_another(instructions: Collection[str]) -> Change:
    """Each case is given the instruction of another one."""

    def turn(turn: Turn) -> Turn:
        other = next((each for each in sorted(instructions) if each != turn.instruction), "")
        return dataclasses.replace(turn, instruction=other)

    return Change(kind="instruction", what="", turn=turn)


class _Blink:
    """Blanks all views at every PERIOD-th request but the first."""

    def __init__(self, views: Sequence[str]) -> None:
        self._blank = [withheld(view) for view in views]
        self._asked = -1

    def turn(self, turn: Turn) -> Turn:
        self._asked += 1
        if self._asked == 0 or self._asked % PERIOD:
            return turn
        blank = turn
        for change in self._blank:
            blank = change.turn(blank)
        newest = blank.observations[-1]
        return dataclasses.replace(turn, observations=(*turn.observations[:-1], newest))


@dataclass
class Senses:
    """The answers in the first cases, and how they change with what is seen."""

    stage: Stage
    cases: Sequence[Case]
    varies: bool = False
    asked: int = 0
    blinks: int = 0
    ages: Counter[int] = field(default_factory=Counter)
    """How many requests after a blink answers changed, modulo PERIOD."""
    plain: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)
    """By case, the answers where nothing is changed."""

    @property
    def views(self) -> list[str]:
        """What the agent reads."""
        briefs = self.stage.briefs.values()
        return list(dict.fromkeys(view for brief in briefs for view in brief.observation))

    @property
    def needed(self) -> int:
        """Episodes that are left for `unused`, which seldom needs more."""
        return CASES * (len(self.views) + 2)

    def age(self) -> list[Finding]:
        """Whether answers follow what is seen now."""
        blink_views = self.views
        for number, case in enumerate(self.cases[:MOST]):
            if number >= CASES and self.blinks >= FEWEST:
                break
            actions = self.stage.executed(case)
            if not actions:
                continue
            plain = self._plain(case)
            if not self.asked:
                again = self.stage.shadow(case, actions, NOTHING).answers
                self.varies = any(_differ(plain, again))
                if self.varies:
                    what = (
                        "the same observations do not get the same answers, so what they depend "
                        "on cannot be told"
                    )
                    return [Finding(code="varies", what=what, count=len(plain))]
            self.asked += len(plain)
            change = Change(kind="blink", what="", turn=_Blink(blink_views).turn)
            blinked = _differ(plain, self.stage.shadow(case, actions, change).answers)
            self.blinks += (len(plain) - 1) // PERIOD
            self.ages.update(number % PERIOD for number, found in enumerate(blinked) if found)
        (age, times), *_ = self.ages.most_common(1) or [(0, 0)]
        if self.ages[0] or self.blinks < FEWEST or times < FEWEST // 2:
            return []
        what = f"answers follow what was seen {age} requests before, not what is seen now"
        return [Finding(code="late", what=what, count=self.blinks)]

    def unused(self) -> list[Finding]:
        """What no answer depends on, or only the first one does."""
        if self.varies or self.asked < FEWEST:
            return []
        changes = {view: withheld(view) for view in self.views}
        told = len(self.stage.instructions) > 1
        if told:
            changes[INSTRUCTION] = _told_another(self.stage.instructions)
        often: dict[str, float] = {}
        """The share of answers that change in the first case in which any does."""
        for name, change in changes.items():
            often[name] = 0.0
            for number, case in enumerate(self.cases[:MOST]):
                if self.stage.episodes + 2 > self.stage.most:
                    if number < CASES:  # of so few nothing is said
                        del often[name]
                    break
                plain = self._plain(case)
                answers = self.stage.shadow(case, self.stage.executed(case), change).answers
                if plain and (found := sum(_differ(plain, answers))):
                    often[name] = found / len(plain)
                    break
        return list(self._told(often, told))

    def _plain(self, case: Case) -> list[tuple[Any, ...]]:
        """The answers in a case where nothing is changed."""
        if case.id not in self.plain:
            actions = self.stage.executed(case)
            self.plain[case.id] = self.stage.shadow(case, actions, NOTHING).answers
        return self.plain[case.id]

    def _told(self, often: dict[str, float], told: bool) -> Iterator[Finding]:
        unused = [view for view in self.views if often.get(view) == 0]
        if self.views and len(unused) == len(self.views):
            yield Finding(code="blind", what="no answer depends on any view", count=self.asked)
        else:
            for view in filter(self.stage.declares, unused):
                what = f"no answer depends on the view {view}"
                yield Finding(code="unused", what=what, count=self.asked)
            mostly = max((often.get(view, 0.0) for view in self.views), default=0.0) > 0.5
            if mostly and self.blinks >= FEWEST and not self.ages:
                what = "after the first answer nothing that is seen matters: it sees one view only"
                yield Finding(code="first_only", what=what, count=self.blinks)
        if told and often.get(INSTRUCTION) == 0:
            what = "no answer depends on the instruction, although it differs between cases"
            yield Finding(code="unused_instruction", what=what, count=self.asked)


def _differ(one: Sequence[tuple[Any, ...]], other: Sequence[tuple[Any, ...]]) -> Iterator[bool]:
    """For each answer whether the other one differs; where it lacks, it does."""
    for number, moves in enumerate(one):
        yield number >= len(other) or not _same(moves, other[number])


def _same(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    if len(one) != len(other):
        return False
    for mine, theirs in zip(one, other):
        if isinstance(mine, np.ndarray) and isinstance(theirs, np.ndarray):
            if not np.allclose(mine, theirs, rtol=1e-4, atol=1e-6):
                return False
        elif mine != theirs:
            return False
    return True

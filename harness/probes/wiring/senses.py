"""What an agent's answers depend on: each view, the instruction, and how old what it sees is.

The executed actions of an episode are played again while the agent is asked along with one thing
changed; its answers are compared with those that it gives unchanged. So nothing depends on how the
episode ends, and the answers of a deterministic agent that does not use a view are all equal.

For the age, everything that is seen at every PERIOD-th request is blanked. The answer to that
request changes, unless the agent acts on older observations: then a later one does. Only requests
count at which the answer changes where everything is blanked all the time: an agent that does
nothing in an episode does not show when it looks. Cases are played until one age has shown itself
SURE times, or each could have: near the end of an episode only small ages can. After LONGEST cases
that is left open, as in episodes of fewer than 2 * PERIOD requests.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.core import Case, Turn
from harness.probes.changes import NOTHING, Change, withheld
from harness.probes.wiring.episodes import Stage
from harness.probes.wiring.passive import Finding
from harness.probes.wiring.pictures import is_picture, other_edge, with_views

__all__ = ["Senses"]

PERIOD = 5
CASES = 3
MOST = 6
"""Cases in which a view is blanked."""
LONGEST = 12
"""Cases that are looked at to find those that tell something."""
EDGE = "'s edge"
INSTRUCTION = "the instruction"
FEWEST = 6
"""Answers from which on a finding is made."""
SURE = 3
"""Answers of one age from which on it is named."""


def _told_another(instructions: Collection[str]) -> Change:
    """Each case is given the instruction of another one."""

    def turn(turn: Turn) -> Turn:
        other = next((each for each in sorted(instructions) if each != turn.instruction), "")
        return dataclasses.replace(turn, instruction=other)

    return Change(kind="instruction", what="", turn=turn)


def _blank(views: Sequence[str]) -> Callable[[Turn], Turn]:
    """These views are blanked, where there are any in a task."""
    changes = {view: withheld(view) for view in views}

    def turn(turn: Turn) -> Turn:
        for view, change in changes.items():
            if view in turn.brief.observation:
                turn = change.turn(turn)
        return turn

    return turn


def _blanking(views: Sequence[str]) -> Change:
    return Change(kind="view", what="", turn=_blank(views))


class _Blink:
    """Blanks all views at every PERIOD-th request but the first."""

    def __init__(self, views: Sequence[str]) -> None:
        self._blank = _blank(views)
        self._asked = -1

    def turn(self, turn: Turn) -> Turn:
        self._asked += 1
        if self._asked == 0 or self._asked % PERIOD:
            return turn
        return self._blank(turn)


@dataclass
class Senses:
    """The answers in the first cases, and how they change with what is seen."""

    stage: Stage
    cases: Sequence[Case]
    varies: bool = False
    asked: int = 0
    often: float = 0.0
    """The share of answers that change where all views are blanked, in the first case in which any
    does."""
    blinks: int = 0
    """Those that count."""
    ages: Counter[int] = field(default_factory=Counter)
    """How many requests after a blink answers changed, modulo PERIOD."""
    chances: Counter[int] = field(default_factory=Counter)
    """How often an answer so many requests after a blink could change."""
    plain: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)
    """By case, the answers where nothing is changed."""
    blanked: dict[str, list[bool]] = field(default_factory=dict)

    @property
    def views(self) -> list[str]:
        """What the agent reads."""
        briefs = self.stage.briefs.values()
        return list(dict.fromkeys(view for brief in briefs for view in brief.observation))

    @property
    def needed(self) -> int:
        """Episodes that are left for `unused`, which seldom needs more."""
        views = len(self.views) if len(self.views) > 1 else 0
        return CASES * (views + len(self._pictures()) + 2)

    def age(self) -> list[Finding]:
        """Whether answers follow what is seen now. Raises UserError where the simulator fails."""
        for number, case in enumerate(self.cases[:LONGEST]):
            if number >= CASES and self._settled():
                break
            if self.ages[0] and self.asked >= FEWEST:
                break  # answers follow what is seen now
            if number >= MOST and not self.often:
                break  # they depend on nothing
            if number >= CASES and self.often and not self.blinks:
                break  # too few answers in an episode to tell
            actions = self.stage.executed(case)
            if not actions:
                continue
            plain = self._plain(case)
            if not self.asked and any(self._changed(case, NOTHING)):
                self.varies = True
                what = (
                    "the same observations do not get the same answers, so what they depend "
                    "on cannot be told"
                )
                return [Finding(code="varies", what=what, count=len(plain))]
            self.asked += len(plain)
            blank = self._blanked(case)
            self.often = self.often or sum(blank) / len(plain)
            if not any(blank):
                continue
            blinking = Change(kind="blink", what="", turn=_Blink(self.views).turn)
            blinked = self._changed(case, blinking)
            starts = range(PERIOD, len(plain), PERIOD)
            self.blinks += sum(any(blank[start : start + PERIOD]) for start in starts)
            could = enumerate(blank[PERIOD:])
            self.chances.update(number % PERIOD for number, found in could if found)
            self.ages.update(number % PERIOD for number, found in enumerate(blinked) if found)
        (age, times), *_ = self.ages.most_common(1) or [(0, 0)]
        if self.ages[0] or self.blinks < FEWEST:
            return []
        if not self.ages:
            what = "after the first answer nothing that is seen matters: it sees one view only"
            return [Finding(code="first_only", what=what, count=self.blinks)]
        if times < SURE:
            return []
        what = f"answers follow what was seen {age} requests before, not what is seen now"
        return [Finding(code="late", what=what, count=self.blinks)]

    def _settled(self) -> bool:
        """Whether further cases would tell nothing new of the age."""
        if self.blinks < FEWEST:
            return False
        return max(self.ages.values()) >= SURE if self.ages else self._all_ages()

    def _all_ages(self) -> bool:
        """Whether each age could have shown itself."""
        return all(self.chances[age] >= SURE for age in range(1, PERIOD))

    def unused(self) -> list[Finding]:
        """What no answer depends on. Raises UserError where the simulator fails."""
        if self.varies or self.asked < FEWEST:
            return []
        told = len(self.stage.instructions) > 1
        often = dict.fromkeys(self.views, self.often)
        if self.often:
            several = self.views if len(self.views) > 1 else []
            changes = {view: _blanking([view]) for view in several}
            for view in self._pictures():
                changes[view + EDGE] = with_views("", {view: other_edge})
            often |= self._often(changes)
        if told:
            often |= self._often({INSTRUCTION: _told_another(self.stage.instructions)})
        return list(self._told(often, told))

    def _often(self, changes: Mapping[str, Change]) -> dict[str, float]:
        """The share of answers that each change changes, in the first case in which any does.

        A case in which no answer depends on any view tells nothing of one of them. Of fewer than
        CASES others nothing is said.
        """
        often: dict[str, float] = {}
        for name, change in changes.items():
            shares: list[float] = []
            for case in self.cases[:LONGEST]:
                done = any(shares) or len(shares) >= MOST
                if done or self.stage.episodes + 4 > self.stage.most:
                    break
                if not self.often or any(self._blanked(case)):
                    changed = self._changed(case, change)
                    shares.append(sum(changed) / max(len(changed), 1))
            if any(shares) or len(shares) >= CASES:
                often[name] = max(shares)
        return often

    def _blanked(self, case: Case) -> list[bool]:
        """For each answer in a case, whether it is another one where all views are blanked."""
        if case.id not in self.blanked:
            self.blanked[case.id] = self._changed(case, _blanking(self.views))
        return self.blanked[case.id]

    def _changed(self, case: Case, change: Change) -> list[bool]:
        """For each answer in a case, whether the agent gives another one with this change."""
        actions = self.stage.executed(case)
        return list(_differ(self._plain(case), self.stage.shadow(case, actions, change).answers))

    def _plain(self, case: Case) -> list[tuple[Any, ...]]:
        """The answers in a case where nothing is changed."""
        if case.id not in self.plain:
            actions = self.stage.executed(case)
            self.plain[case.id] = self.stage.shadow(case, actions, NOTHING).answers
        return self.plain[case.id]

    def _pictures(self) -> list[str]:
        """The views that are pictures."""
        briefs = self.stage.briefs.values()
        return [
            view
            for view in self.views
            if any(is_picture(view, each.observation.get(view)) for each in briefs)
        ]

    def _told(self, often: dict[str, float], told: bool) -> Iterator[Finding]:
        unused = [view for view in self.views if often.get(view) == 0]
        if self.views and not self.often:
            yield Finding(code="blind", what="no answer depends on any view", count=self.asked)
        else:
            for view in filter(self.stage.declares, unused):
                what = f"no answer depends on the view {view}"
                yield Finding(code="unused", what=what, count=self.asked)
            for view in self._pictures():
                if often.get(view, 0) > 0 and often.get(view + EDGE) == 0:
                    what = f"no answer depends on the outer tenth of {view}: it may be cropped"
                    yield Finding(code="cropped", what=what, count=self.asked)
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

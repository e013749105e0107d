"""`bench explain`: at which step did a case flip between two runs, and what restores it?

BASE's recorded actions are played up to a step, and NEW's agent from there on. Where one step more
of BASE's actions changes the outcome, the outcome switches: what NEW did at that step made the
difference. Then the fork at that step is played again with one thing changed at a time.
"""

from __future__ import annotations

import collections
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from harness.core import Discrete
from harness.core.text import printable, shorten
from harness.probes.changes import Change, changes_for
from harness.probes.fork import Branch, Brancher, Seen
from harness.probes.result import Finding, Plot, Point, Section, Series
from harness.records.plan import label
from harness.verify.episode_replay import RecordedEpisode
from harness.verify.perturbed import acts

__all__ = ["Explained", "Explanation", "causes", "explain_case"]

WHOLE = 200
"""Up to so many steps of BASE every fork is played; in longer episodes a switch is sought."""
STEP = "the answer at that step"
"""The cause where nothing that was changed restores success."""
MOST_SHOWN = 100
"""Characters of an action or an instruction."""
MOST_SWITCHES = 20


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """What was found of one flipped case."""

    task: str
    seed: int
    case: str
    base_success: bool
    switches: tuple[int, ...] = ()
    """Steps at which NEW's own action, in the place of BASE's, changes the outcome."""
    whole: bool = False
    """Whether every fork was played, so that these are all switches."""
    seen: Seen | None = None
    """What NEW was shown at the first of them, and what it answered."""
    base_action: Any = None
    restored: tuple[Change, ...] = ()
    """Changes with which NEW has BASE's outcome again, though it acts from that step on."""
    played: int = 0
    """Episodes that were played."""
    unexplained: str = ""
    """Why nothing can be said, if so."""

    @property
    def cause(self) -> str:
        """The first of `restored`, or STEP; empty if the case is unexplained."""
        if self.unexplained:
            return ""
        return str(self.restored[0]) if self.restored else STEP

    def lines(self) -> Iterator[str]:
        """For people."""
        one, other = ("succeeds", "fails") if self.base_success else ("fails", "succeeds")
        yield f"{self.case[:10]}  {self.task}, seed {self.seed}: BASE {one}, NEW {other}"
        if self.unexplained:
            yield f"  not explained: {self.unexplained}"
            return
        first = "; the first" if self.whole and len(self.switches) > 1 else ""
        scanned = "every fork was played" if self.whole else "found by bisection, there may be more"
        steps = ", ".join(map(str, self.switches[:20])) + (
            ", ..." if len(self.switches) > 20 else ""
        )
        yield f"  the outcome switches at step {steps} ({scanned})"
        if self.seen is not None:
            spec = self.seen.turn.brief.action
            new = " then ".join(_shown(each, spec) for each in self.seen.answer[:3])
            yield (
                f"  step {self.switches[0]}{first}: {_shown(self.seen.turn.instruction)!r}; "
                f"BASE did {_shown(self.base_action, spec)}, NEW answers {new}"
            )
        if self.restored:
            also = "".join(f"; also {each}" for each in self.restored[1:4])
            yield f"  {one.removesuffix('s')}s again {self.restored[0]}{also}"
        else:
            yield f"  nothing that was changed restores it: {STEP} is the cause"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        spec = None if self.seen is None else self.seen.turn.brief.action
        answer = () if self.seen is None else self.seen.answer
        return {
            "task": self.task,
            "seed": self.seed,
            "case": self.case,
            "base_success": self.base_success,
            "switches": list(self.switches),
            "whole": self.whole,
            "instruction": "" if self.seen is None else self.seen.turn.instruction,
            "base_action": _shown(self.base_action, spec),
            "new_answer": [_shown(each, spec) for each in answer],
            "restored": [{"kind": each.kind, "what": each.what} for each in self.restored],
            "cause": self.cause,
            "episodes_played": self.played,
            "unexplained": self.unexplained,
        }


def _shown(value: Any, spec: object = None) -> str:
    if isinstance(spec, Discrete) and spec.names and type(value) is int:
        value = spec.names[value]
    text = value if isinstance(value, str) else repr(value)
    return shorten(printable(" ".join(text.split())), MOST_SHOWN)


class _Forks:
    """The outcomes of one case by the step of the fork; each fork is played once."""

    def __init__(self, brancher: Brancher, base: RecordedEpisode) -> None:
        self._brancher, self._base = brancher, base
        self._known: dict[int, Branch] = {}
        self.played = 0

    def branch(self, at: int) -> Branch:
        """NEW acts from step `at` on."""
        if at not in self._known:
            self.played += 1
            self._known[at] = self._brancher.play(self._base.case, self._base.actions, at)
        return self._known[at]

    def succeeds(self, at: int) -> bool:
        """Whether this fork succeeds."""
        return self.branch(at).result.success is True

    def changed(self, at: int, change: Change) -> bool:
        """Whether it does with a change."""
        self.played += 1
        play = self._brancher.play
        return play(self._base.case, self._base.actions, at, change).result.success is True


def explain_case(
    brancher: Brancher, base: RecordedEpisode, new: RecordedEpisode, *, clock: bool
) -> Explanation:
    """Find the switches of a case that came out differently, and what restores it.

    `clock`: whether NEW's answers are delayed. Raises UserError where the simulator fails.
    """
    forks = _Forks(brancher, base)
    told: dict[str, Any] = {
        "task": base.case.task.id,
        "seed": base.case.seed,
        "case": base.case.id,
        "base_success": base.result.success is True,
    }
    why = _unfit(base) or _not_as_recorded(forks, base, new)
    if why:
        return Explanation(**told, unexplained=why, played=forks.played)
    steps, whole = len(base.actions), len(base.actions) <= WHOLE
    switches = _all_switches(forks, steps) if whole else [_a_switch(forks, steps)]
    first = forks.branch(switches[0])
    restored: list[Change] = []
    if first.seen is not None:
        turn = first.seen.turn
        changes = changes_for(
            base.case, turn.brief, turn.instruction,
            chunks=any(forks.branch(at).chunks for at in (0, switches[0])), clock=clock,
        )  # fmt: skip
        wanted = base.result.success is True
        restored = [each for each in changes if forks.changed(switches[0], each) is wanted]
    return Explanation(
        **told,
        switches=tuple(switches),
        whole=whole,
        seen=first.seen,
        base_action=base.actions[switches[0]],
        restored=tuple(restored),
        played=forks.played,
    )


def _unfit(base: RecordedEpisode) -> str:
    acting = [label((part,)) for part in base.case.perturbations if acts(part)]
    if acting:
        return f"{', '.join(acting)} changes the actions, so the recorded ones cannot act again"
    if not base.actions:
        return "BASE did not act"
    return ""


def _not_as_recorded(forks: _Forks, base: RecordedEpisode, new: RecordedEpisode) -> str:
    """Why forks say nothing of these two episodes, if the ends are not as recorded."""
    for at, recorded, who in ((len(base.actions), base, "BASE"), (0, new, "NEW")):
        again = forks.branch(at).result
        if recorded.result.digest and again.digest != recorded.result.digest:
            return (
                f"{who}'s episode does not come out as recorded when it is played again: "
                "its simulator or its agent is not deterministic here"
            )
    return ""


def _all_switches(forks: _Forks, steps: int) -> list[int]:
    return [at for at in range(steps) if forks.succeeds(at) != forks.succeeds(at + 1)]


def _a_switch(forks: _Forks, steps: int) -> int:
    low, high = 0, steps  # NEW's outcome below, BASE's above
    wrong = forks.succeeds(0)
    while high - low > 1:
        middle = (low + high) // 2
        if forks.succeeds(middle) == wrong:
            low = middle
        else:
            high = middle
    return low


@dataclass(frozen=True, kw_only=True)
class Explained(Finding):
    """Why the cases of two runs flipped."""

    cases: tuple[Explanation, ...]
    paired: int
    """Cases that both runs played."""
    worse: int
    """Of these, those that BASE won and NEW lost."""
    better: int
    wins: bool
    """Whether `cases` are some of the second ones."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "schema": 1,
            "paired": self.paired,
            "worse": self.worse,
            "better": self.better,
            "cases": [each.to_json() for each in self.cases],
        }

    def sections(self) -> list[Section]:
        """Each case, the causes with their counts, and how many cases there are."""
        flipped, way = (self.better, "better") if self.wins else (self.worse, "worse")
        count = len(self.cases)
        counted = (
            f"{flipped} of {self.paired} paired cases came out {way}; {count} of them "
            f"{'is' if count == 1 else 'are'} explained above"
        )
        return [
            Section(before=tuple(line for each in self.cases for line in each.lines())),
            causes(self.cases),
            Section(before=(counted,)),
        ]

    def plots(self) -> list[Plot]:
        """How many cases have each cause."""
        rows = causes(self.cases).rows
        points = tuple(Point(at=place, value=int(row[1])) for place, row in enumerate(rows))
        return [
            Plot(
                title="what restores these cases",
                kind="rows",
                value="cases",
                labels=tuple(row[0] for row in rows),
                series=(Series(name="cases", points=points),),
                least=0,
            )
        ]


def causes(found: Sequence[Explanation]) -> Section:
    """The causes with their counts, the most frequent first."""
    counts = collections.Counter(
        (each.restored[0].kind or "step") if each.restored else "step"
        for each in found
        if not each.unexplained
    )
    which = collections.defaultdict(list)
    for each in found:
        if not each.unexplained:
            which[each.restored[0].kind if each.restored else "step"].append(each.cause)
    rows = [
        [kind, count, f"{count / len(found):.0%}", _most_common(which[kind])]
        for kind, count in counts.most_common()
    ]
    unexplained = sum(bool(each.unexplained) for each in found)
    if unexplained:
        rows.append(["not explained", unexplained, f"{unexplained / len(found):.0%}", ""])
    return Section.table("causes of these cases", ["cause", "cases", "share", "most often"], rows)


def _most_common(causes: Sequence[str]) -> str:
    ((cause, _),) = collections.Counter(causes).most_common(1)
    return cause

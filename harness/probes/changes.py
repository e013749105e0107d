"""What is changed between a simulator and an agent, to see whether a failure goes away."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.core import Answer, Box, Brief, Case, Elements, Perturbation, Spec, Text, Turn
from harness.records.plan import label

__all__ = ["NOTHING", "Change", "changes_for", "each_step", "no_delay", "without", "withheld"]

KINDS = ("perturbation", "delay", "chunk", "word", "view")
"""In this order they are blamed where several restore success: what was added to the task first."""


def _same_turn(turn: Turn) -> Turn:
    return turn


def _same_answer(answer: Any) -> Any:
    return answer


@dataclass(frozen=True, kw_only=True)
class Change:
    """One difference to how the agent plays; it is in force from the first step on."""

    kind: str
    """One of KINDS, or of a probe's own; empty: nothing is changed."""
    what: str
    """Which of its kind, such as the word."""
    turn: Callable[[Turn], Turn] = _same_turn
    """What the agent is shown in the place of a turn."""
    answer: Callable[[Any], Any] = _same_answer
    """What is done in the place of its answer."""
    leaves_out: tuple[Perturbation, ...] = ()
    """Perturbations that do not act."""
    at_once: bool = False
    """Whether answers act without the delay of the run's clock."""
    says: str = ""
    """The change in words, of a kind that is none of KINDS."""

    def __str__(self) -> str:
        return self.says or {
            "perturbation": f"without {self.what}",
            "delay": "with answers that act at once",
            "chunk": "asked at every step",
            "word": f"without the word {self.what!r}",
            "view": f"with {self.what} blanked",
        }.get(self.kind, "as it is")

    def case(self, case: Case) -> Case:
        """The case without what is left out."""
        if not self.leaves_out:
            return case
        left = tuple(part for part in case.perturbations if part not in self.leaves_out)
        return dataclasses.replace(case, perturbations=left)


NOTHING = Change(kind="", what="")


def without(word: str) -> Change:
    """The instruction lacks this word."""
    pattern = re.compile(rf"\s*(?<!\w){re.escape(word)}(?!\w)")

    def turn(turn: Turn) -> Turn:
        return dataclasses.replace(turn, instruction=pattern.sub("", turn.instruction).strip())

    return Change(kind="word", what=word, turn=turn)


def withheld(view: str) -> Change:
    """A view shows nothing: zeros, within its bounds; no text; no elements."""

    def turn(turn: Turn) -> Turn:
        blank = blank_of(turn.brief.observation[view])
        observations = tuple({**dict(seen), view: blank} for seen in turn.observations)
        return dataclasses.replace(turn, observations=observations)

    return Change(kind="view", what=view, turn=turn)


def blank_of(spec: Spec) -> Any:
    """The value of a view that shows nothing."""
    if isinstance(spec, Box):
        lows, highs = spec.limits
        return np.clip(np.zeros(spec.shape), lows, highs).astype(spec.np_dtype)
    if isinstance(spec, Elements):
        return ()
    if isinstance(spec, Text):
        return ""
    return spec.noop() if hasattr(spec, "noop") else None


def each_step() -> Change:
    """Of each answer only the first action is executed: the agent is asked at every step."""

    def answer(answer: Any) -> Any:
        if isinstance(answer, Answer) and len(answer.actions) > 1:
            return dataclasses.replace(answer, actions=[answer.actions[0]], rest=())
        return answer

    return Change(kind="chunk", what="", answer=answer)


def no_delay() -> Change:
    """Answers act at once, whatever the clock of the run says."""
    return Change(kind="delay", what="", at_once=True)


def changes_for(
    case: Case, brief: Brief, instruction: str, *, chunks: bool, clock: bool
) -> Iterator[Change]:
    """All changes that can be made to this case, of an agent that reads the views of `brief`.

    `chunks`: whether it answers several actions at once. `clock`: whether its answers are delayed.
    """
    for part in case.perturbations:
        if part.severity:
            yield Change(kind="perturbation", what=label((part,)), leaves_out=(part,))
    if clock:
        yield no_delay()
    if chunks:
        yield each_step()
    for word in dict.fromkeys(re.findall(r"\w+", instruction)):
        yield without(word)
    for view in brief.observation:
        yield withheld(view)

"""Skills: what a family's own controllers can do for an agent that plans, such as to fetch a key.

An adapter declares them (`Adapter.skills`); an agent that reads `skills` is shown them and answers
with calls of them (`Answer.calls`). The adapter's controller gives the actions of a call one by
one, and these are played and recorded as an agent's own are. Standard library only; Python 3.9.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.core.errors import suggest
from harness.core.text import shorten

__all__ = ["MOST_CALLS", "Skill", "SkillCall", "SkillEnd", "SkillsNow", "problem_of"]

MOST_CALLS = 1000
"""Calls of one answer."""
MOST_TOLD = 12
"""Names that a refusal lists."""


@dataclass(frozen=True)
class Skill:
    """One thing that can be asked for: `pick_up(object)`."""

    name: str
    parameters: tuple[tuple[str, str], ...] = ()
    """(name, type) of each parameter; `Adapter.skill_objects` says what each type holds."""
    what: str = ""
    """What it does, in one line of plain English."""

    def __str__(self) -> str:
        return f"{self.name}({', '.join(name for name, _ in self.parameters)})"


@dataclass(frozen=True)
class SkillCall:
    """A skill with the objects that it is asked for: `pick_up(red ball)`."""

    skill: str
    arguments: tuple[str, ...] = ()
    """One for each parameter, in order."""

    def __str__(self) -> str:
        return f"{self.skill}({', '.join(self.arguments)})"


@dataclass(frozen=True)
class SkillEnd:
    """What a controller answers instead of an action: the call is over."""

    done: bool
    """Whether it did what was asked."""
    why: str = ""
    """Where it did not: why, in a few words."""


@dataclass(frozen=True)
class SkillsNow:
    """What a turn shows an agent that reads `skills`."""

    skills: tuple[Skill, ...]
    objects: Mapping[str, tuple[str, ...]]
    """Type -> the names that arguments of this type may be, in this episode."""
    done: tuple[SkillCall, ...] = ()
    """The calls of the last answer that did what was asked, in order."""
    failed: SkillCall | None = None
    """The call of the last answer that did not; those behind it were not tried."""
    why: str = ""
    """Why it did not."""
    plan: tuple[SkillCall, ...] | None = field(default=None)
    """The expert's plan from here on, for an agent that reads `expert` too; None: it has none."""


def problem_of(
    call: Any, skills: Sequence[Skill], objects: Mapping[str, Sequence[str]]
) -> str | None:
    """Why this is no call of one of these skills, in one line, or None where it is one."""
    if not isinstance(call, SkillCall) or not (
        type(call.skill) is str
        and type(call.arguments) is tuple
        and all(type(each) is str for each in call.arguments)
    ):
        return "a call is a SkillCall of texts"
    known = {skill.name: skill for skill in skills}
    skill = known.get(call.skill)
    if skill is None:
        return f"there is no skill {shorten(call.skill, 40)!r}; {_listed(call.skill, known)}"
    if len(call.arguments) != len(skill.parameters):
        return f"{skill} takes {len(skill.parameters)} arguments, got {len(call.arguments)}"
    for (name, kind), given in zip(skill.parameters, call.arguments):
        names = objects.get(kind, ())
        if given not in names:
            return (
                f"{shorten(given, 40)!r} is no {kind}, which {name} of {skill} is; "
                f"{_listed(given, names)}"
            )
    return None


def _listed(word: str, names: Any) -> str:
    """The names that resemble a word, or else some of all."""
    near = suggest(shorten(word, 80), names)
    if near:
        return near
    some = list(names)[:MOST_TOLD]
    more = ", ..." if len(names) > len(some) else ""
    return f"there is {', '.join(some) or 'none'}{more}"

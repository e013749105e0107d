"""What a model that plans is told: the skills, what is seen, and how its last plan went."""

from __future__ import annotations

from typing import Any

from harness.core import SkillCall, SkillsNow, Turn
from harness.core.text import shorten
from harness.policies.chat import forms, prompt
from harness.policies.planner import plans

__all__ = ["PLAN", "messages"]

PLAN = forms.Wanted("plan", "plan", "Give the whole plan.")
QUESTION = "What is the plan from here on?"
MOST_CALLS_TOLD = 100


def messages(
    turn: Turn, now: SkillsNow, form: str, telling: prompt.Telling, last: tuple[SkillCall, ...]
) -> list[dict[str, Any]]:
    """The conversation that asks for a plan. `last`: the plan before, empty at first."""
    opening = _system(turn, now, form, telling)
    report = _report(now, last)
    content = prompt.observed(turn, telling, f"{report}{QUESTION}")
    return prompt.opened([{"role": "user", "content": content}], opening, telling)


def _system(turn: Turn, now: SkillsNow, form: str, telling: prompt.Telling) -> str:
    brief = turn.brief
    return "\n".join(
        [
            "You plan what an agent does, as a list of calls of its skills, to do what the "
            "instruction says.",
            f"The agent: {brief.embodiment}.",
            f"Where it acts: {brief.simulator}.",
            *prompt.meanings(brief, telling.views),
            plans.described(now),
            forms.explained(form, telling.thought, PLAN),
        ]
    )


def _report(now: SkillsNow, last: tuple[SkillCall, ...]) -> str:
    """How the last plan went, so that the next one can do better; empty before the first."""
    if not last:
        return ""
    done = _listed(now.done)
    if now.failed is None:
        return (
            f"Your last plan was carried out: {done}. If nothing is left to do, answer an empty "
            "list.\n"
        )
    rest = last[len(now.done) + 1 :]
    untried = f" Not tried: {_listed(rest)}." if rest else ""
    why = shorten(now.why, 500).rstrip(".") or "no reason is known"
    return (
        f"Of your last plan these calls were done: {done}. {now.failed} failed: {why}.{untried}\n"
    )


def _listed(calls: tuple[SkillCall, ...]) -> str:
    return ", ".join(map(str, calls[:MOST_CALLS_TOLD])) or "none"

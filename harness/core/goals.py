"""Other goals of a scene: what else could be asked for where an episode begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.core.nouns import Case
from harness.core.perturbations import SimulatorPerturbation

__all__ = ["GOAL", "OWN", "Goal", "asked_goal", "drawn_goal"]

OWN = "own"
"""The id of the goal that the task itself asks for in an episode."""

GOAL = SimulatorPerturbation(
    "goal",
    "another goal that is valid in this very scene: its instruction, and its test of success; "
    "a scene without one keeps its own",
    ({"other": 1},),
)
"""What an adapter with `other_goals` declares among its perturbations."""


@dataclass(frozen=True)
class Goal:
    """Something that an agent could be asked for in a scene."""

    id: str
    """Unique in its scene, and the same at every reset of the case; not OWN."""
    instruction: str
    """As an agent is told it."""
    differs: tuple[str, ...] = ("goal",)
    """In which words it differs from the task's own goal: `colour`, `object`, and so on."""


def drawn_goal(case: Case, goals: Sequence[Goal]) -> Goal | None:
    """Which of a scene's other goals is asked for under the perturbation `goal`; None: of none.

    One that differs in as few words as any; of those, each kind of difference is as likely. It
    follows from the case's task and seed, so the unperturbed case has the same.
    """
    if not goals:
        return None
    fewest = min(len(goal.differs) for goal in goals)
    kinds = sorted({goal.differs for goal in goals if len(goal.differs) == fewest})
    rng = case.rng("perturbation", GOAL.name)
    kind = kinds[int(rng.integers(len(kinds)))]
    alike = [goal for goal in goals if goal.differs == kind]
    return alike[int(rng.integers(len(alike)))]


def asked_goal(case: Case, goals: Sequence[Goal]) -> Goal | None:
    """The other goal that is asked for in a case; None: the task's own."""
    if case.simulator_perturbation(GOAL.name) is None:
        return None
    return drawn_goal(case, goals)

"""The goals of the other tasks of LIBERO-Goal, all ten of which begin in one scene."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from harness.core import OWN, Goal

__all__ = ["SUITE", "SceneGoals", "goal_of"]

SUITE = "libero_goal"
Atoms = tuple[tuple[str, ...], ...]


def goal_of(bddl: str) -> Atoms:
    """The facts of the goal of a BDDL file, in lower case: (("on", "bowl_1", "plate_1"),)."""
    goal = bddl.lower().partition("(:goal")[2]
    return tuple(
        tuple(atom.split()) for atom in re.findall(r"\(\s*([^()]+?)\s*\)", goal) if atom.split()
    )


class SceneGoals:
    """The goals of all tasks of a folder, as the scene of one of them tells them."""

    def __init__(self, world: Any, own: Path) -> None:
        """`world`: an adapters.libero.world.World; `own`: the BDDL file of its task."""
        self._world = world
        self._goals = {OWN: goal_of(own.read_text())}
        others = []
        for file in sorted(own.parent.glob("*.bddl")):
            atoms = goal_of(file.read_text())
            # A region that only another file speaks of is not in this scene.
            if file.stem != own.stem and atoms and all(map(world.knows, atoms)):
                self._goals[file.stem] = atoms
                others.append(Goal(file.stem, file.stem.replace("_", " ")))
        self._others = tuple(others)

    def others(self) -> tuple[Goal, ...]:
        """Those that are not met now; asked right after a reset."""
        met = self.met()
        return tuple(goal for goal in self._others if goal.id not in met)

    def met(self) -> tuple[str, ...]:
        """Ids of the goals whose facts hold."""
        return tuple(
            name for name, atoms in self._goals.items() if all(map(self._world.holds, atoms))
        )

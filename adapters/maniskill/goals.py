"""StackCube with the colours exchanged: the green cube is to be put on the red one."""

from __future__ import annotations

from typing import Any

from harness.core import OWN, Goal

__all__ = ["EXCHANGED", "STACK", "Cubes"]

STACK = "StackCube-v1"
EXCHANGED = Goal(
    "green-on-red", "Pick up the green cube, put it on the red cube and let go.", ("colour",)
)


class Cubes:
    """The two cubes of an episode. Made right after the reset, which builds them anew."""

    def __init__(self, env: Any) -> None:
        self._env = env
        self._both = env.cubeA, env.cubeB

    def exchange(self) -> None:
        """Let the package's test, its state and its solution take each cube for the other one."""
        self._env.cubeA, self._env.cubeB = self._env.cubeB, self._env.cubeA

    def met(self) -> tuple[str, ...]:
        """Ids of the goals that are met, by the package's own test."""
        now = self._env.cubeA, self._env.cubeB
        found = []
        for name, cubes in ((OWN, self._both), (EXCHANGED.id, self._both[::-1])):
            self._env.cubeA, self._env.cubeB = cubes
            if bool(self._env.evaluate()["success"]):
                found.append(name)
        self._env.cubeA, self._env.cubeB = now
        return tuple(found)

"""The toy with stages and another goal, adapters that tell theirs wrongly, and an agent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from toys import ToyAdapter, towards

from harness.core import Agent, Case, Task, TimeStep, Turn

STAGES = ("half way", "one cell away", "at the goal")


class StagedToy(ToyAdapter):
    """It may also end in the top left corner, which is another goal."""

    @classmethod
    def stages(cls, task: Task) -> tuple[str, ...]:
        return STAGES

    @classmethod
    def failure_modes(cls, task: Task) -> tuple[str, ...]:
        return ("other_goal", "stopped_early")

    def reset(self, case: Case) -> TimeStep:
        seen = super().reset(case)
        self.whole = self.nearest = self.apart()
        return seen

    def apart(self) -> float:
        return float(np.abs(self.goal - self.point).max())

    def stage(self) -> int:
        self.nearest = min(self.nearest, self.apart())
        return 2 if self.nearest <= 1 else int(self.nearest <= self.whole / 2)

    def failure_mode(self) -> tuple[str, ...]:
        return () if self.point.any() else ("other_goal",)


class StageFalls(StagedToy):
    """A stage is reached only while it holds."""

    def stage(self) -> int:
        self.nearest = self.whole
        return super().stage()


class StageMoves(StagedToy):
    """Asking moves the point."""

    def stage(self) -> int:
        self.shift(1)
        return 0


class StageBeyond(StagedToy):
    """It tells a fourth stage of three."""

    def stage(self) -> int:
        return 4


class StageTwice(StagedToy):
    """Two stages have one name."""

    @classmethod
    def stages(cls, task: Task) -> tuple[str, ...]:
        return ("near", "near", "there")


class ModeUnknown(StagedToy):
    """It declares a mode that there is not."""

    @classmethod
    def failure_modes(cls, task: Task) -> tuple[str, ...]:
        return ("tired",)


class ModeUndeclared(StagedToy):
    """It tells a mode that it does not declare."""

    def failure_mode(self) -> tuple[str, ...]:
        return ("dropped",)


class ToCorner(Agent):
    """Goes to the top left corner, and stays there."""

    reads = ("state",)

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        return [
            towards(turn.brief.action, turn.observation["state"][:2], np.zeros(2)) for turn in turns
        ]

"""The lanes of a process, in groups that ask the agent together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.core import Case
from harness.play.environments import Environments, EnvSlot
from harness.play.episode import Episode
from harness.play.inference import Watch

__all__ = ["Group", "Lane"]


class Lane:
    """The episode that a lane plays, and the environment slot in which it plays it."""

    __slots__ = ("episode", "slot")

    def __init__(self) -> None:
        self.episode: Episode | None = None
        self.slot: EnvSlot | None = None


class Group:
    """Lanes that share a batch, and that batch while the agent has not answered it."""

    def __init__(self, size: int, watch: Watch, made: Callable[[EnvSlot, Case], None]) -> None:
        self.lanes = [Lane() for _ in range(size)]
        self.environments = Environments(size, watch, made)
        self.asked: tuple[Any, list[Lane], list[Any]] | None = None
        """(the client's ticket, the lanes, the cases' tickets)."""

"""What the text games (ALFWorld, ScienceWorld, TextWorld) share: views, brief and time steps."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from harness.core import Adapter, Brief, Task, Text, Texts, TimeStep

__all__ = ["TextGameAdapter"]


class TextGameAdapter(Adapter):
    """A game that is played by typing: one command a step.

    Views, computed when read:
        text            Text   the answer to the last command; after reset, the introduction
        admissible      Texts  the commands that are possible now, sorted
        text_inventory  Text   what the person carries
        text_look       Text   what the person sees
    Action: Text, one command. Metrics: the subclass's own, `invalid_actions` (commands that were
    not possible), and `expert_gave_up` (1) once the expert has given up.

    A subclass calls `_start_episode` in its reset, keeps `_text` (the last answer), `_invalid` (a
    count) and `_gave_up` up to date, and returns `_timestep(...)` from reset and step. One kept
    environment serves all its tasks, and every task has an expert.
    """

    redraws = False

    @classmethod
    def env_key(cls, task: Task) -> str:
        return cls.extra

    @classmethod
    def has_expert(cls, task: Task) -> bool:
        return True

    def __init__(
        self,
        *,
        action: Text,
        embodiment: str,
        simulator: str,
        text: str,
        admissible: str,
        look: str,
    ) -> None:
        """`text`, `admissible` and `look` are the meanings of those views."""
        self._action = action
        self._start_episode("", "")
        self._views: Mapping[str, Callable[[], Any]] = {
            "text": lambda: self._text,
            "admissible": self._admissible,
            "text_inventory": self._inventory,
            "text_look": self._look,
        }
        self.brief = Brief(
            observation={
                "text": Text(meaning=text),
                "admissible": Texts(admissible),
                "text_inventory": Text(meaning="what is carried"),
                "text_look": Text(meaning=look),
            },
            action=action,
            embodiment=embodiment,
            simulator=simulator,
        )

    @abstractmethod
    def _admissible(self) -> tuple[str, ...]:
        """The commands that are possible now, sorted."""

    @abstractmethod
    def _inventory(self) -> str:
        """What the person carries."""

    @abstractmethod
    def _look(self) -> str:
        """What the person sees."""

    def _start_episode(self, instruction: str, introduction: str) -> None:
        self._instruction, self._text = instruction, introduction
        self._invalid, self._gave_up = 0, False

    def _timestep(
        self,
        reward: float,
        success: bool,
        *,
        terminated: bool,
        truncated: bool = False,
        **metrics: float,
    ) -> TimeStep:
        metrics["invalid_actions"] = float(self._invalid)
        if self._gave_up:
            metrics["expert_gave_up"] = 1.0
        return TimeStep(
            self._views, self._instruction, float(reward), terminated, truncated, success, metrics
        )

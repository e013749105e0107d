"""The contract of an agent: it answers batches of turns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from harness.core.nouns import Turn

__all__ = ["Agent"]


class Agent(ABC):
    """Anything that answers turns. It is built as `Class(**arguments)`, once in every worker, or once for all where it is served.

    What it answers to a turn must not depend on who else is in the batch, nor on how often it is asked: randomness comes from `turn.rng`,
    and what an episode needs to remember goes through `Answer.memory`.
    """

    reads: ClassVar[tuple[str, ...]] = ()
    """The views it reads, by name; a trailing `?` marks one that it can do without. `expert` makes it privileged: it sees the expert's action."""
    history: ClassVar[int] = 1
    """How many past observations a turn carries."""
    gpus: ClassVar[float] = 0.0
    """GPUs it needs; more than none makes it served."""
    served: ClassVar[bool] = False
    """Whether one instance serves all workers, with dynamic batching."""
    files: ClassVar[tuple[str, ...]] = ()
    """Files and folders that come with it, such as weights: part of its fingerprint, as its source is."""

    @classmethod
    def declares(cls, arguments: Mapping[str, Any]) -> tuple[tuple[str, ...], int]:
        """(reads, history) of an instance built with these arguments, as a run records them; for an agent in which they depend on those."""
        return cls.reads, cls.history

    @abstractmethod
    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        """An action or an Answer for every turn, in the same order."""

    def end(self, episodes: Iterable[str]) -> None:
        """These episodes are over: free what is kept for them. Unknown names are no error."""

    def close(self) -> None:
        """Free everything. Called once."""

"""The contract of an agent: it answers batches of turns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from harness.core.errors import UserError
from harness.core.nouns import Brief, Missing, Turn

if TYPE_CHECKING:
    import numpy as np

__all__ = ["ALL_VIEWS", "NO_VIEWS", "Agent"]

ALL_VIEWS = "*"
"""In `Agent.reads`: all views on offer, each drawn when the agent first touches it."""

NO_VIEWS = ("expert", "skills", "ask")
"""Words in `Agent.reads` that name no view of the observation."""


class Agent(ABC):
    """Anything that answers turns. It is built as `Class(**arguments)`.

    Every worker builds one; of a served agent there is a single instance for all workers.

    An answer must not depend on which other turns are in the batch, nor on how often the agent is
    asked: randomness comes from `turn.rng`, and what an episode has to remember goes through
    `Answer.memory`.
    """

    reads: ClassVar[tuple[str, ...]] = ()
    """Names of the views that it reads. A trailing `?` marks a view that it can do without.

    `image? unless dom` is not drawn where the agent is shown `dom`, and `dom? unless image 210x160`
    gives way only to pictures of so many rows and columns (reads.py). `*` stands for all views on
    offer. `expert` makes the agent privileged: it is shown the expert's action. An agent that reads
    `skills` is shown what can be called (`Turn.skills`) and may answer with calls (`Answer.calls`);
    with `expert` too it is shown the expert's plan there, and not the next action. An agent that
    reads `ask` sees nothing of the expert, but may let it act (`Answer.ask`).
    """
    history: ClassVar[int] = 1
    """How many observations a turn carries, the newest included."""
    gpus: ClassVar[float] = 0.0
    """GPUs that an instance needs; if more than none, the agent is served."""
    served: ClassVar[bool] = False
    """Whether one instance serves all workers, with dynamic batching."""
    files: ClassVar[tuple[str, ...]] = ()
    """Files and folders that belong to it, such as weights. They are part of its fingerprint."""
    outputs: ClassVar[tuple[str, ...]] = ()
    """Names of arguments that say where it writes to, such as a log or a cache. What is there is no
    part of its fingerprint."""

    training_data: ClassVar[str] = ""
    """A file, or a folder with a file training_data.json, that says what it was trained on: see
    docs/seen.md. It changes nothing that the agent does. Empty: it does not say."""

    footprint: Mapping[str, int] | None = None
    """Of an agent that acts in another process, a dict with what that process told of itself at the
    end of an episode: `parameters`, and the peaks of `memory` and `gpu_memory` in bytes; empty if
    it tells nothing. None: it acts in this process, which is looked at."""

    @classmethod
    def declares(cls, arguments: Mapping[str, Any]) -> tuple[tuple[str, ...], int]:
        """(reads, history) of an instance built with these arguments, as a run records them.

        Override it where they depend on the arguments.
        """
        return cls.reads, cls.history

    @classmethod
    def trained_on(cls, arguments: Mapping[str, Any]) -> str:
        """`training_data` of an instance built with these arguments.

        Override it where it depends on the arguments, such as on a folder of weights.
        """
        return cls.training_data

    @classmethod
    def unfit(cls, arguments: Mapping[str, Any], brief: Brief) -> Missing | None:
        """Why an instance built with these arguments cannot play a task, or None if it can.

        Asked once for each environment, before it is reset: `brief` has all views on offer. The
        task then counts as one that cannot run here, with this reason and remedy. An adapter that
        describes itself only in `reset` is asked about after it.
        """
        return None

    @classmethod
    def identity(cls, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """What decides the answers of an instance with these arguments, as JSON values.

        It stands for the arguments in the fingerprint. Override it where some of them only say how
        the agent is reached, or where what it asks has a fingerprint of its own.
        """
        return arguments

    @abstractmethod
    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        """An action or an `Answer` for every turn, in the same order."""

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """How it represents these instructions before it sees anything: floats (N, D), finite.

        Optional: `bench probe alignment` asks for it. It is what the policy reads of a text, after
        its encoder of language and before anything that is seen is mixed in. A row depends on its
        own text alone.

        Raises UserError where the agent tells none, as this one does.
        """
        raise UserError(
            f"{type(self).__name__} tells no embeddings of instructions: it has no method "
            "embed(texts); see docs/agents.md"
        )

    def end(self, episodes: Iterable[str]) -> None:
        """These episodes are over: free what is kept for them. Unknown names are no error."""

    def close(self) -> None:
        """Free everything. Called once."""

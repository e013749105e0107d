"""What TorchScript and ONNX files have in common: a network of named inputs and one output.

With a profile the inputs are its keys, and its output is what the profile says of actions. Without
one there is a single input, a view as it is with a batch of one, and the output is an action of the
task: as many numbers as a Box has, or one score for each choice of a Discrete. A Box may be
answered by a chunk, (H, A).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.core import Agent, Answer, Box, Brief, Discrete, Missing, Turn, UserError
from harness.policies.encoding import profile_identity

__all__ = ["Network"]

ONLY = ""
"""The name of the single input of a network without a profile."""


class Network(Agent):
    """A file with a network, asked one turn at a time on one thread of the CPU."""

    def __init__(
        self, path: str, profile: str = "", view: str = "state", profile_check: str = "on"
    ) -> None:
        """Load the file. `profile`: a name or a file; empty: the network reads `view` alone.

        Raises UserError if there is no such network, or what runs it is missing.
        """
        self._profile = _profile(profile)
        self._view = view
        self.reads = self._reads(profile, view)  # type: ignore[misc]
        try:
            with open(path, "rb"):
                pass
        except OSError as fault:
            raise UserError(f"{path} cannot be read: {fault.strerror or fault}") from None
        self._load(path)

    @classmethod
    def declares(cls, arguments: Mapping[str, Any]) -> tuple[tuple[str, ...], int]:
        """The views of its profile, or the one that it reads."""
        return cls._reads(arguments.get("profile", ""), arguments.get("view", "state")), 1

    @classmethod
    def unfit(cls, arguments: Mapping[str, Any], brief: Brief) -> Missing | None:
        """What does not fit between the profile and the body; without one, the kind of action."""
        profile = _profile(arguments.get("profile", ""))
        if profile is not None:
            found: Missing | None = profile.missing(brief, arguments.get("profile_check", "on"))
            return found
        if isinstance(brief.action, (Box, Discrete)):
            return None
        return Missing(
            f"{arguments['path']} answers numbers, and an action of the task is "
            f"{type(brief.action).__name__}",
            "play a task with Box or Discrete actions",
        )

    @classmethod
    def identity(cls, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """The arguments, and what the profile says."""
        return {**arguments, **profile_identity(arguments.get("profile", ""))}

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """One answer for each turn, each by itself."""
        return [self._answer(turn) for turn in turns]

    @abstractmethod
    def _load(self, path: str) -> None:
        """Load a file that can be read. Raises UserError."""

    @abstractmethod
    def _run(self, inputs: Mapping[str, Any], turn: Turn) -> np.ndarray:
        """The output for these inputs, by key; ONLY is the key of a network without a profile.

        Arrays have a batch of one in front. Raises ValueError where the inputs do not fit.
        """

    def _answer(self, turn: Turn) -> Any:
        if self._profile is None:
            output = self._run({ONLY: np.asarray(turn.observation[self._view])[None]}, turn)
            return _action(output, turn)
        settling = self._profile.settling(turn)
        if settling is not None:
            return settling
        shown = self._profile.observation(turn)
        batched = shown if self._profile.batch else {key: _batch(v) for key, v in shown.items()}
        return self._profile.answer(self._run(batched, turn), turn)

    @staticmethod
    def _reads(profile: str, view: str) -> tuple[str, ...]:
        found = _profile(profile)
        return (view,) if found is None else tuple(found.reads)


def _profile(name: str) -> Any:
    if not name:
        return None
    from harness.policies.profiles import load_profile

    return load_profile(name)


def _batch(value: Any) -> Any:
    return np.asarray(value)[None] if isinstance(value, np.ndarray) else [value]


def _action(output: np.ndarray, turn: Turn) -> Any:
    """The output as an action of the task, or a chunk of them. Raises ValueError."""
    spec = turn.brief.action
    if isinstance(spec, Discrete):
        if output.dtype.kind in "iu" and output.size == 1:
            return int(output.reshape(()))
        if output.size != spec.n:
            raise ValueError(
                f"the output has the shape {output.shape}; the task has {spec.n} choices, so one "
                "score for each of them, or the number of one, is expected"
            )
        return int(output.reshape(-1).argmax())
    assert isinstance(spec, Box)  # `unfit` has said so of everything else
    size = int(np.prod(spec.shape))
    if output.size == 0 or output.size % size or (output.size > size and output.ndim < 2):
        raise ValueError(
            f"the output has the shape {output.shape}; an action of the task has {spec.shape}"
        )
    return Answer(list(output.reshape(-1, *spec.shape)))

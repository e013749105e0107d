"""What a policy expects, and how it is wired to a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from harness.core import Answer, Box, Brief, Missing, Turn, UserError
from harness.policies.profiles import served
from harness.policies.profiles.expectations import Expectations
from harness.policies.profiles.keys import pillow
from harness.policies.profiles.mismatches import Mismatch, find_mismatches

__all__ = ["Profile"]

Array = np.ndarray[Any, Any]
EMPTY: Mapping[str, Any] = MappingProxyType({})


class Profile(Expectations):
    """A policy's expectations, and how it is wired to a task."""

    @property
    def reads(self) -> tuple[str, ...]:
        """Our views that it reads, for Agent.declares; a trailing `?` marks an optional one."""
        found: dict[str, bool] = {}
        for image in self.images:
            found[image.view] = found.get(image.view, True) and image.optional
        for vector in self.vectors:
            for part in vector.parts:
                if part.view:
                    found[part.view] = False
        return tuple(f"{view}?" if optional else view for view, optional in found.items())

    def observation(self, turn: Turn) -> dict[str, Any]:
        """The policy's observation: its keys with arrays, and the instruction as a text."""
        return self.observation_of(turn.observation, turn.brief.observation, turn.instruction)

    def observation_of(
        self, views: Mapping[str, Any], specs: Mapping[str, Any], instruction: str
    ) -> dict[str, Any]:
        """The policy's observation, from views whose specs are `specs`."""
        found: dict[str, Any] = {}
        for image in self.images:
            if image.view in specs or not image.optional:
                found[image.key] = image.value(views)
        for vector in self.vectors:
            found[vector.key] = vector.value(views, specs)
        if self.batch:
            found = {key: value[None] for key, value in found.items()}
        if self.prompt_key:
            found[self.prompt_key] = [instruction] if self.batch else instruction
        return found

    def actions(self, answered: Any, brief: Brief) -> tuple[list[Array], list[Array]]:
        """(the actions to execute now, the rest of the chunk) of a policy's answer, as ours.

        `answered`: (A,) for one action, (H, A) for a chunk, or either with one more axis of length
        1 in front.

        Raises ValueError, with what is wrong, where the answer is anything else.
        """
        spec = brief.action
        if not isinstance(spec, Box):
            raise ValueError(
                f"the task takes {type(spec).__name__} actions, the policy gives a Box"
            )
        chunk = self._chunk(answered)
        ours = [self.action.ours(vector, spec) for vector in chunk]
        now = min(self.execute or len(ours), len(ours))
        return ours[:now], ours[now:]

    def _chunk(self, answered: Any) -> Array:
        """The answer as float64 (H, A)."""
        try:
            chunk = np.asarray(answered, np.float64)
        except (TypeError, ValueError) as fault:
            raise ValueError(f"the policy's answer is no array of numbers: {fault}") from None
        if chunk.ndim == 3 and chunk.shape[0] == 1:
            chunk = chunk[0]
        if chunk.ndim == 1:
            chunk = chunk[None]
        if chunk.ndim != 2 or not len(chunk):
            raise ValueError(f"the policy's answer has the shape {np.shape(answered)}, not (H, A)")
        if chunk.shape[1] != self.action.size:
            raise ValueError(
                f"the policy's actions have {chunk.shape[1]} elements; the profile {self.name} "
                f"says {self.action.size}"
            )
        if self.chunk is not None and chunk.shape[0] not in (1, self.chunk):
            raise ValueError(
                f"the policy's chunk has {chunk.shape[0]} actions; the profile {self.name} says "
                f"{self.chunk}"
            )
        if not np.isfinite(chunk).all():
            raise ValueError("the policy's answer holds NaN or infinity")
        return chunk

    def answer(self, answered: Any, turn: Turn, memory: Any = None) -> Answer:
        """The policy's answer to a turn as ours. Raises ValueError as `actions` does."""
        now, rest = self.actions(answered, turn.brief)
        return Answer(now, memory, rest)

    def settling(self, turn: Turn) -> Answer | None:
        """What the body does while things come to rest; None once the policy is to be asked."""
        left = self.settle - turn.step
        if left <= 0:
            return None
        return Answer([turn.brief.action.noop() for _ in range(left)], turn.memory)

    def mismatches(self, brief: Brief) -> tuple[Mismatch, ...]:
        """What does not fit between the policy and a task, the fatal ones first."""
        return find_mismatches(self, brief)

    def missing(self, brief: Brief, check: str = "on") -> Missing | None:
        """Why a policy with this profile cannot play a task: all fatal mismatches; or None.

        `check`: `on` or `off`, the argument `profile_check` of an agent. Raises UserError on
        another word.
        """
        if check not in ("on", "off"):
            raise UserError(f"profile_check={check!r}: write on or off")
        if any(image.resize for image in self.images):
            try:
                pillow()
            except UserError as absent:
                return Missing(str(absent), "pip install pillow")
        fatal = [each for each in self.mismatches(brief) if each.fatal] if check == "on" else []
        if not fatal:
            return None
        reasons = "; ".join(each.reason for each in fatal)
        remedies = list(dict.fromkeys(each.remedy for each in fatal))
        return Missing(
            f"the profile {self.name} does not fit: {reasons}",
            "; ".join([*remedies, "or play it as it is with --profile-check off"]),
        )

    # The other direction: a client speaks as to such a policy, and an agent of ours answers.

    def brief(self, views: Mapping[str, Any] = EMPTY) -> Brief:
        """What an agent is shown that plays behind a server with this profile; see served.py.

        `views`: what a client sent, whose sizes count where the profile says none. Raises UserError
        where neither does.
        """
        return served.brief_of(self, views)

    def views(self, observation: Mapping[str, Any]) -> dict[str, Any]:
        """Our views from what a client sent. Raises ValueError where that is not as expected."""
        return served.views_of(self, observation)

    def prompt(self, observation: Mapping[str, Any]) -> str:
        """The instruction that a client sent; empty where the policy reads none."""
        return served.prompt_of(self, observation)

    def answer_out(self, actions: Sequence[Any]) -> Array:
        """The actions of an agent as the policy would answer them, float32 (H, A).

        Raises ValueError where they have another size.
        """
        return served.answer_of(self, actions)

"""An agent that is told, or shown, something else than the episode that it plays.

The instruction without its words, with its words in another order, or with its opposite beside it;
or one view from another episode.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.core import Agent, Brief, Case, Missing, Spec, Task, Turn, stream
from harness.core.lane import Lane, build_adapter
from harness.host.loading import load_adapter
from harness.probes.wrapped import ChangedTurns, WrappedSpec
from harness.records.identity import AgentSpec

__all__ = ["PICTURES", "WORDS", "OtherPictures", "OtherWords", "other_views"]

PICTURES = 16
"""At least as many pictures of a view there are in all; an episode is shown one of them."""


def _shuffled(instruction: str) -> str:
    words = instruction.split()
    order = stream("shuffled words", instruction).permutation(len(words))
    return " ".join(words[place] for place in order)


def _contradicted(instruction: str) -> str:
    said = instruction.strip().rstrip(".")
    return f"{said}. Do not {said[:1].lower()}{said[1:]}."


WORDS: Mapping[str, Callable[[str], str]] = {
    "empty": lambda instruction: "",
    "shuffled": _shuffled,
    "contradicted": _contradicted,
}
"""How an instruction is changed, by the name of the arm."""


@dataclass(frozen=True)
class OtherWords(WrappedSpec):
    """The spec of another agent that is told its instruction in another way."""

    way: str
    """A key of WORDS."""

    @classmethod
    def of(cls, inner: AgentSpec, way: str) -> OtherWords:
        """Of an agent by its own spec."""
        return cls(inner.name, inner.entry, inner.args, inner, way)

    def change(self) -> tuple[str, Any]:
        """The way."""
        return "instruction", self.way

    def build(self) -> Agent:
        """The agent, wrapped."""
        change = WORDS[self.way]

        def told(turn: Turn) -> Turn:
            return dataclasses.replace(turn, instruction=change(turn.instruction))

        return ChangedTurns(self.inner.build(), told)


@dataclass(frozen=True)
class OtherPictures(WrappedSpec):
    """The spec of another agent that is shown one view of another episode, as it began.

    Each episode is shown one of several, which its case decides: the loss is that of an average
    picture, and not of one that happens to show little.
    """

    view: str
    shown: tuple[tuple[Spec, tuple[Any, ...]], ...]
    """Of what one is shown where the view has this spec."""

    @classmethod
    def of(
        cls, inner: AgentSpec, view: str, shown: Sequence[tuple[Spec, tuple[Any, ...]]]
    ) -> OtherPictures:
        """Of an agent by its own spec; `shown` as other_views gives it."""
        return cls(inner.name, inner.entry, inner.args, inner, view, tuple(shown))

    def change(self) -> tuple[str, Any]:
        """The view, and a digest of what is shown."""
        content = hashlib.blake2b(digest_size=8)
        for value in (value for _, values in self.shown for value in values):
            plain = value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode()
            content.update(plain)
        return "view of another episode", [self.view, content.hexdigest()]

    def unfit(self, brief: Brief) -> Missing | None:
        """As the agent says; and a task without the view has nothing to exchange."""
        if self._shown(brief) is None:
            return Missing(f"it has no other {self.view} to show", "leave it out with --tasks")
        return self.inner.unfit(brief)

    def _shown(self, brief: Brief) -> tuple[Any, ...] | None:
        spec = brief.observation.get(self.view)
        return next((values for known, values in self.shown if known == spec), None)

    def build(self) -> Agent:
        """The agent, wrapped."""

        def shown(turn: Turn) -> Turn:
            others = self._shown(turn.brief)
            if others is None:
                return turn
            # Drawn without turn.rng, so that the agent's own draws stay what they were.
            other = others[turn.rng_key % len(others)]
            # What is not shown is not drawn.
            seen = tuple(
                {name: other if name == self.view else each[name] for name in each}
                for each in turn.observations
            )
            return dataclasses.replace(turn, observations=seen)

        return ChangedTurns(self.inner.build(), shown)


def other_views(
    cases: Mapping[str, tuple[Task, int]], views: Sequence[str]
) -> Mapping[str, list[tuple[Spec, tuple[Any, ...]]]]:
    """View -> what it shows at the beginning of other episodes, by its spec; PICTURES of each.

    cases: task id -> the task, and a seed from which on the probe plays no episode of it. Tasks
    whose views have one spec share the pictures.
    """
    found: dict[str, list[tuple[Spec, list[Any]]]] = {view: [] for view in views}
    each_task = -(-PICTURES // max(1, len(cases)))
    for task, first in cases.values():
        adapter = build_adapter(load_adapter(task.adapter), task)
        try:
            lane = Lane(adapter)
            for seed in range(first, first + each_task):
                seen = lane.reset(Case(task, seed)).observation
                for view in views:
                    spec = adapter.brief.observation.get(view)
                    if spec is None:
                        continue
                    value = seen[view]
                    # A copy: the simulator may draw the next one into the same array.
                    kept = copy.deepcopy(value() if callable(value) else value)
                    alike = next((some for known, some in found[view] if known == spec), None)
                    if alike is None:
                        found[view].append((spec, [kept]))
                    else:
                        alike.append(kept)
        finally:
            adapter.close()
    return {view: [(spec, tuple(values)) for spec, values in each] for view, each in found.items()}

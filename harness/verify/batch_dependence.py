"""Why results drift: does an agent's answer depend on its batch, and is that rounding or a bug?

An agent that computes in floating point can answer the same turn differently in another batch, in
the last digits, because other kernels run for other shapes. To tell that rounding from a bug, one
turn of each batch is asked again in three ways:

- `same_batch`: in the batch as it was. A difference means randomness or hidden state.
- `same_size`: in a batch of the same size that holds copies of this turn only. Kernels are the
  same as before, so a difference means that the other turns leak into the answer.
- `other_size`: in such a batch of another size, 1 to 4. Here small differences are rounding.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.core import Agent, Box, Turn
from harness.core.grammar import counted
from harness.play.inference import LocalAgent, Watch
from harness.play.values import actions_of

__all__ = ["RepeatedQueries", "RepeatingAgent", "action_distance", "explain_drift"]

ROUNDING = 0.02
"""The largest difference that rounding in half precision explains, as a share of the range."""
SAME_SHAPE = 1e-4
"""The same for a batch of the same size with other turns, where only padding may differ."""
FLIPS = 0.1
"""The share of turns whose choice may flip because two choices were practically equal."""
MOST_QUERIES = 200
OTHER_SIZES = 4
BATCHES = ("same_batch", "same_size", "other_size")


@dataclass
class RepeatedQueries:
    """Turns that the agent was asked again, and how often and how far the answers differed."""

    asked: int = 0
    largest: dict[str, float] = field(default_factory=lambda: dict.fromkeys(BATCHES, 0.0))
    """By batch: the largest difference, as a share of the action's range."""
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(BATCHES, 0))
    """By batch: how many answers differed."""

    def note(self, batch: str, distance: float) -> None:
        """Count one comparison."""
        self.largest[batch] = max(self.largest[batch], distance)
        self.counts[batch] += distance > 0


def action_distance(one: Any, other: Any, spec: Any = None) -> float:
    """The largest difference between elements of two actions; infinite between choices or texts.

    Actions of a Box are float arrays of its shape. The difference is in the action's unit or, with
    a `spec` that is a Box, a share of each element's range where that is finite.
    """
    if (
        isinstance(one, np.ndarray)
        and isinstance(other, np.ndarray)
        and one.shape == other.shape
        and one.dtype.kind == "f"
    ):
        apart = np.abs(one.astype(np.float64) - other.astype(np.float64))
        if isinstance(spec, Box):
            low, high = spec.bounds()
            span = np.where(np.isfinite(high - low) & (high > low), high - low, 1.0)
            apart = apart / span
        return float(apart.max(initial=0.0))
    return 0.0 if np.array_equal(one, other) else math.inf


class RepeatingAgent(LocalAgent):
    """Asks one turn of every batch again, in the three batches that this module's text names."""

    def __init__(self, agent: Agent, watch: Watch, timeout: float) -> None:
        super().__init__(agent, watch, timeout)
        self.repeated = RepeatedQueries()

    def submit(self, turns: Sequence[Turn]) -> list[Any]:
        """The answers to `turns`; those to the repeated turn are only compared."""
        answers = super().submit(turns)
        if len(turns) > 1 and self.repeated.asked < MOST_QUERIES:
            chosen = self.repeated.asked % len(turns)
            self.repeated.asked += 1
            turn = turns[chosen]
            other_size = 1 + self.repeated.asked % OTHER_SIZES
            batches = {
                "same_batch": (turns, chosen),
                "same_size": ([turn] * len(turns), chosen),
                "other_size": ([turn] * other_size, 0),
            }
            for name, (batch, place) in batches.items():
                # New turns, because the generator of an old one has been drawn from.
                other = super().submit([dataclasses.replace(each) for each in batch])[place]
                self.repeated.note(name, _answer_distance(turn, answers[chosen], other))
        return answers


def _answer_distance(turn: Turn, one: Any, other: Any) -> float:
    pair = [actions_of(answer) for answer in (one, other)]
    if len(pair[0]) != len(pair[1]):
        return math.inf
    return max(
        (action_distance(np.asarray(a), np.asarray(b), turn.brief.action) for a, b in zip(*pair)),
        default=0.0,
    )


def explain_drift(repeated: RepeatedQueries, at_first: float = math.inf) -> str:
    """The cause of a drift, as a sentence for people.

    `at_first`: the largest difference between actions where they first differ.
    """
    asked, largest, counts = repeated.asked, repeated.largest, repeated.counts
    if not asked:
        return (
            "the agent was never asked for two episodes at once: the cause is the simulator, or "
            "what the agent keeps between episodes"
        )

    def exceeds(batch: str, bound: float) -> bool:
        # Choices have no distance. A few flip because two were practically equal; a bug flips many.
        if math.isfinite(largest[batch]):
            return largest[batch] > bound
        return counts[batch] / asked > FLIPS

    turns = counted(asked, "turn")
    if largest["same_batch"] > 0:
        return (
            f"a bug of the agent: {counts['same_batch']} of {turns} asked again in an "
            "unchanged batch got another answer. It draws from other randomness than turn.rng, or "
            "keeps state that it should not"
        )
    if exceeds("same_size", SAME_SHAPE):
        return (
            f"a bug of the agent: {counts['same_size']} of {turns} got another answer next "
            "to other turns than in a batch of the same size that holds nothing else "
            f"({_share(largest['same_size'])}). Batch statistics, a shared buffer or another "
            "episode's state leak into it"
        )
    size = (
        f"{counts['other_size']} of {turns} asked again in a batch of another size got "
        "another answer"
    )
    if exceeds("other_size", ROUNDING):
        return (
            f"a bug of the agent: {size} ({_share(largest['other_size'])}), which is more than "
            "rounding explains"
        )
    if largest["other_size"] > 0 or largest["same_size"] > 0:
        return (
            f"numerical drift of batching: {size} ({_share(largest['other_size'])}), and "
            f"{counts['same_size']} next to other turns ({_share(largest['same_size'])}). Other "
            "kernels run for other sizes, and round differently; keep the size of the batch, or "
            "compute in double precision"
        )
    if at_first <= SAME_SHAPE:
        return (
            f"numerical drift, although {asked} turns asked again show none: where actions first "
            f"differ, they differ by at most {at_first:.1g}. Rounding in the agent or the "
            "simulator depends on the batch"
        )
    return (
        f"not the agent's batch: all {asked} turns asked again got the same answers. The cause is "
        "the simulator, or what is kept between episodes"
    )


def _share(value: float) -> str:
    return "another choice" if math.isinf(value) else f"by {value:.1g} of the range"

"""The comparisons of the probe: the agent, the untrained agent and the references, in pairs."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.probes.alignment.measures import Alignment, align, design_of
from harness.stats import Interval, paired_difference

__all__ = ["Pair", "Settings", "Side", "compare"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How sentences are compared."""

    ks: tuple[int, ...]
    dims: int
    """Of the map, at most."""
    permutations: int
    seed: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Side:
    """One embedding of all sentences."""

    name: str
    what: str
    """What it is of, in a few words."""
    values: np.ndarray
    """float64 (N, D)."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two embeddings, compared."""

    one: str
    other: str
    across: Alignment
    """All sentences as one group."""
    within: Alignment | None
    """Inside of tasks; None: there is one task only."""
    gain: Mapping[int, Interval]
    """k -> precision across tasks minus that of the untrained agent, with 95 % bounds for other
    sentences that go through the maps which were learned here."""


def compare(
    agent: Side,
    untrained: Side | None,
    references: Sequence[Side],
    groups: Sequence[str],
    settings: Settings,
    say: Callable[[str], None],
) -> tuple[Pair, ...]:
    """Each agent with each reference, then the references with one another.

    groups: the task of each sentence. All pairs share their folds and permutations.
    """
    designs = [
        design_of(groups, within=within, permutations=settings.permutations, seed=settings.seed)
        for within in ((False, True) if len(set(groups)) > 1 else (False,))
    ]
    found: list[Pair] = []
    for one, other in _pairs(agent, untrained, references):
        say(f"{one.name} and {other.name}")
        across, *rest = (
            align(one.values, other.values, design, settings.ks, settings.dims)
            for design in designs
        )
        within = rest[0] if rest else None
        found.append(Pair(one=one.name, other=other.name, across=across, within=within, gain={}))
    if untrained is None:
        return tuple(found)
    # The agent's pairs come first, then those of the untrained one, in the same order.
    count = len(references)
    for number in range(count):
        mine, base = found[number], found[count + number]
        found[number] = dataclasses.replace(mine, gain=_gains(mine.across, base.across))
    return tuple(found)


def _pairs(
    agent: Side, untrained: Side | None, references: Sequence[Side]
) -> Iterator[tuple[Side, Side]]:
    for mine in (agent, *([] if untrained is None else [untrained])):
        yield from ((mine, each) for each in references)
    yield from itertools.combinations(references, 2)


def _gains(mine: Alignment, base: Alignment) -> dict[int, Interval]:
    """k -> the difference of the two precisions, paired by sentence."""
    changes = {k: mine.found[k] - base.found[k] for k in mine.found}
    told = {k: change[~np.isnan(change)] for k, change in changes.items()}
    return {k: paired_difference([change]) for k, change in told.items() if len(change)}

"""Which episodes of a run its agent had seen in training, axis by axis.

Equal keys of two starts prove that they are one, where they cover all of a start. Where starts are
not countable, a key that is not among those of the training data says nothing, and no start is
called unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.core import Result
from harness.core.factors import AXES
from harness.host.loading import load_adapter
from harness.play.factors import factors_of_run
from harness.records.factor_file import EpisodeFactors
from harness.records.plan import CaseIndex
from harness.records.stored_run import StoredRun
from harness.records.training_data import TrainingData, start_key

__all__ = ["SeenEpisode", "SeenRun", "seen_of_run"]


@dataclass(frozen=True, kw_only=True)
class SeenEpisode:
    """An episode of a run that has a result."""

    index: CaseIndex
    result: Result
    seen: Mapping[str, bool]
    """Axis of harness.core.factors.AXES -> whether training had seen what is there; only the axes
    along which that can be said."""
    about: bool
    """Whether it is known what the episode is about."""


@dataclass(frozen=True, kw_only=True)
class SeenRun:
    """The unperturbed episodes of a run."""

    episodes: tuple[SeenEpisode, ...]
    unknown: Mapping[str, int]
    """Why it is not known what an episode is about -> of how many."""
    families: Mapping[str, str]
    """Family -> `Adapter.start_kind`."""


def seen_of_run(
    run: StoredRun, data: TrainingData, begin: Callable[[int], None] = lambda count: None
) -> SeenRun:
    """Compare the episodes of a run with the training data of its agent.

    What `factors.jsonl` lacks is reset and written there; `begin` is told how many episodes that
    are. Ask first whether the run's tasks may be imported. Raises UserError.
    """
    found, reasons = factors_of_run(run, begin)
    kinds = [load_adapter(item.task.adapter).start_kind for item in run.plan.items]
    return SeenRun(
        episodes=tuple(
            SeenEpisode(
                index=index,
                result=result,
                seen=_seen(result, told, data, kinds[index.item]),
                about=told is not None,
            )
            for index, (result, told) in found.items()
        ),
        unknown=reasons,
        families={
            item.task.id.partition("/")[0]: kind for item, kind in zip(run.plan.items, kinds)
        },
    )


def _seen(
    result: Result, told: EpisodeFactors | None, data: TrainingData, kind: str
) -> dict[str, bool]:
    seen = {}
    if "start" in data.axes and kind and told is not None:
        known = start_key(told.start, told.factors) in data.axes["start"]
        if known or kind == "countable":
            seen["start"] = known
    factors = {"task": result.task} if told is None else told.factors
    for axis in AXES:
        if axis in data.axes and axis in factors:
            seen[axis] = factors[axis] in data.axes[axis]
    return seen

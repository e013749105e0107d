"""The cases that came out differently in two runs, as recorded episodes of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.compare.case_values import measure_of
from harness.compare.pairs import Key, ScoredRun, pair_up
from harness.core import Result, UserError
from harness.records.traces import locate_traces, read_trace
from harness.verify.episode_replay import RecordedEpisode

__all__ = ["Flips", "flips_of", "recorded"]


@dataclass(frozen=True, kw_only=True)
class Flips:
    """Which of the paired cases came out differently."""

    paired: int
    """Cases of both runs that have a success and started alike."""
    worse: tuple[Key, ...]
    """BASE succeeds and NEW fails, in the order of NEW's plan."""
    better: tuple[Key, ...]
    """The other way round."""


def flips_of(base: ScoredRun, new: ScoredRun) -> Flips:
    """Compare two runs case by case.

    Raises UserError where they cannot be compared (`pair_up`), and where no task has a success.
    """
    worse: list[Key] = []
    better: list[Key] = []
    paired = 0
    tasks = [each for each in pair_up(base, new) if measure_of(each.task) == "success"]
    if not tasks:
        raise UserError(
            "no task of both runs has a success, so no case can flip; `bench compare` compares "
            "their scores"
        )
    for each in tasks:
        for pair in each.pairs:
            paired += 1
            if pair.base != pair.new:
                found = worse if pair.new < pair.base else better
                found.append((each.task.id, pair.seed, pair.perturbations))
    return Flips(paired=paired, worse=tuple(worse), better=tuple(better))


def recorded(run: ScoredRun, wanted: Sequence[Key]) -> dict[Key, RecordedEpisode]:
    """The recorded episodes of these cases, of those that have a trace.

    Raises UserError if the run was fetched, because its traces are not.
    """
    if run.fetched:
        raise UserError(f"{run.name} was fetched without its traces: name the run directory itself")
    plan = run.stored.whole
    names = {}
    for key in wanted:
        index = plan.locate(*key)
        assert index is not None
        names[plan.case(index).id] = (key, index)
    results: dict[str, Result] = {}
    for _, result in run.stored.cases():
        if result.case in names:
            results[result.case] = result
    places = {
        trace.case: (part, place)
        for trace, part, place in locate_traces(run.path)
        if trace.case in names
    }
    found = {}
    for case, (key, index) in names.items():
        if case in places and case in results:
            trace = read_trace(*places[case])
            found[key] = RecordedEpisode.of(run.stored, plan, index, results[case], trace)
    return found

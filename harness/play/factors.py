"""What each episode of a run is about, found by resetting its case once more.

Nothing is asked while an agent plays. A start that does not come out as it was recorded is not
known, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from harness.core import Case, Result
from harness.core.errors import describe
from harness.core.factors import TOLD
from harness.play.environments import Environments, EnvSlot, environment_key
from harness.play.inference import Watch
from harness.play.start_digest import compared, start_digest
from harness.play.starts import missing_here, start
from harness.play.values import SimulatorFault, checked_state
from harness.records.factor_file import EpisodeFactors, FactorWriter, read_factor_file
from harness.records.plan import CaseIndex
from harness.records.stored_run import StoredRun

__all__ = ["factors_of_run", "told_again"]


def factors_of_run(
    run: StoredRun, begin: Callable[[int], None] = lambda count: None
) -> tuple[dict[CaseIndex, tuple[Result, EpisodeFactors | None]], dict[str, int]]:
    """(the unperturbed episodes with a result and what each is about, why some are not known).

    What `factors.jsonl` lacks is reset and written there; `begin` is told how many episodes that
    are. Ask first whether the run's tasks may be imported. Raises UserError.
    """
    known = read_factor_file(run.path)
    found: dict[CaseIndex, tuple[Result, EpisodeFactors | None]] = {}
    for index, result in run.cases():
        if index.condition or result.status == "error":
            continue
        told = known.get(result.case)
        found[index] = result, told if told and told.start == result.start else None
    missing = {index: result for index, (result, told) in found.items() if told is None}
    reasons: dict[str, int] = {}
    if missing:
        begin(len(missing))
        with FactorWriter(run.path) as writer:
            for index, about in told_again(run, missing):
                if isinstance(about, str):
                    reasons[about] = reasons.get(about, 0) + 1
                else:
                    found[index] = missing[index], about
                    writer.append(about)
    return {index: found[index] for index in sorted(found)}, reasons


def told_again(
    run: StoredRun, results: Mapping[CaseIndex, Result]
) -> Iterator[tuple[CaseIndex, EpisodeFactors | str]]:
    """Reset each of these cases: what it is about, or why that is not known."""
    with _Resets() as resets:
        yield from resets.of(run, results)


class _Resets:
    """Resets cases, and keeps the environment from one to the next."""

    def __init__(self) -> None:
        self._environments = Environments(1, Watch())
        self._slot: EnvSlot | None = None
        self._missing: dict[str, str] = {}

    def __enter__(self) -> _Resets:
        return self

    def __exit__(self, *_: object) -> None:
        self._environments.close([] if self._slot is None else [self._slot])

    def of(
        self, run: StoredRun, results: Mapping[CaseIndex, Result]
    ) -> Iterator[tuple[CaseIndex, EpisodeFactors | str]]:
        """What each case is about, or why that is not known; by environment."""
        items = {each.item for each in results}
        keys = {item: environment_key(run.plan.items[item].task) for item in items}
        for index in sorted(results, key=lambda each: (keys[each.item], each)):
            yield index, self._one(run.plan.case(index), results[index])

    def _one(self, case: Case, result: Result) -> EpisodeFactors | str:
        task = case.task
        if task.id not in self._missing:
            lacks = missing_here(task)
            self._missing[task.id] = "" if lacks is None else f"{lacks.reason}; {lacks.remedy}"
        if self._missing[task.id]:
            return f"it cannot be started here: {self._missing[task.id]}"
        try:
            return self._started(case, result)
        except Exception as fault:  # a simulator's own fault costs its case only, and is told
            if self._slot is not None:
                self._environments.drop(self._slot)
                self._slot = None
            return f"its start fails: {describe(fault)}"

    def _started(self, case: Case, result: Result) -> EpisodeFactors | str:
        self._slot = slot = self._environments.slot(case, self._slot)
        first, _ = start(slot, case)
        digest = start_digest(compared(slot.adapter), first, checked_state(slot.state()))
        if result.start and digest != result.start:
            return "it does not start as it was recorded"
        told = dict(slot.factors(case))
        wrong = any(
            name not in TOLD or not isinstance(value, str) or not value
            for name, value in told.items()
        )
        if wrong:
            raise SimulatorFault(f"factors() gave {told!r:.200}; there are {', '.join(TOLD)}")
        told |= {"task": case.task.id, "body": slot.adapter.brief.embodiment}
        if first.instruction:
            told["instruction"] = first.instruction
        told = {name: " ".join(value.split())[:2000] for name, value in told.items()}
        return EpisodeFactors(case=result.case, start=result.start or digest, factors=told)

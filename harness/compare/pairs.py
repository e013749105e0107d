"""Two runs side by side, in pairs of the same case.

A case is a task, a seed and its perturbations. Equal seeds alone make no pair: the episode must
have started alike in both runs. A condition that the simulator itself changes pairs where its
control did. Runs of schema 1 do not say how their episodes started. Where both agents read drawn
views, one renderer must have drawn them.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.compare.case_tables import (
    CaseTable,
    CodeTable,
    Key,
    NumberTable,
    Pair,
    Pairs,
    StartTable,
)  # fmt: skip
from harness.compare.case_values import measure_of, value_difference, value_of_case
from harness.compare.protocols import refuse_other_protocols
from harness.compare.renderers import Drawn, refusal, renderer_sentences
from harness.core import Case, Task, UserError
from harness.core.agent import ALL_VIEWS
from harness.core.safety import violation_bits
from harness.perturb.registry import REGISTRY
from harness.play.start_digest import is_drawn
from harness.records.imported import refuse_imported
from harness.records.plan import Plan, PlanItem
from harness.records.privilege import PrivilegedViews
from harness.records.renderer import renderer_of
from harness.records.stored_run import StoredRun, load_run

__all__ = [
    "Key",
    "Pair",
    "ScoredRun",
    "TaskPairs",
    "key_of",
    "pair_notes",
    "pair_up",
    "read_scored_run",
    "refuse_other_renderers",
]


@dataclass(frozen=True)
class ScoredRun:
    """One run of a comparison: its plan, and the value of every case that has a score."""

    name: str
    stored: StoredRun
    """The files of a fetched run exist only inside of harness.compare.saved_runs.open_run."""
    values: Mapping[Key, float]
    """See value_of_case."""
    starts: Mapping[Key, str] = dataclasses.field(default_factory=dict)
    """How the cases started that say so (`Result.start`)."""
    privileged: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    """Task id -> the privileged views that its agent read in any of its episodes."""
    renderers: Mapping[Key, str] = dataclasses.field(default_factory=dict)
    """What drew, for the cases that say so; see harness.records.renderer.renderer_of."""
    violations: Mapping[Key, tuple[int, int]] = dataclasses.field(default_factory=dict)
    """Which violations were measured in the cases that measured any, and which took place; see
    harness.core.safety.violation_bits."""
    fetched: bool = False
    """Whether its files are a copy of an archive or a URL, which has neither traces nor videos."""

    @property
    def path(self) -> Path:
        """Where its files are."""
        return self.stored.path

    @property
    def run(self) -> Mapping[str, Any]:
        """run.json."""
        return self.stored.description

    @property
    def plan(self) -> Plan:
        """The part of the plan that counts."""
        return self.stored.plan

    def counting(self, plan: Plan) -> ScoredRun:
        """The same run, with another part of its plan counting."""
        return dataclasses.replace(self, stored=dataclasses.replace(self.stored, plan=plan))

    def start_of(self, key: Key) -> str:
        """How a case started, or its control, where the simulator was perturbed. Empty: unknown."""
        task, seed, perturbations = key
        simulated = perturbations and _simulated(perturbations)
        return self.starts.get((task, seed, ()) if simulated else key, "")

    def renderer_of(self, key: Key) -> str | None:
        """What drew the views that the agent read in a case, as harness.compare.renderers.Drawn."""
        return self.renderers.get(key, None if self._may_read_drawn else "")

    @functools.cached_property
    def _may_read_drawn(self) -> bool:
        """Whether the views that the agent declared may be drawn ones."""
        return any(view == ALL_VIEWS or is_drawn(view) for view in self.stored.reads)

    def missing(self) -> int:
        """How many planned cases have no score."""
        items = range(len(self.plan.items))
        return self.plan.total - sum(1 for item in items for _ in self.scored_cases(item))

    def scored_cases(self, item: int) -> Iterator[Key]:
        """The planned cases of an item that have a score, by seed."""
        for key in self._table.of_task(self.plan.items[item].task.id):
            index = self.plan.locate(*key)
            if index is not None and self.plan.plays(*index.place):
                yield key

    @functools.cached_property
    def _table(self) -> CaseTable[float]:
        """`values`, in an order."""
        if isinstance(self.values, CaseTable):
            return self.values
        table = NumberTable(self.plan)
        for key, value in self.values.items():
            index = self.plan.locate(*key)
            if index is not None:
                table.put(index, value)
        return table


@dataclass(frozen=True)
class TaskPairs:
    """The pairs of one task, in the order of their seeds."""

    task: Task
    suite: str
    pairs: Sequence[Pair]
    missing: int = 0
    """Cases of both plans that lack a score in one of the runs or both."""
    unlike: int = 0
    """Cases that have a score in both, and are no pairs: they started differently."""
    unknown: int = 0
    """Pairs of which one of the runs does not say how they started."""
    apart: int = 0
    """Cases that have a score in both, started alike and are no pairs: both agents read drawn
    views, and different renderers drew them."""
    drawn: Drawn | None = None
    """Which renderers drew the first of them."""
    renderer_unknown: int = 0
    """Pairs of which one run names a renderer, and the other one does not say it."""
    own_streams: bool = False
    """See harness.records.plan.PlanItem."""
    outcome: str = ""
    """`progress` where the pairs hold that; empty: what measure_of says."""

    @property
    def family(self) -> str:
        """See harness.records.plan.PlanItem.family."""
        return self.task.id if self.own_streams else self.task.adapter

    @property
    def measure(self) -> str:
        """`progress`, or as measure_of."""
        return self.outcome or measure_of(self.task)

    def differences(self) -> np.ndarray:
        """New minus base for each seed, shape (seeds,), in [-1, 1]; see value_difference."""
        return self._by_seed(self.measure)

    def signs(self) -> np.ndarray:
        """For each seed, shape (seeds,), 1 where new did better and -1 where it did worse."""
        return self._by_seed("sign")

    def _by_seed(self, measure: str) -> np.ndarray:
        """The mean difference over the conditions of a seed, which share its randomness.

        Only seeds are independent of one another.
        """
        by_seed: dict[int, list[float]] = {}
        for pair in self.pairs:
            change = value_difference(pair.base, pair.new, measure)
            by_seed.setdefault(pair.seed, []).append(change)
        return np.array([sum(each) / len(each) for each in by_seed.values()])


@functools.lru_cache(maxsize=4096)
def _simulated(perturbations: tuple[str, ...]) -> bool:
    """Whether the simulator itself is perturbed."""
    return any(each.partition(":")[0] not in REGISTRY for each in perturbations)


def key_of(case: Case) -> Key:
    """The key of a case."""
    return case.task.id, case.seed, tuple(map(str, case.perturbations))


def read_scored_run(path: Path, name: str = "") -> ScoredRun:
    """The run in a directory. Raises UserError when it is none, or a line does not fit its plan."""
    run = load_run(path)
    refuse_imported(run, "how its episodes started is not known, so none is paired")
    values, starts = NumberTable(run.plan), StartTable(run.plan)
    renderers, violations = CodeTable[str](run.plan), CodeTable[tuple[int, int]](run.plan)
    privileged = PrivilegedViews()
    for index, result in run.cases():
        privileged.add(result)
        found = value_of_case(run.plan.items[index.item].task, result)
        if found is not None:
            values.put(index, found)
            if result.start:
                starts.put(index, result.start)
            if (renderer := renderer_of(result)) is not None:
                renderers.put(index, renderer)
            if (bits := violation_bits(result.metrics))[0]:
                violations.put(index, bits)
    told = privileged.by_task()
    return ScoredRun(name or str(path), run, values, starts, told, renderers, violations)


def pair_up(base: ScoredRun, new: ScoredRun) -> list[TaskPairs]:
    """The pairs of the tasks that both runs planned.

    Raises UserError where the protocols of a task differ, where no case is shared, and where none
    started alike.
    """
    refuse_other_protocols(new.plan, base.plan)
    theirs = {item.task.id: number for number, item in enumerate(base.plan.items)}
    found: list[TaskPairs] = []
    for number, item in enumerate(new.plan.items):
        if item.task.id not in theirs:
            continue
        shared = _shared(base.plan, theirs[item.task.id], new.plan, number)
        if shared:
            found.append(_pairs_of(item, number, base, new, shared))
    if not found:
        raise UserError(_nothing_shared(base, new))
    if not any(each.pairs for each in found):
        for each in found:
            if each.drawn:
                raise UserError(refusal(each.task.id, base.name, new.name, each.drawn))
        if any(each.unlike for each in found):
            raise UserError(_nothing_alike(found[0].task.id))
    return found


def _pairs_of(
    item: PlanItem, number: int, base: ScoredRun, new: ScoredRun, shared: int
) -> TaskPairs:
    """The pairs of an item of the new plan, of which `shared` cases are in both plans."""
    pairs, first = Pairs(), None
    both = unlike = apart = unknown = renderer_unknown = 0
    for key in new.scored_cases(number):
        value = base.values.get(key)
        if value is None:
            continue
        both += 1
        one, other = base.start_of(key), new.start_of(key)
        if one and other and one != other:
            unlike += 1
            continue
        drawn = Drawn(base.renderer_of(key), new.renderer_of(key))
        if drawn.differs:
            apart += 1
            first = first or drawn
            continue
        unknown += not (one and other)
        renderer_unknown += drawn.unknown
        pairs.append(Pair(key[1], key[2], value, new.values[key]))
    return TaskPairs(
        item.task,
        item.suite,
        pairs,
        missing=shared - both,
        unlike=unlike,
        unknown=unknown,
        apart=apart,
        drawn=first,
        renderer_unknown=renderer_unknown,
        own_streams=item.own_streams,
    )


def refuse_other_renderers(base: ScoredRun, new: ScoredRun) -> None:
    """Raises UserError where different renderers drew a case of both runs for both agents."""
    for key in new.values:
        if key not in base.values:
            continue
        drawn = Drawn(base.renderer_of(key), new.renderer_of(key))
        if drawn.differs:
            raise UserError(refusal(key[0], base.name, new.name, drawn))


def pair_notes(tasks: Sequence[TaskPairs]) -> Iterator[str]:
    """What the starts of the episodes and the renderers have to do with the pairs, as sentences."""
    cases = sum(len(each.pairs) + each.unlike + each.apart for each in tasks)
    unlike = [each.task.id for each in tasks if each.unlike]
    if unlike:
        count = sum(each.unlike for each in tasks)
        names = ", ".join(unlike[:3]) + (", ..." if len(unlike) > 3 else "")
        yield (
            f"{count} of {cases} cases did not start alike in the two runs, and make no pairs: "
            f"{names}"
        )
    unknown = sum(each.unknown for each in tasks)
    if unknown:
        yield (
            f"how the episodes started is not recorded of {unknown} of {cases} cases: they are "
            "taken for pairs because their seeds are equal"
        )
    yield from renderer_sentences(
        cases,
        sum(each.apart for each in tasks),
        sum(each.renderer_unknown for each in tasks),
        next((each.drawn for each in tasks if each.drawn), None),
    )


def _nothing_alike(task: str) -> str:
    return (
        f"no case of {task} started alike in the two runs: its reset(seed) does not fix the start, "
        "or the simulator, its data or the machine differ. Such runs are not compared in pairs"
    )


def _shared(base: Plan, base_item: int, new: Plan, new_item: int) -> int:
    """How many cases that the new plan plays of an item are in the plan of the base."""
    known = {tuple(map(str, each)): number for number, each in enumerate(base.conditions)}
    count = 0
    for number in new.conditions_of(new_item):
        theirs = known.get(tuple(map(str, new.conditions[number])))
        if theirs is not None:
            first, other = new.seed_of(new_item, number, 0), base.seed_of(base_item, theirs, 0)
            last = first + new.items[new_item].episodes
            end = min(last, other + base.items[base_item].episodes)
            count += max(0, end - max(first, other))
    return count


def _nothing_shared(base: ScoredRun, new: ScoredRun) -> str:
    tasks = {item.task.id for item in base.plan.items} & {item.task.id for item in new.plan.items}
    if not tasks:
        first = [
            side.plan.items[0].task.id if side.plan.items else "nothing" for side in (base, new)
        ]
        return (
            f"the runs share no task: {base.name} played {first[0]}, {new.name} {first[1]}, among "
            "others. Play the same suite"
        )
    return (
        f"the runs share {len(tasks)} tasks but no case: seed {new.plan.seed} against "
        f"{base.plan.seed}. A pair is a task, a seed and its perturbations: play with "
        f"--seed {base.plan.seed}"
    )

"""What a run will play: tasks, episodes and seeds.

A plan never lists its cases: a case is computed from its index and an index from a result, so that
a million cases cost a byte each (case_states.py).
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from harness.core import AT, Case, Missing, Perturbation, Reference, Task, UserError
from harness.records.control_clock import ControlClock
from harness.records.plan_fields import (
    ITEM,
    MOST_CASES,
    MOST_CELLS,
    MOST_CONDITIONS,
    MOST_EPISODES,
    MOST_ITEMS,
    MOST_REPEATS,
    MOST_ROWS,
    NOT_RUN,
    condition_of,
    task_of,
)
from harness.records.typed import Check, fields_of, list_of, text, whole

__all__ = [
    "SEED_STRIDE",
    "CaseIndex",
    "NotRun",
    "Plan",
    "PlanItem",
    "label",
    "not_run_of",
    "protocol_hash",
    "task_from_json",
    "task_to_json",
]

SEED_STRIDE = 1_000_000
"""Episode k of a run with `--seed` s has the seed first_seed + s * SEED_STRIDE + k.

So runs with different `--seed` share no episode.
"""


def task_to_json(task: Task) -> dict[str, Any]:
    """A Task as plain JSON values."""
    return dataclasses.asdict(task)


def task_from_json(fields: Any) -> Task:
    """The inverse of task_to_json. Raises UserError or ValueError that names the wrong field."""
    return task_of(fields, "")


def protocol_hash(task: Task, packages: Mapping[str, str]) -> str:
    """12 hexadecimal digits over all that makes two results comparable.

    That is the task's content and the versions of the simulator's packages.
    """
    text = json.dumps([task.content, dict(packages)], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


@dataclass(frozen=True)
class PlanItem:
    """One task of the plan."""

    suite: str
    task: Task
    episodes: int
    protocol: str
    packages: Mapping[str, str]
    env_key: str
    """Items of one key can share a kept environment."""
    conditions: tuple[int, ...] | None = None
    """Which of the plan's perturbations are played, by their index there; None: all."""
    own_streams: bool = False
    """Whether its episodes have nothing random in common with those of other tasks, as its adapter
    declares. Plans of earlier versions do not say."""

    @property
    def family(self) -> str:
        """What is equal of tasks whose episodes of one seed may depend on one another."""
        return self.task.id if self.own_streams else self.task.adapter


@dataclass(frozen=True)
class NotRun:
    """A task that was asked for and cannot run here."""

    task: str
    domain: str
    suite: str
    reason: str
    remedy: str
    perturbation: str | None = None
    """`name:severity`, joined by `+`, if the task runs but this has nothing to change in it."""
    references: tuple[Reference, ...] = ()

    @classmethod
    def of(
        cls, suite: str, task: Task, missing: Missing, perturbation: str | None = None
    ) -> NotRun:
        """The row of a task."""
        return cls(
            task.id,
            task.domain,
            suite,
            missing.reason,
            missing.remedy,
            perturbation,
            task.references,
        )


class CaseIndex(NamedTuple):
    """Where a case stands in a plan."""

    item: int
    condition: int
    """0 is the unperturbed one."""
    episode: int

    @property
    def place(self) -> tuple[int, int]:
        """(item, condition)."""
        return self.item, self.condition


@dataclass(frozen=True)
class Plan:
    """All cases of a run, in a fixed order: round k plays episode k of every item."""

    items: tuple[PlanItem, ...]
    seed: int = 0
    perturbations: tuple[tuple[Perturbation, ...], ...] = ()
    """The perturbed conditions; the unperturbed one is always played."""
    not_run: tuple[NotRun, ...] = ()
    clock: ControlClock | None = None
    """None: simulated time waits for the agent."""
    backend: str = ""
    """Which backend of their adapters plays the cases; empty: the adapters themselves."""
    repeat: int = 0
    """How often these cases were played before by an agent that draws; see Case.repeat."""
    offsets: tuple[int, ...] = ()
    """For each of `conditions`: how many seeds its episodes lie behind those of the plan.

    Empty: all conditions play the same seeds, so that they are pairs.
    """

    def __post_init__(self) -> None:
        """Raises UserError for more cases than fit in memory as a byte each.

        Raises ValueError where `offsets` are there and not one for each condition.
        """
        if self.offsets and len(self.offsets) != len(self.conditions):
            raise ValueError(
                f"plan.offsets has {len(self.offsets)} numbers for {len(self.conditions)} "
                "conditions, the unperturbed one among them"
            )
        cases = sum(item.episodes for item in self.items) * (1 + len(self.perturbations))
        if cases > MOST_CASES:
            raise UserError(
                f"this plan has {cases} cases, and a run has {MOST_CASES} at most: choose fewer "
                "tasks, episodes or perturbations"
            )

    @functools.cached_property
    def conditions(self) -> tuple[tuple[Perturbation, ...], ...]:
        """The perturbations of each condition; condition 0 is the unperturbed one, the control."""
        return ((), *self.perturbations)

    @property
    def total(self) -> int:
        """The number of cases that are played."""
        return sum(map(self.count, range(len(self.items))))

    def count(self, item: int) -> int:
        """The number of cases of an item that are played."""
        return self.items[item].episodes * sum(
            self.plays(item, condition) for condition in range(len(self.conditions))
        )

    def plays(self, item: int, condition: int) -> bool:
        """Whether an item plays a condition: the unperturbed one always, others if they apply."""
        if condition == 0:
            return True
        chosen = self._chosen[item]
        if chosen is not None and condition - 1 not in chosen:
            return False
        skipped = self._skipped.get(self.items[item].task.id)
        return skipped is None or self._labels[condition] not in skipped

    def conditions_of(self, item: int) -> list[int]:
        """The numbers of the conditions that an item plays."""
        return [number for number in range(len(self.conditions)) if self.plays(item, number)]

    @functools.cached_property
    def _chosen(self) -> list[frozenset[int] | None]:
        """PlanItem.conditions of each item."""
        return [
            None if item.conditions is None else frozenset(item.conditions) for item in self.items
        ]

    @functools.cached_property
    def _labels(self) -> list[str]:
        return list(map(label, self.conditions))

    @functools.cached_property
    def _skipped(self) -> dict[str, set[str]]:
        """Task id -> labels of the conditions that change nothing in it."""
        found: dict[str, set[str]] = {}
        for row in self.not_run:
            if row.perturbation:
                found.setdefault(row.task, set()).add(row.perturbation)
        return found

    def case(self, index: CaseIndex) -> Case:
        """The case of this index, whether it is played or not."""
        task = self.items[index.item].task
        seed = self.seed_of(*index)
        return Case(
            task,
            seed,
            self.conditions[index.condition],
            backend=self.backend,
            repeat=self.repeat,
        )

    def seed_of(self, item: int, condition: int, episode: int) -> int:
        """The seed of an episode of an item in a condition."""
        offset = self.offsets[condition] if self.offsets else 0
        return self.items[item].task.first_seed + self.seed * SEED_STRIDE + offset + episode

    def locate(self, task: str, seed: int, perturbations: Sequence[str]) -> CaseIndex | None:
        """The index of a stored result, or None if it is not of this plan."""
        item = self._item_numbers.get(task)
        condition = self._condition_numbers.get(tuple(perturbations))
        if item is None or condition is None:
            return None
        episode = seed - self.seed_of(item, condition, 0)
        known = 0 <= episode < self.items[item].episodes
        return CaseIndex(item, condition, episode) if known else None

    def with_seed(self, task: str, seed: int) -> list[CaseIndex]:
        """The cases of a task that have this seed, one for each condition that has one."""
        found = (self.locate(task, seed, tuple(map(str, each))) for each in self.conditions)
        return [index for index in found if index is not None]

    def until(self, ends: Mapping[str, int]) -> Plan:
        """The first `ends[task id]` episodes of each task; of a task that is not in it, all.

        Tasks without episodes are left out.
        """
        items = (
            dataclasses.replace(
                item, episodes=min(ends.get(item.task.id, item.episodes), item.episodes)
            )
            for item in self.items
        )
        return dataclasses.replace(self, items=tuple(item for item in items if item.episodes))

    @functools.cached_property
    def _item_numbers(self) -> dict[str, int]:
        return {item.task.id: number for number, item in enumerate(self.items)}

    @functools.cached_property
    def _condition_numbers(self) -> dict[tuple[str, ...], int]:
        return {tuple(map(str, each)): number for number, each in enumerate(self.conditions)}

    @property
    def hash(self) -> str:
        """12 hexadecimal digits over everything that will be played."""
        return hashlib.blake2b(
            json.dumps(self._identity(), sort_keys=True).encode(), digest_size=6
        ).hexdigest()

    def _identity(self) -> list[Any]:
        items = [
            [
                item.suite,
                item.protocol,
                item.episodes,
                *([] if item.conditions is None else [item.conditions]),
            ]
            for item in self.items
        ]
        conditions = [[str(p) for p in condition] for condition in self.perturbations]
        clock = [] if self.clock is None else [self.clock.to_json()]
        backend = [["backend", self.backend]] if self.backend else []
        repeat = [["repeat", self.repeat]] if self.repeat else []
        offsets = [["offsets", *self.offsets]] if self.offsets else []
        return [items, self.seed, conditions, *clock, *backend, *repeat, *offsets]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, as run.json holds them."""
        return {
            "hash": self.hash,
            "seed": self.seed,
            "items": [_item_to_json(item) for item in self.items],
            "perturbations": [
                [dataclasses.asdict(p) for p in condition] for condition in self.perturbations
            ],
            "not_run": [dataclasses.asdict(row) for row in self.not_run],
            **({} if self.clock is None else {"clock": self.clock.to_json()}),
            **({"backend": self.backend} if self.backend else {}),
            **({"repeat": self.repeat} if self.repeat else {}),
            **({"offsets": list(self.offsets)} if self.offsets else {}),
        }

    @classmethod
    def from_json(cls, fields: Any) -> Plan:
        """The inverse of to_json. Raises UserError or ValueError that names the wrong field."""
        found = fields_of(fields, "plan", _PLAN, _OPTIONAL)
        found.pop("hash", None)
        plan = cls(**found)
        if len(plan.items) * len(plan.conditions) > MOST_CELLS:
            raise ValueError(
                f"plan has {len(plan.items)} items in {len(plan.conditions)} conditions; their "
                f"product is {MOST_CELLS} at most"
            )
        _check_unique("plan.items", [item.task.id for item in plan.items])
        _check_unique("plan.perturbations", ["+".join(map(str, c)) for c in plan.perturbations])
        return plan


def label(parts: Sequence[Perturbation]) -> str:
    """`action_noise:3+typos@2:1`: perturbations that act together, without other parameters.

    `@2` is the version of an effect that had another one before; `friction=0.37:1` was set to a
    value of its range.
    """
    return "+".join(map(_label, parts))


def _label(part: Perturbation) -> str:
    version, value = part.params.get("version"), part.params.get(AT)
    set_to = f"={value}" if value is not None else ""
    return f"{part.name}{f'@{version}' if version is not None else ''}{set_to}:{part.severity}"


_NAMES_ON_DISK = {"env_key": "affinity", "conditions": "arms"}
"""Fields of PlanItem that run.json keeps under older names."""


def _item_to_json(item: PlanItem) -> dict[str, Any]:
    fields = {field.name: getattr(item, field.name) for field in dataclasses.fields(item)}
    fields["task"] = task_to_json(item.task)
    return {_NAMES_ON_DISK.get(name, name): value for name, value in fields.items()}


def _item_from_json(fields: Any, place: str) -> PlanItem:
    values = fields_of(fields, place, ITEM, frozenset({"arms", "own_streams"}))
    for name, on_disk in _NAMES_ON_DISK.items():
        if on_disk in values:
            values[name] = values.pop(on_disk)
    return PlanItem(**values)


def not_run_of(fields: Any, place: str) -> NotRun:
    """A row of what could not run. Raises ValueError that names the wrong field."""
    return NotRun(**fields_of(fields, place, NOT_RUN, frozenset({"perturbation", "references"})))


def _check_unique(place: str, names: Sequence[str]) -> None:
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise ValueError(f"{place} holds {twice[:200]!r} twice")


_PLAN: Mapping[str, Check] = {
    "hash": text,
    "seed": whole(0, MOST_EPISODES),
    "items": list_of(_item_from_json, MOST_ITEMS),
    "perturbations": list_of(condition_of, MOST_CONDITIONS),
    "not_run": list_of(not_run_of, MOST_ROWS),
    "clock": ControlClock.from_json,
    "backend": text,
    "repeat": whole(0, MOST_REPEATS),
    "offsets": list_of(whole(0, MOST_EPISODES), MOST_CONDITIONS + 1),
}
_OPTIONAL = frozenset({"hash", "clock", "backend", "repeat", "offsets"})

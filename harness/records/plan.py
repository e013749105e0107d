"""What a run will play: tasks, episodes and seeds, without listing a million cases."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.core import Case, Missing, Normaliser, Perturbation, Reference, Task

__all__ = [
    "SEED_STRIDE",
    "NotRun",
    "Plan",
    "PlanItem",
    "label",
    "package_versions",
    "protocol_hash",
    "task_from_json",
    "task_to_json",
]

SEED_STRIDE = 1_000_000
"""Runs with different `--seed` share no episode: episode k of run seed s has the seed first_seed + s * SEED_STRIDE + k."""


def task_to_json(task: Task) -> dict[str, Any]:
    """A Task as plain JSON values."""
    return dataclasses.asdict(task)


def task_from_json(fields: Mapping[str, Any]) -> Task:
    """The inverse of task_to_json."""
    values = dict(fields)
    values["tags"] = tuple(values.get("tags", ()))
    values["references"] = _references(values)
    normaliser = values.get("normaliser")
    values["normaliser"] = Normaliser(**normaliser) if normaliser else None
    return Task(**values)


def _references(fields: Mapping[str, Any]) -> tuple[Reference, ...]:
    return tuple(Reference(**reference) for reference in fields.get("references", ()))


def package_versions(names: Sequence[str]) -> dict[str, str]:
    """The installed versions of distributions; `-` where one is absent."""
    versions: dict[str, str] = {}
    for name in names:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "-"
    return versions


def protocol_hash(task: Task, packages: Mapping[str, str]) -> str:
    """12 hexadecimal digits over all that makes two results comparable: the task's content and the simulator's versions."""
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
    """Which of the plan's perturbations are played, by their place there; None: all."""


@dataclass(frozen=True)
class NotRun:
    """A task that was asked for and cannot run here."""

    task: str
    domain: str
    suite: str
    reason: str
    remedy: str
    perturbation: str | None = None
    """`name:severity`, joined by `+`, where the task runs, and only this has nothing to change in it."""
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


@dataclass(frozen=True)
class Plan:
    """All cases of a run, in a fixed order: round k plays episode k of every item."""

    items: tuple[PlanItem, ...]
    seed: int = 0
    perturbations: tuple[tuple[Perturbation, ...], ...] = ()
    """The perturbed arms; the unperturbed one is always played."""
    not_run: tuple[NotRun, ...] = ()

    @property
    def conditions(self) -> tuple[tuple[Perturbation, ...], ...]:
        """The unperturbed arm first."""
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
        """Whether arm number `condition` is played in an item: the unperturbed one always, the others where they have something to change."""
        if condition == 0:
            return True
        entry = self.items[item]
        return (entry.conditions is None or condition - 1 in entry.conditions) and (
            entry.task.id,
            label(self.conditions[condition]),
        ) not in self._not_applicable()

    def _not_applicable(self) -> set[tuple[str, str]]:
        found: set[tuple[str, str]] = _cached(
            self,
            "_skipped",
            lambda: {(row.task, row.perturbation) for row in self.not_run if row.perturbation},
        )
        return found

    def case(self, item: int, number: int) -> Case:
        """Case `number` of an item, 0 <= number < episodes * arms: the episodes of the first arm, then of the second, played or not."""
        entry = self.items[item]
        condition, episode = divmod(number, entry.episodes)
        return Case(
            entry.task,
            entry.task.first_seed + self.seed * SEED_STRIDE + episode,
            self.conditions[condition],
        )

    def locate(self, task: str, seed: int, perturbations: Sequence[str]) -> tuple[int, int] | None:
        """(item, number) of a stored result, or None if it is not of this plan."""
        item = self._index().get(task)
        condition = self._condition_index().get(tuple(perturbations))
        if item is None or condition is None:
            return None
        entry = self.items[item]
        episode = seed - entry.task.first_seed - self.seed * SEED_STRIDE
        return (
            (item, condition * entry.episodes + episode) if 0 <= episode < entry.episodes else None
        )

    def _index(self) -> dict[str, int]:
        found: dict[str, int] = _cached(
            self, "_items", lambda: {item.task.id: k for k, item in enumerate(self.items)}
        )
        return found

    def _condition_index(self) -> dict[tuple[str, ...], int]:
        found: dict[tuple[str, ...], int] = _cached(
            self,
            "_arms",
            lambda: {tuple(map(str, condition)): k for k, condition in enumerate(self.conditions)},
        )
        return found

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
        return [items, self.seed, [[str(p) for p in condition] for condition in self.perturbations]]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, as run.json holds them."""
        return {
            "hash": self.hash,
            "seed": self.seed,
            "items": [{**_shallow(item), "task": task_to_json(item.task)} for item in self.items],
            "perturbations": [
                [dataclasses.asdict(p) for p in condition] for condition in self.perturbations
            ],
            "not_run": [dataclasses.asdict(row) for row in self.not_run],
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Plan:
        """The inverse of to_json."""
        return cls(
            items=tuple(
                PlanItem(
                    **{
                        **item,
                        "task": task_from_json(item["task"]),
                        "arms": _whole(item.get("arms")),
                    }
                )
                for item in fields["items"]
            ),
            seed=fields["seed"],
            perturbations=tuple(
                tuple(Perturbation(**p) for p in condition) for condition in fields["perturbations"]
            ),
            not_run=tuple(
                NotRun(**{**row, "references": _references(row)}) for row in fields["not_run"]
            ),
        )

    def differences(self, other: Plan) -> Iterator[str]:
        """In words, how this plan differs from an older one."""
        if self.seed != other.seed:
            yield f"seed {self.seed} instead of {other.seed}"
        mine, theirs = ({item.task.id: item for item in plan.items} for plan in (self, other))
        for text, names in (
            ("added", mine.keys() - theirs.keys()),
            ("dropped", theirs.keys() - mine.keys()),
        ):
            if names:
                yield f"{len(names)} task{'s' if len(names) > 1 else ''} {text} ({', '.join(sorted(names)[:3])}{', ...' if len(names) > 3 else ''})"
        shared = [(mine[name], theirs[name]) for name in mine if name in theirs]
        episodes = {
            (new.episodes, old.episodes) for new, old in shared if new.episodes != old.episodes
        }
        for new_count, old_count in sorted(episodes):
            yield f"{new_count} episodes a task instead of {old_count}"
        for new, old in shared:
            if new.protocol != old.protocol:
                packages = {
                    name: (version, old.packages.get(name))
                    for name, version in new.packages.items()
                    if old.packages.get(name) != version
                }
                what = (
                    ", ".join(f"{name} {a} instead of {b}" for name, (a, b) in packages.items())
                    or "another rule, horizon or parameter"
                )
                yield f"another protocol for {new.task.id}: {what}"
                break
        if self.conditions != other.conditions:
            yield "other perturbations"


def label(parts: Sequence[Perturbation]) -> str:
    """`action_noise:3+occlusion:2`: perturbations that are played together, without their parameters."""
    return "+".join(f"{part.name}:{part.severity}" for part in parts)


def _whole(numbers: Sequence[int] | None) -> tuple[int, ...] | None:
    return None if numbers is None else tuple(numbers)


def _shallow(item: PlanItem) -> dict[str, Any]:
    return {field.name: getattr(item, field.name) for field in dataclasses.fields(item)}


def _cached(owner: object, name: str, make: Any) -> Any:
    if name not in owner.__dict__:
        object.__setattr__(owner, name, make())
    return owner.__dict__[name]

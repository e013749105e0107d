"""The fields of a plan, a task and what belongs to them, as run.json and TOML suites hold them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.core import Normaliser, Perturbation, Reference, Task
from harness.records.typed import (
    Check,
    boolean,
    fields_of,
    json_table,
    list_of,
    number,
    optional,
    table_of,
    text,
    whole,
)

__all__ = [
    "ITEM", "MOST_CASES", "MOST_CELLS", "MOST_CONDITIONS", "MOST_EPISODES",
    "MOST_ITEMS", "MOST_REPEATS", "MOST_ROWS", "NOT_RUN",
    "condition_of", "references_of", "task_of",
]  # fmt: skip

MOST_EPISODES = 1_000_000
"""Of one task. `bench run` allows no larger number."""
MOST_CASES = 20_000_000
"""Of a plan, with every condition of every item counted."""
MOST_ITEMS = 20_000
MOST_CONDITIONS = 2_000
MOST_CELLS = 100_000
"""Items times conditions."""
MOST_REPEATS = 1_000
"""Plays of the same cases."""
MOST_ROWS = 50_000
"""Rows of tasks that were not run."""
FAR = 1 << 62
NARROW = 1e-30
"""Between the scores that a normaliser maps to 0 and 1."""

REFERENCE: Mapping[str, Check] = {
    "label": text,
    "value": number,
    "metric": text,
    "source": text,
    "rule": text,
    "same_rule": boolean,
    "table": text,
    "row": text,
    "tasks": optional(whole(1, 1_000_000)),
    "part": text,
    "agent": text,
    "privileged": boolean,
}
NORMALISER: Mapping[str, Check] = {
    "low": number,
    "high": number,
    "low_name": text,
    "high_name": text,
    "source": text,
}
PERTURBATION: Mapping[str, Check] = {
    "name": text,
    "severity": whole(0, 1000),
    "params": json_table,
}


def reference_of(value: Any, place: str) -> Reference:
    """A published figure."""
    optional_fields = frozenset(REFERENCE) - {"label", "value", "metric", "source"}
    return Reference(**fields_of(value, place, REFERENCE, optional_fields))


references_of = list_of(reference_of, 10_000)


def normaliser_of(value: Any, place: str) -> Normaliser | None:
    """A normaliser; None where there is none."""
    if value is None:
        return None
    optional_fields = frozenset({"low_name", "high_name", "source"})
    found = Normaliser(**fields_of(value, place, NORMALISER, optional_fields))
    if not abs(found.high - found.low) >= NARROW:
        raise ValueError(f"{place}.low and {place}.high are equal, or almost")
    return found


def perturbation_of(value: Any, place: str) -> Perturbation:
    """A perturbation."""
    return Perturbation(**fields_of(value, place, PERTURBATION, frozenset({"params"})))


_condition_of = list_of(perturbation_of, 32)


def condition_of(value: Any, place: str) -> tuple[Perturbation, ...]:
    """Perturbations that act together, at least one."""
    found: tuple[Perturbation, ...] = _condition_of(value, place)
    if not found:
        raise ValueError(f"{place} is empty: the unperturbed condition is always played")
    return found


TASK: Mapping[str, Check] = {
    "id": text,
    "domain": text,
    "adapter": text,
    "params": json_table,
    "max_steps": optional(whole(1, FAR)),
    "success": optional(text),
    "rule": text,
    "score": text,
    "normaliser": normaliser_of,
    "control_hz": optional(number),
    "first_seed": whole(-FAR, FAR),
    "tags": list_of(text, 1000),
    "references": references_of,
}
_REQUIRED = frozenset({"id", "domain", "adapter"})


def task_of(value: Any, place: str) -> Task:
    """A task. Raises UserError too, as its constructor does."""
    return Task(**fields_of(value, place, TASK, frozenset(TASK) - _REQUIRED))


ITEM: Mapping[str, Check] = {
    "suite": text,
    "task": task_of,
    "episodes": whole(1, MOST_EPISODES),
    "protocol": text,
    "packages": table_of(text, 1000),
    "affinity": text,
    "arms": optional(list_of(whole(0, MOST_CONDITIONS - 1), MOST_CONDITIONS)),
    "own_streams": boolean,
}
NOT_RUN: Mapping[str, Check] = {
    "task": text,
    "domain": text,
    "suite": text,
    "reason": text,
    "remedy": text,
    "perturbation": optional(text),
    "references": references_of,
}

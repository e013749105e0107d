"""What is kept of each case of a run that is compared: a few bytes, of ten million cases.

A table looks like a dict by task id, seed and perturbations. Its values stand in one array for each
task that has results, at the place that the plan gives the case.
"""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar, overload

import numpy as np

from harness.records.plan import CaseIndex, Plan

__all__ = ["CaseTable", "CodeTable", "Key", "NumberTable", "Pair", "Pairs", "StartTable"]

Key = tuple[str, int, tuple[str, ...]]
"""What two runs find a case by: task id, seed and perturbations."""
Value = TypeVar("Value")
BLOCK = 1 << 16
"""Episodes that are looked through at a time."""
_HASH = re.compile(r"[0-9a-f]{20}")


class CaseTable(Mapping[Key, Value], Generic[Value]):
    """Values of some cases of a plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._texts = [tuple(map(str, each)) for each in plan.conditions]
        self._columns: dict[int, np.ndarray] = {}
        """Item of the plan -> an array of shape (episodes, conditions)."""
        self._count = 0

    def put(self, index: CaseIndex, value: Value) -> None:
        """Give a case its value. It must have none yet."""
        item, condition, episode = index
        column = self._columns.get(item)
        if column is None:
            shape = self.plan.items[item].episodes, len(self._texts)
            column = self._columns[item] = self._empty(shape)
        column[episode, condition] = self._stored(value)
        self._count += 1

    def get(self, key: Key, default: Any = None) -> Any:
        """The value of a case, or `default`."""
        index = self.plan.locate(*key)
        column = None if index is None else self._columns.get(index.item)
        if index is None or column is None:
            return default
        found = self._loaded(column[index.episode, index.condition])
        return default if found is None else found

    def of_task(self, task: str) -> Iterator[Key]:
        """The cases of a task that have a value, by seed."""
        item = next((k for k, each in enumerate(self.plan.items) if each.task.id == task), None)
        column = None if item is None else self._columns.get(item)
        if item is None or column is None:
            return
        firsts = [self.plan.seed_of(item, number, 0) for number in range(len(self._texts))]
        for episodes in range(0, len(column), BLOCK):
            there = self._present(column[episodes : episodes + BLOCK])
            for episode, condition in np.argwhere(there).tolist():
                yield task, firsts[condition] + episodes + episode, self._texts[condition]

    def __getitem__(self, key: Key) -> Value:
        found = self.get(key)
        if found is None:
            raise KeyError(key)
        value: Value = found
        return value

    def __contains__(self, key: object) -> bool:
        return self.get(key) is not None  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Key]:
        for item in sorted(self._columns):
            yield from self.of_task(self.plan.items[item].task.id)

    def __len__(self) -> int:
        return self._count

    def __eq__(self, other: object) -> bool:
        """As of dicts, without making any."""
        if not isinstance(other, Mapping):
            return NotImplemented
        return len(self) == len(other) and all(other.get(key) == self.get(key) for key in self)

    __hash__ = None  # type: ignore[assignment]

    def _empty(self, shape: tuple[int, int]) -> np.ndarray:
        raise NotImplementedError

    def _present(self, column: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def _stored(self, value: Value) -> Any:
        raise NotImplementedError

    def _loaded(self, stored: Any) -> Value | None:
        raise NotImplementedError


class NumberTable(CaseTable[float]):
    """Numbers that may be infinite, and are never NaN: eight bytes."""

    def _empty(self, shape: tuple[int, int]) -> np.ndarray:
        return np.full(shape, np.nan)

    def _present(self, column: np.ndarray) -> np.ndarray:
        there: np.ndarray = ~np.isnan(column)
        return there

    def _stored(self, value: float) -> float:
        return value

    def _loaded(self, stored: Any) -> float | None:
        return None if math.isnan(stored) else float(stored)


class CodeTable(CaseTable[Value]):
    """Values of which many cases have the same one: four bytes."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._values: list[Value] = []
        self._codes: dict[Value, int] = {}

    def _empty(self, shape: tuple[int, int]) -> np.ndarray:
        return np.full(shape, -1, np.int32)

    def _present(self, column: np.ndarray) -> np.ndarray:
        there: np.ndarray = column >= 0
        return there

    def _stored(self, value: Value) -> int:
        code = self._codes.get(value)
        if code is None:
            code = self._codes[value] = len(self._values)
            self._values.append(value)
        return code

    def _loaded(self, stored: Any) -> Value | None:
        return None if stored < 0 else self._values[stored]


class StartTable(CaseTable[str]):
    """Hashes of 20 hexadecimal digits, of which hardly two are the same: eleven bytes.

    A stranger's run may hold other texts; they are kept as they are.
    """

    _NONE, _HASHED, _OTHER = 0, 1, 2

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._others: list[str] = []

    def _empty(self, shape: tuple[int, int]) -> np.ndarray:
        return np.zeros(shape, np.dtype("V11"))

    def _present(self, column: np.ndarray) -> np.ndarray:
        there: np.ndarray = np.ascontiguousarray(column).view(np.uint8)[:, ::11] != self._NONE
        return there

    def _stored(self, value: str) -> bytes:
        if _HASH.fullmatch(value):
            return bytes((self._HASHED,)) + bytes.fromhex(value)
        self._others.append(value)
        return bytes((self._OTHER,)) + (len(self._others) - 1).to_bytes(10, "big")

    def _loaded(self, stored: Any) -> str | None:
        kind, *_ = content = bytes(stored)
        if kind == self._NONE:
            return None
        if kind == self._HASHED:
            return content[1:].hex()
        return self._others[int.from_bytes(content[1:], "big")]


class Pair(NamedTuple):
    """One case in both runs, with its value in each (see value_of_case)."""

    seed: int
    perturbations: tuple[str, ...]
    base: float
    new: float


class Pairs(Sequence[Pair]):
    """The pairs of a task, in 28 bytes each."""

    def __init__(self) -> None:
        self._seeds, self._codes = array("q"), array("i")
        self._base, self._new = array("d"), array("d")
        self._conditions: dict[tuple[str, ...], int] = {}

    def append(self, pair: Pair) -> None:
        """Add a pair at the end."""
        self._seeds.append(pair.seed)
        self._codes.append(self._conditions.setdefault(pair.perturbations, len(self._conditions)))
        self._base.append(pair.base)
        self._new.append(pair.new)

    @overload
    def __getitem__(self, number: int) -> Pair: ...
    @overload
    def __getitem__(self, number: slice) -> tuple[Pair, ...]: ...
    def __getitem__(self, number: int | slice) -> Pair | tuple[Pair, ...]:
        if isinstance(number, slice):
            return tuple(self[each] for each in range(*number.indices(len(self))))
        conditions = list(self._conditions)
        return Pair(
            self._seeds[number],
            conditions[self._codes[number]],
            self._base[number],
            self._new[number],
        )

    def __iter__(self) -> Iterator[Pair]:
        conditions = list(self._conditions)
        for seed, code, base, new in zip(
            self._seeds, self._codes, self._base, self._new, strict=True
        ):
            yield Pair(seed, conditions[code], base, new)

    def __len__(self) -> int:
        return len(self._seeds)

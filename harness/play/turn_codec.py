"""Turns as they travel to a served agent: what stays equal goes once, pictures as raw arrays.

The brief, the instruction and the name of an episode are sent with its first turn, or when one of
them changes; afterwards a number stands for them. So it is with the earlier observations of an
agent that has a history: those of the turn before are not sent again. Equal views of all lanes are
one column: a small one travels in the message, a large one beside it.
"""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.core import Brief, Turn
from harness.play.lazy_views import LazyViews

__all__ = ["Column", "Packed", "TurnDecoder", "TurnEncoder", "Unknown"]

LARGE = 4096
"""Bytes from which a column travels beside the message."""
OF_THE_EPISODE = ("brief", "instruction", "episode", "rng_key")
OTHERS = tuple(
    field.name
    for field in dataclasses.fields(Turn)
    if field.name not in (*OF_THE_EPISODE, "observations")
)


Window = list[int] | None
"""The observations of a turn, in their order: the number of one that the turn before showed as
well, or ~number of one that is sent with this turn. None: a single one, without a number."""


class Unknown(Exception):
    """A number that was never introduced here: the sender must say again what it stands for."""


@dataclass(frozen=True)
class Column:
    """One view of several turns: arrays of one shape and type."""

    values: Sequence[np.ndarray]
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    """Of each."""

    @property
    def size(self) -> int:
        """Bytes of all."""
        return len(self.values) * self.values[0].nbytes

    def write(self, place: np.ndarray) -> None:
        """Copy them to this array of shape (their number, *shape)."""
        for row, value in zip(place, self.values):
            row[...] = value

    def stacked(self) -> np.ndarray:
        """One array of shape (their number, *shape)."""
        return np.stack(self.values)


@dataclass(frozen=True)
class Packed:
    """Turns to be sent."""

    head: tuple[Any, ...]
    """All but the large columns."""
    columns: list[Column]
    """The large ones."""


class _Known:
    """What the other side knows of an episode."""

    __slots__ = ("brief", "instruction", "number", "rng_key", "sent", "shown")

    def __init__(self, number: int) -> None:
        self.number = number
        self.brief: Any = None
        self.instruction = ""
        self.rng_key = 0
        self.shown: dict[int, tuple[Any, int]] = {}
        """Identity -> an observation of the turn before, which must live on for it to mean
        something, and its number."""
        self.sent = 0
        """How many observations have a number."""

    def window(self, shown: Sequence[Any], again: bool, new: list[Any]) -> Window:
        """How the observations of a turn are told; those that have to be sent go to `new`."""
        if len(shown) == 1:
            self.shown = {}
            new.append(shown[0])
            return None
        before = {} if again else self.shown
        numbers = []
        now: dict[int, tuple[Any, int]] = {}
        for each in shown:
            found = now.get(id(each)) or before.get(id(each))
            if found is None:
                found = each, self.sent
                self.sent += 1
                new.append(each)
                numbers.append(~found[1])
            else:
                numbers.append(found[1])
            now[id(each)] = found
        self.shown = now
        return numbers


class TurnEncoder:
    """The sender's side. Messages about one episode must arrive in their order."""

    def __init__(self) -> None:
        self._episodes: dict[str, _Known] = {}
        self._briefs: dict[int, tuple[Brief, int]] = {}
        """Identity -> the brief, which must live on for it to mean something, and its number."""
        self._contents: dict[bytes, int] = {}
        self._given = 0
        self._over: list[int] = []

    def forget(self, episode: str) -> None:
        """This episode is over; the other side learns it with the next message."""
        known = self._episodes.pop(episode, None)
        if known is not None:
            self._over.append(known.number)

    def pack(self, turns: Sequence[Turn], again: bool = False) -> Packed:
        """`again`: introduce everything, whatever was sent before."""
        briefs: list[tuple[int, bytes]] = []
        episodes: list[tuple[Any, ...]] = []
        numbers = []
        shown: list[Any] = []
        windows = []
        for turn in turns:
            fields = turn.__dict__
            known = self._episodes.get(fields["episode"])
            if (
                known is None
                or again
                or known.brief is not fields["brief"]
                or known.instruction != fields["instruction"]
                or known.rng_key != fields["rng_key"]
            ):
                known = self._introduce(fields, briefs, episodes, again)
            numbers.append(known.number)
            windows.append(known.window(fields["observations"], again, shown))
        others = {}
        for name in OTHERS:
            values = [turn.__dict__[name] for turn in turns]
            first = values[0]
            same = all(value is first for value in values)
            others[name] = (True, first) if same else (False, values)
        columns: list[Column] = []
        kinds = _kinds(shown, columns)
        over, self._over = self._over, []
        head = (briefs, episodes, over, numbers, others, windows, len(shown), kinds)
        return Packed(head, columns)

    def _introduce(
        self,
        fields: Mapping[str, Any],
        briefs: list[tuple[int, bytes]],
        episodes: list[tuple[Any, ...]],
        again: bool,
    ) -> _Known:
        name, brief = fields["episode"], fields["brief"]
        known = self._episodes.get(name)
        if known is None:
            self._given += 1
            known = self._episodes[name] = _Known(self._given)
        found = self._briefs.get(id(brief))
        if found is None or again:
            content = pickle.dumps(brief, 5)
            number = self._contents.get(content)
            if number is None or again:
                if number is None:
                    number = self._contents[content] = len(self._contents)
                briefs.append((number, content))
            self._keep(brief, number)
        else:
            number = found[1]
        known.brief, known.instruction = brief, fields["instruction"]
        known.rng_key = fields["rng_key"]
        episodes.append((known.number, number, known.instruction, name, known.rng_key))
        return known

    def _keep(self, brief: Brief, number: int) -> None:
        if id(brief) not in self._briefs and len(self._briefs) >= 1000:
            used = {id(known.brief) for known in self._episodes.values()}
            self._briefs = {key: each for key, each in self._briefs.items() if key in used}
        self._briefs[id(brief)] = brief, number


def _kinds(shown: Sequence[Mapping[str, Any]], columns: list[Column]) -> list[tuple[Any, ...]]:
    """(names, places, columns) of all observations with the same views; large ones to `columns`.

    `places`: which of all observations, None: every one, in order.
    """
    kinds: dict[tuple[str, ...], list[int]] = {}
    plain = []
    for place, views in enumerate(shown):
        if type(views) is not dict:
            views = views.for_another_process() if type(views) is LazyViews else dict(views)
        plain.append(views)
        kinds.setdefault(tuple(views), []).append(place)
    return [
        (
            names,
            None if len(places) == len(plain) else places,
            [_column([plain[place][name] for place in places], columns) for name in names],
        )
        for names, places in kinds.items()
    ]


def _column(values: list[Any], columns: list[Column]) -> Any:
    """The values as an array with one row each, as the number of a large column, or as a list."""
    first = values[0]
    if type(first) is not np.ndarray or not first.shape or first.dtype.hasobject:
        return values
    shape, dtype = first.shape, first.dtype
    for value in values:
        if type(value) is not np.ndarray or value.shape != shape or value.dtype != dtype:
            return values
    column = Column(values, dtype, shape)
    if column.size < LARGE:
        return column.stacked()
    columns.append(column)
    return len(columns) - 1


class TurnDecoder:
    """The receiver's side, for one sender. Not thread-safe."""

    def __init__(self) -> None:
        self._briefs: dict[int, Brief] = {}
        self._episodes: dict[int, dict[str, Any]] = {}
        self._shown: dict[int, dict[int, dict[str, Any]]] = {}
        """Episode -> the numbered observations of its turn before."""

    def unpack(
        self, head: tuple[Any, ...], large: Callable[[int], Sequence[np.ndarray] | np.ndarray]
    ) -> list[Turn]:
        """The turns. `large(number)` is a large column: its arrays, or one with a row for each.

        Arrays are read-only, as those that Ray brings are. Raises Unknown.
        """
        briefs, episodes, over, numbers, others, windows, sent, kinds = head
        for number, content in briefs:
            if number not in self._briefs:
                self._briefs[number] = pickle.loads(content)
        for number in over:
            self._episodes.pop(number, None)
            self._shown.pop(number, None)
        for number, brief, instruction, name, rng_key in episodes:
            if brief not in self._briefs:
                raise Unknown
            values = (self._briefs[brief], instruction, name, rng_key)
            self._episodes[number] = dict(zip(OF_THE_EPISODE, values))
        views = iter(_views(kinds, sent, large))
        turns = []
        same = {name: value for name, (equal, value) in others.items() if equal}
        unlike = [(name, value) for name, (equal, value) in others.items() if not equal]
        for place, (number, window) in enumerate(zip(numbers, windows)):
            known = self._episodes.get(number)
            if known is None:
                raise Unknown
            shown = (next(views),) if window is None else self._window(number, window, views)
            fields = {**known, **same, "observations": shown}
            for name, value in unlike:
                fields[name] = value[place]
            turns.append(Turn.of(fields))
        return turns

    def _window(
        self, episode: int, window: Sequence[int], views: Iterator[dict[str, Any]]
    ) -> tuple[dict[str, Any], ...]:
        """The observations of a turn. Raises Unknown."""
        before, now = self._shown.get(episode, {}), dict[int, dict[str, Any]]()
        for number in window:
            if number < 0:
                now[~number] = next(views)
            elif number not in now:
                if number not in before:
                    raise Unknown
                now[number] = before[number]
        self._shown[episode] = now
        # Copies: an agent may change the mapping that it is given, and only that.
        return tuple(dict(now[number if number >= 0 else ~number]) for number in window)


def _views(
    kinds: Sequence[tuple[Any, ...]],
    total: int,
    large: Callable[[int], Sequence[np.ndarray] | np.ndarray],
) -> list[dict[str, Any]]:
    """All observations, in their order."""
    found: list[dict[str, Any]] = [{} for _ in range(total)]
    for names, places, columns in kinds:
        where = range(total) if places is None else places
        for name, column in zip(names, columns):
            if type(column) is int:
                column = large(column)
            if type(column) is np.ndarray:
                column.flags.writeable = False
            for place, value in zip(where, column):
                found[place][name] = value
    return found

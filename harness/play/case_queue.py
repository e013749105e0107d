"""The queue of cases to play: those of the plan without a score, grouped by environment key."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from harness.core import Case
from harness.play.case_lengths import CaseLengths
from harness.records.plan import CaseIndex, Plan

__all__ = ["CaseSource", "Queue", "Ticket"]


class CaseSource(Protocol):
    """Where cases come from."""

    def take(self, held: Sequence[str]) -> tuple[Any, Case] | None:
        """(ticket, case), preferably with an environment key in `held`; None if there is none."""
        ...


class Ticket(NamedTuple):
    """One attempt at a case; attempts count from 1."""

    case: CaseIndex
    attempt: int = 1


class Queue:
    """Hands out every unfinished case exactly once, and again after `give_back`.

    Cases are generated, not listed: a million cases cost one counter per task.
    """

    def __init__(
        self,
        plan: Plan,
        done: Callable[[CaseIndex], bool],
        shuffle: int | None = None,
        lengths: CaseLengths | None = None,
    ) -> None:
        """`done` tells which cases to leave out.

        `lengths`: the key with the most work left is begun first; without it, the plan's first.

        `shuffle` seeds a random order that ignores environment keys: results must not depend on
        the order, and tests of invariance use this.
        """
        self._plan = plan
        self._done = done
        self._keys: dict[str, deque[int]] = {}
        for number, item in enumerate(plan.items):
            self._keys.setdefault(item.env_key, deque()).append(number)
        self._again: dict[str, deque[Ticket]] = {key: deque() for key in self._keys}
        self._dropped: set[int] = set()
        self._dropped_conditions: set[tuple[int, int]] = set()
        self._shuffle = shuffle
        self._fresh = [self._cases(number) for number in range(len(plan.items))]
        self._under_way: Counter[str] = Counter()
        self._lengths = lengths
        self._rng = None if shuffle is None else np.random.default_rng(shuffle)

    def _cases(self, item: int) -> Iterator[CaseIndex]:
        """The cases of an item that may still be handed out: by condition, then by episode."""
        episodes = self._plan.items[item].episodes
        played = set(self._plan.conditions_of(item))
        count = episodes * len(self._plan.conditions)
        order: Sequence[int] = range(count)
        if self._shuffle is not None:
            order = np.random.default_rng([self._shuffle, item]).permutation(count).tolist()
        indexes = (CaseIndex(item, *divmod(number, episodes)) for number in order)
        # A generator: whether a case is done or dropped is looked up when its turn comes.
        return (
            index
            for index in indexes
            if index.condition in played
            and not self._done(index)
            and (item, index.condition) not in self._dropped_conditions
        )

    def restart(self) -> None:
        """Go through all cases again: more of them may be open by now."""
        for number, item in enumerate(self._plan.items):
            if number not in self._keys[item.env_key]:
                self._keys[item.env_key].append(number)
        self._fresh = [self._cases(number) for number in range(len(self._plan.items))]

    def take(self, held: Sequence[str], without: Collection[str] = ()) -> Ticket | None:
        """The next case, of an environment key in `held` if there is one; None if none is left.

        None of a key in `without`.

        Otherwise of the key with the fewest cases under way, which spreads the keys over workers;
        among equals, of that with the most work left.
        """
        if self._rng is not None:
            held = ()
        for key in held:
            ticket = None if key in without else self._from(key)
            if ticket is not None:
                return ticket
        keys = [key for key in self._keys if key not in without]
        if self._rng is not None:
            self._rng.shuffle(keys)
        elif self._lengths is None:
            keys.sort(key=self._under_way.__getitem__)
        else:
            left = self._lengths.left
            keys.sort(key=lambda key: (self._under_way[key], -left(key)))
        for key in keys:
            ticket = self._from(key)
            if ticket is not None:
                return ticket
        return None

    def _from(self, key: str) -> Ticket | None:
        items = self._keys.get(key)
        if items is None:
            return None
        while self._again[key]:
            ticket = self._again[key].popleft()
            if (
                ticket.case.item not in self._dropped
                and ticket.case.place not in self._dropped_conditions
            ):
                self._under_way[key] += 1
                return ticket
        while items:
            index = None if items[0] in self._dropped else next(self._fresh[items[0]], None)
            if index is not None:
                if self._lengths is not None:
                    self._lengths.handed_out(index.item)
                self._under_way[key] += 1
                return Ticket(index)
            items.popleft()
        return None

    @property
    def empty(self) -> bool:
        """Whether nothing is left to hand out."""
        ticket = self.take(())
        if ticket is not None:
            self.settle(ticket)
            self.give_back(ticket)
        return ticket is None

    def settle(self, ticket: Ticket) -> None:
        """Take note that this attempt is over."""
        self._under_way[self._plan.items[ticket.case.item].env_key] -= 1

    def give_back(self, ticket: Ticket) -> None:
        """Hand this ticket out again, before cases that have not been played."""
        self._again[self._plan.items[ticket.case.item].env_key].append(ticket)

    def drop_condition(self, item: int, condition: int) -> None:
        """Hand out no more cases of this condition of an item."""
        self._dropped_conditions.add((item, condition))

    def drop(self, item: int) -> Iterator[Ticket]:
        """Hand out no more cases of this item; yields those that had not been handed out."""
        self._dropped.add(item)
        again = self._again[self._plan.items[item].env_key]
        yield from (ticket for ticket in again if ticket.case.item == item)
        yield from map(Ticket, self._fresh[item])

"""What happens to each outcome: written, tried again, or tried again alone. The same whether the lanes are here or in workers."""

from __future__ import annotations

import dataclasses
import datetime
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Protocol

from harness.core import Case, Missing, Result
from harness.play.case_queue import Queue, Ticket
from harness.play.episode import Episode, Outcome, VideoClip
from harness.play.progress import Progress, Tally
from harness.records.plan import CaseIndex, NotRun, Plan, label
from harness.records.traces import Trace

__all__ = ["Coordinator", "ResultSink", "Stopping"]

ATTEMPTS = 3
"""A case that ends in `error` is tried this often, the last time alone."""
BROKEN_AFTER = 15
"""After so many failed attempts at a task, and no case of it that was scored, the rest of the task is given up."""
TOLD = 5
"""Messages about failed cases of one task."""


class Stopping(Protocol):
    """A rule by which a run stops: it opens cases bit by bit, in the plan's order. See harness/compare/early_stopping.py."""

    def opened(self, item: int) -> int:
        """Episodes of this item of the plan that may be played so far, in every arm."""
        ...

    def scored(self, case: CaseIndex, result: Result) -> None:
        """A case of the plan has a result."""
        ...

    def more(self) -> bool:
        """Open further episodes; False when it is enough, or when what is open must be known first."""
        ...

    @property
    def enough(self) -> bool:
        """Whether nothing more needs to be played."""
        ...


class ResultSink(Protocol):
    """What keeps the outcomes: a RunDirectory, say."""

    @property
    def counts(self) -> Mapping[str, int]:
        """`finished`, `agent_error` and `successes` so far."""
        ...

    def done(self, index: CaseIndex) -> bool:
        """Whether this case of the plan need not be played."""
        ...

    def append(self, result: Result, trace: Trace | None, now: float) -> None:
        """Keep one outcome."""
        ...


class VideoStore(Protocol):
    """Where videos go."""

    def keep(self, case: Case, clip: VideoClip) -> str | None:
        """Keep one; returns what a person should know of it."""
        ...


class Coordinator:
    """Hands out cases and receives their outcomes. Not thread-safe: one thread owns it."""

    def __init__(
        self,
        plan: Plan,
        directory: ResultSink,
        progress: Progress,
        shuffle: int | None = None,
        videos: VideoStore | None = None,
        stopping: Stopping | None = None,
    ) -> None:
        """`stopping`: the rule by which the run stops; it must know the results that there are already."""
        self.plan = plan
        self._directory = directory
        self._progress = progress
        self._videos = videos
        self._stopping = stopping
        self._handed: set[CaseIndex] = set()
        self._queue = Queue(plan, directory.done if stopping is None else self._closed, shuffle)
        self._drained = False
        self._alone: deque[Ticket] = deque()
        self._out: set[Ticket] = set()
        self._failed: Counter[int] = Counter()
        self._scored: Counter[int] = Counter()
        self._told: Counter[int] = Counter()
        self._given_up: set[int] = set()
        self.not_run: dict[int, NotRun] = {}
        self.not_applicable: dict[tuple[int, int], NotRun] = {}
        """By item and arm."""
        counts = directory.counts
        done = counts["finished"] + counts["agent_error"]
        self.tally = Tally(plan.total, done, counts["successes"], counts["agent_error"])

    def take(self, held: Sequence[str]) -> tuple[Ticket, Case] | None:
        """The next case to play; one that must be played alone only when nothing else is under way. None when there is none at present."""
        ticket = None if self._drained or self._enough() else self._queue.take(held)
        while ticket is None and self._open_more():
            ticket = self._queue.take(held)
        if ticket is None:
            self._drained = True
            if self._out or not self._alone:
                return None
            ticket = self._alone.popleft()
        self._out.add(ticket)
        if self._stopping is not None:
            self._handed.add(ticket.case)
        return ticket, self.plan.case(ticket.case)

    @property
    def alone_next(self) -> bool:
        """Whether the next case to be taken is one that must be played alone, on a fresh worker."""
        return self._drained and not self._out and bool(self._alone)

    @property
    def finished(self) -> bool:
        """Whether every case has come to its end; of a run that stops by a rule, every one that the rule opens."""
        return self._drained and not self._out and not self._alone and not self._open_more()

    def _closed(self, case: CaseIndex) -> bool:
        """Whether a case must not be handed out: it was, it is done, or the rule does not open it yet."""
        assert self._stopping is not None
        if case in self._handed or case.episode >= self._stopping.opened(case.item):
            return True
        return self._directory.done(case)

    def _enough(self) -> bool:
        if self._stopping is None or not self._stopping.enough:
            return False
        self._alone.clear()
        return True

    def _open_more(self) -> bool:
        if self._stopping is None or self._enough() or not self._stopping.more():
            return False
        self._queue.restart()
        self._drained = False
        return True

    def settle(self, outcome: Outcome, worker: str = "here") -> None:
        """Take one outcome. Raises StorageFull."""
        ticket: Ticket = outcome.ticket
        if ticket not in self._out:
            return  # it was given up while it was played
        self._release(ticket)
        if outcome.missing is not None and outcome.condition:
            self._not_applicable(ticket, outcome.missing)
        elif outcome.missing is not None:
            self._cannot_run(ticket.case.item, outcome.missing)
        elif outcome.result is not None:
            if outcome.result.status == "error" and self._try_again(
                ticket, outcome.result.error or ""
            ):
                return
            self._write(ticket, outcome, worker)

    def lost(
        self, tickets: Sequence[Ticket], culprits: Sequence[Ticket] | None, reason: str
    ) -> None:
        """A worker is gone with these plays. `culprits`: those that did it, empty when it may be any of them, None when it is none of them.

        A single culprit has failed. Of several, nobody knows which: they are played again alone. The innocent are played again.
        """
        suspects = list(tickets if culprits is not None and not culprits else culprits or ())
        for ticket in tickets:
            if ticket not in self._out:
                continue
            if [ticket] == suspects:
                self.settle(Outcome.failed(self.episode(ticket), "error", reason))
                continue
            self._release(ticket)
            if ticket in suspects:
                self._alone.append(ticket)
            else:
                self._queue.give_back(ticket)
                self._drained = False
        if tickets:
            self._progress.say(
                f"{reason}; {len(tickets)} case{'s' if len(tickets) > 1 else ''} to be played again or given up"
            )

    def episode(self, ticket: Ticket) -> Episode:
        """An episode of which nothing remains but its case, to report its failure."""
        return Episode(ticket, self.plan.case(ticket.case))

    def _release(self, ticket: Ticket) -> None:
        self._out.discard(ticket)
        self._queue.settle(ticket)

    def _try_again(self, ticket: Ticket, reason: str) -> bool:
        self._failed[ticket.case.item] += 1
        if (
            ticket.attempt >= ATTEMPTS
            or ticket.case.item in self.not_run
            or self._broken(ticket.case.item)
        ):
            return False
        self._tell(ticket, f"{reason} (attempt {ticket.attempt} of {ATTEMPTS})")
        again = ticket._replace(attempt=ticket.attempt + 1)
        if again.attempt == ATTEMPTS:
            self._alone.append(again)
        else:
            self._queue.give_back(again)
            self._drained = False
        return True

    def _tell(self, ticket: Ticket, text: str) -> None:
        """Say what happened to a case; of one task only the first few times, the rest is in the table."""
        self._told[ticket.case.item] += 1
        if self._told[ticket.case.item] <= TOLD:
            case = self.plan.case(ticket.case)
            self._progress.say(f"{case.task.id} seed {case.seed}: {text}")

    def _write(self, ticket: Ticket, outcome: Outcome, worker: str) -> None:
        result = outcome.result
        assert result is not None
        timing = {**result.timing, "worker": worker, "attempt": ticket.attempt, "ended_at": _now()}
        result = dataclasses.replace(
            result, protocol=self.plan.items[ticket.case.item].protocol, timing=timing
        )
        self._directory.append(result, outcome.trace, time.monotonic())
        if self._stopping is not None:
            self._stopping.scored(ticket.case, result)
        if outcome.clip is not None and self._videos is not None:
            full = self._videos.keep(self.plan.case(ticket.case), outcome.clip)
            if full:
                self._progress.say(full)
        self._count(result)
        if result.status == "error":
            self._tell(ticket, f"given up: {result.error}")
            if self._broken(ticket.case.item) and ticket.case.item not in self._given_up:
                self._give_up(ticket.case.item, result.error or "")
        else:
            self._scored[ticket.case.item] += 1

    def _broken(self, item: int) -> bool:
        return self._failed[item] >= BROKEN_AFTER and not self._scored[item]

    def _count(self, result: Result) -> None:
        self.tally.done += 1
        self.tally.successes += bool(result.success)
        self.tally.errors += result.status == "error"
        self.tally.agent_errors += result.status == "agent_error"
        self._progress.update(self.tally)

    def _give_up(self, item: int, reason: str) -> None:
        """A simulator that never works must not burn the night: the rest of the task ends in `error`, to be played by a later run."""
        self._given_up.add(item)
        rest = [
            *self._queue.drop(item),
            *(ticket for ticket in self._alone if ticket.case.item == item),
        ]
        self._alone = deque(ticket for ticket in self._alone if ticket.case.item != item)
        self._progress.say(
            f"{self.plan.items[item].task.id}: {BROKEN_AFTER} attempts failed and no case was scored; {len(rest)} cases are not tried any more"
        )
        for ticket in rest:
            failed = Outcome.failed(
                self.episode(ticket),
                "error",
                f"not tried any more, {BROKEN_AFTER} attempts at this task failed: {reason}",
            )
            self._write(ticket, failed, "none")

    def _cannot_run(self, item: int, missing: Missing) -> None:
        if item in self.not_run:
            return
        entry = self.plan.items[item]
        self.not_run[item] = NotRun.of(entry.suite, entry.task, missing)
        dropped = list(self._queue.drop(item))
        others = [ticket for ticket in self._out if ticket.case.item == item]
        for ticket in others:
            self._release(ticket)
        self._alone = deque(ticket for ticket in self._alone if ticket.case.item != item)
        self.tally.total -= self.plan.count(item) - entry.episodes * sum(
            found == item for found, _ in self.not_applicable
        )
        self._progress.say(
            f"{entry.task.id} cannot run here: {missing.reason} ({len(dropped)} cases)"
        )

    def _not_applicable(self, ticket: Ticket, missing: Missing) -> None:
        """A perturbation that has nothing to change in a task: its cases are not played, and a row says so."""
        entry = self.plan.items[ticket.case.item]
        condition = ticket.case.condition
        if (ticket.case.item, condition) in self.not_applicable or ticket.case.item in self.not_run:
            return
        what = label(self.plan.conditions[condition])
        self.not_applicable[ticket.case.item, condition] = NotRun.of(
            entry.suite, entry.task, missing, what
        )
        self._queue.drop_condition(ticket.case.item, condition)
        same = [each for each in (*self._out, *self._alone) if each.case.place == ticket.case.place]
        for each in same:
            if each in self._out:
                self._release(each)
        self._alone = deque(each for each in self._alone if each not in same)
        self.tally.total -= entry.episodes
        self._progress.say(f"{entry.task.id}: {what} has nothing to change here: {missing.reason}")


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")

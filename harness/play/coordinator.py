"""Decides what happens to each outcome: stored, played again, or played again alone.

The same code serves lanes in this process and lanes in Ray workers.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
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

__all__ = ["Coordinator", "Culprits", "ResultSink", "Stopping"]

ATTEMPTS = 3
"""How often a case that ends in `error` is played; the last attempt runs alone."""
BROKEN_AFTER = 15
"""After this many failed attempts at a task without a single scored case, the task is given up."""
MESSAGES_PER_TASK = 5
"""At most this many messages about failed cases of one task."""


class Stopping(Protocol):
    """A stopping rule: it opens the plan's cases in steps and in the plan's order.

    See harness/compare/early_stopping.py.
    """

    def opened(self, item: int) -> int:
        """How many episodes of this item are open, in every condition."""
        ...

    def scored(self, case: CaseIndex, result: Result) -> None:
        """Take note of the result of a case."""
        ...

    def more(self) -> bool:
        """Open further episodes.

        False if the rule has decided, or must first know the results of the open episodes.
        """
        ...

    @property
    def enough(self) -> bool:
        """Whether the rule has decided and nothing more needs to be played."""
        ...


class ResultSink(Protocol):
    """Where results go, for example a RunDirectory."""

    @property
    def counts(self) -> Mapping[str, int]:
        """The numbers of `finished`, `agent_error` and `successes` so far."""
        ...

    def done(self, index: CaseIndex) -> bool:
        """Whether this case of the plan already has a result that counts."""
        ...

    def append(self, result: Result, trace: Trace | None, now: float) -> None:
        """Store one result; `now` is a time.monotonic() value in seconds."""
        ...


class VideoStore(Protocol):
    """Where videos go."""

    def keep(self, case: Case, clip: VideoClip) -> str | None:
        """Store one video; returns a message for the user if it could not be stored."""
        ...


class Culprits(enum.Enum):
    """Which of a lost worker's cases brought it down, where the worker could not name them."""

    UNKNOWN = enum.auto()
    """Any of them."""
    NONE = enum.auto()
    """None of them: the fault lay elsewhere."""


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
        """`shuffle` seeds another order of the queue.

        `stopping` must already know the results that `directory` holds.
        """
        self.plan = plan
        self._directory = directory
        self._progress = progress
        self._videos = videos
        self._stopping = stopping
        self._handed_out: set[CaseIndex] = set()
        self._queue = Queue(plan, directory.done if stopping is None else self._closed, shuffle)
        # Whether the queue is empty. Cases that must run alone wait in `_alone` until it is.
        self._drained = False
        self._alone: deque[Ticket] = deque()
        self._out: set[Ticket] = set()  # handed out, outcome not yet known
        self._failed: Counter[int] = Counter()  # these three by item of the plan
        self._scored: Counter[int] = Counter()
        self._messages: Counter[int] = Counter()
        self._given_up: set[int] = set()
        self.interrupted = False
        """Whether the user asked to stop. Foreign code may have swallowed the KeyboardInterrupt."""
        self.not_run: dict[int, NotRun] = {}
        """Tasks that cannot run here, by item of the plan."""
        self.not_applicable: dict[tuple[int, int], NotRun] = {}
        """Perturbations that change nothing in a task, by (item, condition)."""
        counts = directory.counts
        done = counts["finished"] + counts["agent_error"]
        self.tally = Tally(plan.total, done, counts["successes"], counts["agent_error"])

    def take(self, held: Sequence[str]) -> tuple[Ticket, Case] | None:
        """The next case to play, preferably for an environment key in `held`.

        A case that must run alone is handed out only when no other case is being played. None if
        there is no case at present.
        """
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
            self._handed_out.add(ticket.case)
        return ticket, self.plan.case(ticket.case)

    @property
    def alone_next(self) -> bool:
        """Whether the next case to hand out must run alone, on a fresh worker."""
        return self._drained and not self._out and bool(self._alone)

    @property
    def finished(self) -> bool:
        """Whether every case has its outcome; with a stopping rule, every case that it opened.

        Raises KeyboardInterrupt once the user asked to stop.
        """
        if self.interrupted:
            raise KeyboardInterrupt
        return self._drained and not self._out and not self._alone and not self._open_more()

    def _closed(self, case: CaseIndex) -> bool:
        """Whether a case must not be handed out.

        It may have been handed out before, have a result, or not be opened by the rule yet.
        """
        assert self._stopping is not None
        if case in self._handed_out or case.episode >= self._stopping.opened(case.item):
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
        """Take one outcome; `worker` names who played it.

        Raises StorageFull, and KeyboardInterrupt once the user asked to stop: what was interrupted
        is no outcome.
        """
        if self.interrupted:
            raise KeyboardInterrupt
        ticket: Ticket = outcome.ticket
        if ticket not in self._out:
            # Its task, or its condition, was found not to run here while it was being played.
            return
        self._release(ticket)
        if outcome.missing is not None and outcome.perturbations_only:
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
        self, tickets: Sequence[Ticket], culprits: Sequence[Ticket] | Culprits, reason: str
    ) -> None:
        """A worker was lost while it played these cases; `culprits` may have brought it down.

        A single suspect has failed. Several suspects are played again, each alone, so that the
        next loss names the one that fails. All other cases go back to the queue.
        """
        if culprits is Culprits.UNKNOWN:
            suspects = list(tickets)
        elif culprits is Culprits.NONE:
            suspects = []
        else:
            suspects = list(culprits)
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
            cases = "1 case" if len(tickets) == 1 else f"{len(tickets)} cases"
            self._progress.say(f"{reason}; {cases} will be played again or given up")

    def episode(self, ticket: Ticket) -> Episode:
        """An empty episode of a case whose own episode was lost, to report its failure."""
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
            # Played alone, it cannot fail because of another episode.
            self._alone.append(again)
        else:
            self._queue.give_back(again)
            self._drained = False
        return True

    def _tell(self, ticket: Ticket, text: str) -> None:
        """Tell the user what happened to a case, for the first few cases of each task only.

        The report counts them all.
        """
        self._messages[ticket.case.item] += 1
        if self._messages[ticket.case.item] <= MESSAGES_PER_TASK:
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
        """End the rest of a task in `error`; the same command plays it again later.

        A simulator that never works must not keep the workers busy all night.
        """
        self._given_up.add(item)
        rest = [
            *self._queue.drop(item),
            *(ticket for ticket in self._alone if ticket.case.item == item),
        ]
        self._alone = deque(ticket for ticket in self._alone if ticket.case.item != item)
        self._progress.say(
            f"{self.plan.items[item].task.id}: {BROKEN_AFTER} attempts failed and no case was "
            f"scored; {len(rest)} cases are not tried any more"
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
        # Released here, cases that are still being played are ignored when their outcome comes.
        others = [ticket for ticket in self._out if ticket.case.item == item]
        for ticket in others:
            self._release(ticket)
        self._alone = deque(ticket for ticket in self._alone if ticket.case.item != item)
        # Conditions that are not applicable were subtracted before.
        self.tally.total -= self.plan.count(item) - entry.episodes * sum(
            found == item for found, _ in self.not_applicable
        )
        self._progress.say(
            f"{entry.task.id} cannot run here: {missing.reason} ({len(dropped)} cases)"
        )

    def _not_applicable(self, ticket: Ticket, missing: Missing) -> None:
        """Skip a condition that changes nothing in a task; the report has a row that says why."""
        entry = self.plan.items[ticket.case.item]
        condition = ticket.case.condition
        if (ticket.case.item, condition) in self.not_applicable or ticket.case.item in self.not_run:
            return
        name = label(self.plan.conditions[condition])
        self.not_applicable[ticket.case.item, condition] = NotRun.of(
            entry.suite, entry.task, missing, name
        )
        self._queue.drop_condition(ticket.case.item, condition)
        same = [each for each in (*self._out, *self._alone) if each.case.place == ticket.case.place]
        for each in same:
            if each in self._out:
                self._release(each)
        self._alone = deque(each for each in self._alone if each not in same)
        self.tally.total -= entry.episodes
        self._progress.say(f"{entry.task.id}: {name} has nothing to change here: {missing.reason}")


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")

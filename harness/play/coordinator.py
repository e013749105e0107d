"""Decides what happens to each outcome: stored, played again, or played again alone.

The same code serves lanes in this process and lanes in Ray workers.
"""

from __future__ import annotations

import datetime
import enum
import time
from collections import deque
from collections.abc import Collection, Sequence

from harness.core import Case, Missing, Result
from harness.core.grammar import counted
from harness.play.case_lengths import CaseLengths
from harness.play.case_queue import Queue, Ticket
from harness.play.episode import Episode
from harness.play.failures import (
    BROKEN_AFTER,
    SILENT_AFTER,
    ErrorTeller,
    Failures,
    HeldBack,
    missing,
)
from harness.play.outcome import AGENT, Outcome
from harness.play.progress import Progress, Tally
from harness.play.sinks import ResultSink, Stopping, VideoStore
from harness.play.stopped import Stopped
from harness.records.error_kinds import ALWAYS
from harness.records.plan import CaseIndex, NotRun, Plan, label

__all__ = ["Coordinator", "Culprits"]

ATTEMPTS = 3
"""How often a case that ends in `error` is played; the last attempt runs alone.

One that fails twice with the same words at the same step always fails, and is not tried again.
"""


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
        longest_first: bool = False,
    ) -> None:
        """`shuffle` seeds another order of the queue; `longest_first`: long work begins first.

        `stopping` must already know the results that `directory` holds.
        """
        self.plan = plan
        self._directory = directory
        self._progress = progress
        self._videos = videos
        self._stopping = stopping
        self._handed_out: set[CaseIndex] = set()
        self._lengths = CaseLengths(plan) if longest_first else None
        done = directory.done if stopping is None else self._closed
        self._queue = Queue(plan, done, shuffle, self._lengths)
        # Whether the queue is empty. Cases that must run alone wait in `_alone` until it is.
        self._drained = False
        self._alone: deque[Ticket] = deque()
        self._out: set[Ticket] = set()  # handed out, outcome not yet known
        self._failures = Failures()
        self._scored: set[int] = set()  # these three by item of the plan
        self._looked_up: set[int] = set()
        self._given_up: set[int] = set()
        self._silent: set[CaseIndex] = set()  # in a row, with an agent that could not be asked
        self.errors = ErrorTeller(progress)
        self.interrupted = False
        """Whether the user asked to stop. Foreign code may have swallowed the KeyboardInterrupt."""
        self.not_run: dict[int, NotRun] = {}
        """Tasks that cannot run here, by item of the plan."""
        self.not_applicable: dict[tuple[int, int], NotRun] = {}
        """Perturbations that change nothing in a task, by (item, condition)."""
        counts = directory.counts
        scored = counts["finished"] + counts["agent_error"]
        self.tally = Tally(plan.total, scored, counts["successes"], counts["agent_error"])

    def take(
        self, held: Sequence[str], without: Collection[str] = ()
    ) -> tuple[Ticket, Case] | None:
        """The next case to play, preferably for an environment key in `held`, of none in `without`.

        A case that must run alone is handed out only when no other case is being played. None if
        there is no case at present.
        """
        ticket = None if self._drained or self._enough() else self._queue.take(held, without)
        if ticket is None and without and not self._drained and not self._queue.empty:
            return None  # what is left is for others
        while ticket is None and self._open_more():
            ticket = self._queue.take(held, without)
        if ticket is None:
            self._drained = True
            self._decide_held()
            if self._out or not self._alone:
                return None
            ticket = self._alone.popleft()
        self._out.add(ticket)
        if self._stopping is not None:
            self._handed_out.add(ticket.case)
        return ticket, self.plan.case(ticket.case)

    @property
    def drained(self) -> bool:
        """Whether no case waits to be handed out, but those that must run alone."""
        return self._drained

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

        Raises StorageFull; Stopped where the agent cannot be asked any more; and KeyboardInterrupt
        once the user asked to stop: what was interrupted is no outcome.
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
        elif outcome.result is not None and outcome.result.status == "error":
            self._failed(ticket, outcome, worker)
        elif outcome.result is not None:
            self._write(ticket, outcome, worker)
        self._decide_held()

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
            cases = counted(len(tickets), "case")
            self.errors.say("lost", f"{reason}; {cases} will be played again or given up")

    def give_back(self, ticket: Ticket) -> None:
        """Somebody else is to play this case: it cannot be played where it was given to."""
        if ticket in self._out:
            self._release(ticket)
            self._queue.give_back(ticket)
            self._drained = False

    def episode(self, ticket: Ticket) -> Episode:
        """An empty episode of a case whose own episode was lost, to report its failure."""
        return Episode(ticket, self.plan.case(ticket.case))

    def _release(self, ticket: Ticket) -> None:
        self._out.discard(ticket)
        self._queue.settle(ticket)

    def _failed(self, ticket: Ticket, outcome: Outcome, worker: str) -> None:
        """Play the case again, keep it back, or write down that it has no score."""
        assert outcome.result is not None
        item = ticket.case.item
        if outcome.failed_in == AGENT:
            self._silent.add(ticket.case)
            if len(self._silent) >= SILENT_AFTER:
                raise Stopped(
                    f"the agent could not be asked in {SILENT_AFTER} cases in a row "
                    f"({outcome.result.error}): see that what answers for it runs"
                )
        always = self._failures.add(ticket, outcome)
        last = always or ticket.attempt >= ATTEMPTS or self._broken(item)
        again = "" if last else f" (attempt {ticket.attempt} of {ATTEMPTS})"
        self.errors.case(outcome.result, again)
        held = HeldBack(ticket, outcome, worker, always)
        if not last:
            ticket = ticket._replace(attempt=ticket.attempt + 1)
            if ticket.attempt == ATTEMPTS:
                # Played alone, it cannot fail because of another episode.
                self._alone.append(ticket)
            else:
                self._queue.give_back(ticket)
                self._drained = False
        elif self._failures.never_works(item) and not self._has_score(item):
            self._cannot_run(item, missing(outcome))
        elif self._has_score(item) or not self._failures.hold(held):
            self._write(ticket, outcome, worker, always)

    def _has_score(self, item: int) -> bool:
        """Whether a case of this item has a score, perhaps from an earlier call."""
        if item not in self._looked_up:
            self._looked_up.add(item)
            cases = (
                CaseIndex(item, condition, episode)
                for condition in self.plan.conditions_of(item)
                for episode in range(self.plan.items[item].episodes)
            )
            if any(map(self._directory.done, cases)):
                self._scored.add(item)
        return item in self._scored

    def _decide_held(self) -> None:
        """Decide about cases that were kept back, where more need not be known."""
        for item in self._failures.held_items():
            all_tried = self._drained and not self._out and not self._alone
            found = self._failures.cannot_run(item, all_tried=all_tried)
            if found is not None:
                self._cannot_run(item, found)
            elif all_tried or self._failures.has_begun(item):
                self._write_held(item)

    def _write_held(self, item: int) -> None:
        for held in self._failures.release(item):
            if held.ticket.case.place not in self.not_applicable:
                self._write(held.ticket, held.outcome, held.worker, held.always)

    def _write(self, ticket: Ticket, outcome: Outcome, worker: str, always: bool = False) -> None:
        result = outcome.result
        assert result is not None
        timing = {**result.timing, "worker": worker, "attempt": ticket.attempt, "ended_at": _now()}
        if always:
            timing[ALWAYS] = True
        if result.status != "error":
            self._silent.clear()
        protocol = self.plan.items[ticket.case.item].protocol
        # As dataclasses.replace, which looks at each field: this is done for every episode.
        result = Result(**{**vars(result), "protocol": protocol, "timing": timing})
        if self._lengths is not None:
            seconds = result.timing.get("simulator_s", 0.0) + result.timing.get("agent_s", 0.0)
            self._lengths.took(ticket.case.item, seconds)
        self._directory.append(result, outcome.trace, time.monotonic())
        if self._stopping is not None:
            self._stopping.scored(ticket.case, result)
        if outcome.clip is not None and self._videos is not None:
            full = self._videos.keep(self.plan.case(ticket.case), outcome.clip)
            if full:
                self._progress.say(full)
        self._count(result)
        self._failures.settled(ticket.case)
        item = ticket.case.item
        if result.status == "error":
            if self._broken(item) and item not in self._given_up:
                self._give_up(item, result.error or "")
            return
        self._scored.add(item)
        self._failures.begun(item)
        self.errors.recovered += ticket.attempt > 1
        if result.status == "agent_error":
            self.errors.case(result)

    def _broken(self, item: int) -> bool:
        return self._failures.broken(item) and not self._has_score(item)

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
        self._write_held(item)
        self._progress.say(
            f"{self.plan.items[item].task.id}: {BROKEN_AFTER} attempts failed and no case was "
            f"scored; {counted(len(rest), 'case')} {'is' if len(rest) == 1 else 'are'} not tried "
            "any more"
        )
        for ticket in rest:
            failed = Outcome.failed(
                self.episode(ticket),
                "error",
                f"not tried any more, {BROKEN_AFTER} attempts at this task failed: {reason}",
            )
            self._write(ticket, failed, "none")

    def _cannot_run(self, item: int, why: Missing) -> None:
        if item in self.not_run:
            return
        entry = self.plan.items[item]
        self.not_run[item] = NotRun.of(entry.suite, entry.task, why)
        self._failures.release(item)
        self.errors.forget(entry.task.id)
        deque(self._queue.drop(item), maxlen=0)
        # Released here, cases that are still being played are ignored when their outcome comes.
        others = [ticket for ticket in self._out if ticket.case.item == item]
        for ticket in others:
            self._release(ticket)
        self._alone = deque(ticket for ticket in self._alone if ticket.case.item != item)
        # Conditions that are not applicable were subtracted before.
        self.tally.total -= self.plan.count(item) - entry.episodes * sum(
            found == item for found, _ in self.not_applicable
        )
        self._progress.say(f"{entry.task.id} cannot run here: {why.reason}; {why.remedy}")

    def _not_applicable(self, ticket: Ticket, why: Missing) -> None:
        """Skip a condition that changes nothing in a task; the report has a row that says why."""
        entry = self.plan.items[ticket.case.item]
        condition = ticket.case.condition
        if (ticket.case.item, condition) in self.not_applicable or ticket.case.item in self.not_run:
            return
        name = label(self.plan.conditions[condition])
        self.not_applicable[ticket.case.item, condition] = NotRun.of(
            entry.suite, entry.task, why, name
        )
        self._queue.drop_condition(ticket.case.item, condition)
        same = [each for each in (*self._out, *self._alone) if each.case.place == ticket.case.place]
        for each in same:
            if each in self._out:
                self._release(each)
        self._alone = deque(each for each in self._alone if each not in same)
        self.tally.total -= entry.episodes
        self._progress.say(f"{entry.task.id}: {name} has nothing to change here: {why.reason}")


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")

"""What failed attempts say: about a case that always fails, about a task that never begins.

And how failures are told: the first of each kind at once, the others as a number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from harness.core import Missing, Result
from harness.core.grammar import counted
from harness.play.case_queue import Ticket
from harness.play.outcome import AGENT, SHARED, Outcome
from harness.play.progress import Progress
from harness.records.error_kinds import kind_of, same_words
from harness.records.plan import CaseIndex

__all__ = ["BROKEN_AFTER", "SILENT_AFTER", "ErrorTeller", "Failures", "HeldBack", "missing"]

SILENT_AFTER = 3
"""After this many cases in a row in which the agent could not be asked, the run stops."""
BROKEN_AFTER = 15
"""After this many failed attempts at a task without a single scored case, the task is given up."""
CASES_THAT_DECIDE = 3
"""A task of which this many cases failed by their first step, and none went further, cannot run."""
AT_START = ("construction", "reset", "step")
"""Places of failures (`Outcome.failed_in`) that say whether the task can run. A view that cannot be
drawn is another agent's to do without; a value that breaks the contract is told case by case."""
MOST_TOLD = 30
"""Kinds of failures that are told at once."""


class ErrorTeller:
    """Tells the user the first failure of each kind at once, and in the end how many there were."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._first: dict[str, str] = {}
        self._cases: Counter[tuple[str, str]] = Counter()  # by kind and task
        self.recovered = 0
        """Cases that failed at first, and came to their end when they were played again."""

    def case(self, result: Result, again: str = "") -> None:
        """Tell how a case failed; `again`: which of its attempts it was, if others follow."""
        perturbed = "".join(f" {each}" for each in result.perturbations)
        about = f"{result.task} seed {result.seed}{perturbed}: {result.status}"
        self.say(result.status, result.error or "", about, again, result.task)

    def say(
        self, status: str, error: str, about: str = "", again: str = "", task: str = ""
    ) -> None:
        """Tell `about: error`, if it is the first of its kind."""
        kind = kind_of(status, error)
        self._cases[kind, task] += not again
        text = f"{about}: {error}" if about else error
        if kind not in self._first and len(self._first) < MOST_TOLD:
            self._first[kind] = text
            self._progress.say(text + again)
        elif kind not in self._first and len(self._first) == MOST_TOLD:
            self._first[kind] = ""
            self._progress.say("further kinds of errors are counted, and told in the report")

    def forget(self, task: str) -> None:
        """Count no failures of this task: it cannot run, which is told instead."""
        for key in [key for key in self._cases if key[1] == task]:
            del self._cases[key]

    def close(self) -> None:
        """Tell how many there were of each kind."""
        counts: Counter[str] = Counter()
        for (kind, _), count in self._cases.items():
            counts[kind] += count
        for kind, text in self._first.items():
            if text and counts[kind] > 1:
                self._progress.say(f"{text} (and {counts[kind] - 1} more)")
        if self.recovered:
            cases = counted(self.recovered, "episode")
            self._progress.say(f"{cases} failed at first, and came to an end when played again")


@dataclass(frozen=True)
class HeldBack:
    """The last attempt at a case that failed by its first step, of a task that has not begun."""

    ticket: Ticket
    outcome: Outcome
    worker: str
    always: bool
    """Whether two attempts failed with the same words."""


class Failures:
    """Remembers failed attempts, by case and by item of the plan."""

    def __init__(self) -> None:
        self._last: dict[CaseIndex, tuple[str, int]] = {}
        self._attempts: Counter[int] = Counter()
        self._unclear: set[int] = set()  # items of which an attempt failed elsewhere
        self._begun: set[int] = set()
        self._held: dict[int, list[HeldBack]] = {}

    def begun(self, item: int) -> None:
        """Take note that a case of this item has a score, or got beyond its first step."""
        self._begun.add(item)

    def has_begun(self, item: int) -> bool:
        """Whether a case of this item has a score, or got beyond its first step."""
        return item in self._begun

    def add(self, ticket: Ticket, outcome: Outcome) -> bool:
        """Take note of an attempt that ended in `error`; returns whether the case always fails.

        That is so if its attempt before failed with the same words at the same step, and nothing
        else can be to blame.
        """
        result, item = outcome.result, ticket.case.item
        assert result is not None
        if outcome.failed_in == AGENT:  # which says nothing of the task
            return False
        self._attempts[item] += 1
        if result.steps:
            self.begun(item)
        if outcome.failed_in not in (*AT_START, SHARED):
            self._unclear.add(item)
        now = same_words(result.error or ""), result.steps
        before = self._last.get(ticket.case)
        self._last[ticket.case] = now
        return outcome.failed_in not in ("", SHARED) and before == now

    def settled(self, case: CaseIndex) -> None:
        """Forget a case that is not tried again."""
        self._last.pop(case, None)

    def broken(self, item: int) -> bool:
        """Whether so many attempts failed that no more are worth their time."""
        return self._attempts[item] >= BROKEN_AFTER

    def never_works(self, item: int) -> bool:
        """Whether `broken`, and every attempt failed by its first step inside the simulator."""
        return self.broken(item) and item not in self._begun and item not in self._unclear

    def hold(self, held: HeldBack) -> bool:
        """Keep a case back until it is known whether its task can run; False if it can."""
        outcome, item = held.outcome, held.ticket.case.item
        assert outcome.result is not None
        if item in self._begun or outcome.result.steps or outcome.failed_in not in AT_START:
            return False
        self._held.setdefault(item, []).append(held)
        return True

    def held_items(self) -> Sequence[int]:
        """The items of which cases are kept back."""
        return tuple(self._held)

    def release(self, item: int) -> Sequence[HeldBack]:
        """The cases of this item that were kept back."""
        return self._held.pop(item, ())

    def cannot_run(self, item: int, *, all_tried: bool) -> Missing | None:
        """Why the task cannot run here, once that is known.

        `all_tried`: nothing else of it is left to play.
        """
        held = self._held.get(item, ())
        sure = [each.outcome for each in held if each.always]
        if item in self._begun or not sure:
            return None
        decided = (
            any(outcome.failed_in == "construction" for outcome in sure)
            or len(sure) >= CASES_THAT_DECIDE
            or (all_tried and len(sure) == len(held))
        )
        return missing(sure[0]) if decided else None


def missing(outcome: Outcome) -> Missing:
    """The row of a task whose simulator fails before anything was played."""
    assert outcome.result is not None
    error = outcome.result.error or ""
    where = "constructor" if outcome.failed_in == "construction" else "reset and first step"
    if "WrongInterface: " in error:
        reason, _, remedy = error.partition("WrongInterface: ")[2].partition("; ")
        return Missing(reason, remedy.rpartition(" (")[0] or remedy)
    known = [remedy for hint, remedy in _REMEDIES if hint in error]
    general = f"correct its {where} there, then repeat the command"
    return Missing(f"it fails at its start: {error}", known[0] if known else general)


_REMEDIES = (
    ("EOFError", "it asks on stdin: download or accept beforehand what it asks for"),
    (
        "construction: KeyError: ",
        "it may want a param of that name: give the task's params all that its docstring lists",
    ),
    ("did not return", "it does not answer: see whether it waits for a display, a file or a key"),
    (
        "unexpected keyword argument 'seed'",
        "it has the API of gym 0.21: wrap it, for example with shimmy's GymV21CompatibilityV0",
    ),
)

"""Errors of a run by kind, so that a thousand equal ones are told once."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from harness.core import Result
from harness.records.plan import CaseIndex

__all__ = ["ALWAYS", "ErrorKind", "ErrorKinds", "kind_of", "same_words"]

ALWAYS = "fails_always"
"""In a result's `timing`: true where two attempts failed with the same words at the same step."""
MOST_KINDS = 200
"""Kinds that are told apart; all further ones are counted together."""
_MOST_TEXT = 500
_PLACED = re.compile(
    r"(?:[a-z][a-z ,0-9]{0,90}: )*(\w{1,100})(?:: .*)? \(([^()]{1,300}:\d+ in [^()]{1,100})\)", re.S
)
_VARIABLE = re.compile(r"'[^']*'|\"[^\"]*\"|0x[0-9a-f]+|-?\d[\d.e+-]*")
_ADDRESS = re.compile(r"0x[0-9a-f]+")


def kind_of(status: str, error: str) -> str:
    """What equal kinds of errors have in common: status, exception and place, whatever the task.

    Of an error without a place, its words without numbers and what stands in quotes.
    """
    placed = _PLACED.fullmatch(error[:2000])
    what = f"{placed[1]} ({placed[2]})" if placed else _VARIABLE.sub("#", error[:_MOST_TEXT])
    return f"{status} {what}"


def same_words(error: str) -> str:
    """The error without what differs between two equal failures: addresses of objects."""
    return _ADDRESS.sub("0x", error)


@dataclass(frozen=True, kw_only=True)
class ErrorKind:
    """A kind of error, and how many episodes ended in it."""

    status: str
    """`error` or `agent_error`."""
    error: str
    """In the words of its first case, in the plan's order."""
    count: int
    always: int
    """How many of them failed twice, with the same words at the same step."""
    task: str
    """Of the first case, as all that follows."""
    seed: int
    perturbations: tuple[str, ...]
    case: str

    def as_text(self) -> str:
        """One line, with how many more there are."""
        more = f" (and {self.count - 1} more)" if self.count > 1 else ""
        perturbed = "".join(f" {each}" for each in self.perturbations)
        return f"{self.task} seed {self.seed}{perturbed}: {self.status}: {self.error}{more}"


@dataclass
class _Found:
    first: CaseIndex
    result: Result
    count: int = 0
    always: int = 0


@dataclass
class ErrorKinds:
    """Counts results by the kind of their error."""

    _found: dict[str, _Found] = field(default_factory=dict)

    def add(self, index: CaseIndex, result: Result) -> None:
        """Count a result that counts; those without an error are left out."""
        if result.error is None:
            return
        kind = kind_of(result.status, result.error)
        if kind not in self._found and len(self._found) >= MOST_KINDS:
            kind = f"{result.status} and many more kinds"
        found = self._found.setdefault(kind, _Found(index, result))
        if index < found.first:
            found.first, found.result = index, result
        found.count += 1
        found.always += result.timing.get(ALWAYS) is True

    def rows(self) -> tuple[ErrorKind, ...]:
        """The kinds, the most frequent first."""
        ordered = sorted(self._found.values(), key=lambda each: (-each.count, each.first))
        return tuple(
            ErrorKind(
                status=each.result.status,
                error=(each.result.error or "")[:_MOST_TEXT],
                count=each.count,
                always=each.always,
                task=each.result.task,
                seed=each.result.seed,
                perturbations=each.result.perturbations,
                case=each.result.case,
            )
            for each in ordered
        )

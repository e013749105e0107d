"""What a verification finds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.core import Result
from harness.records.traces import Trace

__all__ = ["Difference", "Differences"]

MOST_KEPT = 2000
MOST_TEXT = 500


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Something in a run that is not as it should be."""

    what: str
    recorded: object
    expected: object
    """What it should be, or what the replay gave."""
    task: str = ""
    seed: int | None = None
    case: str = ""

    @classmethod
    def of(
        cls, episode: Result | Trace, what: str, recorded: object, expected: object
    ) -> Difference:
        """A difference in one episode."""
        return cls(
            what=what,
            recorded=recorded,
            expected=expected,
            task=episode.task,
            seed=episode.seed,
            case=episode.case,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values: what was recorded and expected as it is, or as a text."""
        return {
            "what": self.what,
            "recorded": _plain(self.recorded),
            "expected": _plain(self.expected),
            "task": self.task,
            "seed": self.seed,
            "case": self.case,
        }

    @classmethod
    def from_json(cls, values: object) -> Difference:
        """The inverse of to_json. Raises ValueError that names the first wrong field."""
        if not isinstance(values, Mapping):
            raise ValueError(f"a difference is a table, not {type(values).__name__}")
        for name in ("what", "task", "case"):
            if type(values.get(name)) is not str:
                raise ValueError(f"{name} of a difference is {values.get(name)!r}, not a text")
        seed = values.get("seed")
        if seed is not None and type(seed) is not int:
            raise ValueError(f"seed of a difference is {seed!r}, not a whole number or null")
        return cls(
            what=values["what"],
            recorded=_plain(values.get("recorded")),
            expected=_plain(values.get("expected")),
            task=values["task"],
            seed=seed,
            case=values["case"],
        )


class Differences(list[Difference]):
    """The first MOST_KEPT differences: a file of a few MB can hold millions of wrong lines."""

    def append(self, difference: Difference) -> None:
        """Keep it if there is room."""
        if len(self) < MOST_KEPT:
            super().append(difference)

    def extend(self, differences: Iterable[Difference]) -> None:
        """Keep those for which there is room."""
        super().extend(itertools.islice(differences, max(0, MOST_KEPT - len(self))))

    def __iadd__(self, differences: Iterable[Difference]) -> Differences:  # type: ignore[override,misc]
        self.extend(differences)
        return self


def _plain(value: object) -> object:
    """A value that JSON has, and `str` prints as before."""
    if type(value) is float and not math.isfinite(value):
        return str(value)
    if value is None or type(value) in (bool, int, float):
        return value
    return str(value)[:MOST_TEXT]

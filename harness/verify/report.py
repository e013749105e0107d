"""What a verification found: its verdict, as a line, as a table and as plain values.

The verdict of `bench verify` is spoken by a process that has read these values, and not by the one
in which simulators run.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.core.grammar import counted
from harness.play.text_table import text_table
from harness.verify.difference import Difference, Differences

__all__ = ["VerificationReport", "differences_table", "smallest_share"]

CONFIDENCE = 0.95


@dataclass(kw_only=True)
class VerificationReport:
    """The result of `verify`."""

    planned: int
    lines: int
    playable: int = 0
    """Episodes that can be replayed here."""
    chosen: int = 0
    """Episodes that were to be replayed: all playable ones, or a sample of them."""
    replayed: int = 0
    sample_seed: int | None = None
    """The seed of the sample; None: no sample was drawn."""
    differences: list[Difference] = field(default_factory=Differences)
    in_files: int = 0
    """How many of the differences were found in the files alone; they come first."""
    drawn_elsewhere: list[str] = field(default_factory=list)
    """Replayed tasks whose views another renderer drew than the one here."""
    other_kernels: str = ""
    """Why last digits may differ here, if numpy multiplies with other kernels than in the run."""
    unchecked: list[str] = field(default_factory=list)
    """What has results and cannot be replayed here, with the remedy: the run is not verified."""
    claims: list[str] = field(default_factory=list)
    """What the run says and no replay can show. It does not count against the run."""
    notes: list[str] = field(default_factory=list)
    """Remarks that do not count against the run."""

    @property
    def passed(self) -> bool:
        """Whether something was replayed, all of it, nothing differs and nothing was left out."""
        return (
            not self.differences
            and not self.unchecked
            and self.replayed > 0
            and self.replayed == self.chosen
        )

    def as_text(self) -> str:
        """The verdict in one line."""
        looked = (
            f"{counted(self.lines, 'line')} of {counted(self.planned, 'case')} checked, "
            f"{counted(self.replayed, 'episode')} played again"
        )
        if self.differences:
            count = len(self.differences)
            return f"{looked}: {counted(count, 'difference')}"
        if self.replayed < self.chosen:
            return f"{looked}: not verified, {self.chosen} were to be played"
        if self.unchecked:
            return f"{looked}: not verified, {_first(self.unchecked)}"
        if not self.replayed:
            return f"{looked}: not verified, there is nothing to play"
        return f"{looked}: all as recorded{self._power()}"

    def remarks(self) -> list[str]:
        """What to say besides the verdict, a line each: remarks, and what is only claimed."""
        said = [f"not checked: {text}" for text in self.unchecked]
        said += self.notes
        if self.claims:
            said.append(f"claimed, not checked: {'; '.join(self.claims)}")
        if self.sample_seed is not None:
            seed = self.sample_seed
            said.append(f"sample seed {seed}; repeat with --sample-seed {seed}")
        return said

    def _power(self) -> str:
        """What a sample could not have seen; empty where everything was replayed."""
        share = smallest_share(self.playable, self.chosen)
        if share is None or self.chosen >= self.playable:
            return ""
        return (
            f" (a sample of {self.chosen} of {self.playable}: had {share} or more of these "
            f"episodes been changed, it would have met one with {100 * CONFIDENCE:g} %; --sample "
            "all leaves nothing to chance)"
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, which `from_json` reads."""
        return {
            "planned": self.planned,
            "lines": self.lines,
            "playable": self.playable,
            "chosen": self.chosen,
            "replayed": self.replayed,
            "sample_seed": self.sample_seed,
            "in_files": self.in_files,
            "drawn_elsewhere": list(self.drawn_elsewhere),
            "other_kernels": self.other_kernels,
            "differences": [difference.to_json() for difference in self.differences],
            "unchecked": list(self.unchecked),
            "claims": list(self.claims),
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, values: object) -> VerificationReport:
        """The inverse of to_json. Raises ValueError that names the first wrong field."""
        if not isinstance(values, Mapping):
            raise ValueError(f"a verification is a table, not {type(values).__name__}")
        read: dict[str, Any] = {}
        for name in ("planned", "lines", "playable", "chosen", "replayed", "in_files"):
            read[name] = values.get(name)
            if type(read[name]) is not int or read[name] < 0:
                raise ValueError(f"{name} is {read[name]!r}, not a count")
        seed = read["sample_seed"] = values.get("sample_seed")
        if seed is not None and type(seed) is not int:
            raise ValueError(f"sample_seed is {seed!r}, not a whole number or null")
        read["other_kernels"] = values.get("other_kernels")
        if type(read["other_kernels"]) is not str:
            raise ValueError(f"other_kernels is {read['other_kernels']!r}, not a text")
        for name in ("drawn_elsewhere", "unchecked", "claims", "notes"):
            texts = values.get(name)
            if type(texts) is not list or not all(type(text) is str for text in texts):
                raise ValueError(f"{name} is no list of texts")
            read[name] = texts
        rows = values.get("differences")
        if type(rows) is not list:
            raise ValueError("differences is no list")
        return cls(**read, differences=[Difference.from_json(row) for row in rows])


def _first(texts: list[str]) -> str:
    more = f" (and {len(texts) - 1} more)" if len(texts) > 1 else ""
    return f"{texts[0]}{more}"


def smallest_share(playable: int, chosen: int) -> str | None:
    """The smallest share of changed episodes that a sample meets with CONFIDENCE, as a text.

    `chosen` of `playable` episodes are drawn without replacement and with equal chances. None: no
    share but the whole.

    Example: `smallest_share(2500, 20) == "14 %"`.
    """
    if not 0 < chosen <= playable:
        return None
    few, many = 1, playable
    while few < many:
        middle = (few + many) // 2
        if _miss(playable, chosen, middle) <= 1 - CONFIDENCE:
            many = middle
        else:
            few = middle + 1
    return f"{100 * few / playable:.2g} %"


def _miss(playable: int, chosen: int, changed: int) -> float:
    """The chance that a sample meets none of the `changed` episodes."""
    if changed > playable - chosen:
        return 0.0
    return math.comb(playable - changed, chosen) / math.comb(playable, chosen)


def differences_table(differences: Iterable[Difference]) -> str:
    """A table with a row for each difference."""
    rows = [
        [
            d.task,
            "" if d.seed is None else d.seed,
            d.case[:10],
            d.what,
            _short(d.recorded),
            _short(d.expected),
        ]
        for d in differences
    ]
    return text_table(["task", "seed", "case", "what", "recorded", "should be"], rows)


def _short(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 100 else f"{text[:97]}..."

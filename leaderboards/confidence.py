"""Whether an agent knows when it will fail: its confidence beside what came of it.

The lines of a run say it under `timing.confidence` (`Answer.confidence` of an episode's first
answer); they may be a stranger's: what is malformed there is left out. Where no line says it, there
is nothing to print.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.core import DOMAINS, Result
from harness.core.grammar import counted
from harness.core.reference import LATER
from harness.stats import Estimate
from harness.stats.forecasts import Coverage, Forecasts
from leaderboards.tables import Column, Table, percent, range_of, two_decimals

__all__ = ["ConfidenceRow", "ConfidenceTally", "confidence_tables"]

SHARES = (0.25, 0.5, 0.75, 1.0)
ALPHA = 0.05


@dataclass(frozen=True, kw_only=True)
class ConfidenceRow:
    """One domain, or the whole run (`domain` None)."""

    domain: str | None
    episodes: int
    """With a confidence and a success or failure, not perturbed, each start once."""
    without: int
    """Others of these tasks, whose first answer told no confidence."""
    said: float
    """The mean confidence."""
    success: Estimate
    calibration_error: float
    by_luck: float
    """The calibration error that 95 % of calibrated agents with these confidences do not exceed."""
    p: float
    """How often a calibrated agent would have an error of at least this one."""
    brier: float
    discrimination: Estimate | None = field(default=None, metadata=LATER)
    """The chance that a success had a higher confidence than a failure; None where all alike."""
    surest: tuple[Coverage, ...] = ()
    """Risk against coverage, as successes: the episodes of which the agent was surest."""


class ConfidenceTally:
    """Takes the unperturbed episodes of a run."""

    def __init__(self) -> None:
        self._forecasts: dict[str | None, Forecasts] = {}
        self._without: dict[str | None, int] = {}
        self._known: set[int] = set()

    def add(self, domain: str, result: Result) -> None:
        """Take a line. An episode that failed by a fault of the agent is a failure."""
        if result.success is None or result.status == "error":
            return
        chance: Any = result.timing.get("confidence")
        if type(chance) not in (int, float) or not 0 <= chance <= 1:  # which no NaN is
            for key in (domain, None):
                self._without[key] = self._without.get(key, 0) + 1
            return
        if result.start:
            # An episode that is played twice in all respects says nothing new.
            same = hash((result.task, result.start, result.digest))
            if same in self._known:
                return
            self._known.add(same)
        for key in (domain, None):
            self._forecasts.setdefault(key, Forecasts()).add(float(chance), result.success)

    def rows(self) -> tuple[ConfidenceRow, ...]:
        """The domains, if there are several, then the whole run; empty if nothing was told."""
        domains = [each for each in DOMAINS if each in self._forecasts]
        keys = [*(domains if len(domains) > 1 else []), *([None] if domains else [])]
        return tuple(self._row(key) for key in keys)

    def _row(self, domain: str | None) -> ConfidenceRow:
        forecasts = self._forecasts[domain]
        error = forecasts.calibration_error()
        # Equal confidences are kept together, so that two shares may be one.
        surest = {found.share: found for found in map(forecasts.surest, SHARES)}
        return ConfidenceRow(
            domain=domain,
            episodes=forecasts.n,
            without=self._without.get(domain, 0),
            said=forecasts.said,
            success=forecasts.succeeded(),
            calibration_error=error.error,
            by_luck=error.by_luck,
            p=error.p,
            brier=forecasts.brier,
            discrimination=forecasts.discrimination(),
            surest=tuple(surest.values()),
        )


def confidence_tables(rows: Sequence[ConfidenceRow]) -> list[Table]:
    """What the agent said of its chances and what came of them; no tables if it said nothing."""
    if not rows:
        return []
    columns = (
        Column("", tuple(row.domain or "overall" for row in rows), "name"),
        Column("episodes", tuple(str(row.episodes) for row in rows)),
        Column("said %", tuple(percent(row.said) for row in rows)),
        Column("success %", tuple(percent(row.success.value) for row in rows)),
        Column("95 %", tuple(range_of(row.success, percent) for row in rows)),
        Column("error", tuple(f"{row.calibration_error:.3f}" for row in rows)),
        Column("by luck", tuple(f"{row.by_luck:.3f}" for row in rows)),
        Column("Brier", tuple(f"{row.brier:.3f}" for row in rows), spare=1),
    )
    lead = (
        "What the agent expected at its first answer, and what came of it. error: the distance of "
        "confidence and success over ten bins; by luck: what 95 % of agents whose confidence is "
        "right do not exceed"
    )
    return [
        Table("confidence", columns, f"{lead}. {_verdict(rows[-1])}", total=len(rows) > 1),
        *_surest_table(rows[-1]),
    ]


def _verdict(row: ConfidenceRow) -> str:
    """What the whole run shows, in one to three sentences."""
    low, high = row.success.low, row.success.high
    assert low is not None
    assert high is not None
    if row.said > high or row.said < low:
        side = "over" if row.said > high else "under"
        what = (
            f"It is {side}confident: it says {percent(row.said)} % and succeeds in "
            f"{percent(low)} to {percent(high)} %"
        )
    elif row.p <= ALPHA:
        what = (
            f"Its mean is right, but not its single confidences: a calibrated agent has an error "
            f"as large in {percent(row.p)} % of runs"
        )
    else:
        what = f"{counted(row.episodes, 'episode')} show nothing against its confidence"
    sentences = [what, *_knows(row)]
    if row.without:
        sentences.append(f"{counted(row.without, 'episode')} told none and are left out")
    return " ".join(f"{each}." for each in sentences)


def _knows(row: ConfidenceRow) -> list[str]:
    """Whether its confidence tells the episodes apart."""
    found = row.discrimination
    if found is None:
        return []
    bounds = range_of(found, two_decimals)
    return [
        "Of a success and a failure, the success had the higher confidence with a chance of "
        f"{two_decimals(found.value)}{f' ({bounds})' if bounds else ''}; 0.50 is a guess"
    ]


def _surest_table(row: ConfidenceRow) -> list[Table]:
    if len(row.surest) < 2:  # all are equally sure
        return []
    columns = (
        Column("surest %", tuple(percent(each.share) for each in row.surest)),
        Column("confidence from", tuple(percent(each.above) for each in row.surest)),
        Column("success %", tuple(percent(each.success.value) for each in row.surest)),
        Column("95 %", tuple(range_of(each.success, percent) for each in row.surest)),
    )
    lead = "Success if only the episodes were played of which the agent is surest"
    return [Table("success against coverage", columns, lead)]

"""What is wrong between the simulator and a policy: the answer of `bench probe wiring`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from harness.core import Case
from harness.probes.result import Finding as ProbeFinding
from harness.probes.result import Plot, Point, Section, Series, point_of
from harness.probes.wiring.episodes import Played, Stage
from harness.probes.wiring.passive import Finding
from harness.probes.wiring.race import ALPHA, Arm, Race, first_look, race, rate
from harness.probes.wiring.rescaled import rescaled
from harness.probes.wiring.senses import Senses

__all__ = ["NONE", "Verdict", "diagnose"]

NONE = "none of these"
SURE = ("late", "first_only")
"""Findings that come before changes, which may make up for them."""
NOTES = ("varies", "constant")
"""Findings that a policy without a fault may show, too."""
UNUSED = ("blind", "unused", "cropped", "unused_instruction", "rescaled")
"""Findings that are no faults of a policy that surely succeeds in most cases without."""
OF_ACTIONS = ("equal", "clipped", "tiny", "constant")
"""Findings of the lines of episodes that are told; the senses know better what is not used."""
SHOWN = 5
"""Changes in the table; JSON has all."""


@dataclass(frozen=True, kw_only=True)
class Verdict(ProbeFinding):
    """The ranked answer with its evidence."""

    race: Race
    findings: Sequence[Finding]
    """Faults that no change can undo, by the agent's own answers and actions."""
    episodes: int
    """Episodes that were played."""

    @property
    def faults(self) -> list[str]:
        """What is wrong, the first first; empty: none of what was tried."""
        if self.race.healthy:
            return []
        late = [each.what for each in self.findings if each.code in SURE]
        named = [str(arm.change) for arm in self.race.named]
        others = (*self._notes, *SURE)
        return late + named + [each.what for each in self.findings if each.code not in others]

    @property
    def _notes(self) -> tuple[str, ...]:
        """The codes of findings that are no faults here."""
        return NOTES + UNUSED if self.race.successes.low > 0.5 else NOTES

    def lines(self) -> list[str]:
        """For people."""
        return self.as_text().split("\n")

    def sections(self) -> list[Section]:
        """What was played, the best changes and the answer."""
        table = [self._table()] if self.race.arms else []
        return [Section(before=tuple(self._first())), *table, Section(before=tuple(self._answer()))]

    def plots(self) -> list[Plot]:
        """The best changes: success with and without, or the mean score where there is none."""
        arms = self.race.arms[:SHOWN]
        if not arms:
            return []
        scored = all(each.success is None for each in self.race.unchanged)

        def points(of: Callable[[Arm], Sequence[Played]]) -> tuple[Point, ...]:
            found = []
            for place, arm in enumerate(arms):
                known = [each.progress for each in of(arm) if each.progress is not None]
                if not scored:
                    found.append(point_of(place, rate(of(arm))))
                elif known:
                    found.append(Point(at=place, value=sum(known) / len(known)))
            return tuple(found)

        unchanged = points(lambda arm: self.race.unchanged[: len(arm.values)])
        changed = points(lambda arm: arm.played)
        return [
            Plot(
                title="the same cases with and without a change",
                kind="rows",
                value="mean score" if scored else "success in %",
                labels=tuple(str(arm.change) for arm in arms),
                series=(
                    Series(name="unchanged", points=unchanged),
                    Series(name="changed", points=changed),
                ),
                least=None if scored else 0,
                most=None if scored else 100,
            )
        ]

    def _first(self) -> Iterator[str]:
        race, count = self.race, len(self.race.unchanged)
        good = sum(each.success is True for each in race.unchanged)
        low, high = (100 * each for each in (race.successes.low, race.successes.high))
        if any(each.success is not None for each in race.unchanged):
            yield f"unchanged: {good} of {count} cases succeed (95 %: {low:.0f} to {high:.0f} %)"
        else:
            yield f"unchanged: {count} cases, of tasks without a success"
        failed = [each.error for each in race.unchanged if each.error]
        if failed:
            yield f"the agent failed in {len(failed)} of them: {failed[0]}"

    def _answer(self) -> Iterator[str]:
        race = self.race
        if race.healthy:
            yield "it succeeds in all of these cases, so nothing was sought"
        elif not self.faults:
            yield f"{NONE}: no change that was tried surely helps, and no answer gives a fault away"
        for number, fault in enumerate(self.faults, 1):
            yield f"{number}. {self._evidence(fault)}"
        for each in self.findings:
            if each.code in self._notes:
                yield f"note: {each.what}"
        for arm in race.arms:
            if arm.hint:
                yield f"note: {arm.change}: it comes further, though it seldom succeeds"
        tried = f", {len(race.arms)} changes tried" if race.arms else ""
        yield f"{self.episodes} episodes played{tried}; {race.stopped}"

    def _evidence(self, fault: str) -> str:
        for arm in self.race.named:
            if str(arm.change) == fault:
                return f"{fault}: {_counts(self.race, arm)} (p {_p(arm.p)})"
        (found, *_) = [each for each in self.findings if each.what == fault]
        return f"{fault} (of {found.count})"

    def _table(self) -> Section:
        rows = [
            [str(arm.change), _counts(self.race, arm), arm.further, arm.less_far, _p(arm.p)]
            for arm in self.race.arms[:SHOWN]
        ]
        scored = all(each.success is None for each in self.race.unchanged)
        head = ["change", "mean score" if scored else "successes", "further", "less far", "p"]
        return Section.table("what was changed, on the same cases", head, rows, right=True)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values: schema 1."""
        race = self.race
        return {
            "schema": 1,
            "healthy": race.healthy,
            "faults": self.faults,
            "alpha": ALPHA,
            "unchanged": _rate(race.unchanged),
            "arms": [
                {
                    "kind": arm.change.kind,
                    "change": str(arm.change),
                    "named": arm.named,
                    "hint": arm.hint,
                    "cases": len(arm.values),
                    "further": arm.further,
                    "less_far": arm.less_far,
                    "p": arm.p,
                    "unchanged": _rate(race.unchanged[: len(arm.values)]),
                    "changed": _rate(arm.played),
                }
                for arm in race.arms
            ],
            "findings": [dataclasses.asdict(each) for each in self.findings],
            "episodes_played": self.episodes,
            "stopped": race.stopped,
        }


def _counts(race: Race, arm: Arm) -> str:
    """`0/10 -> 9/10`, of the same cases; without a success, mean progress in its place."""
    count = len(arm.values)
    both = race.unchanged[:count], arm.played
    if all(each.success is None for each in race.unchanged):
        return " -> ".join(_mean(played) for played in both)
    return " -> ".join(f"{sum(each.success is True for each in played)}/{count}" for played in both)


def _mean(played: Sequence[Played]) -> str:
    known = [each.progress for each in played if each.progress is not None]
    return f"{sum(known) / len(known):.3g}" if known else "none"


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.2g}"


def _rate(played: Sequence[Any]) -> dict[str, Any]:
    found = rate(played)
    agreed = [each.agreement for each in played if each.agreement is not None]
    progress = [each.progress for each in played if each.progress is not None]
    return {
        "cases": len(played),
        "successes": sum(each.success is True for each in played),
        "low": found.low,
        "high": found.high,
        "progress": sum(progress) / len(progress) if progress else None,
        "agreement": sum(agreed) / len(agreed) if agreed else None,
    }


def diagnose(
    stage: Stage, cases: Sequence[Case], said: Callable[[str], None] = lambda text: None
) -> Verdict:
    """Ask how old what the answers follow is, race the changes, and ask what answers depend on.

    Raises UserError where the simulator fails.
    """
    senses = Senses(stage, cases)
    unchanged = first_look(stage, cases)
    if unchanged.healthy:
        return Verdict(race=unchanged, findings=(), episodes=stage.episodes)
    given = senses.age()
    if any(each.code in SURE for each in given):
        known = dataclasses.replace(unchanged, stopped="this is certain")
        return Verdict(race=known, findings=given, episodes=stage.episodes)
    found = race(stage, cases, unchanged.unchanged, senses.needed, said)
    if not found.named:
        said("what do its answers depend on?")
        unused = senses.unused()  # first, as episodes are kept for it
        given += (rescaled(stage, cases) if stage.has_expert else []) + unused
    for each in stage.passive.findings():
        if each.code in OF_ACTIONS and each.what not in {known.what for known in given}:
            given.append(each)
    return Verdict(race=found, findings=given, episodes=stage.episodes)

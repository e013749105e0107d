"""What came of the probe: figures with their intervals, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.core.grammar import counted
from harness.probes.result import Finding, Plot, Point, Section, Series, point_of
from harness.probes.tokenizer.data import Split
from harness.probes.tokenizer.probe import Measured
from harness.probes.tokenizer.relation import (
    Correlation,
    Threshold,
    knee,
    spearman,
    standard_error,
    threshold,
)
from harness.probes.tokenizer.variants import CONTINUOUS
from harness.stats import Interval, design_effects, mean_of_rates, paired_difference

__all__ = ["Arm", "ModeSummary", "Summary", "summarise"]

SAYS = {
    "replay": "recorded actions, coded and decoded, played open loop",
    "expert": "the expert acts through the codec, and sees where that leads",
    "policy": "the agent acts through the codec",
    "trained": "agents that were trained to speak in these tokens",
}
LEAST_SPREAD = 0.1
"""As in harness.compare.shared_seeds: small variations that tasks share are no doubt of a loss."""


@dataclass(frozen=True, kw_only=True)
class Arm:
    """How one codec plays in one mode."""

    name: str
    episodes: int
    successes: int
    rate: Interval
    """The mean over tasks of their success rates."""
    change: Interval | None
    """Success minus that of the same episodes without a codec; None: there is no such play, or this
    is it."""
    error: float | None
    """The standard error of `change`; None where no play is without a codec."""


@dataclass(frozen=True, kw_only=True)
class ModeSummary:
    """All codecs in one mode, without a codec first; no agent is trained without tokens."""

    mode: str
    arms: tuple[Arm, ...]
    correlation: Correlation | None
    """Of mean squared error and success."""
    by_task: Mapping[str, Correlation | None]
    knees: Mapping[str, str | None]
    """Family -> the smallest codec that loses no more than its standard error."""
    threshold: Threshold | None


@dataclass(frozen=True, kw_only=True)
class Summary(Finding):
    """Everything."""

    split: Split
    measured: tuple[Measured, ...]
    gripper: tuple[int, ...]
    modes: tuple[ModeSummary, ...]
    not_run: Mapping[str, str]
    lost: int
    agent_errors: int

    def sections(self) -> list[Section]:
        """For people."""
        split = self.split
        what = (
            f"{counted(len(split.chosen), 'task')}, actions of "
            f"{counted(split.range.dims, 'dimension')}. Learned from "
            f"{counted(len(split.learned_from), 'action')} of "
            f"{counted(split.training_episodes, 'episode')}; judged on "
            f"{counted(len(split.judged_on), 'action')} of "
            f"{counted(len(split.recorded), 'other episode')}."
        )
        head = ["codec", "bits", "MSE", "p99 error", "sign flips", "perplexity", "of"]
        flips = "the gripper" if self.gripper else "all dimensions"
        how = (
            "MSE and p99 error (of the worst dimension) are in parts of the range of a dimension; "
            f"sign flips are those of {flips}."
        )
        rows = [self._row(each) for each in self.measured]
        lost = [f"not played: {task}: {why}" for task, why in self.not_run.items()]
        if self.lost:
            lost.append(
                f"{counted(self.lost, 'case')} without a result; the same command plays them"
            )
        if self.agent_errors:
            lost.append(
                f"{counted(self.agent_errors, 'case')} ended with an error of the agent: failures"
            )
        return [
            Section(before=(what,)),
            Section.table("what is lost in each action", head, rows, after=(how,)),
            *(
                Section.table(
                    f"{mode.mode}: {SAYS[mode.mode]}",
                    ["codec", "success %", "95 %", "of", "change, points", "95 %"],
                    [_arm_row(arm) for arm in mode.arms],
                    after=tuple(_said(mode)),
                )
                for mode in self.modes
            ),
            *([Section(before=tuple(lost))] if lost else []),
        ]

    def plots(self) -> list[Plot]:
        """Error and success against bits; a series for each family of codecs."""
        coded = [each for each in self.measured if each.name != CONTINUOUS]
        known = [(each, each.loss.mse) for each in coded if each.loss.mse > 0]
        found = [
            Plot(
                title="mean squared error against bits",
                kind="dots",
                at="bits of an action",
                value="MSE, parts of the range",
                series=_series(
                    (each.family, Point(at=each.codec.bits, value=mse)) for each, mse in known
                ),
                logarithmic=True,
            )
        ] if known else []  # fmt: skip
        for mode in self.modes:
            rates = {arm.name: arm.rate for arm in mode.arms}
            without = rates.get(CONTINUOUS)
            found.append(
                Plot(
                    title=f"{mode.mode}: success against bits"
                    + ("" if without is None else "; line: without a codec"),
                    kind="dots",
                    at="bits of an action",
                    value="success in %",
                    series=_series(
                        (each.family, point_of(each.codec.bits, rates[each.name]))
                        for each in coded
                        if each.name in rates
                    ),
                    least=0,
                    most=100,
                    marks=() if without is None else (100 * without.value,),
                )
            )
        return found

    def _row(self, each: Measured) -> list[str]:
        loss = each.loss
        flips, signed = loss.flipped(self.gripper or tuple(range(len(loss.flips))))
        return [
            each.name,
            f"{each.codec.bits:g}",
            f"{loss.mse:.2g}",
            f"{loss.worst_p99:.3f}",
            f"{flips} of {signed}",
            f"{loss.perplexity:.1f}",
            "" if each.name == CONTINUOUS else str(each.codec.codes),
        ]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        split = self.split
        return {
            "schema": 1,
            "tasks": {task: len(seeds) for task, seeds in split.keys.items()},
            "dims": split.range.dims,
            "gripper": list(self.gripper),
            "learned_from": {
                "actions": len(split.learned_from),
                "episodes": split.training_episodes,
            },
            "judged_on": {"actions": len(split.judged_on), "episodes": len(split.recorded)},
            "codecs": [
                {
                    "name": each.name,
                    "family": each.family,
                    "bits": each.codec.bits,
                    "tokens": each.codec.tokens,
                    "codes": each.codec.codes,
                    "mse": each.loss.mse,
                    "p99": list(each.loss.p99),
                    "sign_flips": list(each.loss.flips),
                    "signed": list(each.loss.signed),
                    "perplexity": each.loss.perplexity,
                }
                for each in self.measured
            ],
            "modes": [_mode_to_json(mode) for mode in self.modes],
            "not_run": dict(self.not_run),
            "lost": self.lost,
            "agent_errors": self.agent_errors,
        }


def summarise(
    split: Split,
    measured: Sequence[Measured],
    gripper: tuple[int, ...],
    not_run: Mapping[str, str],
    lost: int,
    agent_errors: int,
    families: Mapping[str, str],
) -> Summary:
    """Compare codecs, the first of which is no codec at all. Each mode is one of those who play it.

    families: task id -> what is equal of tasks whose episodes of one seed may depend on one another
    (PlanItem.family).
    """
    return Summary(
        split=split,
        measured=tuple(measured),
        gripper=gripper,
        modes=tuple(
            _summary_of(mode, [each for each in measured if mode in each.outcomes], split, families)
            for mode in dict.fromkeys(mode for each in measured for mode in each.outcomes)
        ),
        not_run=not_run,
        lost=lost,
        agent_errors=agent_errors,
    )


def _summary_of(
    mode: str, measured: Sequence[Measured], split: Split, families: Mapping[str, str]
) -> ModeSummary:
    plays = [each.outcomes[mode] for each in measured]
    # Only episodes that every codec played: then all are compared on the same ones.
    seeds = {
        task: [seed for seed in known if all((task, seed) in play for play in plays)]
        for task, known in split.keys.items()
    }
    tasks = [task for task, known in seeds.items() if known]
    results = [
        np.array([[play[task, seed] for seed in seeds[task]] for play in plays], np.float64)
        for task in tasks
    ]
    first = 1 if measured[0].name == CONTINUOUS else 0
    arms = tuple(
        _arm(number, each.name, results, [np.array(seeds[task]) for task in tasks],
             [families[task] for task in tasks], against_first=first == 1)
        for number, each in enumerate(measured)
    )  # fmt: skip
    coded = list(measured)[first:]
    errors = np.array([each.loss.mse for each in coded])
    others = [each[first:] for each in results]
    enough = len(coded) > 2
    return ModeSummary(
        mode=mode,
        arms=arms,
        correlation=spearman(errors, others) if enough else None,
        by_task={
            task: spearman(errors, [mine]) if enough else None for task, mine in zip(tasks, others)
        },
        knees=_knees(measured, arms) if first else {},
        threshold=threshold(
            [float(each) for each in errors],
            [arm.rate.value for arm in arms[1:]],
            arms[0].rate.value,
        )
        if first
        else None,
    )


def _knees(measured: Sequence[Measured], arms: Sequence[Arm]) -> dict[str, str | None]:
    """The smallest codec of each family that is good enough; the first arm is without a codec."""
    found: dict[str, str | None] = {}
    for family in dict.fromkeys(each.family for each in measured[1:]):
        members = [k for k, each in enumerate(measured) if k and each.family == family]
        best = knee(
            [measured[k].codec.bits for k in members],
            [arms[0].rate.value - arms[k].rate.value for k in members],
            [error for k in members if (error := arms[k].error) is not None],
        )
        found[family] = None if best is None else measured[members[best]].name
    return found


def _arm(
    number: int,
    name: str,
    results: Sequence[np.ndarray],
    seeds: Sequence[np.ndarray],
    families: Sequence[str],
    *,
    against_first: bool,
) -> Arm:
    mine = [each[number] for each in results]
    differences = [each[number] - each[0] for each in results]
    return Arm(
        name=name,
        episodes=sum(map(len, mine)),
        successes=int(sum(each.sum() for each in mine)),
        rate=mean_of_rates(
            [int(each.sum()) for each in mine],
            [len(each) for each in mine],
            design=design_effects(mine, seeds, families),
        ),
        change=None
        if number == 0 or not against_first
        else paired_difference(
            differences, design=design_effects(differences, seeds, families, LEAST_SPREAD)
        ),
        error=standard_error(differences) if against_first else None,
    )


def _series(found: Iterable[tuple[str, Point]]) -> tuple[Series, ...]:
    """A series for each family, by its bits."""
    families: dict[str, list[Point]] = {}
    for family, point in found:
        families.setdefault(family, []).append(point)
    return tuple(
        Series(name=family, points=tuple(sorted(mine, key=lambda each: each.at)))
        for family, mine in families.items()
    )


def _arm_row(arm: Arm) -> list[str]:
    rate, change = arm.rate, arm.change
    return [
        arm.name,
        f"{100 * rate.value:.1f}",
        f"{100 * rate.low:.1f} to {100 * rate.high:.1f}",
        f"{arm.successes}/{arm.episodes}",
        "" if change is None else f"{100 * change.value:+.1f}",
        "" if change is None else f"{100 * change.low:+.1f} to {100 * change.high:+.1f}",
    ]


def _said(mode: ModeSummary) -> Iterator[str]:
    found = mode.correlation
    if found is None:
        yield "no rank correlation: too few codecs, or all do equally well"
    else:
        yield (
            f"rank correlation of MSE and success: {found.rho:+.2f} "
            f"({found.low:+.2f} to {found.high:+.2f}, bootstrap over episodes)"
        )
    if mode.threshold is None:
        return
    named = ", ".join(f"{family}: {name or 'none'}" for family, name in mode.knees.items())
    yield f"smallest codec within one standard error of none: {named}"
    holds, fails = mode.threshold.holds, mode.threshold.fails
    if fails is None:
        yield "every codec keeps 95 % of the success"
    else:
        until = "none does" if holds is None else f"up to an MSE of {holds:.2g} all do"
        yield f"95 % of the success is kept: {until}; the first that does not has {fails:.2g}"


def _mode_to_json(mode: ModeSummary) -> dict[str, Any]:
    return {
        "mode": mode.mode,
        "arms": [
            {
                "name": arm.name,
                "episodes": arm.episodes,
                "successes": arm.successes,
                "rate": _interval(arm.rate),
                "change": _interval(arm.change),
            }
            for arm in mode.arms
        ],
        "spearman": _correlation(mode.correlation),
        "spearman_by_task": {task: _correlation(each) for task, each in mode.by_task.items()},
        "knees": dict(mode.knees),
        "keeps_95_percent": None
        if mode.threshold is None
        else {"up_to_mse": mode.threshold.holds, "not_at": mode.threshold.fails},
    }


def _interval(found: Interval | None) -> dict[str, float] | None:
    if found is None:
        return None
    return {"value": found.value, "low": float(found.low), "high": float(found.high)}


def _correlation(found: Correlation | None) -> dict[str, float] | None:
    if found is None:
        return None
    return {"rho": found.rho, "low": found.low, "high": found.high, "draws": found.draws}

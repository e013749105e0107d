"""What came of the trainings: gains, transfer, and the whole matrix.

For a set of demonstrations i, and S the mean over its tasks of success (or normalised score):

    gain      S_all(i) - S_i(i)             what the others' demonstrations add to its own
    transfer  S_all-i(i) - S_floor(i)       what they give without its own
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.compare.pairs import ScoredRun, pair_up
from harness.compare.shared_seeds import designs_of_pairs
from harness.core import UserError
from harness.probes.diversity.arms import Design, Training, Variant
from harness.probes.diversity.published import ALL, DOMAINS, INITIALISED, OWN
from harness.probes.figures import estimate_json, points
from harness.probes.result import Finding, Plot, Section, Series, point_of
from harness.stats import Interval
from harness.stats.training_seeds import (
    detectable_over_seeds,
    seed_bootstrap,
    seed_interval,
)

__all__ = ["Diversity", "Effect", "Runs", "SetRow", "summarise"]


@dataclass(frozen=True, kw_only=True)
class Runs:
    """What was played: an inner tuple has a run for each training seed, in one order."""

    trained: Mapping[tuple[Variant, Training], tuple[ScoredRun, ...]]
    floor: tuple[ScoredRun, ...]


@dataclass(frozen=True, kw_only=True)
class Effect:
    """A difference between two ways to train."""

    interval: Interval
    """Over training seeds: harness.stats.training_seeds.seed_interval."""
    bootstrap: Interval | None
    detectable: float
    """The smallest true difference that these seeds and episodes find in four of five cases."""
    pairs: int


@dataclass(frozen=True, kw_only=True)
class SetRow:
    """What is reached on the tasks of one set of demonstrations."""

    name: str
    variant: Variant
    tasks: int
    floor: tuple[float, ...]
    """S for each training seed, here and below."""
    alone: tuple[float, ...]
    alone_alike: tuple[float, ...]
    whole: tuple[float, ...]
    without: tuple[float, ...]
    gain: Effect
    """At equal updates."""
    gain_alike: Effect
    """At equal examples of this set."""
    transfer: Effect
    beyond_first: Effect | None
    """S_all with this value of the second factor minus S_all with the first value."""


@dataclass(frozen=True, kw_only=True)
class Diversity(Finding):
    """What came of the probe."""

    design: Design
    seeds: int
    floor: str
    """The name of the agent that is the floor."""
    rows: tuple[SetRow, ...]
    matrix: Mapping[tuple[Variant, Training], tuple[float, ...]]
    """S of each set, the mean over training seeds."""
    missing: int
    agent_errors: int

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; rates and differences are shares."""
        return {
            "schema": 1,
            "sets": list(self.design.sets),
            "steps": self.design.steps,
            "seeds": self.seeds,
            "floor": self.floor,
            "rows": [
                {
                    "set": each.name,
                    "variant": str(each.variant),
                    "tasks": each.tasks,
                    "floor": list(each.floor),
                    "own": list(each.alone),
                    "own_equal_examples": list(each.alone_alike),
                    "all": list(each.whole),
                    "all_but": list(each.without),
                    "gain": _json(each.gain),
                    "gain_equal_examples": _json(each.gain_alike),
                    "transfer": _json(each.transfer),
                    "beyond_first": _json(each.beyond_first),
                }
                for each in self.rows
            ],
            "matrix": [
                {
                    "trained_on": list(training.sets),
                    "steps": training.steps,
                    "variant": str(variant),
                    "success": list(means),
                }
                for (variant, training), means in self.matrix.items()
            ],
            "missing": self.missing,
            "agent_errors": self.agent_errors,
        }

    def sections(self) -> list[Section]:
        """Tables, and the published ones beside them."""
        steps, few = self.design.steps, self.design.alone_alike(self.design.sets[0]).steps
        what = (
            f"{len(self.design.sets)} sets, {self.seeds} training seeds, {steps} updates; "
            f"own, equal (examples): {few} updates. Each seed plays episodes of its own."
        )
        found = [
            Section(before=(what,)),
            self._levels("success in %, mean of the training seeds and their standard deviation"),
            self._effects(
                "gain of the others' demonstrations: all - own, in points",
                ("equal updates", "gain"),
                ("equal examples", "gain_alike"),
            ),
            self._effects(
                f"transfer without its own: all but own - {self.floor}, in points", ("", "transfer")
            ),
        ]
        if any(each.beyond_first for each in self.rows):
            title = f"trained on all: against {self.rows[0].variant}, in points"
            found.append(self._effects(title, ("", "beyond_first")))
        found.append(self._matrix("success in %: trained on (rows), played on (columns)"))
        lines = [
            "Intervals: 95 %, t over training seeds, no narrower than that of the episodes alone; "
            "not corrected for their number.",
            "Detectable: the smallest true difference that is found in four of five cases.",
        ]
        if self.missing:
            lines.append(f"{self.missing} planned cases have no score, and are left out.")
        if self.agent_errors:
            lines.append(f"{self.agent_errors} cases ended with an error of the agent: failures.")
        factor = bool(self.rows[0].variant.field)
        return [*found, Section(before=tuple(lines)), _published(factor=factor)]

    def plots(self) -> list[Plot]:
        """Gains and transfer of each set."""
        kinds = (
            ("equal updates", "gain"),
            ("equal examples", "gain_alike"),
            ("transfer", "transfer"),
        )
        return [
            Plot(
                title=f"all - own (equal updates, examples); all but own - {self.floor} (transfer)",
                kind="rows",
                value="points of success",
                labels=tuple(
                    " ".join(filter(None, map(str, self._names(each)))) for each in self.rows
                ),
                series=tuple(
                    Series(
                        name=name,
                        points=tuple(
                            point_of(place, getattr(each, field).interval)
                            for place, each in enumerate(self.rows)
                        ),
                    )
                    for name, field in kinds
                ),
                marks=(0,),
            )
        ]

    def _levels(self, title: str) -> Section:
        columns = ("floor", "alone", "alone_alike", "whole", "without")
        head = [self.floor, "own", "own, equal", "all", "all but own"]
        cells = [
            [*self._names(each), each.tasks, *(_spread(getattr(each, name)) for name in columns)]
            for each in self.rows
        ]
        return Section.table(title, [*self._head(), "tasks", *head], cells)

    def _effects(self, title: str, *columns: tuple[str, str]) -> Section:
        head, cells = [*self._head()], [[*self._names(each)] for each in self.rows]
        for heading, name in columns:
            effects = [getattr(each, name) for each in self.rows]
            head += [heading or "difference", "detectable"]
            drawn = any(each is not None and each.bootstrap for each in effects)
            head += ["bootstrap"] if drawn else []
            for row, effect in zip(cells, effects):
                row.append(points(effect and effect.interval))
                row.append("" if effect is None else f"{100 * effect.detectable:.1f}")
                row += [points(effect and effect.bootstrap)] if drawn else []
        return Section.table(title, head, cells)

    def _matrix(self, title: str) -> Section:
        rows = [
            [" + ".join(training.sets), training.steps, *([str(variant)] if variant.field else []),
             *(f"{100 * each:.1f}" for each in means)]
            for (variant, training), means in self.matrix.items()
        ]  # fmt: skip
        factor = [self.rows[0].variant.field] if self.rows[0].variant.field else []
        return Section.table(title, ["trained on", "updates", *factor, *self.design.sets], rows)

    def _head(self) -> list[str]:
        field = self.rows[0].variant.field
        return ["set", field] if field else ["set"]

    def _names(self, row: SetRow) -> list[str | int]:
        return [row.name, str(row.variant).partition("=")[2]] if row.variant.field else [row.name]


def summarise(
    design: Design,
    variants: Sequence[Variant],
    tasks: Mapping[str, frozenset[str]],
    runs: Runs,
    floor: str,
    missing: int = 0,
    agent_errors: int = 0,
) -> Diversity:
    """Put the runs together. `tasks`: the ids of each set. `floor`: its agent's name.

    Raises UserError where two runs to be compared share no case, or a set has none that was played.
    """
    matrix = {
        (variant, training): tuple(
            statistics.fmean(_means(found, tasks[name], name)) for name in design.sets
        )
        for (variant, training), found in runs.trained.items()
    }
    rows = [
        _row(design, variant, variants[0], name, tasks[name], runs)
        for variant in variants
        for name in design.sets
    ]
    return Diversity(
        design=design,
        seeds=len(runs.floor),
        floor=floor,
        rows=tuple(rows),
        matrix=matrix,
        missing=missing,
        agent_errors=agent_errors,
    )


def _row(
    design: Design, variant: Variant, first: Variant, name: str, inside: frozenset[str], runs: Runs
) -> SetRow:
    """A set with one value of the second factor."""
    whole, without = (runs.trained[variant, each] for each in (design.whole, design.without(name)))
    alone, alike = (
        runs.trained[variant, each] for each in (design.alone(name), design.alone_alike(name))
    )
    beyond = None
    if variant != first:
        beyond = _effect(runs.trained[first, design.whole], whole, inside)
    return SetRow(
        name=name,
        variant=variant,
        tasks=len(inside),
        floor=_means(runs.floor, inside, name),
        alone=_means(alone, inside, name),
        alone_alike=_means(alike, inside, name),
        whole=_means(whole, inside, name),
        without=_means(without, inside, name),
        gain=_effect(alone, whole, inside),
        gain_alike=_effect(alike, whole, inside),
        transfer=_effect(runs.floor, without, inside),
        beyond_first=beyond,
    )


def _effect(base: Sequence[ScoredRun], new: Sequence[ScoredRun], tasks: frozenset[str]) -> Effect:
    """New minus base on these tasks, paired within each training seed."""
    differences, designs, count = [], [], 0
    for one, other in zip(base, new, strict=True):
        pairs = [each for each in pair_up(one, other) if each.task.id in tasks and each.pairs]
        if not pairs:
            raise UserError(f"{one.name} and {other.name} share no case of {', '.join(tasks)}")
        changes = [each.differences() for each in pairs]
        differences.append(changes)
        designs.append(designs_of_pairs(pairs, changes))
        count += sum(map(len, changes))
    interval = seed_interval(differences, designs=designs)
    return Effect(
        interval=interval,
        bootstrap=seed_bootstrap(differences),
        detectable=detectable_over_seeds(interval, len(differences)),
        pairs=count,
    )


def _means(runs: Sequence[ScoredRun], tasks: frozenset[str], name: str) -> tuple[float, ...]:
    """For each run the mean over tasks of success or normalised score.

    An agent's error counts as 0.
    """
    return tuple(_mean(run, tasks, name) for run in runs)


def _mean(run: ScoredRun, tasks: frozenset[str], name: str) -> float:
    means = []
    for number, item in enumerate(run.plan.items):
        if item.task.id in tasks:
            found = [run.values[key] for key in run.scored_cases(number)]
            if found:
                means.append(np.mean([each if math.isfinite(each) else 0.0 for each in found]))
    if not means:
        raise UserError(f"no task of {name} can run here: record other demonstrations")
    return float(np.mean(means))


def _spread(values: Sequence[float]) -> str:
    mean, deviation = statistics.fmean(values), statistics.stdev(values)
    return f"{100 * mean:.1f}±{100 * deviation:.1f}"


def _json(effect: Effect | None) -> dict[str, Any] | None:
    if effect is None:
        return None
    return {
        "difference": estimate_json(effect.interval),
        "bootstrap": estimate_json(effect.bootstrap),
        "detectable": effect.detectable,
        "pairs": effect.pairs,
    }


def _published(*, factor: bool) -> Section:
    """The published figures."""
    rows = [
        [name, f"{own:.1f}", f"{whole:.1f}", f"{whole - own:+.1f}",
         *([f"{each[k]:.1f}" for label, each in INITIALISED.items() if label != "all"]
           if factor else [])]
        for k, (name, own, whole) in enumerate(zip(DOMAINS, OWN, ALL))
    ]  # fmt: skip
    kept = [f"only {label}" for label in INITIALISED if label != "all"] if factor else []
    return Section.table(
        "published (GEA, 0.5 billion parameters, arXiv 2412.08442, table 4), success in %",
        ["domain", "own", "all", "gain", *kept],
        rows,
        after=("only ...: trained on all, with only these weights of the backbone",)
        if kept
        else (),
    )

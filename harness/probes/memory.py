"""`bench probe memory`: what does an agent remember, and for how long?

Tasks come in twins that differ in one thing: whether the cue can still be seen when it is needed.
Their names end in `hidden` and `visible`. An agent plays both with one context after the other; the
difference between the twins, case by case, is what the hidden cue costs it with that context.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.compare.pairs import Pair, ScoredRun, TaskPairs
from harness.compare.shared_seeds import designs_of_pairs
from harness.core import UserError
from harness.probes.figures import estimate_json, percent, points
from harness.probes.result import Finding, Plot, Section, Series, point_of
from harness.records.plan import Plan
from harness.stats import Interval, design_effects, mean_of_rates, paired_difference, paired_p

__all__ = ["MemoryProbe", "TwinRow", "compare_contexts", "twins"]

HIDDEN, VISIBLE = "hidden", "visible"


@dataclass(frozen=True, kw_only=True)
class TwinRow:
    """A pair of twins, or all of them, with one context of the agent."""

    name: str
    """What the two names begin with; `all` for all pairs, each of which weighs the same."""
    context: str
    n: int
    """Seeds that have a score in both twins."""
    hidden: Interval
    """The success rate where the cue is hidden."""
    visible: Interval
    gap: Interval
    """Visible minus hidden, paired by seed."""
    p: float
    """Two-sided, of no gap."""
    beyond: Interval | None
    """The gap minus that of the longest context, over the seeds that have both; None for the
    longest context itself, and where no seed has both."""


@dataclass(frozen=True, kw_only=True)
class MemoryProbe(Finding):
    """What came of the probe."""

    contexts: tuple[TwinRow, ...]
    """All pairs together, in the order of the contexts; the last one is the longest."""
    pairs: tuple[TwinRow, ...]
    """Each pair with each context."""
    missing: int
    """Planned cases without a score."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "schema": 1,
            "contexts": [_row_json(each) for each in self.contexts],
            "pairs": [_row_json(each) for each in self.pairs],
            "missing": self.missing,
        }

    def sections(self) -> list[Section]:
        """Tables and what they come to."""
        head = ["context", "n", "cue hidden", "cue visible", "gap", "beyond longest"]
        rows = [
            [
                each.context, each.n, percent(each.hidden), percent(each.visible),
                percent(each.gap), percent(each.beyond),
            ]
            for each in self.contexts
        ]  # fmt: skip
        found = [Section.table("success by context, in %", head, rows)]
        names = list(dict.fromkeys(each.name for each in self.pairs))
        if len(names) > 1:
            labels = [each.context for each in self.contexts]
            known = {(each.name, each.context): each for each in self.pairs}
            table = []
            for name in names:
                cells = [known.get((name, label)) for label in labels]
                table.append(
                    [name, *("" if c is None else f"{100 * c.hidden.value:.0f}" for c in cells)]
                )
            title = "success by task and context, in %, cue hidden"
            found.append(Section.table(title, ["task", *labels], table))
        return [*found, Section(before=tuple(self._conclusion()))]

    def plots(self) -> list[Plot]:
        """Success over the context, cue hidden and visible."""
        return [
            Plot(
                title="success by context",
                kind="lines",
                at="context in turns",
                value="success in %",
                labels=tuple(each.context for each in self.contexts),
                series=tuple(
                    Series(
                        name=name,
                        points=tuple(
                            point_of(place, getattr(each, field))
                            for place, each in enumerate(self.contexts)
                        ),
                    )
                    for name, field in (("cue visible", "visible"), ("cue hidden", "hidden"))
                ),
                least=0,
                most=100,
            )
        ]

    def _conclusion(self) -> list[str]:
        first, last = self.contexts[0], self.contexts[-1]
        lines = [
            f"The hidden cue costs {points(last.gap)} points of success with the context "
            f"{last.context}."
        ]
        if first.beyond is not None:
            least, most = first.beyond.low, first.beyond.high
            sure = (
                "the longer context is used" if least > 0
                else "the longer context makes it worse" if most < 0
                else "whether the longer context is used is open"
            )  # fmt: skip
            lines.append(
                f"With the context {first.context} it costs {points(first.beyond)} points more: "
                f"{sure}."
            )
        if self.missing:
            lines.append(f"{self.missing} planned cases have no score, and are left out.")
        return lines


def _row_json(row: TwinRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "context": row.context,
        "n": row.n,
        "hidden": estimate_json(row.hidden),
        "visible": estimate_json(row.visible),
        "gap": estimate_json(row.gap),
        "p": row.p,
        "beyond": estimate_json(row.beyond),
    }


def twins(plan: Plan) -> dict[str, tuple[int, int]]:
    """What the names of twins begin with -> their items of the plan, (hidden, visible).

    Raises UserError where there are none, or where twins have no success or other seeds.
    """
    items = {item.task.name: k for k, item in enumerate(plan.items)}
    found: dict[str, tuple[int, int]] = {}
    for name, hidden in items.items():
        stem = name.removesuffix(HIDDEN)
        visible = items.get(stem + VISIBLE)
        if stem == name or visible is None:
            continue
        one, other = (plan.items[k].task for k in (hidden, visible))
        if one.success is None or other.success is None:
            raise UserError(
                f"{one.id} and {other.id} need a success rule: the probe compares rates"
            )
        if one.first_seed != other.first_seed:
            raise UserError(f"{one.id} and {other.id} are no twins: give them the same first_seed")
        found[stem.rstrip("-_/")] = hidden, visible
    if not found:
        raise UserError(
            "no two tasks are twins, with names that end in hidden and visible: play --suite "
            "memory, or a suite of your own that has such pairs"
        )
    return found


def compare_contexts(runs: Mapping[str, ScoredRun]) -> MemoryProbe:
    """Compare the runs of one agent, by context; the last one is the longest.

    Raises UserError where the runs have no twins, or no seed has a score in both.
    """
    every = {label: _pairs(run) for label, run in runs.items()}
    *_, longest = every
    contexts, pairs = [], []
    for label, found in every.items():
        best = None if label == longest else every[longest]
        contexts.append(_row("all", label, list(found), found, best))
        pairs += [_row(name, label, [name], found, best) for name in found]
    return MemoryProbe(
        contexts=tuple(contexts),
        pairs=tuple(pairs),
        missing=sum(run.missing() for run in runs.values()),
    )


def _pairs(run: ScoredRun) -> dict[str, TaskPairs]:
    """Each pair of twins by seed; base is the hidden twin, new the visible one."""
    found = {}
    for stem, (hidden, visible) in twins(run.plan).items():
        one, other = (run.plan.items[k] for k in (hidden, visible))
        pairs = []
        for key in run.scored_cases(hidden):
            _, seed, perturbations = key
            value = run.values.get((other.task.id, seed, perturbations))
            if value is not None and not perturbations:
                pairs.append(Pair(seed, (), run.values[key], value))
        if pairs:
            found[stem] = TaskPairs(one.task, one.suite, pairs, own_streams=one.own_streams)
    if not found:
        raise UserError(
            f"{run.name}: no case has a score in both twins; see `bench report {run.name}`"
        )
    return found


def _row(
    name: str,
    context: str,
    stems: Sequence[str],
    found: Mapping[str, TaskPairs],
    longest: Mapping[str, TaskPairs] | None,
) -> TwinRow:
    tasks = [found[stem] for stem in stems]
    changes = [each.differences() for each in tasks]
    designs = designs_of_pairs(tasks, changes)
    return TwinRow(
        name=name,
        context=context,
        n=sum(len(each.pairs) for each in tasks),
        hidden=_rate(tasks, [[pair.base for pair in each.pairs] for each in tasks]),
        visible=_rate(tasks, [[pair.new for pair in each.pairs] for each in tasks]),
        gap=paired_difference(changes, 0.95, designs),
        p=paired_p(changes, designs),
        beyond=None if longest is None else _beyond(stems, found, longest),
    )


def _rate(tasks: Sequence[TaskPairs], values: Sequence[Sequence[float]]) -> Interval:
    outcomes = [np.array(each) for each in values]
    designs = design_effects(
        outcomes,
        [np.array([pair.seed for pair in each.pairs]) for each in tasks],
        [each.family for each in tasks],
    )
    counts = [len(each) for each in outcomes]
    return mean_of_rates([int(each.sum()) for each in outcomes], counts, design=designs)


def _beyond(
    stems: Sequence[str], found: Mapping[str, TaskPairs], longest: Mapping[str, TaskPairs]
) -> Interval | None:
    """How much larger the gap is than with the longest context, paired by seed."""
    tasks, changes = [], []
    for stem in stems:
        if stem not in longest:
            continue
        theirs = {pair.seed: pair for pair in longest[stem].pairs}
        both = [pair for pair in found[stem].pairs if pair.seed in theirs]
        if not both:
            continue
        # A difference of two differences lies in [-2, 2]: halved, it is what the interval takes.
        halves = [
            ((pair.new - pair.base) - (theirs[pair.seed].new - theirs[pair.seed].base)) / 2
            for pair in both
        ]
        changes.append(np.array(halves))
        tasks.append(dataclasses.replace(found[stem], pairs=both))
    if not tasks:
        return None
    half = paired_difference(changes, 0.95, designs_of_pairs(tasks, changes))
    return Interval(2 * half.value, 2 * half.low, 2 * half.high)

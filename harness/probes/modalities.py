"""`bench probe modalities`: what does an agent lose without a view, or without its instruction?

The agent plays the same cases as it is, and with one modality after the other withheld. The
difference, case by case, is what the modality is worth to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.compare.pairs import ScoredRun, TaskPairs, pair_notes, pair_up
from harness.compare.shared_seeds import designs_of_pairs
from harness.core import UserError
from harness.probes.figures import estimate_json, percent, points
from harness.probes.modality_use import altered_plays, is_told, is_view, judged_use, use_sentence
from harness.probes.result import Finding, Plot, Section, Series, point_of
from harness.records.plan import Plan
from harness.stats import (
    Interval,
    design_effects,
    exact_mean_of_rates,
    mean_of_rates,
    paired_difference,
    paired_p,
)

__all__ = ["ModalityProbe", "ModalityRow", "check_plan", "compare_modalities"]


@dataclass(frozen=True, kw_only=True)
class ModalityRow:
    """One modality, in one task or in all of them."""

    modality: str
    """What is withheld."""
    task: str
    """`all` for all tasks, each of which weighs the same."""
    n: int
    """Cases that have a score with and without it."""
    whole: Interval
    """The success rate of the agent as it is."""
    without: Interval
    lost: Interval
    """The first minus the second, paired by case."""
    p: float
    """Two-sided, of no difference."""
    altered: int | None
    """Of the n plays, those in which any action differs; None: not known."""
    use: str
    """See harness.probes.modality_use.judged_use."""

    def sentence(self) -> str:
        """Whether it uses this."""
        return use_sentence(self.modality, self.use, self.n, self.altered, self.lost)


@dataclass(frozen=True, kw_only=True)
class ModalityProbe(Finding):
    """What came of the probe."""

    modalities: tuple[ModalityRow, ...]
    """All tasks together."""
    tasks: tuple[ModalityRow, ...]
    """Each task with each modality."""
    missing: int
    """Planned cases without a score."""
    notes: tuple[str, ...]

    def unused_views(self) -> list[str]:
        """A sentence for each view that the agent asks for and does not use."""
        return [
            each.sentence() for each in self.modalities
            if each.use == "ignores" and is_view(each.modality)
        ]  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "schema": 1,
            "modalities": [_row_json(each) for each in self.modalities],
            "tasks": [_row_json(each) for each in self.tasks],
            "missing": self.missing,
            "notes": list(self.notes),
        }

    def sections(self) -> list[Section]:
        """Tables, and what they leave out."""
        head = ["withheld", "n", "as it is", "without", "lost", "p"]
        rows = [
            [
                each.modality, each.n, percent(each.whole), percent(each.without),
                points(each.lost), f"{each.p:.2g}",
            ]
            for each in self.modalities
        ]  # fmt: skip
        told = [
            Section.table(
                "success in %, and what is lost, in points", head, rows,
                after=tuple(each.sentence() for each in self.modalities if is_told(each.modality)),
            )
        ]  # fmt: skip
        names = list(dict.fromkeys(each.task for each in self.tasks))
        if len(names) > 1:
            found = {(each.task, each.modality): each for each in self.tasks}
            withheld = [each.modality for each in self.modalities]
            table = [
                [name, *(points(row.lost) if (row := found.get((name, each))) else ""
                         for each in withheld)]
                for name in names
            ]  # fmt: skip
            told.append(Section.table("points lost by task", ["without", *withheld], table))
        lines = list(self.notes)
        if self.missing:
            lines.insert(0, f"{self.missing} planned cases have no score, and are left out.")
        return [*told, *([Section(before=tuple(lines))] if lines else [])]

    def plots(self) -> list[Plot]:
        """What is lost without each modality."""
        lost = [point_of(place, each.lost) for place, each in enumerate(self.modalities)]
        return [
            Plot(
                title="what is lost without a modality",
                kind="rows",
                value="points of success that are lost",
                labels=tuple(each.modality for each in self.modalities),
                series=(Series(name="lost", points=tuple(lost)),),
                marks=(0,),
            )
        ]


def _row_json(row: ModalityRow) -> dict[str, Any]:
    return {
        "modality": row.modality,
        "task": row.task,
        "n": row.n,
        "whole": estimate_json(row.whole),
        "without": estimate_json(row.without),
        "lost": estimate_json(row.lost),
        "p": row.p,
        "altered": row.altered,
        "use": row.use,
    }


def check_plan(plan: Plan) -> None:
    """Raises UserError where a task has no success rule."""
    for item in plan.items:
        if item.task.success is None:
            raise UserError(
                f"{item.task.id} has a score and no success, and the probe compares rates: leave "
                "it out with --tasks"
            )


def compare_modalities(whole: ScoredRun, without: Mapping[str, ScoredRun]) -> ModalityProbe:
    """Compare the run of an agent as it is with those without a modality, by its name.

    Raises UserError where two runs have no case in common that started alike.
    """
    modalities, tasks, notes = [], [], dict[str, None]()
    for name, run in without.items():
        pairs = pair_up(run, whole)
        notes |= dict.fromkeys(pair_notes(pairs))
        kept = [each for each in pairs if each.pairs]
        modalities.append(_row(name, "all", kept, whole, run, len(without)))
        rows = len(without) * len(kept)
        tasks += [_row(name, each.task.name, [each], whole, run, rows) for each in kept]
    return ModalityProbe(
        modalities=tuple(modalities),
        tasks=tuple(tasks),
        missing=sum(run.missing() for run in (whole, *without.values())),
        notes=tuple(notes),
    )


def _row(
    modality: str,
    task: str,
    pairs: Sequence[TaskPairs],
    whole: ScoredRun,
    without: ScoredRun,
    rows: int,
) -> ModalityRow:
    """`rows`: for how many the verdict is corrected."""
    changes = [each.differences() for each in pairs]
    designs = designs_of_pairs(pairs, changes)
    lost = _loss(changes, designs)
    keys = [(each.task.id, pair.seed, pair.perturbations) for each in pairs for pair in each.pairs]
    altered = altered_plays(whole, without, keys)
    corrected = _loss(changes, designs, 1 - 0.05 / rows)
    return ModalityRow(
        modality=modality,
        task=task,
        n=len(keys),
        whole=_rate(pairs, [[pair.new for pair in each.pairs] for each in pairs]),
        without=_rate(pairs, [[pair.base for pair in each.pairs] for each in pairs]),
        lost=lost,
        p=paired_p(changes, designs),
        altered=altered,
        use=judged_use(len(keys), altered, lost, corrected),
    )


def _loss(changes: Sequence[np.ndarray], designs: np.ndarray, level: float = 0.95) -> Interval:
    """The mean over tasks of what is lost, by differences of successes: paired_difference.

    Where nothing is won, the loss is the share of plays that are lost, and its interval reaches as
    far up as that of exact_mean_of_rates; likewise down. Score intervals end too soon where nearly
    all is lost: of a true loss of 99 % that of 14 plays holds it in 87 %.
    """
    found = paired_difference(changes, level, designs)
    plays = [len(each) for each in changes]

    def most(sign: int) -> float:
        counts = [int((sign * each > 0).sum()) for each in changes]
        return exact_mean_of_rates(counts, plays, level, designs).high

    low, high = found.low, found.high
    if not any((each < 0).any() for each in changes):
        high = max(high, most(1))
    if not any((each > 0).any() for each in changes):
        low = min(low, -most(-1))
    return Interval(found.value, low, high)


def _rate(tasks: Sequence[TaskPairs], values: Sequence[Sequence[float]]) -> Interval:
    outcomes = [np.array(each) for each in values]
    seeds = [np.array([pair.seed for pair in each.pairs]) for each in tasks]
    designs = design_effects(outcomes, seeds, [each.family for each in tasks])
    counts = [len(each) for each in outcomes]
    return mean_of_rates([int(each.sum()) for each in outcomes], counts, design=designs)

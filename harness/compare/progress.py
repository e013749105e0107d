"""The gate's outcome `progress`: how far episodes came decides, beside whether they succeeded.

The progress of an episode is the share of its task's ordered stages that it reached, 1 for a
success. Two agents that both fail nearly always differ in it long before they differ in success.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.compare.case_tables import Key, Pair
from harness.compare.comparison import Comparison
from harness.compare.pairs import TaskPairs
from harness.compare.verdict import compare_pairs
from harness.core.grammar import counted

__all__ = ["RunProgress", "compare_progress", "progress_notes"]

REGRESS_SHARE = 0.5
"""Of alpha: at which level a regress is found in progress alone. A regress of the success test
counts too, at the whole alpha."""


@dataclass(frozen=True, kw_only=True)
class RunProgress:
    """How far the episodes of one run came."""

    values: Mapping[Key, float]
    """Case -> the share of its stages that was reached, of the tasks that have stages."""
    tasks: frozenset[str]
    """The tasks that have stages; all others are compared by what they are compared by anyway."""
    unknown: Mapping[str, int] = field(default_factory=dict)
    """Why that of an episode is not known -> how many."""


def compare_progress(
    tasks: Sequence[TaskPairs], base: RunProgress, new: RunProgress, margin: float, alpha: float
) -> Comparison:
    """The comparison of a fixed number of pairs by progress.

    regress: the test of success regresses, or that of progress does at REGRESS_SHARE of alpha.
    pass: else, where the interval of the mean difference of progress lies above -margin and no
        task is significantly worse.
    none: a case lacks a score, or its progress is not known. inconclusive: everything else.

    Raises UserError for limits out of range.
    """
    success = compare_pairs(tasks, margin, alpha)
    measured = [_measured(each, base, new) for each in tasks]
    found = compare_pairs(measured, margin, alpha)
    strict = compare_pairs(measured, margin, REGRESS_SHARE * alpha)
    if success.verdict in ("regress", "none"):
        verdict, why = success.verdict, success.why
        if verdict == "regress":
            why = f"by success, {why}"
    elif found.verdict == "none":
        verdict = "none"
        why = (
            f"the progress of {counted(found.missing, 'case')} is not known: {_reasons(base, new)}"
        )
    elif found.verdict == "pass":
        verdict, why = "pass", f"by progress, {found.why}"
    elif strict.verdict == "regress":
        verdict, why = "regress", f"by progress, {strict.why}"
    else:
        verdict, why = "inconclusive", _undecided(found)
    return dataclasses.replace(
        found,
        verdict=verdict,
        why=why,
        flips=success.flips,
        more=found.more if verdict == "inconclusive" else None,
        outcome="progress",
        success=success.overall,
        success_verdict=success.verdict,
    )


def _undecided(found: Comparison) -> str:
    """Why neither a pass nor a regress by progress."""
    assert found.overall is not None
    change = found.overall.difference
    why = (
        f"by progress, the mean difference may lie anywhere from {100 * change.low:+.1f} to "
        f"{100 * change.high:+.1f} points"
    )
    if found.verdict == "regress":
        level = REGRESS_SHARE * found.alpha
        why += f"; that is a loss at alpha {found.alpha:g}, and a regress takes {level:g}"
    return why


def _measured(each: TaskPairs, base: RunProgress, new: RunProgress) -> TaskPairs:
    """The pairs of a task with the progress of either side in place of its success."""
    if each.task.id not in base.tasks & new.tasks:
        return each
    pairs, missing = [], each.missing
    for pair in each.pairs:
        key = each.task.id, pair.seed, pair.perturbations
        if key in base.values and key in new.values:
            pairs.append(Pair(pair.seed, pair.perturbations, base.values[key], new.values[key]))
        else:
            missing += 1
    return dataclasses.replace(each, pairs=pairs, missing=missing, outcome="progress")


def _reasons(base: RunProgress, new: RunProgress) -> str:
    told = {**base.unknown, **new.unknown}
    return "; ".join(list(told)[:2]) or "`bench report RUN --stages` says why"


def progress_notes(tasks: Sequence[TaskPairs], base: RunProgress, new: RunProgress) -> list[str]:
    """What is compared, as sentences."""
    seen = [each.task.id for each in tasks if each.pairs]
    without = [task for task in seen if task not in base.tasks & new.tasks]
    lines = [
        "outcome progress, as declared before the run: a case counts by the share of its stages "
        "that it reached, 100 for a success"
    ]
    if without:
        names = ", ".join(without[:3]) + (", ..." if len(without) > 3 else "")
        lines.append(
            f"{len(without)} of {counted(len(seen), 'task')} without stages: they count by success "
            f"or score, {names}"
        )
    return lines

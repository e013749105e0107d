"""Success from the starts that a benchmark prescribes, and from starts that were drawn anew.

What was trained on a short list of starts may know them by heart. Tasks with resampled starts
(harness.core.resampled) show that without a list of training data. Their episodes are other ones,
so the two are compared as seen and unseen episodes are: within tasks, and not in pairs.
"""

from __future__ import annotations

from harness.core.resampled import is_resampled, same_but_for_starts
from harness.probes.seen import SeenEpisode
from harness.records.stored_run import StoredRun
from leaderboards.seen_gap import Gap, Others, gap_of

__all__ = ["PRESCRIBED", "resampled_gap"]

PRESCRIBED = "prescribed starts"
"""The axis of this gap; prescribed starts count as those that may have been seen."""


def resampled_gap(run: StoredRun, others: Others, axes: int, *, bounded: bool) -> Gap | None:
    """The gap between prescribed and resampled starts, one of `axes` that are looked at.

    None where the run has no task with both kinds.
    """
    by_item: dict[int, list[SeenEpisode]] = {}
    for index, result in run.cases():
        if not index.condition and result.status != "error":
            seen = {PRESCRIBED: not is_resampled(run.plan.items[index.item].task)}
            by_item.setdefault(index.item, []).append(
                SeenEpisode(index=index, result=result, seen=seen, about=True)
            )
    items = run.plan.items
    twins = [
        (one, other)
        for one in by_item
        if not is_resampled(items[one].task)
        for other in by_item
        if same_but_for_starts(items[one].task, items[other].task)
    ]
    pairs = [[*by_item[one], *by_item[other]] for one, other in twins]
    return gap_of(run, pairs, PRESCRIBED, others, axes, bounded=bounded)

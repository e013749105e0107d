"""By which protocol a task counts on the board: results of different protocols are never compared.

A protocol is a task's content and the versions of its simulator's packages. The content must be
that of today's suite. The versions are those by which most accepted entries played the task: not
those that happen to be installed where the board is built, so that equal entries give equal pages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from harness.compare.protocols import protocol_differences
from harness.core.text import printable, shorten
from harness.records.plan import PlanItem
from leaderboards.board.entries import BoardEntry, Part
from leaderboards.submissions.verdict import ACCEPTED

__all__ = ["counting_protocols", "why_foreign"]


def counting_protocols(entries: Iterable[BoardEntry]) -> dict[str, PlanItem]:
    """By task id an item that is played by the protocol that counts.

    Of protocols that equally many played, the one of the newest entry counts.
    """
    known: dict[str, dict[str, PlanItem]] = {}
    votes: dict[str, Counter[str]] = {}
    newest: dict[tuple[str, str], str] = {}
    every = list(entries)
    accepted = [entry for entry in every if entry.state == ACCEPTED]
    for entry in (*accepted, *(each for each in every if each.state != ACCEPTED)):
        for part in entry.parts:
            for task, outcomes in part.outcomes.items() if not part.foreign else ():
                item = outcomes.item
                known.setdefault(task, {}).setdefault(item.protocol, item)
                if entry.state == ACCEPTED:
                    votes.setdefault(task, Counter())[item.protocol] += 1
                key = task, item.protocol
                newest[key] = max(newest.get(key, ""), entry.created)
    found = {}
    for task, items in known.items():
        counts = votes.get(task, Counter())
        best = max(items, key=lambda each: (counts[each], newest[task, each], each))
        found[task] = items[best]
    return found


def why_foreign(part: Part, counting: Mapping[str, PlanItem]) -> Sequence[str]:
    """Why the tasks of a part are not those that count on the board; empty: they are."""
    return part.foreign or tuple(_differences(part, counting))


def _differences(part: Part, counting: Mapping[str, PlanItem]) -> Iterator[str]:
    for task, outcomes in part.outcomes.items():
        ours = counting[task]
        if outcomes.item.protocol != ours.protocol:
            fields = "; ".join(protocol_differences(outcomes.item, ours))
            yield f"{printable(shorten(task, 100))}: {printable(shorten(fields, 300))}"

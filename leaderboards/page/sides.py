"""What a page says of the runs that it compares, beside their figures."""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare.pairs import ScoredRun, TaskPairs
from harness.core.grammar import counted
from harness.core.text import printable, shorten
from leaderboards.page.provenance import provenance
from leaderboards.tables import Column, Table

__all__ = [
    "badges_of_runs", "facts_of_runs", "fetched_words", "left_out_badge", "left_out_table",
    "protocol_table",
]  # fmt: skip

LONGEST = 2000


def badges_of_runs(runs: Sequence[ScoredRun]) -> list[tuple[str, str]]:
    """(kind, text): what one must know of a run before reading any figure."""
    badges = []
    for run in runs:
        if run.run["agent"].get("privileged") or run.privileged:
            badges.append(("warning", f"{run.name}: privileged"))
        if run.plan.clock is not None:
            badges.append(("note", f"{run.name}: time does not wait"))
        if not run.run.get("finished"):
            badges.append(("note", f"{run.name}: not finished"))
    return [(kind, printable(shorten(text, 200))) for kind, text in badges]


def facts_of_runs(runs: Sequence[ScoredRun]) -> list[tuple[str, list[str]]]:
    """(what, a text for each run); what no run tells is left out."""
    told = [dict(_facts(run)) for run in runs]
    names = dict.fromkeys(name for each in told for name in each)
    return [(name, [each.get(name, "") for each in told]) for name in names]


def _facts(run: ScoredRun) -> list[tuple[str, str]]:
    views = sorted({view for found in run.privileged.values() for view in found})
    more = [
        (
            "privileged views",
            f"{', '.join(views)}, in {counted(len(run.privileged), 'task')}" if views else "",
        ),
        ("drawn by", "; ".join(sorted(set(filter(None, run.renderers.values()))))),
        ("cases with a score", f"{len(run.values)} of {run.plan.total}"),
    ]
    return [
        *provenance(run.run, run.plan, run.name),
        *((name, printable(shorten(text, LONGEST))) for name, text in more if text),
    ]


def fetched_words(runs: Sequence[ScoredRun]) -> str:
    """A sentence with a space before it, where the files of a run are no run directory here."""
    names = ", ".join(run.name for run in runs if run.fetched)
    text = f" Without videos, actions and commands, as it was fetched: {names}." if names else ""
    return printable(shorten(text, LONGEST))


def left_out_badge(tasks: Sequence[TaskPairs]) -> list[tuple[str, str]]:
    """(kind, text), where cases of both plans make no pair."""
    count = sum(each.missing + each.unlike + each.apart for each in tasks)
    return [("warning", f"{counted(count, 'case')} left out")] if count else []


def left_out_table(tasks: Sequence[TaskPairs]) -> list[Table]:
    """The pairs that were left out and why, by task; none where none was."""
    rows = [each for each in tasks if _left_out(each)]
    if not rows:
        return []
    columns = [
        Column("task", tuple(each.task.id for each in rows), "name"),
        Column("pairs", tuple(str(len(each.pairs)) for each in rows)),
    ]
    for head, name in _REASONS:
        counts = [getattr(each, name) for each in rows]
        columns.append(Column(head, tuple(str(count or "") for count in counts)))
    lead = (
        "Cases of both plans that make no pair. Last: pairs of which a run does not tell how they "
        "started, or what drew."
    )
    return [Table("pairs that were left out", tuple(columns), lead)]


_REASONS = (
    ("without a score", "missing"),
    ("started differently", "unlike"),
    ("drawn differently", "apart"),
    ("start unknown", "unknown"),
    ("renderer unknown", "renderer_unknown"),
)


def _left_out(each: TaskPairs) -> int:
    return sum(getattr(each, name) for _, name in _REASONS)


def protocol_table(runs: Sequence[ScoredRun]) -> Table:
    """The protocol of each task that all runs planned; it is the same in all of them."""
    shared = set.intersection(*({item.task.id for item in run.plan.items} for run in runs))
    items = [item for item in runs[0].plan.items if item.task.id in shared]
    return Table(
        "protocols",
        (
            Column("task", tuple(item.task.id for item in items), "name"),
            Column("suite", tuple(item.suite for item in items), "name"),
            Column("protocol", tuple(item.protocol for item in items), "name"),
            Column("horizon", tuple(str(item.task.max_steps or "") for item in items)),
            Column("rule", tuple(item.task.rule for item in items), "prose"),
        ),
        "The same in all of these runs: results of different protocols are not compared.",
    )

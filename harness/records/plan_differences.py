"""How a plan differs from an older one, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from harness.core.grammar import counted
from harness.records.plan import Plan, label

__all__ = ["differences"]


def differences(plan: Plan, older: Plan) -> Iterator[str]:
    """Sentences that say how a plan differs from an older one."""
    if plan.seed != older.seed:
        yield f"seed {plan.seed} instead of {older.seed}"
    mine, theirs = ({item.task.id: item for item in each.items} for each in (plan, older))
    for change, names in (
        ("added", mine.keys() - theirs.keys()),
        ("dropped", theirs.keys() - mine.keys()),
    ):
        if names:
            some = ", ".join(sorted(names)[:3]) + (", ..." if len(names) > 3 else "")
            yield f"{counted(len(names), 'task')} {change} ({some})"
    shared = [(mine[name], theirs[name]) for name in mine if name in theirs]
    episodes = {(new.episodes, old.episodes) for new, old in shared if new.episodes != old.episodes}
    for new_count, old_count in sorted(episodes):
        yield f"{counted(new_count, 'episode')} a task instead of {old_count}"
    for new, old in shared:
        if new.protocol != old.protocol:
            packages = {
                name: (version, old.packages.get(name))
                for name, version in new.packages.items()
                if old.packages.get(name) != version
            }
            what = (
                ", ".join(f"{name} {a} instead of {b}" for name, (a, b) in packages.items())
                or "another rule, horizon or parameter"
            )
            yield f"another protocol for {new.task.id}: {what}"
            break
    if plan.conditions != older.conditions:
        yield f"other perturbations{_other_labels(plan, older)}"
    if plan.backend != older.backend:
        own = "the ordinary simulator"
        yield f"backend: {plan.backend or own} instead of {older.backend or own}"
    if plan.repeat != older.repeat:
        yield f"repeat {plan.repeat} of the cases instead of {older.repeat}"
    if plan.clock != older.clock:
        waits = "simulated time that waits for the agent"
        yield f"control clock: {plan.clock or waits} instead of {older.clock or waits}"


def _other_labels(plan: Plan, older: Plan) -> str:
    """What only one of two plans has, after a colon; empty where their names are the same."""
    now, then = (dict.fromkeys(map(label, each.perturbations)) for each in (plan, older))
    new, old = [one for one in now if one not in then], [one for one in then if one not in now]
    if not new and not old:
        return ""
    return f": {', '.join(new[:3]) or 'none'} instead of {', '.join(old[:3]) or 'none'}"

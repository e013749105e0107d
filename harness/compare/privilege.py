"""What a comparison says where one agent saw more than its body senses, and the other did not."""

from __future__ import annotations

from collections.abc import Iterator

from harness.compare.pairs import ScoredRun
from harness.records.privilege import FIRST_SCHEMA

__all__ = ["privilege_notes"]


def privilege_notes(base: ScoredRun, new: ScoredRun) -> Iterator[str]:
    """A sentence for each run that is privileged in tasks of both in which the other is not.

    None where one of them is of schema 1, which does not tell.
    """
    if min(base.run["schema"], new.run["schema"]) < FIRST_SCHEMA:
        return
    domains = {item.task.id: item.task.domain for item in base.plan.items}
    shared = [item.task.id for item in new.plan.items if item.task.id in domains]
    for side, other in ((base, new), (new, base)):
        if _sees_the_expert(other):
            continue
        read: dict[str, set[str]] = {}
        for task in shared:
            views = side.privileged.get(task, ())
            if views and task not in other.privileged:
                read.setdefault(domains[task], set()).update(views)
        told = [f"{', '.join(sorted(views))} in {domain}" for domain, views in read.items()]
        if _sees_the_expert(side):
            yield f"{side.name} was shown the expert's action, {other.name} was not"
        elif told:
            yield (
                f"{side.name} read privileged views ({'; '.join(told)}), {other.name} did not: "
                "they did not see the same"
            )


def _sees_the_expert(side: ScoredRun) -> bool:
    return bool(side.run["agent"].get("privileged"))

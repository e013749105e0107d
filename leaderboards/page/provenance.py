"""Where the figures of a page come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.core.text import printable, shorten
from harness.records.plan import Plan
from leaderboards.report import package_versions

__all__ = ["provenance"]

LONGEST = 2000


def provenance(run: Mapping[str, Any], plan: Plan, name: str) -> list[tuple[str, str]]:
    """(what, text) from run.json; what is not told is left out. `name`: what the run is called."""
    agent, machine = run["agent"], run.get("machine") or {}
    facts = [
        ("run", name),
        ("command", str(run.get("command", ""))),
        ("agent", f"{agent['name']} ({agent['entry']}), fingerprint {agent['fingerprint']}"),
        ("reads", ", ".join(agent["reads"]) or "nothing"),
        ("privileged", "it was shown the expert's action" if agent.get("privileged") else ""),
        ("plan", f"{run['plan']['hash']}, seed {plan.seed}"),
        ("control clock", "" if plan.clock is None else str(plan.clock)),
        ("begun, finished", f"{run['created']}, {run['finished'] or 'not finished'}"),
        ("bench", f"{run['bench']}, commit {run.get('commit') or 'unknown'}"),
        ("versions", ", ".join(f"{each} {at}" for each, at in package_versions(plan).items())),
        ("machine", ", ".join(f"{each} {what}" for each, what in machine.items())),
    ]
    return [(what, printable(shorten(text, LONGEST))) for what, text in facts if text]

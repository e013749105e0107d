"""Runs that another program played, and that `bench import` made a run directory of.

Their figures can be shown. They have no actions, no starts and no protocol of ours, so nothing
about them can be checked, and no case of theirs is known to be a case of another run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.core import UserError
from harness.records.stored_run import StoredRun

__all__ = ["imported_as", "imported_line", "refuse_imported"]

NOTHING_RECORDED = "it has no recorded actions, so there is nothing to replay"


def imported_as(description: Mapping[str, Any]) -> str | None:
    """The format that a run was imported from, by its run.json; None of a run of bench's own."""
    imported = description.get("imported")
    if imported is None:
        return None
    return str(imported.get("format")) if isinstance(imported, Mapping) else "unknown"


def imported_line(description: Mapping[str, Any]) -> str | None:
    """What a report says of such a run; None of a run of bench's own."""
    found = imported_as(description)
    if found is None:
        return None
    return f"imported from {found}: played by another program, unverified, without evidence"


def refuse_imported(run: StoredRun, why: str = NOTHING_RECORDED) -> None:
    """Raises UserError if the run was imported. `why` it cannot be used here ends the sentence."""
    found = imported_as(run.description)
    if found is not None:
        raise UserError(f"{run.path} was imported from {found}, unverified: {why}")

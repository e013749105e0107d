"""What came of a run that a child process played, counted on disk by its parent."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.cli.supervisor import ChildEnded, RunLost, Work, supervised
from harness.core import UserError
from harness.play.summary import RunSummary, count_run

__all__ = ["played"]


def played(work: Work) -> RunSummary:
    """The summary of a run that `work` plays in a child process.

    `work` returns a RunSummary as JSON values, and notes the run directory as `path` when it is
    open. Raises UserError and KeyboardInterrupt as the work does, and RunLost if the run directory
    is gone.
    """
    try:
        return _counted(supervised(work))
    except ChildEnded as ended:
        return _counted_after(ended)


def _counted(told: Mapping[str, Any]) -> RunSummary:
    """The summary that the playing process told, with the numbers that are on disk."""
    summary = RunSummary.from_json(told)
    if summary.stopped and not (summary.path / "run.json").exists():
        raise RunLost(summary.stopped)
    found = count_run(summary.path, summary.ends)
    return dataclasses.replace(found, stopped=summary.stopped)


def _counted_after(ended: ChildEnded) -> RunSummary:
    """The summary of a run whose process ended before it could tell one."""
    if "path" not in ended.noted:
        remedy = (
            "remove that call from its module or constructor"
            if ended.how.startswith(("exit", "sys"))
            else "it crashed, was killed from outside, or was out of memory"
        )
        raise UserError(
            f"the process ended while the agent or the suite was loaded ({ended.how}): {remedy}"
        ) from None
    return dataclasses.replace(
        count_run(Path(ended.noted["path"])),
        stopped=f"an agent or a simulator ended the process in which it plays ({ended.how}); with "
        "--workers 1 it ends its worker only",
    )

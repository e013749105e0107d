"""`bench gate --outcome progress`: the stages of both runs, replayed where the gate plays."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.output import say

if TYPE_CHECKING:
    from harness.compare.pairs import ScoredRun
    from harness.compare.progress import RunProgress
    from harness.records.plan import Plan

__all__ = ["find_progress", "find_progress_of_base", "known_progress"]


def find_progress_of_base(base: ScoredRun, plan: Plan) -> None:
    """Replay what is not known of the base's failures, before anything is played.

    plan: the part of the base that the gate plays. Raises UserError where it has no stages, or a
    fetched base has not all of them.
    """
    from harness.core import UserError
    from harness.probes.progress import progress_of, refuse_without_progress

    refuse_without_progress(plan)

    def begin(count: int) -> None:
        if base.fetched:
            raise UserError(
                f"--outcome progress: the base {base.name} comes without the stages of {count} of "
                "its failures, and without its recorded actions. Run `bench report RUN --stages` "
                "on the run directory before it is archived, or name that directory"
            )
        _say(base.path, count)

    progress_of(base.counting(plan), begin)


def find_progress(path: Path) -> None:
    """Replay the failures of the run that the gate has played."""
    from harness.compare.pairs import read_scored_run
    from harness.probes.progress import progress_of

    progress_of(read_scored_run(path), lambda count: _say(path, count))


def known_progress(run: ScoredRun) -> RunProgress:
    """What was found, without playing anything."""
    from harness.probes.progress import progress_of

    return progress_of(run, replay=False)


def _say(path: Path, count: int) -> None:
    from harness.core.grammar import counted

    say(f"{path}: replaying {counted(count, 'failed episode')}")

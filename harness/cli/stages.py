"""`bench report --stages`, `bench compare --stages`: how far episodes come, how they fail."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.output import DONE, say, terminal_width

if TYPE_CHECKING:
    from harness.records.stored_run import StoredRun
    from harness.verify.stages import StagedEpisode

__all__ = ["compare_stages", "report_stages"]


def report_stages(run: Path, format: str, *, trust: bool, full: bool) -> int:
    """Print the funnel of stages and the failure modes of a run.

    What is not known yet is replayed in a child process. Raises UserError.
    """
    from harness.cli.locations import is_fetched
    from harness.cli.supervisor import relay
    from harness.core import UserError
    from harness.host.interpreters import configured
    from harness.records.stored_run import load_run

    if is_fetched(run):
        raise UserError(
            "the recorded actions of a URL are not fetched: copy the run, and name that"
        )
    stored, width = load_run(run), terminal_width()
    _check(stored, trust=trust)

    def work() -> tuple[str, str, int]:
        from leaderboards.stage_tables import render_stages
        from leaderboards.stages import stage_report

        found = stage_report(stored, _staged(stored))
        if format == "html":
            from leaderboards.page.stages_page import stages_page

            return stages_page(found), "", DONE
        return render_stages(found, format, full=full, width=width), "", DONE

    with configured(()):
        return relay(work, page=format == "html")


def compare_stages(
    base: str, new: str, alpha: float, format: str, *, trust: bool, full: bool
) -> int:
    """Print which stages and modes changed between two runs. Raises UserError."""
    from harness.cli.supervisor import relay
    from harness.compare.saved_runs import open_run
    from harness.core import UserError
    from harness.host.interpreters import configured
    from leaderboards.compare import refuse_same_run

    width = terminal_width()
    with configured(()), open_run(base) as first, open_run(new) as second:
        refuse_same_run(first, second)
        for side in (first, second):
            if side.fetched:
                raise UserError(
                    f"{side.name} was fetched without its recorded actions: name the run directory"
                )
            _check(side.stored, trust=trust)

        def work() -> tuple[str, str, int]:
            from harness.probes.stage_changes import compare_stages as compared
            from leaderboards.stage_compare import render_changes

            staged = _staged(first.stored), _staged(second.stored)
            found = compared(first, second, staged, alpha)
            if format == "html":
                from leaderboards.page.stage_changes_page import stage_changes_page

                return stage_changes_page(found), "", DONE
            return render_changes(found, format, full=full, width=width), "", DONE

        return relay(work, page=format == "html")


def _check(stored: StoredRun, *, trust: bool) -> None:
    """Raises UserError where the run has no recorded actions, or its tasks may not be imported."""
    from harness.cli import names
    from harness.records.imported import refuse_imported

    refuse_imported(stored)
    names.trust(trust).check([item.task for item in stored.whole.items], stored.whole)


def _staged(stored: StoredRun) -> list[StagedEpisode]:
    from harness.core.grammar import counted
    from harness.verify.stages import stages_of_run

    return stages_of_run(
        stored, lambda count: say(f"{stored.path}: replaying {counted(count, 'failed episode')}")
    )

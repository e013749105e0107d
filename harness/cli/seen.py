"""`bench report --seen`: what was new to the agent, and how it does on what was not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.output import DONE, say, terminal_width

if TYPE_CHECKING:
    from harness.records.stored_run import StoredRun
    from harness.records.training_data import TrainingData

__all__ = ["report_seen"]


def report_seen(
    run: Path,
    format: str,
    training_data: Path | None,
    controls: Sequence[Path],
    *,
    trust: bool,
    full: bool,
) -> int:
    """Print along which axes a run was new to its agent, and success on seen and on unseen.

    What an episode is about and is not known yet is found by a reset in a child process. Raises
    UserError.
    """
    from harness.cli import names
    from harness.cli.locations import is_fetched
    from harness.cli.supervisor import relay
    from harness.core import UserError
    from harness.host.interpreters import configured
    from harness.records.imported import refuse_imported
    from harness.records.stored_run import load_run

    stored, width = load_run(run), terminal_width()
    refuse_imported(stored)
    others = [load_run(each) for each in controls]
    data = _data(stored, training_data)
    if data is not None and is_fetched(run):
        raise UserError("what its episodes are about is kept beside a run: copy it, and name that")
    if data is not None:
        names.trust(trust).check([item.task for item in stored.whole.items], stored.whole)

    def work() -> tuple[str, str, int]:
        from harness.core.grammar import counted
        from harness.probes.seen import seen_of_run
        from leaderboards.seen import seen_report
        from leaderboards.seen_tables import render_seen

        found = None
        if data is not None:
            found = seen_of_run(
                stored,
                data,
                lambda count: say(f"{stored.path}: resetting {counted(count, 'episode')}"),
            )
        report = seen_report(stored, data, found, others)
        if format == "html":
            from leaderboards.page.seen_page import seen_page

            return seen_page(report), "", DONE
        return render_seen(report, format, full=full, width=width), "", DONE

    with configured(()):
        return relay(work, page=format == "html")


def _data(stored: StoredRun, named: Path | None) -> TrainingData | None:
    """What is named, or what the agent said when it played; None where it said nothing."""
    from harness.records.training_data import FILE, read_training_data

    if named is not None:
        return read_training_data(named)
    file = stored.path / FILE
    return read_training_data(file) if file.is_file() else None

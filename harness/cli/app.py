"""The command line: which commands there are, and one exit code for each meaning.

It parses and delegates; everything heavy is imported by the command that needs it.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from harness.cli.compare import register_comparisons
from harness.cli.correlate import correlate
from harness.cli.describe import describe
from harness.cli.explain import explain
from harness.cli.exports import export, import_
from harness.cli.leaderboard import leaderboard
from harness.cli.look import doctor, list_
from harness.cli.output import (
    DONE,
    INTERRUPTED,
    OUR_FAULT,
    WRONG_USE,
    log_to_stderr,
    print_out,
    say,
)
from harness.cli.pool import pool
from harness.cli.probe import probe
from harness.cli.report import report
from harness.cli.run import run
from harness.cli.serve import serve
from harness.cli.train import demos, train
from harness.cli.verify import show, verify
from harness.cli.view import view

__all__ = ["app", "main"]

app = typer.Typer(
    name="bench",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        import importlib.metadata

        print_out(f"bench {importlib.metadata.version('generalist-bench')}")
        raise typer.Exit


@app.callback()
def _bench(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Benchmark and evaluate generalist embodied agents.

    Try: bench run --agent oracle --suite smoke
    """


app.command()(run)
app.command()(report)
app.command()(view)
app.command()(verify)
app.command()(show)
app.command()(explain)
register_comparisons(app)
app.command()(correlate)
app.command()(demos)
app.command()(train)
app.command()(serve)
app.add_typer(leaderboard)
app.add_typer(pool)
app.add_typer(probe)
app.command()(export)
app.command("import")(import_)
app.command("list")(list_)
app.command()(describe)
app.command()(doctor)


def main(*, supervise: bool = True) -> None:
    """The console script: one exit code for each meaning, and no traceback for wrong use.

    `supervise`: play in a child process, see harness.cli.supervisor. Raises SystemExit.
    """
    if supervise:
        _open_standard_streams()
    log_to_stderr()
    # For a user's own agents and suites. Last, so that no file there hides a library; and no run
    # directory, which may be a stranger's.
    if not {"", os.getcwd()} & set(sys.path) and not os.path.lexists("run.json"):
        sys.path.append(os.getcwd())
    from harness.cli import supervisor
    from harness.cli.names import know_families
    from harness.core import UserError

    supervisor.enable(supervise)
    know_families()
    try:
        code = app(standalone_mode=False)
    except UserError as wrong:
        say(f"bench: {wrong}")
        code = wrong.code if isinstance(wrong, supervisor.RunLost) else WRONG_USE
    except KeyboardInterrupt:
        code = INTERRUPTED
    except supervisor.ChildEnded as ended:
        say(f"bench: {ended}")
        code = ended.code
    except supervisor.ChildFault:
        say("bench: this is a bug in bench; please report it with the lines above")
        code = OUR_FAULT
    except typer.Exit as done:
        code = done.exit_code
    except Exception as fault:
        if not hasattr(fault, "exit_code"):
            import traceback

            say(traceback.format_exc().rstrip(), lines=True)
            say("bench: this is a bug in bench; please report it with the lines above")
            raise SystemExit(OUR_FAULT) from None
        fault.show()  # type: ignore[attr-defined]
        code = fault.exit_code
    if code == INTERRUPTED:
        say("interrupted; the same command continues the run")
    raise SystemExit(code or DONE)


def _open_standard_streams() -> None:
    """Give stdin, stdout and stderr to /dev/null where they are closed.

    Their numbers would go to the next files that are opened, and what a C library prints would
    end up in those.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    for name, number in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w", closefd=False))  # noqa: SIM115

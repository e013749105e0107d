"""The command line: which commands there are, and one exit code for each meaning.

It parses and delegates; everything heavy is imported by the command that needs it.
"""

from __future__ import annotations

import os
import sys

import typer

from harness.cli.compare import register_comparisons
from harness.cli.look import doctor, list_
from harness.cli.output import DONE, INTERRUPTED, OUR_FAULT, WRONG_USE, say
from harness.cli.report import report
from harness.cli.run import run
from harness.cli.train import demos, train
from harness.cli.verify import show, verify

__all__ = ["app", "main"]

app = typer.Typer(
    name="bench",
    help="Benchmark and evaluate generalist embodied agents. "
    "Try: bench run --agent oracle --suite smoke",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(run)
app.command()(report)
app.command()(verify)
app.command()(show)
register_comparisons(app)
app.command()(demos)
app.command()(train)
app.command("list")(list_)
app.command()(doctor)


def main() -> None:
    """The console script: one exit code for each meaning, and no traceback for wrong use."""
    if "" not in sys.path and os.getcwd() not in sys.path:
        # For a user's own agents and suites. Last, so that no file there hides a library.
        sys.path.append(os.getcwd())
    from harness.cli.names import know_families
    from harness.core import UserError

    know_families()
    try:
        code = app(standalone_mode=False)
    except UserError as wrong:
        say(f"bench: {wrong}")
        code = WRONG_USE
    except KeyboardInterrupt:
        code = INTERRUPTED
    except typer.Exit as done:
        code = done.exit_code
    except Exception as fault:
        if not hasattr(fault, "exit_code"):
            import traceback

            traceback.print_exc()
            say("bench: this is a bug in bench; please report it with the lines above")
            raise SystemExit(OUR_FAULT) from None
        fault.show()  # type: ignore[attr-defined]
        code = fault.exit_code
    if code == INTERRUPTED:
        say("interrupted; the same command continues the run")
    raise SystemExit(code or DONE)

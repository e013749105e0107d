"""`bench view`: the pages of runs in a browser."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.locations import run_folder
from harness.cli.output import DONE, print_out, say

__all__ = ["view"]


def view(
    folder: Annotated[
        Path,
        typer.Argument(
            help="A folder of run directories, or one run directory, or its URL.",
            parser=run_folder,
        ),
    ] = Path("runs"),
    port: Annotated[int, typer.Option(help="0 takes a free one.")] = 0,
) -> int:
    """Serve the pages of runs on this machine; a run that is going on is followed."""
    from leaderboards.page.view import View

    server = View(folder, port)
    print_out(server.address)
    say("only this machine can open it; Ctrl-C ends it")
    with contextlib.suppress(KeyboardInterrupt):
        server.serve()
    return DONE

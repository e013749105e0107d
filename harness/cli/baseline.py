"""`bench baseline`: names for runs that others are compared with."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.output import print_out, say

__all__ = ["baseline_list", "baseline_save"]


def baseline_save(
    name: Annotated[
        str, typer.Argument(help="The name. A base that has this name already is replaced.")
    ],
    run: Annotated[str, typer.Argument(help="A run directory, a zip archive or URL of one.")],
    again: Annotated[
        list[str] | None,
        typer.Option(
            help="Another play of the same cases by the same agent, for its noise; see `bench "
            "probe consistency`. Can be repeated."
        ),
    ] = None,
) -> int:
    """Save a run as a base under a name, in runs/baselines.json."""
    from harness.compare.saved_runs import save_base
    from harness.core.grammar import counted

    side = save_base(name, run, again=again or ())
    say(
        f"{name}: {counted(len(side.values), 'case')} of "
        f"{counted(len(side.plan.items), 'task')}. "
        f"next: bench gate --agent A --base {name}"
    )
    return 0


def baseline_list() -> int:
    """List the saved bases."""
    from harness.compare.saved_runs import saved_runs_table

    print_out(saved_runs_table())
    return 0

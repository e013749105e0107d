"""`bench correlate`: simulated runs beside trials on a robot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from harness.cli.output import DONE, print_out

__all__ = ["correlate"]


def correlate(
    runs: Annotated[
        list[str],
        typer.Argument(
            help="RUN, or POLICY=RUN where the trials call it something else than its agent."
        ),
    ],
    real: Annotated[
        Path,
        typer.Option(
            help="The trials, as CSV or JSON lines: policy, task, success, blinded, case."
        ),
    ],
    figure: Annotated[
        Path | None,
        typer.Option(help="Also draw the policies of every variant: a .png, .svg or .pdf file."),
    ] = None,
    format: Annotated[Literal["text", "json"], typer.Option(help="What to print.")] = "text",
) -> int:
    """Say how well simulated runs predict the robot, by suite, perturbation and backend.

    Where trials repeat simulated cases, also what the simulator adds to them.
    """
    import contextlib

    from harness.compare.saved_runs import open_run
    from harness.probes.correlate import correlate as correlated
    from harness.probes.correlate_figure import draw_correlation
    from harness.probes.correlate_tables import correlation_json, correlation_text
    from harness.probes.figure_file import check_figure
    from harness.records.trials import read_trials

    if figure is not None:
        check_figure(figure)
    trials = read_trials(real)
    with contextlib.ExitStack() as opened:
        named = []
        for text in runs:
            policy, equals, place = text.partition("=")
            run = opened.enter_context(open_run(place if equals else text))
            agent = run.run["agent"]
            named.append((policy if equals else str(agent.get("name", agent["entry"])), run))
        found = correlated(named, trials)
    if figure is not None:
        draw_correlation(found, figure)
    if format == "json":
        print_out(json.dumps(correlation_json(found), indent=1))
    else:
        print_out(correlation_text(found))
    return DONE

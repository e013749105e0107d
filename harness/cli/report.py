"""`bench report`: the tables of a run, and its figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from harness.cli.options import Full, RunFigures, TrainingDataOption, TrustMaker
from harness.cli.output import DONE, print_out, print_page, say, terminal_width

__all__ = ["draw_if_possible", "print_report", "report"]


def report(
    run: RunFigures,
    format: Annotated[
        Literal["text", "markdown", "latex", "csv", "json", "html"],
        typer.Option(help="What to print; html is one page that needs no network."),
    ] = "text",
    against: Annotated[
        str | None,
        typer.Option(
            help="Print the results next to a published table or agent: gea, or a label of the "
            "run's published figures."
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            help="A perturbed run of a reference agent, for corruption errors: a directory, a zip "
            "archive, a URL or a saved name."
        ),
    ] = None,
    floor: Annotated[
        list[Path] | None,
        typer.Option(
            help="A run of an agent that looks at nothing, to stand beside each rate. Repeatable. "
            "For tasks of ours such floors come with bench."
        ),
    ] = None,
    expert: Annotated[
        Path | None,
        typer.Option(
            help="A run of the expert (--agent oracle) on the same episodes, to compare steps with."
        ),
    ] = None,
    ask_cost: Annotated[
        float | None,
        typer.Option(
            help="What a step costs in which the agent let the expert act, as a share of a "
            "success: print what remains of its success; see docs/confidence.md."
        ),
    ] = None,
    stages: Annotated[
        bool,
        typer.Option(
            "--stages",
            help="Print how far episodes came and how they failed instead, found by replaying the "
            "recorded actions; see docs/stages.md.",
        ),
    ] = False,
    seen: Annotated[
        bool,
        typer.Option(
            "--seen",
            help="Print what was new to the agent and how it does on what it had seen in training "
            "instead; see docs/seen.md.",
        ),
    ] = False,
    training_data: TrainingDataOption = None,
    figure: Annotated[
        Path | None,
        typer.Option(
            help="Also draw success and scores over severity into this .png, .svg or .pdf file."
        ),
    ] = None,
    trust: TrustMaker = False,
    full: Full = False,
) -> int:
    """Print the tables of a run, or again what a probe found in a folder."""
    if (file := _probe_of(run)) is not None:
        others = {
            "--against": against, "--baseline": baseline, "--floor": floor, "--expert": expert,
            "--ask-cost": ask_cost is not None, "--figure": figure, "--stages": stages,
            "--seen": seen, "--training-data": training_data,
        }  # fmt: skip
        return _report_probe(file, format, [name for name, each in others.items() if each])
    if stages or seen:
        beside = {"--floor": floor, "--expert": expert, "--training-data": training_data}
        given = {
            "--against": against,
            "--baseline": baseline,
            "--figure": figure,
            "--ask-cost": ask_cost,
            **({} if seen else beside),
        }
        _refuse_beside(
            " and ".join(["--stages"] * stages + ["--seen"] * seen),
            format if stages and seen else "",
            [name for name, each in given.items() if each is not None],
        )
    if stages:
        from harness.cli.stages import report_stages

        code = report_stages(run, format, trust=trust, full=full)
        if not seen:
            return code
        print_out("")
    if seen:
        from harness.cli.seen import report_seen

        controls = [*([] if expert is None else [expert]), *(floor or ())]
        return report_seen(run, format, training_data, controls, trust=trust, full=full)
    if training_data is not None:
        from harness.core import UserError

        raise UserError("--training-data goes with --seen: add it, or leave it out")
    if expert is not None and (against is not None or format == "html"):
        from harness.core import UserError

        raise UserError("--expert goes with the run's own tables: leave --against and html out")
    if ask_cost is not None and (against is not None or format == "html"):
        from harness.core import UserError

        raise UserError("--ask-cost goes with the run's own tables: leave --against and html out")
    if figure is not None:
        _draw(run, figure)
    if against is None:
        print_report(run, format, baseline, floor or (), expert, ask_cost, full=full)
    else:
        from leaderboards.published import render_published
        from leaderboards.report import load_report

        found = load_report(run, floors=floor or ())
        print_out(render_published(found, against, format, full=full, width=terminal_width()))
    return DONE


def _refuse_beside(asked: str, format: str, others: Sequence[str]) -> None:
    """Raises UserError where reports of their own are asked for with options of another one.

    format: that of two reports; empty for one.
    """
    from harness.core import UserError

    if others:
        raise UserError(f"{asked} prints no other report: leave {', '.join(others)} out")
    if format not in ("", "text", "markdown", "latex"):
        raise UserError(f"{asked} print {format} one at a time: leave one of them out")


def _probe_of(path: Path) -> Path | None:
    """The probe.json that is meant; None: the path is that of a run."""
    from harness.probes.result_file import probe_file

    return probe_file(path)


def _report_probe(file: Path, format: str, others: Sequence[str]) -> int:
    """Print what a probe found. Raises UserError, also where further options were given."""
    from harness.core import UserError
    from harness.probes.result_file import read_probe

    if others:
        raise UserError(f"{file} is what a probe found, not a run: leave {others[0]} out")
    found = read_probe(file)
    if format == "html":
        from leaderboards.page.probe_page import probe_page

        print_page(probe_page(found, file))
    else:
        from leaderboards.probe_report import probe_report

        print_out(probe_report(found, format, terminal_width()))
    return DONE


def print_report(
    path: Path,
    format: str,
    baseline: str | None = None,
    floors: Sequence[Path] = (),
    expert: Path | None = None,
    ask_cost: float | None = None,
    *,
    full: bool = False,
) -> None:
    """Print the tables of a run to stdout."""
    if format == "html":
        from leaderboards.page.run_page import run_page

        print_page(run_page(path, baseline=baseline, floors=floors))
        return
    from leaderboards.render import render
    from leaderboards.report import load_report

    found = load_report(path, baseline, floors, expert, ask_cost)
    print_out(render(found, format, full=full, width=terminal_width()))


def draw_if_possible(run: Path) -> None:
    """Draw the robustness figure into the run directory, or say why not."""
    from harness.core import UserError

    try:
        _draw(run, run / "robustness.png")
    except UserError as wanting:
        say(f"no figure: {wanting}")


def _draw(run: Path, file: Path) -> None:
    from leaderboards.curves import draw_curves
    from leaderboards.report import load_report

    report = load_report(run)
    draw_curves(
        report.perturbations,
        file,
        f"{report.run['agent']['name']} on {', '.join(report.run['suites'])}",
    )
    say(f"figure: {file}")

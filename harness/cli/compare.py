"""`bench compare`, `gate` and `baseline`: two agents, or methods, against each other."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from harness.cli.baseline import baseline_list, baseline_save
from harness.cli.options import (
    AgentArgs,
    AgentName,
    AgentTimeout,
    Alpha,
    Base,
    ControlRate,
    Full,
    Interpreters,
    JUnit,
    LanesOption,
    Latency,
    Margin,
    Methods,
    Out,
    ProfileCheck,
    RayAddress,
    ReplicasOption,
    TrustMaker,
    Workers,
    arguments,
    at_least_one,
    replica_count,
    worker_count,
)
from harness.cli.output import WITH_ERRORS, command_line, print_out, print_page, say, terminal_width
from harness.cli.plan import plan

if TYPE_CHECKING:
    from harness.cli.supervisor import Note

__all__ = ["register_comparisons"]


def register_comparisons(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(compare)
    app.command()(gate)
    app.command()(plan)
    bases = typer.Typer(
        name="baseline",
        help="Name runs that others are compared with.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    bases.command("save")(baseline_save)
    bases.command("list")(baseline_list)
    app.add_typer(bases)


def compare(
    base: Annotated[
        str | None,
        typer.Argument(
            help="A run directory, a zip archive or URL of one, or a name of `bench baseline list`."
        ),
    ] = None,
    new: Annotated[str | None, typer.Argument(help="The other run.")] = None,
    more: Annotated[
        list[str] | None,
        typer.Argument(help="Further runs: which cannot be told apart? No verdict, exit 0."),
    ] = None,
    method: Methods = None,
    margin: Margin = 0.05,
    alpha: Alpha = 0.05,
    correction: Annotated[
        Literal["holm", "bh", "none"],
        typer.Option(help="How p-values are corrected for the number of tasks."),
    ] = "holm",
    format: Annotated[
        Literal["text", "markdown", "json", "html"],
        typer.Option(help="What to print; html is one page that needs no network."),
    ] = "text",
    junit: JUnit = None,
    robustness: Annotated[
        bool,
        typer.Option(
            "--robustness",
            help="Compare what each perturbation costs in two perturbed runs instead; no verdict.",
        ),
    ] = False,
    stages: Annotated[
        bool,
        typer.Option(
            "--stages",
            help="Say which stage or failure mode changed instead; no verdict. See docs/stages.md.",
        ),
    ] = False,
    trust: TrustMaker = False,
    full: Full = False,
) -> int:
    """Compare two runs case by case, or more of them without a verdict.

    With --method, compare methods by the runs of their trainings.

    Exit 0: pass, 1: regressed, 3: inconclusive, 4: some cases have no score.
    """
    from harness.compare.saved_runs import open_run
    from harness.core import UserError
    from leaderboards.compare import compare_runs, refuse_same_run

    if method:
        _refuse_for_several(
            stages=stages, robustness=robustness, junit=junit, correction=correction
        )
        return _print_methods(method, [base, new, *(more or ())], margin, alpha, format, full=full)
    if base is None or new is None:
        raise UserError("name two runs: bench compare BASE NEW; or methods: --method NAME=RUN,RUN")
    if more:
        _refuse_for_several(
            stages=stages, robustness=robustness, junit=junit, correction=correction
        )
        _print_several([base, new, *more], alpha, format, full=full)
        return 0
    if stages:
        from harness.cli.stages import compare_stages

        if robustness or junit is not None or correction != "holm":
            raise UserError(
                "--stages has no verdict, and Holm's correction: leave --robustness, --junit and "
                "--correction out"
            )
        return compare_stages(base, new, alpha, format, trust=trust, full=full)
    if robustness:
        _refuse_page(format)
        from harness.compare.pairs import refuse_other_renderers
        from harness.compare.privilege import privilege_notes
        from leaderboards.perturbed_results import read_case_arrays
        from leaderboards.robustness_compare import difference_in_differences, render_deltas

        with open_run(base) as first, open_run(new) as second:
            refuse_same_run(first, second)
            refuse_other_renderers(first, second)
            rows = difference_in_differences(read_case_arrays(first), read_case_arrays(second))
            told = [*privilege_notes(first, second)]
            print_out(render_deltas(rows, format, told, full=full, width=terminal_width()))
        return 0
    with open_run(base) as first, open_run(new) as second:
        compared = compare_runs(first, second, margin, alpha, correction)
        page = ""
        if format == "html":
            from leaderboards.page.compare_page import compare_page

            page = compare_page(compared, first, second)
        return _print_compared(compared, format, junit, None, page, full=full)


def _refuse_page(format: str) -> None:
    from harness.core import UserError

    if format == "html":
        raise UserError("--robustness has no page: leave it out, the page of two runs shows it too")


def _refuse_for_several(
    *, stages: bool, robustness: bool, junit: Path | None, correction: str
) -> None:
    from harness.core import UserError

    for option, given in (
        ("--stages", stages),
        ("--robustness", robustness),
        ("--junit", junit is not None),
        ("--correction", correction != "holm"),
    ):
        if given:
            raise UserError(f"{option} is for two runs: compare two, or leave it out")


def _print_several(names: list[str], alpha: float, format: str, *, full: bool) -> None:
    import contextlib

    from harness.compare.saved_runs import open_run
    from leaderboards.compare_several import compare_several
    from leaderboards.several_render import render_several

    with contextlib.ExitStack() as opened:
        runs = [opened.enter_context(open_run(name)) for name in names]
        several = compare_several(runs, alpha)
        if format == "html":
            from leaderboards.page.several_page import several_page

            print_page(several_page(several, runs))
        else:
            print_out(render_several(several, format, full=full, width=terminal_width()))


def _print_methods(
    named: list[str],
    runs: list[str | None],
    margin: float,
    alpha: float,
    format: str,
    *,
    full: bool,
) -> int:
    from harness.cli.methods import open_methods
    from harness.core import UserError
    from leaderboards.compare_methods import compare_methods
    from leaderboards.methods_render import render_methods

    if any(runs):
        raise UserError("name runs or methods, not both: every run belongs to a --method")
    with open_methods(named) as methods:
        found = compare_methods(methods, margin, alpha)
        if format == "html":
            from leaderboards.page.methods_page import methods_page

            print_page(methods_page(found))
            return found.exit_code
        print_out(render_methods(found, format, full=full, width=terminal_width()))
        return found.exit_code


def gate(
    agent: AgentName,
    base: Base,
    margin: Margin = 0.05,
    alpha: Alpha = 0.05,
    sequential: Annotated[
        bool,
        typer.Option(
            "--sequential", help="Stop as soon as a test that is valid at every look decides."
        ),
    ] = False,
    outcome: Annotated[
        Literal["success", "progress"],
        typer.Option(
            help="What decides. progress: the share of its stages that an episode reached, beside "
            "the test of success; see docs/ci.md."
        ),
    ] = "success",
    max_episodes: Annotated[
        int | None, typer.Option(help="Play at most this many of the base's cases.")
    ] = None,
    tasks: Annotated[
        str | None, typer.Option(help="Only tasks of the base that match; see `bench run`.")
    ] = None,
    workers: Workers = "auto",
    lanes: LanesOption = None,
    replicas: ReplicasOption = "1",
    out: Out = None,
    agent_arg: AgentArgs = None,
    profile_check: ProfileCheck = "on",
    control_rate: ControlRate = None,
    latency: Latency = None,
    agent_timeout: AgentTimeout = 600.0,
    ray_address: RayAddress = None,
    interpreter: Interpreters = None,
    format: Annotated[
        Literal["text", "markdown", "json"], typer.Option(help="What to print.")
    ] = "text",
    junit: JUnit = None,
    summary: Annotated[
        Path | None,
        typer.Option(
            envvar="GITHUB_STEP_SUMMARY",
            help="Append the result as Markdown to this file; by default, the summary of a GitHub "
            "job.",
        ),
    ] = None,
    trust: TrustMaker = False,
    full: Full = False,
) -> int:
    """Play the cases of a base run with another agent, and compare.

    It plays on the base's backend and by its control clock; a --control-rate or --latency that says
    another one is refused. Exit 0: pass, 1: regressed, 3: inconclusive, 4: a case has no score.
    """
    from harness.cli import names
    from harness.cli.counting import played
    from harness.cli.names import agent_named
    from harness.cli.progress import find_progress, find_progress_of_base, known_progress
    from harness.cli.uploads import uploading
    from harness.compare.gate import Gate, GateOptions, judge_gate, refuse_other_clock
    from harness.compare.saved_runs import open_run
    from harness.core.grammar import counted
    from harness.host.interpreters import configured
    from harness.play.clock_options import control_clock
    from harness.play.progress import progress_for
    from harness.play.runner import RunOptions
    from leaderboards.compare import of_gate

    options = RunOptions(
        workers=worker_count(workers),
        lanes=at_least_one("--lanes", lanes),
        replicas=replica_count(replicas),
        agent_timeout=agent_timeout,
        ray_address=ray_address,
        command=command_line(),
    )
    judged = GateOptions(
        margin=margin,
        alpha=alpha,
        sequential=sequential,
        max_episodes=at_least_one("--max-episodes", max_episodes),
        tasks=tasks,
        outcome=outcome,
    )
    with (
        open_run(base) as side,
        configured(interpreter or ()),
        uploading(out, options.folder, say) as upload,
    ):
        if (control_rate, latency) != (None, None):
            refuse_other_clock(side, control_clock(control_rate, latency))

        def work(note: Note) -> dict[str, Any]:
            from harness.verify.backends import require_equal

            told = dataclasses.replace(options, opened=lambda path: note("path", str(path)))
            spec = agent_named(agent, arguments(agent_arg), profile_check)
            trusted = names.trust(trust)
            judge, progress = Gate(spec, side, judged, trusted), progress_for()
            require_equal(judge.plan, spec.declared()[0], progress)
            if outcome == "progress":
                find_progress_of_base(side, judge.plan)
            ran = judge.play(upload.place, told, progress)
            if outcome == "progress":
                find_progress(ran.path)
            return ran.to_json()

        ran = played(work)
        gated = judge_gate(side, ran.path, judged, known_progress)
        code = _print_compared(of_gate(gated, side), format, junit, summary, full=full)
    if ran.stopped:
        say(ran.stopped)
        code = WITH_ERRORS
    if not upload.complete:
        code = WITH_ERRORS
    if ran.agent_errors:
        counts = "it counts as a failure" if ran.agent_errors == 1 else "they count as failures"
        say(f"{counted(ran.agent_errors, 'episode')} ended in an error of the agent: {counts}")
    say(f"run directory: {gated.path}")
    return code


def _print_compared(
    compared: Any,
    format: str,
    junit: Path | None,
    summary: Path | None,
    page: str = "",
    *,
    full: bool,
) -> int:
    from harness.core import UserError
    from leaderboards import compare_render

    if page:
        print_page(page)
    else:
        print_out(
            compare_render.render_compared(compared, format, full=full, width=terminal_width())
        )
    for file, mode, text in (
        (junit, "w", compare_render.junit),
        (summary, "a", lambda each: compare_render.render_compared(each, "markdown")),
    ):
        if file is not None:
            try:
                with file.open(mode, encoding="utf-8") as out:
                    out.write(text(compared) + "\n")
            except OSError as fault:
                raise UserError(f"cannot write {file}: {fault.strerror}") from None
    code: int = compared.comparison.exit_code
    return code

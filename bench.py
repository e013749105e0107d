"""The command line. It parses and delegates; everything heavy is imported by the command that needs it."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

ROOT = Path(__file__).resolve().parent
PACKAGES = ("harness", "suites", "adapters", "baselines", "leaderboards")


def _intruder() -> str | None:
    """A package of somebody else that hides one of ours: said before anything of ours is imported."""
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None or Path(spec.origin).resolve().parent.parent != ROOT:
            return f"the package {name!r} resolves to {spec.origin if spec else 'nothing'} instead of {ROOT / name}: remove or rename the other one"
    return None


if (_hides := _intruder()) is not None:
    print(f"bench: {_hides}", file=sys.stderr)
    raise SystemExit(2)

from baselines import training
from harness.console import (
    AgentArgs,
    AgentName,
    AgentTimeout,
    Interpreters,
    Lanes,
    Out,
    RayAddress,
    Run,
    Seed,
    SuiteNames,
    TaskGlobs,
    Workers,
    arguments,
    at_least_one,
    command_line,
    print_out,
    say,
    worker_count,
)
from leaderboards import judging

DONE, REGRESSED, WRONG_USE, WITH_ERRORS, OUR_FAULT, INTERRUPTED = 0, 1, 2, 4, 5, 130

app = typer.Typer(
    name="bench",
    help="Benchmark and evaluate generalist embodied agents. Try: bench run --agent oracle --suite smoke",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.command()
def run(
    agent: AgentName,
    suite: SuiteNames,
    tasks: TaskGlobs = None,
    episodes: Annotated[
        int | None,
        typer.Option(help="Episodes a task; default: what the suite's protocol asks for."),
    ] = None,
    seed: Seed = 0,
    perturb: Annotated[
        str | None,
        typer.Option(
            help="NAME[:1,3,5], A:3+B:2, standard, gea-rl or FILE.toml; commas between; `bench list perturbations`."
        ),
    ] = None,
    workers: Workers = "auto",
    lanes: Lanes = None,
    out: Out = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Insist that the run exists already.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 4 when a task cannot run here.")
    ] = False,
    agent_arg: AgentArgs = None,
    video: Annotated[
        Literal["none", "failures", "all"],
        typer.Option(help="Of which episodes to keep videos, in RUN/videos."),
    ] = "none",
    video_limit: Annotated[int, typer.Option(help="Megabytes that videos may take.")] = 1000,
    agent_timeout: AgentTimeout = 600.0,
    ray_address: RayAddress = None,
    until_width: Annotated[
        float | None,
        typer.Option(
            help="Add episodes to each task until its 95 % interval, valid at every look, is narrower; --episodes (else 1000) at most."
        ),
    ] = None,
    interpreter: Interpreters = None,
) -> int:
    """Play an agent on suites and print the table. The same command goes on where it was interrupted."""
    import baselines
    import suites
    from harness.catalogue import find_agent, find_suites, select_tasks
    from harness.host.config import configure
    from harness.progress import progress_for
    from harness.runner import RunOptions, make_plan, play

    if interpreter:
        configure(interpreter)
    spec = find_agent(agent, arguments(agent_arg), baselines.AGENTS)
    spec.kind()
    found = find_suites(suite, suites.SUITES)
    limit = 1000 if until_width is not None and episodes is None else episodes
    plan = make_plan(
        select_tasks(found, tasks), spec, episodes=limit, seed=seed, perturb=_perturbations(perturb)
    )
    options = RunOptions(
        workers=worker_count(workers),
        lanes=at_least_one("--lanes", lanes),
        agent_timeout=agent_timeout,
        ray_address=ray_address,
        resume=resume,
        video=video,
        video_limit=1_000_000 * (at_least_one("--video-limit", video_limit) or 1),
        command=command_line(),
    )
    stopping = None
    if until_width is not None:
        from harness.rounds import WidthRounds

        stopping = WidthRounds(plan, until_width)
        if stopping.raw:
            say(
                f"raw scores only, so no interval of known width, all episodes are played: {', '.join(stopping.raw)}"
            )
    summary = play(
        spec, [each.name for each in found], plan, out, options, progress_for(), stopping
    )
    _print_report(summary.path, "text")
    if perturb is not None:
        _draw_if_possible(summary.path)
    say(summary.words())
    if summary.missing or summary.agent_errors or summary.stopped or not summary.planned:
        return WITH_ERRORS
    return WITH_ERRORS if strict and summary.not_run else DONE


@app.command()
def report(
    run: Run,
    format: Annotated[
        Literal["text", "markdown", "latex", "csv", "json"], typer.Option(help="What to print.")
    ] = "text",
    against: Annotated[
        str | None,
        typer.Option(
            help="Ours beside a published table or agent: gea, or a label of the run's figures."
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            help="A perturbed run of a frozen agent, for corruption errors: a directory, zip archive, URL or saved name."
        ),
    ] = None,
    figure: Annotated[
        Path | None,
        typer.Option(
            help="Draw success and scores over severity into this .png, .svg or .pdf as well."
        ),
    ] = None,
) -> int:
    """Print the tables of a run."""
    if figure is not None:
        _draw(run, figure)
    if against is None:
        _print_report(run, format, baseline)
    else:
        from leaderboards.against import render_against
        from leaderboards.report import load

        print_out(render_against(load(run), against, format))
    return DONE


@app.command()
def verify(
    run: Annotated[Path | None, typer.Argument(help="A run directory.")] = None,
    sample: Annotated[str, typer.Option(help="How many episodes to play, or all.")] = "20",
    workers: Annotated[
        str | None, typer.Option(help="As of `bench run`; default: 0, with --invariance 2.")
    ] = None,
    lanes: Lanes = None,
    invariance: Annotated[
        bool,
        typer.Option(
            "--invariance", help="Instead: play an agent in several ways; all must be equal."
        ),
    ] = False,
    agent: Annotated[str | None, typer.Option(help="With --invariance: as of `bench run`.")] = None,
    suite: Annotated[str | None, typer.Option(help="With --invariance: as of `bench run`.")] = None,
    tasks: Annotated[str | None, typer.Option(help="With --invariance: as of `bench run`.")] = None,
    seed: Annotated[int, typer.Option(help="With --invariance: as of `bench run`.")] = 0,
    agent_arg: Annotated[
        list[str] | None, typer.Option(help="With --invariance: as of `bench run`.")
    ] = None,
) -> int:
    """Check a run's files, and play its recorded actions again without the agent. Exit 1: something differs."""
    from harness.core import UserError
    from harness.progress import progress_for

    number = (
        None
        if sample == "all"
        else at_least_one("--sample", int(sample) if sample.isdecimal() else 0)
    )
    if not invariance:
        if run is None or agent is not None or suite is not None:
            raise UserError(
                "write bench verify RUN, or bench verify --invariance --agent A --suite S"
            )
        from harness.replay import table
        from harness.replay import verify as examine
        from harness.runner import RunOptions

        options = RunOptions(
            workers=worker_count(workers or "0"), lanes=at_least_one("--lanes", lanes)
        )
        found = examine(
            run, sample=number, options=options, progress=progress_for(), known=_our_tasks().get
        )
        if found.differences:
            print_out(table(found.differences))
        for note in found.notes:
            say(note)
        say(found.words())
        return DONE if found.passed else REGRESSED
    if run is not None or agent is None or suite is None:
        raise UserError(
            "--invariance plays an agent anew: write bench verify --invariance --agent A --suite S"
        )
    import baselines
    import suites
    from harness.catalogue import find_agent, find_suites, select_tasks
    from harness.invariance import prove

    spec = find_agent(agent, arguments(agent_arg), baselines.AGENTS)
    chosen = select_tasks(find_suites(suite, suites.SUITES), tasks)
    beside = worker_count(workers or "2")
    proof = prove(
        spec,
        chosen,
        sample=number,
        workers=2 if beside is None else beside,
        seed=seed,
        progress=progress_for(),
    )
    if proof.drifts:
        print_out(proof.table())
    say(proof.words())
    return REGRESSED if proof.drifts else DONE


@app.command()
def show(
    run: Run,
    case: Annotated[
        str | None, typer.Argument(help="A case's id, its beginning, or TASK:SEED.")
    ] = None,
    failures: Annotated[
        bool, typer.Option("--failures", help="List the failed episodes, a line each.")
    ] = False,
    step: Annotated[
        int | None, typer.Option(help="Stop there and save the picture, or print what was seen.")
    ] = None,
    format: Annotated[
        Literal["auto", "video", "text"], typer.Option(help="auto: video where there are pictures.")
    ] = "auto",
    out: Annotated[Path | None, typer.Option(help="Where to write; default: RUN/videos.")] = None,
) -> int:
    """Play one recorded episode again: as a video, or as a text. Prints the file's path, or the text."""
    from harness import show as shows
    from harness.core import UserError

    if failures or case is None:
        if not failures:
            raise UserError(f"name a case, or list some: bench show {run} --failures")
        print_out(shows.failures(run))
        return DONE
    shown = shows.show(shows.find(run, case), format=format, step=step, out=out)
    print_out(shown.text)
    if not shown.same:
        say(f"this replay does not go as recorded: bench verify {run}")
    return DONE if shown.same else REGRESSED


def _our_tasks() -> dict[str, Any]:
    """All tasks of our suites, by id."""
    import suites
    from harness.catalogue import find_suites

    return {
        task.id: task
        for name in suites.SUITES
        for task in find_suites(name, suites.SUITES)[0].tasks
    }


judging.register(app)
training.register(app)


@app.command("list")
def list_(
    what: Annotated[
        Literal["suites", "tasks", "agents", "adapters", "perturbations"],
        typer.Argument(help="What to list."),
    ] = "suites",
    suite: Annotated[str, typer.Option(help="For tasks: of which suites.")] = "all",
) -> int:
    """List what there is; nothing heavy is imported."""
    import adapters
    import baselines
    import suites
    from harness import listing

    if what == "suites":
        print_out(listing.list_suites(suites.SUITES))
    elif what == "tasks":
        print_out(listing.list_tasks(suite, suites.SUITES))
    elif what == "agents":
        print_out(listing.list_agents(baselines.AGENTS))
    elif what == "perturbations":
        print_out(listing.list_perturbations(adapters.ADAPTERS))
    else:
        print_out(listing.list_adapters(adapters.ADAPTERS))
    return DONE


@app.command()
def doctor(
    deep: Annotated[
        bool, typer.Option("--deep", help="Step a task of each family that is ready.")
    ] = False,
    fix: Annotated[
        str | None,
        typer.Option(
            help="Build an interpreter of its own for this family, and name it in bench.toml."
        ),
    ] = None,
) -> int:
    """Say what can run here, and what mends the rest."""
    import adapters
    from harness.listing import doctor as examine

    if fix is not None:
        from harness.host.build import fix as build

        print_out(build(fix, adapters.ADAPTERS, say))
        return DONE
    print_out(examine(adapters.ADAPTERS))
    if deep:
        import suites
        from harness.catalogue import find_suites
        from harness.deep import examine as step_each

        examined = step_each(adapters.ADAPTERS, find_suites("smoke", suites.SUITES)[0].tasks)
        print_out(f"\n{examined}")
        return DONE if examined.well else WITH_ERRORS
    return DONE


def _print_report(path: Path, format: str, baseline: str | None = None) -> None:
    from leaderboards.render import render
    from leaderboards.report import load

    print_out(render(load(path, baseline), format))


def _draw_if_possible(run: Path) -> None:
    from harness.core import UserError

    try:
        _draw(run, run / "robustness.png")
    except UserError as wanting:
        say(f"no figure: {wanting}")


def _draw(run: Path, file: Path) -> None:
    from leaderboards.curves import draw_curves
    from leaderboards.report import load

    report = load(run)
    draw_curves(
        report.perturbations,
        file,
        f"{report.run['agent']['name']} on {', '.join(report.run['suites'])}",
    )
    say(f"figure: {file}")


def _perturbations(text: str | None) -> Any:
    if text is None:
        return ()
    import adapters
    from harness.perturb import choose, native_names

    return choose(text, native_names(adapters.ADAPTERS.values()))


def main() -> None:
    """The console script: one exit code for each meaning, and no traceback for wrong use."""
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.append(
            os.getcwd()
        )  # your own agents and suites; last, so that no file of yours hides a library
    from harness.core import UserError

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
            say("bench: this is a fault of ours; please report it with the lines above")
            raise SystemExit(OUR_FAULT) from None
        fault.show()  # type: ignore[attr-defined]
        code = fault.exit_code
    if code == INTERRUPTED:
        say("interrupted; the same command goes on where it stopped")
    raise SystemExit(code or DONE)


if __name__ == "__main__":
    main()

"""The command line. It parses and delegates; everything heavy is imported by the command that needs it."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

ROOT = Path(__file__).resolve().parent
PACKAGES = ("harness", "suites", "adapters", "baselines", "leaderboards")
DONE, WRONG_USE, WITH_ERRORS, OUR_FAULT, INTERRUPTED = 0, 2, 4, 5, 130

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
    agent: Annotated[str, typer.Option(help="A name from `bench list agents`, or package.module:Class of your own.")],
    suite: Annotated[str, typer.Option(help="Names from `bench list suites`, all, gym:ID, your own module or FILE.toml; commas between.")],
    tasks: Annotated[str | None, typer.Option(help="Only tasks that match: globs over ids, or tag:NAME; commas between.")] = None,
    episodes: Annotated[int | None, typer.Option(help="Episodes a task; default: what the suite's protocol asks for.")] = None,
    seed: Annotated[int, typer.Option(help="Which set of episodes; sets of different seeds share none.")] = 0,
    workers: Annotated[str, typer.Option(help="auto: a Ray worker a core; N: so many; 0: in this process.")] = "auto",
    lanes: Annotated[int | None, typer.Option(help="Episodes side by side in a worker.")] = None,
    out: Annotated[Path | None, typer.Option(help="The run directory; default: runs/AGENT-SUITE-HASH.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Insist that the run exists already.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 4 when a task cannot run here.")] = False,
    agent_arg: Annotated[
        list[str] | None, typer.Option(help="k=v for the agent's constructor; v is JSON or text. May be repeated.")
    ] = None,
    agent_timeout: Annotated[float, typer.Option(help="Seconds after which an agent that does not answer has failed.")] = 600.0,
    ray_address: Annotated[str | None, typer.Option(help="A running Ray cluster, for example auto or ray://host:10001.")] = None,
) -> int:
    """Play an agent on suites and print the table. The same command goes on where it was interrupted."""
    import baselines
    import suites
    from harness.catalogue import find_agent, find_suites, select_tasks
    from harness.progress import progress_for
    from harness.runner import RunOptions, make_plan, play

    spec = find_agent(agent, dict(_argument(text) for text in agent_arg or []), baselines.AGENTS)
    spec.kind()
    found = find_suites(suite, suites.SUITES)
    plan = make_plan(select_tasks(found, tasks), spec, episodes=episodes, seed=seed)
    options = RunOptions(
        workers=_workers(workers),
        lanes=_at_least_one("--lanes", lanes),
        agent_timeout=agent_timeout,
        ray_address=ray_address,
        resume=resume,
        command=shlex.join(["bench", *sys.argv[1:]]),
    )
    summary = play(spec, [each.name for each in found], plan, out, options, progress_for())
    _print_report(summary.path, "text")
    _say(summary.words())
    if summary.missing or summary.agent_errors or summary.stopped or not summary.planned:
        return WITH_ERRORS
    return WITH_ERRORS if strict and summary.not_run else DONE


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    format: Annotated[Literal["text", "markdown", "latex", "csv", "json"], typer.Option(help="What to print.")] = "text",
) -> int:
    """Print the tables of a run."""
    _print_report(run, format)
    return DONE


@app.command("list")
def list_(
    what: Annotated[Literal["suites", "tasks", "agents", "adapters"], typer.Argument(help="What to list.")] = "suites",
    suite: Annotated[str, typer.Option(help="For tasks: of which suites.")] = "all",
) -> int:
    """List what there is; nothing heavy is imported."""
    import adapters
    import baselines
    import suites
    from harness import listing

    if what == "suites":
        _print(listing.list_suites(suites.SUITES))
    elif what == "tasks":
        _print(listing.list_tasks(suite, suites.SUITES))
    elif what == "agents":
        _print(listing.list_agents(baselines.AGENTS))
    else:
        _print(listing.list_adapters(adapters.ADAPTERS))
    return DONE


@app.command()
def doctor(deep: Annotated[bool, typer.Option("--deep", help="Step a task of each family that is ready.")] = False) -> int:
    """Say what can run here, and what mends the rest."""
    import adapters
    from harness.listing import doctor as examine

    _print(examine(adapters.ADAPTERS))
    if deep:
        import suites
        from harness.catalogue import find_suites
        from harness.deep import examine as step_each

        examined = step_each(adapters.ADAPTERS, find_suites("smoke", suites.SUITES)[0].tasks)
        _print(f"\n{examined}")
        return DONE if examined.well else WITH_ERRORS
    return DONE


def _print_report(path: Path, format: str) -> None:
    from leaderboards.render import render
    from leaderboards.report import load

    _print(render(load(path), format))


def _argument(text: str) -> tuple[str, Any]:
    from harness.core import UserError

    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise UserError(f"--agent-arg {text!r}: write NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _workers(text: str) -> int | None:
    from harness.core import UserError

    if text == "auto":
        return None
    if not (text.isascii() and text.isdigit()):
        raise UserError(f"--workers {text!r}: write auto, or a number; 0 plays in this process")
    return int(text)


def _at_least_one(option: str, number: int | None) -> int | None:
    from harness.core import UserError

    if number is not None and number < 1:
        raise UserError(f"{option} must be at least 1, got {number}")
    return number


def _print(text: str) -> None:
    """To stdout. Whoever reads it may stop reading: `bench report ... | head` is no failure."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _intruder() -> str | None:
    """A package of somebody else that hides one of ours."""
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None or Path(spec.origin).resolve().parent.parent != ROOT:
            return f"the package {name!r} resolves to {spec.origin if spec else 'nothing'} instead of {ROOT / name}: remove or rename the other one"
    return None


def main() -> None:
    """The console script: one exit code for each meaning, and no traceback for wrong use."""
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # your own agents and suites; last, so that no file of yours hides a library
    intruder = _intruder()
    if intruder is not None:
        _say(f"bench: {intruder}")
        raise SystemExit(WRONG_USE)
    from harness.core import UserError

    try:
        code = app(standalone_mode=False)
    except UserError as wrong:
        _say(f"bench: {wrong}")
        code = WRONG_USE
    except KeyboardInterrupt:
        code = INTERRUPTED
    except typer.Exit as done:
        code = done.exit_code
    except Exception as fault:
        if not hasattr(fault, "exit_code"):
            import traceback

            traceback.print_exc()
            _say("bench: this is a fault of ours; please report it with the lines above")
            raise SystemExit(OUR_FAULT) from None
        fault.show()  # type: ignore[attr-defined]
        code = fault.exit_code
    if code == INTERRUPTED:
        _say("interrupted; the same command goes on where it stopped")
    raise SystemExit(code or DONE)


if __name__ == "__main__":
    main()

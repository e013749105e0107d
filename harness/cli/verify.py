"""`bench verify` and `bench show`: the evidence of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from harness.cli.locations import is_fetched, run_folder
from harness.cli.options import (
    Interpreters,
    LanesOption,
    Run,
    TrustMaker,
    arguments,
    at_least_one,
    worker_count,
)
from harness.cli.output import DONE, REGRESSED, WITH_ERRORS, print_out, say

__all__ = ["show", "verify"]


def verify(
    run: Annotated[
        Path | None,
        typer.Argument(help="A run directory, or its URL.", parser=run_folder),
    ] = None,
    sample: Annotated[str, typer.Option(help="How many episodes to replay, or all.")] = "20",
    sample_seed: Annotated[
        int | None,
        typer.Option(help="Draw the sample of an earlier verification again.", min=0),
    ] = None,
    workers: Annotated[
        str | None, typer.Option(help="See `bench run`. Default: 0, with --invariance 2.")
    ] = None,
    lanes: LanesOption = None,
    invariance: Annotated[
        bool,
        typer.Option(
            "--invariance",
            help="Play an agent in several ways instead; all results must be equal.",
        ),
    ] = False,
    backend: Annotated[
        str,
        typer.Option(
            help="Compare this backend with the ordinary simulator of --suite, step by step; with "
            "--invariance: see `bench run`."
        ),
    ] = "",
    episodes: Annotated[
        int | None, typer.Option(help="With --backend: seeds of each task; default: 3.")
    ] = None,
    agent: Annotated[str | None, typer.Option(help="With --invariance: see `bench run`.")] = None,
    suite: Annotated[
        str | None, typer.Option(help="With --invariance or --backend: see `bench run`.")
    ] = None,
    tasks: Annotated[
        str | None, typer.Option(help="With --invariance or --backend: see `bench run`.")
    ] = None,
    seed: Annotated[int, typer.Option(help="With --invariance or --backend: see `bench run`.")] = 0,
    agent_arg: Annotated[
        list[str] | None, typer.Option(help="With --invariance: see `bench run`.")
    ] = None,
    interpreter: Interpreters = None,
    trust: TrustMaker = False,
) -> int:
    """Check a run's files, and replay its recorded actions without the agent.

    Exit 1: something differs.
    """
    from harness.cli.supervisor import relay
    from harness.core import UserError
    from harness.host.interpreters import configured

    number = (
        None
        if sample == "all"
        else at_least_one("--sample", int(sample) if sample.isdecimal() else 0)
    )
    if episodes is not None and (invariance or not backend):
        raise UserError("--episodes is for --backend: leave one of them out, or add the other")
    if backend and not invariance:
        if run is not None or agent is not None or suite is None:
            raise UserError(
                "--backend compares two simulators, not a run: write bench verify --backend NAME "
                "--suite S"
            )
        with configured(interpreter or ()):
            return _compare_backend(backend, suite, tasks, episodes, seed)
    if not invariance:
        if run is None or agent is not None or suite is not None:
            raise UserError(
                "write bench verify RUN, or bench verify --invariance --agent A --suite S"
            )
        beside = worker_count(workers or "0")
        with configured(interpreter or ()):
            return _verify_run(run, number, sample_seed, beside, lanes, trust)
    if run is not None or agent is None or suite is None:
        raise UserError(
            "--invariance plays an agent, not a run: write bench verify --invariance --agent A "
            "--suite S"
        )
    chosen_agent, chosen_suite, count = agent, suite, worker_count(workers or "2")

    def work() -> tuple[str, str, int]:
        from harness.cli.names import agent_named, suites_named
        from harness.play.progress import progress_for
        from harness.records.catalogue import select_tasks
        from harness.verify.invariance import check_invariance

        proof = check_invariance(
            agent_named(chosen_agent, arguments(agent_arg)),
            select_tasks(suites_named(chosen_suite), tasks),
            sample=number,
            workers=2 if count is None else count,
            seed=seed,
            progress=progress_for(),
            backend=backend,
        )
        table = proof.table() if proof.drifts else ""
        return table, proof.as_text(), REGRESSED if proof.drifts else DONE

    with configured(interpreter or ()):
        return relay(work)


def _compare_backend(
    backend: str, suite: str, tasks: str | None, episodes: int | None, seed: int
) -> int:
    """Play recorded actions on a backend and on the ordinary simulator, in a child process."""
    from harness.cli.supervisor import relay

    count = at_least_one("--episodes", episodes) or 3

    def work() -> tuple[str, str, int]:
        from harness.cli.names import suites_named
        from harness.play.progress import progress_for
        from harness.records.catalogue import select_tasks
        from harness.verify.backends import compare_all

        chosen = [task for _, task in select_tasks(suites_named(suite), tasks)]
        found = compare_all(chosen, backend, episodes=count, seed=seed, progress=progress_for())
        return found.table(), found.as_text(), DONE if found.equal else REGRESSED

    return relay(work)


def _verify_run(
    run: Path,
    sample: int | None,
    sample_seed: int | None,
    workers: int | None,
    lanes: int | None,
    trust: bool,
) -> int:
    """Replay in a child process, and speak from what it has counted."""
    from harness.cli import names
    from harness.cli.supervisor import ChildEnded, Note, supervised
    from harness.play.runner import RunOptions
    from harness.records.imported import refuse_imported
    from harness.records.stored_run import load_run
    from harness.verify.report import VerificationReport, differences_table

    options = RunOptions(workers=workers, lanes=at_least_one("--lanes", lanes))
    trusted = names.trust(trust)
    stored = load_run(run)
    refuse_imported(stored)
    trusted.check((), stored.whole)

    def work(note: Note) -> dict[str, Any]:
        from harness.cli.verification import knowledge
        from harness.play.progress import progress_for
        from harness.verify.replay import verify as verify_run

        return verify_run(
            run,
            sample=sample,
            sample_seed=sample_seed,
            options=options,
            progress=progress_for(),
            known=knowledge(trusted.refuse),
        ).to_json()

    try:
        found = VerificationReport.from_json(supervised(work))
    except ChildEnded as ended:
        say(
            f"not verified: a simulator ended the process in which it plays ({ended.how}); with "
            "--workers 1 it ends its worker only"
        )
        return WITH_ERRORS
    if found.differences:
        print_out(differences_table(found.differences))
    for remark in found.remarks():
        say(remark)
    say(found.as_text())
    return DONE if found.passed else REGRESSED


def show(
    run: Run,
    case: Annotated[
        str | None, typer.Argument(help="A case's id, the beginning of it, or TASK:SEED.")
    ] = None,
    failures: Annotated[bool, typer.Option("--failures", help="List the failed episodes.")] = False,
    step: Annotated[
        int | None,
        typer.Option(help="Stop at this step, and save its picture or print what was seen."),
    ] = None,
    format: Annotated[
        Literal["auto", "video", "text"],
        typer.Option(help="auto: a video where there are pictures, else a text."),
    ] = "auto",
    out: Annotated[Path | None, typer.Option(help="Where to write. Default: RUN/videos.")] = None,
    interpreter: Interpreters = None,
    trust: TrustMaker = False,
) -> int:
    """Replay one recorded episode as a video or as a text. Prints the file's path, or the text."""
    from harness.cli.supervisor import relay
    from harness.core import UserError
    from harness.host.interpreters import configured
    from harness.verify.show import failures_table

    if failures or case is None:
        if not failures:
            raise UserError(f"name a case, or list some: bench show {run} --failures")
        print_out(failures_table(run))
        return DONE
    name = case

    def work() -> tuple[str, str, int]:
        from harness.cli import names
        from harness.records.imported import refuse_imported
        from harness.records.stored_run import load_run
        from harness.verify.episode_replay import find_episode
        from harness.verify.show import show as show_episode

        stored = load_run(run)
        refuse_imported(stored)
        episode = find_episode(run, name)
        names.trust(trust).check([episode.case.task], stored.whole)
        # What is fetched from a URL goes when the command ends, and with it RUN/videos.
        place = Path("videos") if out is None and is_fetched(run) else out
        shown = show_episode(episode, format=format, step=step, out=place)
        if shown.as_recorded:
            return shown.text, "", DONE
        differs = f"this replay differs from the recording; see bench verify {run}"
        return shown.text, differs, REGRESSED

    with configured(interpreter or ()):
        return relay(work)

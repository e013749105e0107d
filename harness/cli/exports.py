"""`bench export` and `bench import`: runs in other programs' formats."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from harness.cli.options import Interpreters, Run, TrustMaker
from harness.cli.output import DONE, command_line, print_out, say

__all__ = ["export", "import_"]

SUFFIX = {
    "parquet": ".parquet",
    "eval_info": ".eval_info.json",
    "inspect": ".inspect",
    "lerobot": ".lerobot",
}
"""Follows the name of the run, where --out does not say where to write."""


def export(
    run: Run,
    to: Annotated[
        Literal["parquet", "lerobot", "inspect", "eval_info"],
        typer.Option(
            help="parquet: a row for each case. lerobot: the episodes, replayed, as "
            "LeRobotDatasets. inspect: logs of inspect_ai. eval_info: LeRobot's eval_info.json."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Where to write; default: the name of the run with a suffix."),
    ] = None,
    views: Annotated[
        str | None,
        typer.Option(
            help="With lerobot: the views of each step, separated by commas; default: those that "
            "the agent reads."
        ),
    ] = None,
    interpreter: Interpreters = None,
    trust: TrustMaker = False,
) -> int:
    """Write a run in another program's format. Prints the path."""
    import os

    from harness.core import UserError
    from harness.records.stored_run import load_run

    stored = load_run(run)
    place = out or Path(Path(os.path.abspath(run)).name + SUFFIX[to])
    if os.path.lexists(place):
        raise UserError(f"{place} is there already: name another place with --out")
    if views is not None and to != "lerobot":
        raise UserError("--views belongs to --to lerobot")
    if to == "lerobot":
        return _lerobot(run, place, views, interpreter, trust)
    if to == "parquet":
        from leaderboards.exports.results_table import export_parquet

        remarks = export_parquet(stored, place)
    elif to == "inspect":
        from leaderboards.exports.inspect_log import export_inspect

        remarks = export_inspect(stored, place)
    else:
        from leaderboards.exports.eval_info import export_eval_info

        remarks = export_eval_info(stored, place)
    print_out(str(place))
    for remark in remarks:
        say(remark)
    return DONE


def _lerobot(
    run: Path, place: Path, views: str | None, interpreter: list[str] | None, trust: bool
) -> int:
    """Replay the episodes in a child process."""
    from harness.cli.supervisor import relay
    from harness.host.interpreters import configured

    def work() -> tuple[str, str, int]:
        from harness.cli import names
        from harness.play.progress import progress_for
        from harness.records.imported import refuse_imported
        from harness.records.stored_run import load_run
        from leaderboards.exports.lerobot import export_lerobot

        stored = load_run(run)
        refuse_imported(stored)
        names.trust(trust).check([item.task for item in stored.plan.items], stored.whole)
        wanted = None if views is None else views.split(",")
        folders, remarks = export_lerobot(stored, place, wanted, progress_for())
        return "\n".join(map(str, folders)), "\n".join(remarks), DONE

    with configured(interpreter or ()):
        return relay(work)


def import_(
    file: Annotated[
        Path, typer.Argument(help="An eval_info.json of LeRobot, or trials on a robot.")
    ],
    as_: Annotated[
        Literal["eval_info", "trials"],
        typer.Option(
            "--as",
            help="The format of the file. trials: CSV or JSON lines, a row a trial; see "
            "docs/correlate.md.",
        ),
    ],
    name: Annotated[str, typer.Option(help="The agent's name in reports.")] = "lerobot-eval",
    domain: Annotated[
        Literal["manipulation", "navigation", "games", "ui", "planning"],
        typer.Option(help="The domain of its tasks."),
    ] = "manipulation",
    out: Annotated[
        Path | None,
        typer.Option(
            help="The run directory, or the file of trials; default: runs/imported-HASH, "
            "runs/trials-HASH.jsonl."
        ),
    ] = None,
) -> int:
    """Make a run directory of another program's results: unverified, without evidence.

    A file whose figures are impossible is refused. Prints the directory. Trials become a file of
    checked trials for `bench correlate`.
    """
    from harness.core.grammar import counted

    if as_ == "trials":
        return _trials(file, out)
    from leaderboards.imports.directory import import_eval_info

    path, plan = import_eval_info(file, out, name=name, domain=domain, command=command_line())
    print_out(str(path))
    tasks = counted(len(plan.items), "task")
    say(
        f"{counted(plan.total, 'episode')} of {tasks}, unverified and without evidence; "
        f"next: bench report {path}"
    )
    return DONE


def _trials(file: Path, out: Path | None) -> int:
    import hashlib

    from harness.core import UserError
    from harness.core.grammar import counted
    from harness.records.trials import as_lines, read_trials

    trials = read_trials(file)
    text = as_lines(trials)
    path = out or Path("runs", f"trials-{hashlib.sha256(text.encode()).hexdigest()[:8]}.jsonl")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as written:
            written.write(text)
    except FileExistsError:
        raise UserError(f"{path} is there already: name another place with --out") from None
    except OSError as fault:
        raise UserError(f"cannot write {path}: {fault.strerror}; name a file with --out") from None
    print_out(str(path))
    policies, tasks = (len({getattr(each, name) for each in trials}) for name in ("policy", "task"))
    whose = f"{policies} {'policy' if policies == 1 else 'policies'}"
    say(
        f"{counted(len(trials), 'trial')} of {whose} in {counted(tasks, 'task')}, "
        f"{sum(each.blinded is True for each in trials)} of them blinded; next: bench correlate "
        f"RUN... --real {path}"
    )
    return DONE

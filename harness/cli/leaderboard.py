"""`bench leaderboard`: entries of the board, their check, and its pages."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.options import Interpreters, LanesOption, Run, at_least_one, worker_count
from harness.cli.output import DONE, REGRESSED, WITH_ERRORS, print_out, say

if TYPE_CHECKING:
    from harness.records.identity import AgentSpec
    from harness.records.stored_run import StoredRun
    from harness.records.trust import Trust
    from harness.verify.knowledge import Knowledge
    from leaderboards.submissions.check import Settings
    from leaderboards.submissions.verdict import Verdict

__all__ = ["leaderboard"]

leaderboard = typer.Typer(
    name="leaderboard",
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Entries of the board that anybody can check.",
)
Entries = Annotated[
    Path | None,
    typer.Option(
        help="The folder of the entries. Default: leaderboards/entries of the checkout, else "
        "entries in the working folder."
    ),
]
MOST_ENTRIES = 10_000
CODES = {"accepted": DONE, "refused": REGRESSED, "not checkable here": WITH_ERRORS}
"""The exit code of each verdict; of several entries the worst one counts."""


@leaderboard.command()
def add(
    run: Run,
    name: Annotated[str, typer.Option(help="The agent's name on the board.")],
    selection: Annotated[
        str,
        typer.Option(
            help="Which checkpoint and seed is shown, of how many that were tried, and chosen on "
            "what."
        ),
    ],
    url: Annotated[str | None, typer.Option(help="Where to read about the agent.")] = None,
    licence: Annotated[
        str | None, typer.Option(help="The agent's licence, as an SPDX expression: Apache-2.0.")
    ] = None,
    checkpoints_tried: Annotated[
        int | None, typer.Option(help="How many checkpoints were evaluated.", min=1)
    ] = None,
    seeds_tried: Annotated[
        int | None, typer.Option(help="How many of the agent's seeds were tried.", min=1)
    ] = None,
    training_data: Annotated[
        str | None,
        typer.Option(help="What it was trained on. Default: what the run says of it."),
    ] = None,
    parameters: Annotated[
        int | None, typer.Option(help="How many parameters it has.", min=0)
    ] = None,
    weights: Annotated[str | None, typer.Option(help="The URL of its weights.")] = None,
    cost: Annotated[
        float | None, typer.Option(help="What an episode costs, in US dollars.", min=0)
    ] = None,
    contact: Annotated[str | None, typer.Option(help="Whom to ask about it.")] = None,
    evidence_url: Annotated[
        str | None,
        typer.Option(
            help="Leave the traces out of the entry: they will lie at this URL. They are written "
            "beside you for the upload."
        ),
    ] = None,
    entries: Entries = None,
) -> int:
    """Write an entry of the board from a finished run. Prints its folder."""
    from harness.cli.verification import knowledge
    from harness.records.stored_run import load_run
    from leaderboards.submissions.entry import Submission
    from leaderboards.submissions.write import add as add_entry

    submission = Submission(
        url=url,
        licence=licence,
        selection=selection,
        checkpoints_tried=checkpoints_tried,
        seeds_tried=seeds_tried,
        training_data=training_data or load_run(run).description["agent"].get("training_data"),
        parameters=parameters,
        weights=weights,
        cost_per_episode=cost,
        contact=contact,
    )
    written = add_entry(
        run,
        name,
        submission,
        entries or _default_entries(),
        known=knowledge(_our_trust().refuse),
        suites=_our_suites(),
        evidence_url=evidence_url,
    )
    print_out(str(written.path))
    for remark in written.remarks:
        say(remark)
    if written.evidence is not None:
        say(f"upload {written.evidence} to {evidence_url}")
    say(f"{written.bytes:,} bytes; next: bench leaderboard check {written.path}")
    return DONE


@leaderboard.command()
def check(
    entry: Annotated[Path | None, typer.Argument(help="The folder of an entry, or --all.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Check every entry.")] = False,
    sample: Annotated[
        str,
        typer.Option(help="How many episodes to replay: a number, a share such as 4%, or all."),
    ] = "200",
    seed: Annotated[
        str | None,
        typer.Option(help="Draw the sample of an earlier check again: the seed in its check.json."),
    ] = None,
    starts: Annotated[
        bool,
        typer.Option(
            help="Also begin the episodes that are not replayed: they must start as ours."
        ),
    ] = True,
    rerun: Annotated[
        bool, typer.Option("--rerun", help="Also play the agent again, if it is one of bench's.")
    ] = False,
    evidence: Annotated[
        Path | None,
        typer.Option(help="The folder of the traces that an entry has at a URL, once downloaded."),
    ] = None,
    workers: Annotated[str, typer.Option(help="See `bench run`.")] = "0",
    lanes: LanesOption = None,
    interpreter: Interpreters = None,
    entries: Entries = None,
) -> int:
    """Check entries of the board, and write each verdict into the entry's check.json.

    Exit 0: accepted. 1: refused. 4: not checkable here.
    """
    from harness.core import UserError
    from harness.host.interpreters import configured
    from harness.play.runner import RunOptions

    if (entry is None) is not all_:
        raise UserError("write bench leaderboard check ENTRY, or bench leaderboard check --all")
    paths = [entry] if entry is not None else _entries(entries or _default_entries())
    for path in paths:
        if not path.is_dir() and not path.is_symlink():
            raise UserError(f"there is no entry {path}: name the folder that holds entry.json")
    _check_seed(seed)
    options = RunOptions(workers=worker_count(workers), lanes=at_least_one("--lanes", lanes))
    codes: set[int] = set()
    with configured(interpreter or ()):
        for path in paths:
            settings = _settings(sample, seed, starts)
            verdict = _check_one(path, settings, options, rerun, evidence)
            _tell(path, verdict)
            if verdict.write(path) is None:
                say(f"{path} is a link: no check.json is written there")
            codes.add(CODES[verdict.outcome])
    return next(code for code in (REGRESSED, WITH_ERRORS, DONE) if code in codes)


@leaderboard.command()
def build(
    entries: Annotated[
        list[Path] | None,
        typer.Option(
            help="A folder of entries; it may be given several times. Default: see `add`."
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="The folder of the pages. A board that lies there is replaced.")
    ] = Path("site"),
    title: Annotated[str | None, typer.Option(help="What stands above all.")] = None,
    url: Annotated[
        str, typer.Option(help="Where the pages will lie, for the feed and for model cards.")
    ] = "",
    hub_dataset: Annotated[
        str,
        typer.Option(
            help="Also write .eval_results files for this benchmark (OWNER/NAME) on the Hugging "
            "Face hub."
        ),
    ] = "",
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=ENTRY,ENTRY,...: entries that are trainings of one method. Can be repeated."
        ),
    ] = None,
) -> int:
    """Write the board as a folder of static pages. It reads entries and verdicts, and plays
    nothing.
    """
    from harness.cli.methods import named_methods
    from harness.cli.names import suite_table, suites_named
    from harness.core.grammar import counted
    from leaderboards.board.build import TITLE, build_site

    built = build_site(
        entries or [_default_entries()],
        out,
        {name: suites_named(name)[0] for name in suite_table()},
        title=title or TITLE,
        url=url,
        hub_dataset=hub_dataset,
        methods=named_methods(method or ()),
    )
    print_out(str(out / "index.html"))
    for each in built.unreadable:
        say(f"no entry: {each}")
    entries_read = f"{built.entries} {'entry' if built.entries == 1 else 'entries'}"
    say(f"{entries_read}, {counted(built.suites, 'suite')}, {built.files:,} files")
    return DONE


def _check_one(
    path: Path, settings: Settings, options: Any, rerun: bool, evidence: Path | None
) -> Verdict:
    """Examine the files here, and play in a child process."""
    from harness.cli.supervisor import ChildEnded, Note, supervised
    from harness.cli.verification import knowledge
    from leaderboards.submissions.check import conclude, examine, replay, unplayed
    from leaderboards.submissions.verdict import Verdict

    trusted = _our_trust()
    known: Knowledge = knowledge(trusted.refuse)
    with tempfile.TemporaryDirectory(prefix="bench-entry-") as folder:
        found = examine(path.absolute(), Path(folder), known, _our_suites(), settings, evidence)
        if isinstance(found, Verdict):
            return found
        spec, not_rerun = _public_agent(found.run) if rerun else (None, None)

        def work(note: Note) -> Mapping[str, Any]:
            from harness.play.progress import progress_for

            return replay(found.run, known, settings, options, progress_for(), spec)

        try:
            played = supervised(work)
        except ChildEnded as ended:
            return unplayed(
                found,
                settings,
                f"a simulator ended the process in which it plays ({ended.how}); with --workers 1 "
                "it ends its worker only",
            )
        return conclude(found, played, settings, not_rerun)


def _tell(path: Path, verdict: Verdict) -> None:
    """The verdict in a line, and below it why, and what is only claimed."""
    from leaderboards.submissions.entry import CLAIMED

    print_out(f"{path.name}: {verdict.outcome}: {verdict.statement}")
    for reason in verdict.reasons:
        say(f"  {reason}")
    if verdict.rerun:
        say(f"  {verdict.rerun}")
    for note in verdict.notes:
        say(f"  {note}")
    if verdict.seed and verdict.replayed < verdict.playable:
        say(f"  repeat with --seed {verdict.seed} --sample {verdict.sample}")
    say(f"  {CLAIMED}")


def _public_agent(run: StoredRun) -> tuple[AgentSpec | None, str | None]:
    """(the agent of a run, if it is one of `bench list agents`; why it is none)."""
    from harness.cli.names import agent_named, agents
    from harness.records.trust import harmless

    agent = run.description["agent"]
    name, ours = str(agent["name"]), agents()
    if ours.get(name) != agent["entry"]:
        return None, f"not played again: {name[:100]} is no agent of `bench list agents`"
    if not harmless(agent["args"]):
        return None, f"not played again: the arguments of {name} are no plain words and numbers"
    return agent_named(name, agent["args"]), None


def _settings(sample: str, seed: str | None, starts: bool) -> Settings:
    import importlib.metadata

    from harness.core import UserError
    from harness.records.identity import source_commit
    from leaderboards.submissions.check import Settings, new_seed

    number = re.fullmatch(r"all|([1-9]\d{0,8})|(\d{1,2}(\.\d{1,3})?|100)%", sample)
    if number is None or not sample.strip("0.%"):
        raise UserError(f"--sample {sample!r}: write a number, a share such as 4%, or all")
    return Settings(
        sample=sample,
        seed=seed or new_seed(),
        starts=starts,
        bench=importlib.metadata.version("generalist-bench"),
        commit=source_commit(Path(__file__).resolve().parent),
    )


def _check_seed(seed: str | None) -> None:
    from harness.core import UserError

    if seed is not None and not re.fullmatch(r"[0-9a-f]{1,64}", seed):
        raise UserError(f"--seed {seed[:80]!r}: write the hexadecimal digits of a check.json")


def _our_trust() -> Trust:
    """Trust in the tasks of our suites alone: neither in a Gymnasium id nor in a user's suite."""
    from harness.cli.names import our_tasks
    from harness.records.trust import Trust

    return Trust(our_tasks().get)


def _our_suites() -> frozenset[str]:
    from harness.cli.names import suite_table

    return frozenset(suite_table())


def _default_entries() -> Path:
    """leaderboards/entries of the checkout that this is, else `entries`."""
    import leaderboards

    package = Path(leaderboards.__file__).resolve().parent
    return package / "entries" if (package.parent / "pyproject.toml").is_file() else Path("entries")


def _entries(folder: Path) -> list[Path]:
    """The folders, and links to folders, in the folder of the entries, sorted."""
    from harness.core import UserError

    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}: name the folder of the entries by --entries")
    found = sorted(each for each in folder.iterdir() if each.is_dir() and each.name[:1] != ".")
    if not found or len(found) > MOST_ENTRIES:
        raise UserError(f"{folder} holds {len(found)} entries: there is nothing to check")
    return found

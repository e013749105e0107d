"""`bench leaderboard check`: is an entry what it claims to be?

`examine` looks at the files, and imports and plays nothing. `replay` plays: its values are plain
JSON, because it runs in a child process. `conclude` makes the verdict of both.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core import UserError
from harness.core.text import printable
from harness.play.progress import Progress
from harness.play.runner import RunOptions
from harness.records.identity import AgentSpec
from harness.records.linear_algebra import kernels_of
from harness.records.plan import CaseIndex
from harness.records.stored_run import StoredRun
from harness.verify.difference import Difference
from harness.verify.knowledge import Knowledge
from harness.verify.played_again import AgainReport, check_starts, rerun
from harness.verify.replay import WHO, verify
from harness.verify.report import VerificationReport
from harness.verify.sampling import Stratified
from leaderboards.submissions.entry import Entry, read_entry
from leaderboards.submissions.unpack import Evidence, contradicted, unpack_entry
from leaderboards.submissions.verdict import (
    ACCEPTED,
    NOT_HERE,
    REFUSED,
    Verdict,
    short_reasons,
    statement,
)

__all__ = ["Examined", "Settings", "conclude", "examine", "new_seed", "replay", "unplayed"]

VERSION = "the version of "
"""Begins the difference of a package that is installed here in another version."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How an entry is checked."""

    sample: str
    """`all`, a number, or a share such as `4%`."""
    seed: str
    starts: bool = True
    """Whether the episodes that are not replayed are begun, and their starts compared."""
    bench: str = ""
    commit: str | None = None

    def wanted(self, cases: int) -> int | None:
        """How many of so many cases are replayed; None: all."""
        if self.sample == "all":
            return None
        if self.sample.endswith("%"):
            return max(1, round(float(self.sample[:-1]) / 100 * cases))
        return int(self.sample)


@dataclass(frozen=True, kw_only=True)
class Examined:
    """An entry whose files hold together; nothing of it was played."""

    entry: Entry
    run: StoredRun


def new_seed() -> str:
    """128 random bits of the system as hexadecimal digits: no submitter can have known them."""
    return secrets.token_hex(16)


def examine(
    path: Path,
    folder: Path,
    known: Knowledge,
    suites: frozenset[str],
    settings: Settings,
    evidence: Path | None = None,
) -> Examined | Verdict:
    """Check the files of an entry, and unpack it into an empty folder; a Verdict ends the check.

    `known`: our tasks and suites. `suites`: the names of ours. `evidence`: see unpack_entry.
    """
    digest = None
    try:
        entry = read_entry(path)
        digest = entry.digest
        run = unpack_entry(entry, folder, dict(known.tasks), suites, evidence)
        reasons = list(contradicted(entry, run))
    except UserError as refused:
        reasons = [str(refused).replace(f"{folder}/", "").replace(str(folder), "the run")]
    except Evidence as elsewhere:
        return _ended(NOT_HERE, [str(elsewhere)], digest, settings)
    if reasons:
        return _ended(REFUSED, reasons, digest, settings)
    return Examined(entry=entry, run=run)


def _ended(outcome: str, reasons: list[str], digest: str | None, settings: Settings) -> Verdict:
    return Verdict(
        outcome=outcome,
        statement="nothing was replayed",
        entry=digest,
        bench=settings.bench,
        commit=settings.commit,
        reasons=short_reasons(reasons),
        sample=settings.sample,
    )


def replay(
    run: StoredRun,
    known: Knowledge,
    settings: Settings,
    options: RunOptions,
    progress: Progress,
    agent: AgentSpec | None = None,
) -> dict[str, Any]:
    """Replay a sample, begin the other episodes, and play `agent` again; plain JSON values.

    `known` must trust the tasks of our suites alone. Raises UserError if it is interrupted.
    """
    wanted = settings.wanted(run.whole.total)
    draw = Stratified(settings.seed, wanted)
    chosen: list[CaseIndex] = []
    playable: list[CaseIndex] = []

    def drawn(plan: Any, cases: Any) -> list[CaseIndex]:
        playable.extend(cases)
        chosen.extend(draw(plan, cases))
        return chosen

    report = verify(
        run.path,
        sample=wanted,
        options=options,
        progress=progress,
        known=known,
        sample_seed=int(settings.seed, 16),
        draw=drawn,
    )
    begun, again = AgainReport(), None
    with kernels_of(run.description.get("machine")):
        if settings.starts and not report.differences:
            rest = set(playable) - set(chosen)
            begun = check_starts(run, rest, options, progress)
        if agent is not None and not report.differences:
            again = rerun(run, chosen, agent, options, progress)
    return {
        "report": report.to_json(),
        "by_task": {task: list(counts) for task, counts in draw.by_task.items()},
        "chances": draw.chances(),
        "starts": begun.to_json(),
        "rerun": None if again is None else again.to_json(),
        "fingerprint": None if agent is None else agent.fingerprint(),
    }


def conclude(
    examined: Examined, played: Mapping[str, Any], settings: Settings, not_rerun: str | None = None
) -> Verdict:
    """The verdict. `played`: what `replay` returned. `not_rerun`: why the agent was not played."""
    report = VerificationReport.from_json(played["report"])
    starts = AgainReport.from_json(played["starts"])
    refused, elsewhere = _sorted(report)
    refused += [_said(each) for each in starts.differences]
    elsewhere += [*report.unchecked, *starts.unchecked]
    if report.replayed < report.chosen:
        elsewhere.append(f"{report.chosen - report.replayed} episodes could not be played again")
    if not report.chosen:
        elsewhere.append("there is no episode to play again")
    rerun_said = not_rerun
    if played["rerun"] is not None:
        again = AgainReport.from_json(played["rerun"])
        rerun_said, wrong, unsure = _rerun(examined, again, str(played["fingerprint"]))
        refused += wrong
        elsewhere += unsure
    outcome = REFUSED if refused else NOT_HERE if elsewhere else ACCEPTED
    claims = [f"claimed, not checked: {each}" for each in report.claims if each != WHO]
    said = statement(report.replayed, report.playable, played["chances"])
    if starts.done and not starts.differences:
        said += f"; {starts.done:,} others start as ours do"
    return Verdict(
        outcome=outcome,
        statement=said if report.replayed else "nothing was replayed",
        entry=examined.entry.digest,
        bench=settings.bench,
        commit=settings.commit,
        reasons=short_reasons(refused or elsewhere),
        seed=settings.seed,
        sample=settings.sample,
        replayed=report.replayed,
        playable=report.playable,
        by_task=played["by_task"],
        chances=played["chances"],
        starts=starts.done,
        rerun=rerun_said,
        notes=short_reasons([*report.notes, *claims]),
    )


def unplayed(examined: Examined, settings: Settings, why: str) -> Verdict:
    """The verdict where the playing came to no end."""
    return _ended(NOT_HERE, [why], examined.entry.digest, settings)


def _sorted(report: VerificationReport) -> tuple[list[str], list[str]]:
    """(what refuses the entry, what cannot be checked here) of what a verification found.

    What contradicts the files refuses it anywhere. A replay that comes out otherwise refuses it
    unless another renderer draws here than drew there, or numpy multiplies with other kernels.
    """
    refused, elsewhere = [], []
    for number, each in enumerate(report.differences):
        if each.what.startswith(VERSION):
            elsewhere.append(_said(each))
        elif number >= report.in_files and each.task in report.drawn_elsewhere:
            elsewhere.append(f"{_said(each)}, where another renderer draws than here")
        elif number >= report.in_files and report.other_kernels:
            elsewhere.append(f"{_said(each)}; {report.other_kernels}")
        else:
            refused.append(_said(each))
    return refused, elsewhere


def _rerun(
    examined: Examined, again: AgainReport, fingerprint: str
) -> tuple[str, list[str], list[str]]:
    """(what is said of it, what refuses the entry, what cannot be checked here)."""
    agent = examined.entry.described["agent"]
    name = printable(agent["name"])
    if again.unchecked:
        return f"{name} could not be played again", [], again.unchecked
    if not again.differences:
        return f"{name}, played again in {again.done:,} of them, did the same", [], []
    said = f"{name}, played again in {again.done:,} of them, did something else"
    first = _said(again.differences[0])
    if fingerprint != agent["fingerprint"]:
        return said, [], [f"{said}, and it is another version of it: {first}"]
    return said, [f"{said}: {first}"], []


def _said(each: Difference) -> str:
    where = f"{each.task}{'' if each.seed is None else f' with seed {each.seed}'}: "
    return f"{where if each.task else ''}{each.what} is {each.recorded}, not {each.expected}"

"""The page over a folder of runs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from harness.core import UserError
from harness.core.text import printable, shorten
from harness.probes.result_file import NAME, read_probe
from leaderboards.page.embed import environment, policy, scripts, styles
from leaderboards.report import load_report
from leaderboards.tables import percent, range_of

__all__ = [
    "ProbeLine", "RunLine", "index_page", "probes_below", "run_lines", "run_name", "runs_below",
]  # fmt: skip

MOST_RUNS = 500
MOST_PROBES = 200
DEEPEST = 2
"""Folders below the one that was named: runs/AGENT-SUITE-HASH, or one more."""


@dataclass(frozen=True, kw_only=True)
class RunLine:
    """A run in the index."""

    name: str
    """Its folder, relative to the one that was named."""
    link: str = ""
    compare: str = ""
    """Where it is compared; empty: nowhere."""
    agent: str = ""
    suites: str = ""
    rate: str = ""
    bounds: str = ""
    n: str = ""
    begun: str = ""
    state: str = ""
    """Empty, or what stands in place of figures."""


@dataclass(frozen=True, kw_only=True)
class ProbeLine:
    """What a probe found, in the index."""

    name: str
    """Its file, relative to the folder that was named."""
    link: str = ""
    probe: str = ""
    title: str = ""
    """Or why it cannot be read."""


def runs_below(folder: Path) -> list[Path]:
    """The run directories in a folder, the newest first; no link is followed.

    Raises UserError if the folder does not exist.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder: name one that holds run directories")
    found: list[tuple[float, Path]] = []
    level = [folder]
    for depth in range(DEEPEST + 1):
        below: list[Path] = []
        for each in level:
            file = each / "run.json"
            if file.is_file() and not file.is_symlink():
                found.append((file.stat().st_mtime, each))
            elif depth < DEEPEST:
                with os.scandir(each) as entries:
                    below += [Path(e.path) for e in entries if e.is_dir(follow_symlinks=False)]
        level = below
    return [path for _, path in sorted(found, key=lambda each: -each[0])[:MOST_RUNS]]


def probes_below(folder: Path) -> dict[str, Path]:
    """Path below the folder -> what a probe found, the newest first; no link is followed."""
    found: list[tuple[float, Path]] = []
    level = [folder]
    for _ in range(DEEPEST + 1):
        below: list[Path] = []
        for each in level:
            with os.scandir(each) as entries:
                inside = [(Path(e.path), e) for e in entries if not e.is_symlink()]
            if any(path.name == "run.json" for path, _ in inside):
                continue
            below += [path for path, entry in inside if entry.is_dir()]
            found += [
                (entry.stat().st_mtime, path)
                for path, entry in inside
                if entry.is_file() and (path.name == NAME or path.name.endswith(f".{NAME}"))
            ]
        level = below
    newest = sorted(found, key=lambda each: -each[0])[:MOST_PROBES]
    return {str(path.relative_to(folder)): path for _, path in newest}


def _probe_line(name: str, file: Path, link: str) -> ProbeLine:
    try:
        told = read_probe(file)
    except UserError as wrong:
        return ProbeLine(name=_shown(name), title=_shown(str(wrong)))
    return ProbeLine(
        name=_shown(name),
        link=link.format(quote(name)),
        probe=_shown(told.probe),
        title=_shown(told.title),
    )


def run_name(run: Path, folder: Path) -> str:
    """What a run below a folder is called: its path there."""
    return str(run.relative_to(folder)) if run != folder else run.name


def run_lines(folder: Path, link: str, compare: str = "") -> list[RunLine]:
    """A line for each run; one that cannot be read says why.

    link, compare: what its name is put into.
    """
    return [_line(path, folder, link, compare) for path in runs_below(folder)]


def _line(path: Path, folder: Path, link: str, compare: str) -> RunLine:
    name = run_name(path, folder)
    where = link.format(quote(name))
    try:
        report = load_report(path)
    except UserError as wrong:
        return RunLine(name=_shown(name), state=_shown(str(wrong)))
    run, total = report.run, report.overall
    return RunLine(
        name=_shown(name),
        link=where,
        compare=compare.format(quote(name)),
        agent=_shown(str(run["agent"]["name"])),
        suites=_shown(", ".join(run["suites"])),
        rate=percent(total.interval.value) if total.interval else "",
        bounds=range_of(total.interval, percent),
        n=f"{total.n} of {total.planned}" if total.n < total.planned else str(total.n),
        begun=_shown(str(run["created"])),
        state="" if run.get("finished") else "not finished",
    )


def index_page(
    folder: Path,
    link: str = "{}/report.html",
    refresh: int = 0,
    compare: str = "",
    title: str = "",
    probe: str = "",
) -> str:
    """The page of the runs in a folder. Raises UserError.

    link: where the page of a run is, with its name in place of the braces. refresh: after how many
    seconds the page is loaded again; 0: never. compare: where it is compared with another one;
    empty: nowhere. title: empty: `Runs in FOLDER`. probe: where the page of a probe is; empty: none
    is listed.
    """
    used = scripts()
    page: str = (
        environment()
        .get_template("index.html.j2")
        .render(
            title=_shown(title or f"Runs in {folder}"),
            lines=run_lines(folder, link, compare),
            comparing=bool(compare),
            probes=[
                _probe_line(name, file, probe)
                for name, file in (probes_below(folder).items() if probe else ())
            ],
            refresh=refresh,
            scripts=used,
            styles=styles(),
            policy=policy(used),
        )
    )
    return page


def _shown(text: str) -> str:
    return printable(shorten(text, 300))

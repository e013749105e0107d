"""`bench leaderboard build`: a folder of static pages from entries.

Links are relative, nothing is fetched, and equal entries give equal bytes: dates come from the
entries, and nothing from the machine on which the board is built.
"""

from __future__ import annotations

import dataclasses
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.core import Suite, UserError
from harness.core.text import printable
from harness.records.new_folder import new_folder
from leaderboards.board.badge import badge, badge_link
from leaderboards.board.case_files import case_file, entries_file
from leaderboards.board.entries import read_all
from leaderboards.board.exports import as_document, rows_csv, tasks_csv
from leaderboards.board.feed import feed
from leaderboards.board.hub import check_dataset, hub_file, hub_path
from leaderboards.board.methods import refuse_no_methods
from leaderboards.board.model import Board, board_of
from leaderboards.board.pages import HERE, pages_of
from leaderboards.board.views import rows_of_board
from leaderboards.page.embed import HERE as PAGE
from leaderboards.page.embed import environment

__all__ = ["Built", "build_site"]

TITLE = "Embodied agents: results that anybody can check"
MARKER = "data/board.json"
"""What shows that a folder is a board, which may be replaced by another one."""
_URL = re.compile(r"https?://[A-Za-z0-9.-]+(?::\d{1,5})?(?:/[A-Za-z0-9._~/-]*)?")


@dataclass(frozen=True, kw_only=True)
class Built:
    """A site that was written."""

    entries: int
    suites: int
    files: int
    unreadable: tuple[str, ...]
    """`FOLDER: REASON`, a printable line each."""


def build_site(
    folders: Sequence[Path],
    out: Path,
    suites: Mapping[str, Suite],
    *,
    title: str = TITLE,
    url: str = "",
    hub_dataset: str = "",
    methods: Mapping[str, Sequence[str]] | None = None,
) -> Built:
    """Write the board of the entries in these folders into `out`.

    suites: ours, by name. url: where the site will lie, for the feed and model cards. hub_dataset:
    the benchmark on the Hugging Face hub for which model cards are written; empty: none are.
    methods: by name the ids of the entries that are its trainings.

    Raises UserError where a folder does not exist, where a method names no entries, where `out`
    holds something else than a board, and without jinja2.
    """
    environment()  # says at once what is missing
    if url and not _URL.fullmatch(url):
        raise UserError(f"--url {printable(url)!r}: write an address such as https://example.org/")
    if hub_dataset:
        check_dataset(hub_dataset)
    _check_replaceable(out)
    entries, unreadable = read_all(folders, suites)
    board = dataclasses.replace(board_of(entries, unreadable, suites), methods=methods or {})
    refuse_no_methods(board, board.methods)
    address = url if not url or url.endswith("/") else f"{url}/"
    with new_folder(out.parent, out, "--out") as new:
        files = 0
        for path, content in _files(board, printable(title), address, hub_dataset):
            (new / path).parent.mkdir(parents=True, exist_ok=True)
            (new / path).write_bytes(content)
            files += 1
        new.chmod(0o755)
        if out.exists():
            shutil.rmtree(out)
        new.rename(out)
    return Built(
        entries=len(board.entries),
        suites=len(board.suites),
        files=files,
        unreadable=tuple(f"{each.path}: {each.reason}" for each in board.unreadable),
    )


def _check_replaceable(out: Path) -> None:
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise UserError(f"--out {out} is no folder: name another one")
    if out.exists() and any(out.iterdir()) and not (out / MARKER).is_file():
        raise UserError(f"--out {out} holds something else than a board: name an empty folder")


def _files(board: Board, title: str, url: str, dataset: str) -> Iterator[tuple[str, bytes]]:
    """(path relative to the root of the site, content)."""
    for path, text in _texts(board, title, url, dataset):
        yield path, text.encode()
    shared = [PAGE / "assets" / name for name in ("page.css", "figures.js")]
    assets = [*sorted((HERE / "assets").iterdir()), *shared, *sorted((PAGE / "vendor").iterdir())]
    for file in assets:
        yield f"assets/{file.name}", file.read_bytes()
    # GitHub Pages leaves out folders that begin with a line unless this file is there.
    yield ".nojekyll", b""


def _texts(board: Board, title: str, url: str, dataset: str) -> Iterator[tuple[str, str]]:
    yield from pages_of(board, title)
    yield MARKER, as_document(board, title)
    yield "data/rows.csv", rows_csv(board)
    yield "data/tasks.csv", tasks_csv(board)
    yield "data/entries.js", entries_file(board)
    for entry in board.entries:
        if entry.parts:
            yield f"data/cases/{entry.id}.js", case_file(entry, board)
    yield "feed.xml", feed(board, title, url)
    for row in rows_of_board(board):
        yield badge_link(row), badge(row)
    if dataset:
        for suite in board.suites:
            for row in suite.ranked:
                yield hub_path(row), hub_file(row, dataset, url)

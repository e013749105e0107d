"""A run in an object store, and its working copy on this machine.

A run is played into its working copy, a run directory like any other. What is new there is sent to
the store in pieces, and when the run goes on elsewhere, the working copy is made from the pieces.
The order is that of the run directory: run.json, then traces, then the lines, so that no line in
the store lacks its trace. A piece is there as a whole or not at all, so there is no torn line.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from harness.core import UserError
from harness.records.object_store import ObjectStore, StoreFault
from harness.records.results import FILE as EPISODES
from harness.records.run_file import MOST_RUN_BYTES
from harness.records.run_lease import Lease
from harness.records.run_pieces import MOST_PIECE, PARTS, Piece, digest_of, pieces_of
from harness.records.safe_files import files_inside, open_inside, path_inside, read_inside
from harness.records.traces import FOLDER as TRACES
from harness.records.traces import PART
from harness.records.whole_file import write_whole

__all__ = ["MOST_BYTES", "Mirror", "copy_run", "write_pieces"]

RUN = "run.json"
VIDEOS = "videos"
_VIDEO = r"[^./][^/]*\.(?:mp4|jpg)"
MOST_VIDEO = 1 << 30
MOST_BYTES = 16 << 30
"""Of a file of a run that is put together: ten million episodes take 6 GB."""


class Mirror:
    """Sends what is new in a working copy to a store, whose one writer we are."""

    def __init__(self, store: ObjectStore, folder: Path, lease: Lease) -> None:
        self._store = store
        self._folder = folder
        self._lease = lease
        self._sent: dict[str, int] = {}
        """Bytes of each growing file, and of each video, that the store has."""
        self._run = b""
        """run.json as the store has it."""

    def pull(self, say: Callable[[str], None]) -> None:
        """Make the working copy hold all that the store has. To be called before it is opened.

        A working copy may hold more: what was played before a connection was lost. If the run went
        on elsewhere since, it is moved aside. Raises UserError.
        """
        sizes = self._store.sizes(PARTS)
        pieces = pieces_of(sizes)
        if self._is_another(pieces):
            aside = _move_aside(self._folder)
            say(
                f"{self._folder} has results that {self._store.shown} lacks, and the run went on "
                f"elsewhere since: they are in {aside} now, and their cases are played again"
            )
        self._folder.mkdir(parents=True, exist_ok=True)
        self._sent.update(self._store.sizes(VIDEOS))
        for file, parts in pieces.items():
            self._complete(file, parts)
        run = self._store.read(RUN, MOST_RUN_BYTES)
        if run is None:
            return
        if EPISODES not in pieces and not (self._folder / EPISODES).exists():
            copy_plain(self._store, self._folder)  # a run directory that was copied there
        self._run = run
        _write_run(self._folder, run)

    def push(self) -> int:
        """Send what is new; returns how many bytes of the growing files that were.

        Raises LeaseLost, and StoreFault where the store does not take it: nothing is lost, and
        another call sends it.
        """
        self._lease.check()
        # Their lines were written after the traces whose sizes are taken below.
        lines = _whole_lines(self._folder, self._sent.get(EPISODES, 0))
        traces = files_inside(self._folder, TRACES, PART)
        sent = 0
        if not self._run:
            self._push_run()
        for name in traces:
            file = f"{TRACES}/{name}"
            sent += self._push(file, (self._folder / TRACES / name).stat().st_size)
        sent += self._push(EPISODES, lines)
        self._push_videos()
        self._push_run()
        return sent

    def close(self) -> None:
        """Send the rest, and let the next writer begin. Raises as `push` does.

        Where nothing came of the run, nothing of it remains.
        """
        self.push()
        self._lease.release(unused=not self._run)
        with contextlib.suppress(OSError):  # it is not empty
            if not self._run:
                self._folder.rmdir()

    def _is_another(self, pieces: dict[str, list[Piece]]) -> bool:
        """Whether a file of the working copy goes on otherwise than in the store."""
        return any(
            _differs(self._folder, file, parts, self._store) for file, parts in pieces.items()
        )

    def _complete(self, file: str, parts: list[Piece]) -> None:
        """Append what the store has more of a file."""
        path = path_inside(self._folder, file)
        path.parent.mkdir(exist_ok=True)
        have = path.stat().st_size if path.exists() else 0
        if parts and parts[-1].end > have:
            with open(path, "ab") as target:
                for piece in parts:
                    if piece.end > have:
                        self._lease.keep()
                        content = _content(self._store, piece)
                        target.write(content[max(0, have - piece.start) :])
                target.flush()
                os.fsync(target.fileno())
        self._sent[file] = parts[-1].end if parts else 0

    def _push(self, file: str, size: int) -> int:
        """Send a file from where the store ends to `size`."""
        begun = start = self._sent.get(file, 0)
        if size <= start:
            return 0
        with open_inside(self._folder, file) as source:
            source.seek(start)
            while start < size:
                content = source.read(min(MOST_PIECE, size - start))
                if file == EPISODES and start + len(content) < size:
                    content = content[: content.rfind(b"\n") + 1]
                if not content:
                    raise UserError(f"{self._folder}/{file} was cut off while it was sent")
                self._lease.keep()
                piece = Piece.of(file, start, content, self._lease.number)
                self._store.write(piece.name, content)
                start = self._sent[file] = piece.end
        return start - begun

    def _push_run(self) -> None:
        try:
            run = read_inside(self._folder, RUN, MOST_RUN_BYTES)
        except FileNotFoundError:
            return
        if run != self._run:
            self._store.write(RUN, run)
            self._run = run

    def _push_videos(self) -> None:
        for name in files_inside(self._folder, VIDEOS, _VIDEO):
            file = f"{VIDEOS}/{name}"
            size = (self._folder / file).stat().st_size
            if self._sent.get(file) != size:
                self._store.write(file, read_inside(self._folder, file, MOST_VIDEO))
                self._sent[file] = size


def copy_run(store: ObjectStore, folder: Path, *, whole: bool) -> bool:
    """Copy a run to a folder; `whole`: with traces and videos. False if there is no run.json.

    Both kinds are read: pieces, and a run directory that was copied there. Raises StoreFault.
    """
    run = store.read(RUN, MOST_RUN_BYTES)
    if run is None:
        return False
    _write_run(folder, run)
    pieces = pieces_of(store.sizes(PARTS))
    if EPISODES not in pieces:
        copy_plain(store, folder, whole=whole)
    for file, parts in pieces.items():
        if not (whole or file == EPISODES):
            continue
        path = path_inside(folder, file)
        path.parent.mkdir(exist_ok=True)
        write_pieces(store, parts, path, MOST_BYTES)
    if whole:
        _copy_files(store, folder, VIDEOS, _VIDEO, MOST_VIDEO)
    return True


def write_pieces(store: ObjectStore, parts: Sequence[Piece], path: Path, most_bytes: int) -> None:
    """Put a file together. Raises StoreFault, also where it has more than `most_bytes`."""
    if parts and parts[-1].end > most_bytes:
        raise StoreFault(
            f"{parts[-1].file} of {store.shown} is larger than any run of bench", lasting=True
        )
    with path.open("xb") as target:
        for piece in parts:
            target.write(_content(store, piece))


def copy_plain(store: ObjectStore, folder: Path, *, whole: bool = True) -> None:
    """Copy the lines, and `whole` the traces, of a run directory that lies in a store as it is."""
    _copy_file(store, folder, EPISODES, MOST_BYTES)
    if whole:
        _copy_files(store, folder, TRACES, PART, MOST_BYTES)


def _copy_files(store: ObjectStore, folder: Path, below: str, pattern: str, most: int) -> None:
    for file in store.sizes(below):
        if re.fullmatch(f"{below}/{pattern}", file):
            _copy_file(store, folder, file, most)


def _copy_file(store: ObjectStore, folder: Path, file: str, most: int) -> None:
    path = path_inside(folder, file)
    path.parent.mkdir(exist_ok=True)
    with path.open("xb") as target:
        found = store.copy(file, target, most)
    if not found:
        path.unlink()


def _content(store: ObjectStore, piece: Piece) -> bytes:
    content = store.read(piece.name, MOST_PIECE)
    if content is None or digest_of(content) != piece.digest:
        raise StoreFault(
            f"{store.shown}/{piece.name} was changed or removed: restore it, or choose another "
            "place with --out",
            lasting=True,
        )
    return content


def _differs(folder: Path, file: str, parts: list[Piece], store: ObjectStore) -> bool:
    try:
        with open_inside(folder, file) as mine:
            return any(not _agrees(mine, piece, store) for piece in parts)
    except FileNotFoundError:
        return False


def _agrees(mine: BinaryIO, piece: Piece, store: ObjectStore) -> bool:
    mine.seek(piece.start)
    content = mine.read(piece.end - piece.start)
    if len(content) == piece.end - piece.start:
        return digest_of(content) == piece.digest
    return not content or _content(store, piece).startswith(content)


def _whole_lines(folder: Path, start: int) -> int:
    """The byte after the last newline of episodes.jsonl, at least `start`."""
    try:
        with open_inside(folder, EPISODES) as lines:
            end = lines.seek(0, os.SEEK_END)
            while end > start:
                begin = max(start, end - 65536)
                lines.seek(begin)
                newline = lines.read(end - begin).rfind(b"\n")
                if newline >= 0:
                    return begin + newline + 1
                end = begin
    except FileNotFoundError:
        pass
    return start


def _move_aside(folder: Path) -> Path:
    number = 1
    while (aside := folder.with_name(f"{folder.name}.aside-{number}")).exists():
        number += 1
    os.replace(folder, aside)
    return aside


def _write_run(folder: Path, run: bytes) -> None:
    write_whole(folder / RUN, run, first=folder / f"{RUN}.new")  # which RunDirectory knows

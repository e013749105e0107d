"""`--out URL`: a run is played into a working copy, and a process of its own sends it to the store.

That process is a child of the one that speaks to the user, not of the one that plays: what an agent
or a simulator does to its process does not reach it, and no episode waits for the store. If we are
killed, it still sends what is on disk, and lets the next writer begin (docs/decisions/050).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from harness.core import UserError
from harness.records.object_store import LOCAL, is_url

__all__ = ["Upload", "location_of", "uploading", "working_copy"]

LAST_S = 300.0
"""How long the last upload may take."""
LAST_INTERRUPTED_S = 20.0
"""The same, after Ctrl-C."""
BOOTSTRAP = """
import sys
sys.path[:] = [each for each in sys.path if each] + [{root!r}]
from harness.cli.upload_process import main
raise SystemExit(main({url!r}, {folder!r}))
"""
"""No module of the working directory, which may be a stranger's, hides one of these."""
_COLLAPSED = re.compile(r"([a-z][a-z0-9+.-]*(?:::[a-z][a-z0-9+.-]*)*):/+(?=[^/])(.+)")


def location_of(out: str | os.PathLike[str]) -> str:
    """The text of a path or URL; of a URL that became a Path, with both of its slashes again."""
    text = os.fspath(out)
    found = None if os.path.exists(text) else _COLLAPSED.fullmatch(text)
    return text if found is None or "://" in text else f"{found[1]}://{found[2]}"


def working_copy(url: str) -> Path:
    """Where the run at a URL is played, relative to the folder in which bench is called."""
    tail = re.sub(r"[^A-Za-z0-9.,_-]+", "_", url.partition("://")[2].rpartition("@")[2])[-80:]
    digest = hashlib.blake2b(url.rstrip("/").encode(), digest_size=4).hexdigest()
    return Path("runs") / f"{tail.strip('._')}-{digest}"


class Upload:
    """Where a run is to be played, and what became of its upload."""

    def __init__(self, place: Path | None) -> None:
        self.place = place
        """The run directory to play into; None: the default one."""
        self.complete = True
        """Whether all results are where they should be."""


@contextlib.contextmanager
def uploading(
    out: str | os.PathLike[str] | None, folder: Path, say: Callable[[str], None]
) -> Iterator[Upload]:
    """The place for a run with `--out`; if that is a URL, what is played is sent there meanwhile.

    `folder`: where a relative path begins. `complete` is known after the block. Raises UserError
    where the URL cannot be written to, or another run writes there.
    """
    url = None if out is None else location_of(out)
    if url is None or not is_url(url):
        path = None if url is None else next(_without(url, LOCAL))
        yield Upload(path)
        return
    upload = Upload(working_copy(url))
    process = _start(url, folder / str(upload.place))
    try:
        opened = _heard(process)
        if "opened" not in opened:
            raise UserError(str(opened.get("why", "the process that uploads ended")))
        try:
            yield upload
        except BaseException:
            _end(process, LAST_INTERRUPTED_S)
            raise
        why = _end(process, LAST_S)
        upload.complete = why is None
        if why is None:
            say(f"uploaded to {opened['opened']}; working copy: {upload.place}")
        else:
            say(f"not all was uploaded: {why}. It is in {upload.place}: the same command sends it")
    finally:
        _kill(process)


def _without(text: str, prefixes: tuple[str, ...]) -> Iterator[Path]:
    for prefix in prefixes:
        if text.startswith(prefix):
            yield Path(text.removeprefix(prefix))
    yield Path(text)


def _start(url: str, folder: Path) -> subprocess.Popen[bytes]:
    root = str(Path(__file__).parents[2])
    code = BOOTSTRAP.format(root=root, url=url, folder=os.path.abspath(folder))
    # A session of its own: Ctrl-C in the terminal is for the run.
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )


def _heard(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    return json.loads(line) if line.endswith(b"\n") else {}


def _end(process: subprocess.Popen[bytes], seconds: float) -> str | None:
    """Let it send the rest, in so many seconds; returns why that did not work, or None."""
    assert process.stdin is not None
    with contextlib.suppress(OSError):
        process.stdin.write(json.dumps(seconds).encode() + b"\n")
        process.stdin.close()
    told = _heard(process)
    if not told:
        return "the process that uploads ended"
    return None if told["why"] is None else str(told["why"])


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End it and all that it has started, if it has not ended by itself."""
    try:
        process.wait(5.0)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for stream in (process.stdin, process.stdout):
        assert stream is not None
        with contextlib.suppress(OSError):
            stream.close()

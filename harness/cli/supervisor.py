"""Foreign code plays in a child process; the process that speaks the exit code runs none of it.

An agent, a simulator or a user's module can end its process at any moment, also with exit code 0.
So a command that plays forks a child, waits for it, reads what is on disk, and then prints the
table and speaks. `os._exit(0)` in foreign code cannot be caught in any other way.

The child has its own session, no terminal to read from, /dev/null as stdin, stderr as stdout, and a
private temporary folder. When it has ended, however it ended, all of its descendants are killed and
that folder is removed.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from harness.cli.output import WITH_ERRORS, print_out, print_page, say
from harness.core import UserError
from harness.play.private_folder import new_name, owned, remove, remove_left

__all__ = ["ChildEnded", "ChildFault", "Note", "RunLost", "Work", "enable", "relay", "supervised"]

Note = Callable[[str, Any], None]
"""`note(name, value)`: keeps a JSON value for the parent, whatever happens afterwards."""
Work = Callable[[Note], Mapping[str, Any]]
"""What the child does; it returns JSON values."""

GRACE_S = 30.0
"""After Ctrl-C, the child has this long to close its environments before it is killed."""
ORPHAN_GRACE_S = 5.0
"""A child whose parent was killed has this long."""
KILLING_S = 5.0
MOST_BYTES = 64 << 20
PR_SET_CHILD_SUBREAPER = 36

_enabled = False


def enable(on: bool) -> None:
    """Whether `supervised` forks. Without it, everything happens in this process."""
    global _enabled
    _enabled = on


class ChildFault(Exception):
    """A fault of ours in the child, which has printed its traceback."""


class ChildEnded(Exception):
    """The child ended before its work did: foreign code ended it, or the system did.

    `how` is `exit code 0` or the name of a signal; `noted` holds what the child had noted.
    """

    code = WITH_ERRORS
    """The exit code, where nobody knows better."""

    def __init__(self, how: str, noted: Mapping[str, Any]) -> None:
        super().__init__(f"the process in which foreign code runs ended before its work ({how})")
        self.how = how
        self.noted = noted


class RunLost(UserError):
    """The run directory went away while it was written to: there is nothing to count."""

    code = WITH_ERRORS


def supervised(work: Work) -> dict[str, Any]:
    """What `work` returns, done in a child process.

    Raises UserError and KeyboardInterrupt as the work does, ChildEnded when the child ended by
    itself, and ChildFault.
    """
    if not _enabled:
        noted: dict[str, Any] = {}
        try:
            returned: dict[str, Any] = json.loads(json.dumps(work(noted.__setitem__)))
        except SystemExit as ended:
            raise ChildEnded(f"sys.exit({ended.code})", noted) from None
        return returned
    sys.stdout.flush()
    sys.stderr.flush()
    # What this process had started before is none of the child's.
    spared = frozenset(_children())
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    folder = Path(tempfile.gettempdir()) / new_name()
    said = os.memfd_create("bench")
    alive, ours = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        _Child(folder, said, alive).run(work)
    os.close(alive)
    try:
        with _private_folder(folder):
            try:
                os.write(ours, b"go")
                status, interrupted = _wait(child)
            finally:
                _end_descendants(spared)
    finally:
        _prctl(PR_SET_CHILD_SUBREAPER, 0)
        os.close(ours)
        _show_cursor()
    text = os.pread(said, MOST_BYTES, 0)
    os.close(said)
    return _heard(text, status, interrupted)


def relay(work: Callable[[], tuple[str, str, int]], *, page: bool = False) -> int:
    """For commands that end in a text: `work` returns (for stdout, for stderr, the exit code).

    page: what goes to stdout is a page. Raises as `supervised` and `print_page` do.
    """

    def told(_: Note) -> dict[str, Any]:
        return dict(zip(("out", "said", "code"), work(), strict=True))

    heard = supervised(told)
    if heard["out"]:
        (print_page if page else print_out)(str(heard["out"]))
    if heard["said"]:
        say(str(heard["said"]), lines=True)
    return int(heard["code"])


def _heard(text: bytes, status: int, interrupted: bool) -> dict[str, Any]:
    """The child's last word, or the exception that it stands for."""
    noted: dict[str, Any] = {}
    last: tuple[str, Any] = ("", None)
    for line in text.split(b"\n")[:-1]:
        kind, name, value = json.loads(line)
        if kind == "noted":
            noted[name] = value
        else:
            last = kind, value
    if last[0] == "returned" and isinstance(last[1], dict):
        return last[1]
    if last[0] == "refused":
        raise UserError(str(last[1]))
    if last[0] == "interrupted" or interrupted:
        raise KeyboardInterrupt
    if last[0] == "fault":
        raise ChildFault
    if last[0] == "ended":
        raise ChildEnded(f"sys.exit({last[1]})", noted)
    code = os.waitstatus_to_exitcode(status)
    if -code in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        raise KeyboardInterrupt
    how = f"exit code {code}" if code >= 0 else signal.Signals(-code).name
    raise ChildEnded(how, noted)


class _Child:
    """The child's side."""

    def __init__(self, folder: Path, said: int, alive: int) -> None:
        self._folder, self._said, self._alive = folder, said, alive
        self._me = os.getpid()
        self._orphaned = False

    def run(self, work: Work) -> None:
        """Do the work, say how it went, and end this process."""
        try:
            self._settle_in()
            word = self._do(work)
            if os.getpid() != self._me:  # a copy that foreign code forked and let run on
                os._exit(70)
            self._say(*word)
        except BaseException:
            # Whatever happens here: the code above the fork must never go on in the child.
            with contextlib.suppress(BaseException):
                import traceback

                say(traceback.format_exc().rstrip(), lines=True)
        finally:
            with contextlib.suppress(BaseException):
                sys.stderr.flush()
            if self._orphaned:
                self._clean()
            os._exit(0)

    def _do(self, work: Work) -> tuple[str, str, Any]:
        try:
            return "returned", "", work(lambda name, value: self._say("noted", name, value))
        except UserError as wrong:
            return "refused", "", str(wrong)
        except KeyboardInterrupt:
            return "interrupted", "", None
        except SystemExit as ended:
            if ended.code == signal.SIGTERM:  # Ray's handler of that signal
                return "interrupted", "", None
            # Raised where no agent or simulator was being called: while something was loaded.
            return "ended", "", str(ended.code)
        except BaseException:
            import traceback

            say(traceback.format_exc().rstrip(), lines=True)
            return "fault", "", None

    def _say(self, *word: Any) -> None:
        os.write(self._said, json.dumps(word).encode() + b"\n")

    def _settle_in(self) -> None:
        if not os.read(self._alive, 2):  # killed before it let us begin
            remove(self._folder)
            os._exit(1)
        os.setsid()
        _prctl(PR_SET_CHILD_SUBREAPER, 1)
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, signal.default_int_handler)
        threading.Thread(target=self._watch_parent, name="parent", daemon=True).start()
        nowhere = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nowhere, 0)
        os.close(nowhere)
        os.dup2(2, 1)
        os.environ["TMPDIR"] = str(self._folder)
        tempfile.tempdir = None

    def _watch_parent(self) -> None:
        """The parent holds the other end of this pipe for as long as it lives."""
        os.read(self._alive, 1)
        self._orphaned = True
        os.kill(self._me, signal.SIGINT)
        time.sleep(ORPHAN_GRACE_S)
        self._clean()
        os._exit(1)

    def _clean(self) -> None:
        _end_descendants()
        remove(self._folder)


def _wait(child: int) -> tuple[int, bool]:
    """(status of the child once it has ended, whether it was asked to end).

    The first signal lets the child end its work, as Ctrl-C does; the second one, or GRACE_S, kills.
    """
    asked = 0

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked += 1
        if number == signal.SIGALRM or asked > 1:
            os.kill(child, signal.SIGKILL)
        else:
            os.kill(child, signal.SIGINT)
            signal.setitimer(signal.ITIMER_REAL, GRACE_S)

    def pause(number: int, frame: FrameType | None) -> None:
        os.kill(child, signal.SIGSTOP)
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, pause)
        os.kill(child, signal.SIGCONT)

    handlers = {
        signal.SIGINT: stop,
        signal.SIGTERM: stop,
        signal.SIGHUP: stop,
        signal.SIGALRM: stop,
        signal.SIGTSTP: pause,
    }
    before = {}
    for each, handler in handlers.items():
        # What a shell or nohup has told this process to ignore stays ignored.
        if signal.getsignal(each) != signal.SIG_IGN:
            before[each] = signal.signal(each, handler)
    try:
        while True:
            ended, status = os.waitpid(child, 0)
            if ended == child:
                return status, asked > 0
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for each, old in before.items():
            signal.signal(each, old)


def _end_descendants(spared: frozenset[int] = frozenset()) -> None:
    """Kill every process that descends from this one, and wait until they are gone.

    Orphans among them become children of this process, because it is a subreaper. Children that
    are `spared` live on.
    """
    until = time.monotonic() + KILLING_S
    while time.monotonic() < until:
        children = [each for each in _children() if each not in spared]
        if not children:
            return
        for each in children:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(each, signal.SIGKILL)
        time.sleep(0.005)
        for each in children:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(each, os.WNOHANG)


def _children() -> Iterator[int]:
    me = str(os.getpid())
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name of the program, in parentheses, may hold anything.
            parent = entry.read_bytes().rpartition(b")")[2].split()[1].decode()
        except OSError:
            continue
        if parent == me:
            yield int(entry.parent.name)


@contextlib.contextmanager
def _private_folder(folder: Path) -> Iterator[None]:
    """A folder for the child's temporary files. Those of runs that were killed are removed.

    It is made when the child lives already, which removes it if this process is killed.
    """
    remove_left(folder.parent)
    with contextlib.ExitStack() as owning:
        try:
            owning.enter_context(owned(folder))
        except OSError as fault:
            raise UserError(
                f"cannot write to {folder.parent} ({fault.strerror}): name another temporary "
                "folder in TMPDIR"
            ) from None
        try:
            yield
        finally:
            remove(folder)


def _prctl(option: int, value: int) -> None:
    """Linux's prctl; nothing elsewhere."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _show_cursor() -> None:
    """A child that was killed may have left the terminal without its cursor."""
    with contextlib.suppress(OSError, ValueError):
        if sys.stderr is not None and sys.stderr.isatty():
            sys.stderr.write("\x1b[?25h")
            sys.stderr.flush()

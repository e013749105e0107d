"""A child interpreter and the socket to it: started, sent requests, and ended whatever happens.

The socket is a pair, and the shared memory and the child's output are unnamed files. The child's
temporary files have a folder, which is removed after it, however it ends. The child ends with this
process, even if this process is killed. It leads a process group, so that whatever it starts is
ended with it, and Ctrl-C does not reach it.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from harness.core import BadAction, UserError
from harness.core.values import BadValue
from harness.host.wire import MAGIC, PROTOCOL, Garbage, Memory, Wire

__all__ = ["Client", "HostFault"]

PACKAGES = ("harness", "adapters", "baselines")
"""The packages of bench that a child may import."""
START_S, CLOSE_S, EXIT_S = 60.0, 5.0, 2.0
"""Seconds that a child has to send its greeting, to close its adapter, and then to exit."""
MARGIN = 0.9
"""A child gets this fraction of the patience: its end costs less than that of the whole worker."""
LOG_BYTES = 1 << 20
"""When the child's output has grown beyond this, it is deleted at the next reset."""


@functools.cache
def _starter(process: int) -> ThreadPoolExecutor:
    """The thread that starts children; `process` is this process's id.

    The kernel kills a child when the thread that started it ends (see `die_with_parent`), so they
    are started by a thread that lives as long as the process.
    """
    return ThreadPoolExecutor(1, f"interpreters of {process}")


class HostFault(Exception):
    """The adapter in the other interpreter failed, or the interpreter itself."""

    remedy = ""
    """How to fix it, if that is known."""


_RAISED = {"BadAction": BadAction, "BadValue": BadValue, "UserError": UserError}


class Client:
    """A child interpreter. `versions`: its versions of `python`, `numpy` and `msgpack`."""

    def __init__(self, python: str, entry: str, patience: float) -> None:
        """Start the interpreter `python`, which can then import the adapter `entry`.

        `patience`: seconds within which it must answer a request. Raises HostFault if it sends no
        greeting.
        """
        self.name = python
        self._patience = MARGIN * patience
        self._process: subprocess.Popen[bytes] | None = None
        self._connection, theirs = socket.socketpair()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        fcntl.fcntl(self._log, fcntl.F_SETFL, os.O_APPEND)
        self._folder = tempfile.mkdtemp(prefix="bench-host-")
        self._memory = os.memfd_create("bench") if hasattr(os, "memfd_create") else _nameless()
        self._wire = Wire(self._connection, Memory(self._memory), writes=False)
        try:
            with theirs:
                self._process = self._start(python, entry, theirs)
            self.versions = self._greeting()
        except BaseException:
            self.kill()
            raise

    def _start(self, python: str, entry: str, theirs: socket.socket) -> subprocess.Popen[bytes]:
        descriptors = (theirs.fileno(), self._memory)
        told = {"socket": descriptors[0], "memory": descriptors[1], **_places(entry)}
        start = _starter(os.getpid()).submit
        try:
            return start(
                subprocess.Popen,
                [python, "-I", str(Path(__file__).with_name("child.py")), json.dumps(told)],
                stdin=subprocess.DEVNULL,
                stdout=self._log,  # a simulator that prints must not reach the table on our stdout
                stderr=self._log,
                pass_fds=descriptors,
                start_new_session=True,
                env={
                    name: value
                    for name, value in os.environ.items()
                    if not name.startswith("PYTHON")
                }
                | {"TMPDIR": self._folder},
            ).result()
        except OSError as fault:
            raise HostFault(f"{python} cannot be started: {fault.strerror}") from None

    def _greeting(self) -> dict[str, str]:
        try:
            self._connection.settimeout(min(START_S, self._patience))
            greeting = self._wire.receive()
            if not (isinstance(greeting, list) and len(greeting) == 3 and greeting[0] == MAGIC):
                raise Garbage(f"it says {str(greeting)[:80]!r}")
            _, protocol, versions = greeting
        except (OSError, EOFError, Garbage) as fault:
            raise self._failed(fault) from None
        if protocol != PROTOCOL:
            raise HostFault(
                f"{self.name} speaks version {protocol} of the protocol between interpreters, "
                f"this side version {PROTOCOL}"
            )
        return dict(versions)

    def call(self, operation: str, *arguments: Any) -> Any:
        """The answer to a request.

        Raises BadAction, BadValue and UserError as the adapter does, BadValue for an observation
        that cannot pass, and HostFault for every other failure.
        """
        if self._process is None:
            raise HostFault(f"{self.name} has ended already")
        try:
            self._connection.settimeout(CLOSE_S if operation == "close" else self._patience)
            self._wire.send([operation, *arguments])
            answer = self._wire.receive()
            if not (isinstance(answer, list) and len(answer) == 2):
                raise Garbage(f"it says {str(answer)[:80]!r}")
        except (TypeError, OverflowError):
            # The request could not be packed: nothing was sent, and the child is still in step.
            raise
        except (OSError, EOFError, Garbage) as fault:
            raise self._failed(fault) from None
        except BaseException:
            # Interrupted while the child works: its late answer would be taken for the next one.
            self.kill()
            raise
        kind, value = answer
        if kind == "ok":
            return value
        raise _RAISED.get(kind, HostFault)(value)

    def reset(self) -> None:
        """Called when an episode begins: delete what the child has printed if it is too much."""
        if os.fstat(self._log.fileno()).st_size > LOG_BYTES:
            self._log.truncate(0)

    def close(self) -> None:
        """Let the adapter close itself, then end the child. Raises what the adapter raises."""
        if self._process is None:
            return
        try:
            self.call("close")
            if self._process is not None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(EXIT_S)
        finally:
            self.kill()

    def kill(self) -> None:
        """End the child and whatever it started, now."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # all have ended
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if self._connection.fileno() >= 0:
            self._connection.close()
            os.close(self._memory)
            self._log.close()
            shutil.rmtree(self._folder, ignore_errors=True)

    def _failed(self, fault: BaseException) -> HostFault:
        """End the child, which cannot be used any more; returns the error to raise."""
        if isinstance(fault, TimeoutError):
            text = f"{self.name} did not answer in time"
        elif isinstance(fault, Garbage):
            text = f"{self.name} does not speak the protocol between interpreters: {fault}"
        else:
            text = f"{self.name} {self._end()}"
        said = self._last_line()
        lacks = next(
            (
                package
                for package in ("numpy", "msgpack")
                if said == f"ModuleNotFoundError: No module named '{package}'"
            ),
            None,
        )
        self.kill()
        failed = HostFault(f"{text}; it last printed: {said}" if said else text)
        if lacks is not None:
            failed = HostFault(f"{self.name} lacks the package {lacks}")
            failed.remedy = f"{self.name} -m pip install numpy msgpack"
        return failed

    def _end(self) -> str:
        """How the child ended."""
        assert self._process is not None
        try:
            code = self._process.wait(EXIT_S)
        except subprocess.TimeoutExpired:
            return "closed its socket"
        return (
            f"ended with exit code {code}"
            if code >= 0
            else f"was killed by {signal.Signals(-code).name}"
        )

    def _last_line(self) -> str:
        size = os.fstat(self._log.fileno()).st_size
        lines = (
            os.pread(self._log.fileno(), 4096, max(0, size - 4096))
            .decode(errors="replace")
            .split("\n")
        )
        return next((" ".join(line.split())[:300] for line in reversed(lines) if line.strip()), "")


def _nameless() -> int:
    """The descriptor of an unnamed file, for systems without memfd_create."""
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _places(entry: str) -> dict[str, Any]:
    """Where the child finds bench's packages, and the module of a user's adapter.

    Never a whole folder of installed packages: those belong to this interpreter.
    """
    root = str(Path(__file__).resolve().parents[2])
    places, path = dict.fromkeys(PACKAGES, root), []
    top = entry.partition(":")[0].partition(".")[0]
    if top not in places:
        spec = importlib.util.find_spec(top)
        where = [] if spec is None else [*(spec.submodule_search_locations or []), spec.origin]
        if not where or where[0] is None:
            raise UserError(f"{entry}: there is no module {top!r}")
        folder = str(Path(where[0]).resolve().parent)
        if "site-packages" in folder or "dist-packages" in folder:
            places[top] = folder
        else:
            path.append(folder)  # a user's module may import the modules in its folder
    return {"places": places, "path": path}

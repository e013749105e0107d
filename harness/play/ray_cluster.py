"""A Ray cluster for one run: started here with a secret of its own, or joined at an address.

A cluster that is started here listens on the loopback interface only, asks for a random token that
is drawn for this run, and keeps its files in a folder that nobody else may enter. When the run
ends, however it ends, its processes are ended and that folder is removed.

Ray does not say that one of its own processes has died: calls wait for minutes, and then Ray's
client ends this process. So `Cluster.check` looks after them.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import ray

from harness.core import UserError
from harness.play.private_folder import FOLDER, SHORT, new_name, owned
from harness.play.ray_processes import (
    carried_by_actors,
    inherited,
    nothing_more,
    variables,
    without_agents,
)
from harness.play.ray_token import (
    MODE,
    TOKEN,
    Say,
    environment,
    for_a_new_cluster,
    for_the_cluster_at,
    token_mode,
    warning,
)
from harness.play.stopped import Stopped

__all__ = ["Cluster", "joined", "joined_with", "reach", "started"]

MARK = "BENCH_RAY"
"""Its value, one a cluster, stands in the environment of every process that Ray starts for us."""
LONGEST_PLACE = 26 if sys.platform == "linux" else 22
"""81 characters follow up to the end of a socket's path, which may have 107, elsewhere 103."""
LOOK_S = 2.0
"""Seconds between two looks at a cluster that we joined."""
CONNECT_S = 5.0
ENDING_S = 5.0
NEEDED = ("gcs_server", "raylet")
"""The processes of Ray without which nothing goes on."""


class Cluster:
    """The Ray cluster that this process is connected to."""

    def __init__(self, processes: Mapping[str, Any], watch: _Watch | None = None) -> None:
        """`processes`: name -> Popen of those that were started here."""
        self._processes = processes
        self._watch = watch
        self.options = {} if processes else carried_by_actors()
        """Options that every actor needs to have our environment variables."""

    def check(self, patience: float = 0.0) -> None:
        """Raises Stopped if the cluster is gone; looks for `patience` seconds."""
        until = time.monotonic() + patience
        while True:
            for name, process in self._processes.items():
                code = process.poll()
                if code is not None:
                    raise Stopped(f"Ray's {name} ended unexpectedly ({_how(code)})")
            if self._watch is not None and self._watch.lost is not None:
                raise Stopped(f"the Ray cluster is gone ({self._watch.lost})")
            if time.monotonic() >= until:
                return
            time.sleep(0.1)

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Raises Stopped in place of what Ray raises when the cluster is gone."""
        try:
            yield
        except (ray.exceptions.RayError, ConnectionError, OSError):
            self.check(patience=ENDING_S)
            raise


def _how(code: int) -> str:
    if code < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit code {code}"


class _Watch:
    """Knocks at a cluster's ports in a thread: `lost` says why it is gone, once it is."""

    def __init__(self, gcs: str, raylet: str) -> None:
        """`gcs`: HOST:PORT; `raylet`: the path of a socket on this machine."""
        self.lost: str | None = None
        self._ended = threading.Event()
        host, _, port = gcs.rpartition(":")
        self._gcs = (host.strip("[]"), int(port))
        self._raylet = raylet
        threading.Thread(target=self._look, name="cluster", daemon=True).start()

    @classmethod
    def of(cls, node: Any) -> _Watch | None:
        """None for a client of `ray://`, which notices by itself."""
        gcs = getattr(node, "gcs_address", None)
        return cls(gcs, str(getattr(node, "raylet_socket_name", ""))) if gcs else None

    def close(self) -> None:
        self._ended.set()

    def _look(self) -> None:
        failed = 0
        while not self._ended.wait(LOOK_S):
            fault = self._knock()
            failed = failed + 1 if fault else 0
            if failed == 2:
                self.lost = fault
                return

    def _knock(self) -> str | None:
        try:
            socket.create_connection(self._gcs, CONNECT_S).close()
        except OSError as fault:
            return f"its head does not answer: {fault.strerror or fault}"
        if not os.path.exists(self._raylet):
            return None
        with socket.socket(socket.AF_UNIX) as door:
            door.settimeout(CONNECT_S)
            try:
                door.connect(self._raylet)
            except OSError as fault:
                return f"its raylet on this machine does not answer: {fault.strerror or fault}"
        return None


@contextlib.contextmanager
def started(cpus: int, say: Say, **options: Any) -> Iterator[Cluster]:
    """A cluster on this machine for as long as the block runs; `options` go to `ray.init`.

    Raises UserError if this version of Ray cannot ask for a token, Stopped if it does not start.
    """
    mark = secrets.token_hex(16)
    with _private_folder() as folder, environment(for_a_new_cluster(say) | {MARK: mark}):
        if not token_mode():
            raise UserError(
                "this version of Ray cannot ask for a token: pip install --upgrade ray, "
                "or --workers 0 to play in this process"
            )
        with _quietly():
            try:
                _start(cpus, str(folder), options)
                yield Cluster(_processes())
            finally:
                ray.shutdown()
                _end_leftovers(f"{MARK}={mark}".encode(), str(folder).encode())


def _start(cpus: int, folder: str, options: Mapping[str, Any]) -> None:
    try:
        with (
            _on_loopback(),
            nothing_more(ray._private.node.Node),
            inherited(variables()),
            without_agents(ray),
        ):
            # "local" overrides a RAY_ADDRESS, a cluster that nobody asked for here.
            ray.init(
                address="local",
                num_cpus=cpus,
                include_dashboard=False,
                log_to_driver=False,
                logging_level="error",
                configure_logging=True,
                _temp_dir=folder,
                **options,
            )
    except Exception as fault:  # a plain one where its processes were killed or out of memory
        raise Stopped(
            f"Ray did not start ({type(fault).__name__}: {' '.join(str(fault).split())[:200]})"
        ) from fault


@contextlib.contextmanager
def joined(address: str | None, say: Say) -> Iterator[Cluster]:
    """The cluster at `address`, which is left when the block ends.

    None: the one that this process is connected to already, and stays so. Raises UserError if there
    is none, or if it asks for a token that we do not have.
    """
    variables: dict[str, str] = {}
    if address is not None:
        reach(address)
        head = None if address.startswith("ray://") else _head(address)
        if head is not None:
            variables = for_the_cluster_at(head, address, say)
        elif not token_mode():
            say(warning(address))
    elif not token_mode():
        say(warning("hand"))
    with environment(variables), _quietly():
        watch = None
        try:
            if address is not None:
                try:
                    ray.init(address=address, log_to_driver=False, logging_level="error")
                except (ConnectionError, ValueError, RuntimeError) as fault:
                    raise _no_cluster(address, fault) from None
            watch = _Watch.of(_node())
            yield Cluster({}, watch)
        finally:
            if watch is not None:
                watch.close()
            if address is not None:
                ray.shutdown()


@contextlib.contextmanager
def joined_with(address: str, token: str, namespace: str) -> Iterator[Cluster]:
    """A cluster that was started here with our variables; it is left when the block ends.

    Raises Stopped if it does not answer.
    """
    with environment({MODE: "token", TOKEN: token}), _quietly():
        watch = None
        try:
            try:
                with _on_loopback():
                    ray.init(
                        address=address,
                        namespace=namespace,
                        log_to_driver=False,
                        logging_level="error",
                    )
            except (ConnectionError, ValueError, RuntimeError) as fault:
                raise Stopped(
                    f"the pool does not answer ({fault}): end it, `bench pool stop`"
                ) from fault
            watch = _Watch.of(_node())
            cluster = Cluster({}, watch)
            cluster.options = {}
            yield cluster
        finally:
            if watch is not None:
                watch.close()
            ray.shutdown()


@contextlib.contextmanager
def _on_loopback() -> Iterator[None]:
    """Ray listens on 127.0.0.1 alone, as it does where it forms no clusters by default."""
    from ray._private import ray_constants as constants

    # Ray reads its variable for this when it is imported, which has happened by now.
    before = getattr(constants, "ENABLE_RAY_CLUSTER", None)
    constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        constants.ENABLE_RAY_CLUSTER = before


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Keep Ray from printing a page of its raylet's log when that dies. We say it in a line."""
    worker = ray._private.worker
    before = getattr(worker, "print_to_stdstream", None)
    worker.print_to_stdstream = lambda *_, **__: None
    try:
        yield
    finally:
        worker.print_to_stdstream = before


def _node() -> Any:
    return ray._private.worker._global_node


def _processes() -> dict[str, Any]:
    found = getattr(_node(), "all_processes", {})
    return {name: each.process for name in NEEDED for each in found.get(name, ())}


@contextlib.contextmanager
def _private_folder() -> Iterator[Path]:
    """A folder that only this user may enter; removed afterwards.

    The one inside it is Ray's, which opens its own folder to everybody.
    """
    place, name = Path(tempfile.gettempdir()), new_name()
    if len(str(place)) > LONGEST_PLACE:
        # The supervisor's folder has a namesake here, which it removes too.
        place, name = SHORT, place.name if place.name.startswith(FOLDER) else name
    folder = place / name
    with contextlib.ExitStack() as owning:
        try:
            owning.enter_context(owned(folder))
        except OSError as fault:
            raise UserError(
                f"Ray needs a folder in {place} ({fault.strerror}): name one with a short path in "
                "TMPDIR, or --workers 0 to play in this process"
            ) from None
        try:
            yield folder / "r"
        finally:
            until = time.monotonic() + ENDING_S
            while folder.exists() and time.monotonic() < until:
                shutil.rmtree(folder, ignore_errors=True)


def _end_leftovers(mark: bytes, folder: bytes) -> None:
    """Kill what Ray started for us and what that started, where any of it is left.

    A worker that hangs outlives its raylet. Linux only: elsewhere there is no /proc.
    """
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError, ValueError):
            variables = entry.read_bytes().split(b"\0")
            if mark in variables and (
                any(each.startswith(b"RAY_RAYLET_PID=") for each in variables)
                or folder in entry.with_name("cmdline").read_bytes()
            ):
                os.kill(int(entry.parent.name), signal.SIGKILL)


def reach(address: str) -> None:
    """Raises UserError if nothing listens at HOST:PORT, for which Ray itself would wait minutes.

    Other forms of address are left to Ray.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_S).close()
    except OSError as fault:
        raise _no_cluster(address, fault.strerror or fault) from None


def _no_cluster(address: str, fault: object) -> UserError:
    return UserError(
        f"no Ray cluster answers at {address}: {fault}. Start one with `ray start --head`"
    )


def _head(address: str) -> str | None:
    """HOST:PORT of a cluster's head; None where only Ray itself finds out."""
    from ray._private import services

    try:
        return str(services.canonicalize_bootstrap_address_or_die(address))
    except (AttributeError, ConnectionError, ValueError):
        return None

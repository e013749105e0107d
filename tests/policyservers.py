"""Policy servers for tests: one that behaves as openpi's does, and `bench serve` in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import http
import http.client
import socket
import subprocess
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgpack
import numpy as np
import toys
from conftest import bench_process
from openpi_client import msgpack_numpy
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve as listen

from harness.core import Agent, Turn
from harness.policies.serving.forms import form_of
from harness.policies.serving.server import PolicyServer, ServerOptions
from harness.policies.wire.extension import Extension

Policy = Callable[..., Any]


@contextlib.contextmanager
def stock_server(
    policy: Policy,
    metadata: Mapping[str, Any] | None = None,
    *,
    port: int = 0,
    token: str | None = None,
    healthy: Callable[[], bool] = lambda: True,
) -> Iterator[str]:
    """A server with the observable behaviour of openpi's, written anew: yields its address.

    Metadata first; a map for each map; an exception as a text, then close 1011; `/healthz`.
    `policy` may return bytes or a text, which are sent as they are, or None: the connection breaks.
    """

    def handle(connection: Any) -> None:
        connection.send(msgpack_numpy.packb(dict(metadata or {})))
        with contextlib.suppress(ConnectionClosed, OSError):
            while True:
                observation = msgpack_numpy.unpackb(connection.recv())
                try:
                    reply = policy(observation)
                except Exception:
                    connection.send(traceback.format_exc())
                    connection.close(1011, "Internal server error")
                    return
                if reply is None:
                    connection.socket.shutdown(socket.SHUT_RDWR)
                    return
                if isinstance(reply, dict):
                    reply = msgpack_numpy.packb({**reply, "server_timing": {"infer_ms": 0.1}})
                connection.send(reply)

    def admit(connection: Any, request: Any) -> Any:
        if request.path == "/healthz":
            status = http.HTTPStatus.OK if healthy() else http.HTTPStatus.SERVICE_UNAVAILABLE
            return connection.respond(status, "OK\n")
        if token is not None and request.headers.get("Authorization") != f"Api-Key {token}":
            return connection.respond(http.HTTPStatus.UNAUTHORIZED, "no\n")
        return None

    server = listen(
        handle, "127.0.0.1", port, compression=None, max_size=None, process_request=admit
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
    finally:
        server.shutdown()
        thread.join(10)


@contextlib.contextmanager
def _listening(handle: Callable[[Any], None], health: str) -> Iterator[str]:
    def admit(connection: Any, request: Any) -> Any:
        return connection.respond(http.HTTPStatus.OK, "OK\n") if request.path == health else None

    server = listen(handle, "127.0.0.1", 0, compression=None, max_size=None, process_request=admit)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
    finally:
        server.shutdown()
        thread.join(10)


def vla_eval_server(policy: Policy, version: int = 1) -> Any:
    """A model server with the observable behaviour of vla-evaluation-harness's, written anew.

    `policy(episode, observation)`: `episode` is a dict that is empty at each start; None: the
    connection breaks.
    """

    def revived(found: dict[Any, Any]) -> Any:
        if "__ndarray__" not in found:
            return found
        return np.frombuffer(found["data"], found["dtype"]).reshape(found["shape"])

    def dumped(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            shape, dtype = list(value.shape), value.dtype.str
            return {"__ndarray__": True, "data": value.tobytes(), "dtype": dtype, "shape": shape}
        return value

    def handle(connection: Any) -> None:
        episode: dict[str, Any] | None = None

        def send(kind: str, payload: dict[str, Any], seq: int) -> None:
            message = {"type": kind, "payload": payload, "seq": seq, "timestamp": 0.0}
            connection.send(msgpack.packb(message, default=dumped))

        with contextlib.suppress(ConnectionClosed, OSError):
            while True:
                message = msgpack.unpackb(connection.recv(), object_hook=revived)
                kind, seq = message["type"], message["seq"]
                if kind == "hello":
                    send("hello", {"harness_version": "0", "protocol_version": version}, seq)
                elif kind == "episode_start":
                    episode = {}
                elif kind == "episode_end":
                    episode = None
                elif episode is None:
                    send("error", {"error": "observation_failed: no episode"}, seq)
                else:
                    try:
                        reply = policy(episode, message["payload"])
                    except Exception as fault:
                        why = f"observation_failed: {type(fault).__name__}: {fault}"
                        send("error", {"error": why}, seq)
                        continue
                    if reply is None:
                        connection.socket.shutdown(socket.SHUT_RDWR)
                        return
                    send("action", reply, seq)

    return _listening(handle, "/health")


def starvla_server(policy: Policy, metadata: Mapping[str, Any]) -> Any:
    """A policy server with the observable behaviour of starVLA's, written anew.

    `policy` is called with the arguments of `predict_action` and returns its map.
    """

    def handle(connection: Any) -> None:
        connection.send(msgpack_numpy.packb(dict(metadata)))
        with contextlib.suppress(ConnectionClosed, OSError):
            while True:
                message = msgpack_numpy.unpackb(connection.recv())
                head = {"type": "inference_result", "request_id": message["request_id"]}
                try:
                    data = policy(message["payload"])
                    reply = {"status": "ok", "ok": True, **head, "data": data}
                except Exception as fault:
                    error = {"message": str(fault)}
                    reply = {"status": "error", "ok": False, **head, "error": error}
                connection.send(msgpack_numpy.packb(reply))

    return _listening(handle, "/none")


@contextlib.contextmanager
def bench_server(
    agent: Agent,
    *,
    name: str = "an agent",
    fingerprint: str = "0123456789abcdef",
    size: int | None = None,
    profile: str = "",
    batch: int = 64,
    port: int = 0,
    **options: Any,
) -> Iterator[str]:
    """What `bench serve` runs, in a thread of this process: yields its address."""
    told = Extension(name, fingerprint, tuple(agent.reads), agent.history, batch)
    made = ServerOptions(port=port, batch=batch, **options)
    made.check()
    server = PolicyServer(agent, told, made, form_of(profile, size))
    there = threading.Event()
    found: list[str] = []
    loop = asyncio.new_event_loop()

    def ready(url: str) -> None:
        found.append(url)
        there.set()

    def run() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(server.run(ready))
        finally:
            loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert there.wait(20), "the server did not start"
    try:
        yield found[0]
    finally:
        if thread.is_alive():
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                loop.call_soon_threadsafe(server.stop)
        thread.join(20)
        assert not thread.is_alive(), "the server does not end"


@contextlib.contextmanager
def serve_process(*args: object, cwd: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`bench serve` with these options in a process of its own, and its address."""
    with bench_process("serve", *args, "--port", 0, cwd=cwd) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            assert line.startswith("serving "), line + process.stderr.read()
            yield process, line.split()[-1]
        finally:
            if process.poll() is None:
                process.kill()


def dead_address() -> str:
    """An address at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"ws://127.0.0.1:{free.getsockname()[1]}"


def get(url: str, path: str) -> tuple[int, bytes]:
    """The status and the body of a page of the server at the websocket's address `url`."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=10)
    connection.request("GET", path)
    response = connection.getresponse()
    found = response.status, response.read()
    connection.close()
    return found


def turn_of_a_toy(**fields: Any) -> Turn:
    """A turn of the toys whose action is a Box of two."""
    adapter = toys.ToyAdapter(toys.toy_task(action="box"))
    seen = {
        "state": np.array([0, 0, 3, 1], np.float32),
        "image": np.zeros((16, 16, 3), np.uint8),
    }
    made: dict[str, Any] = {
        "brief": adapter.brief,
        "instruction": "go",
        "observations": (seen,),
        "actions": (),
        "step": 0,
        "episode": "e",
        "rng_key": 7,
    }
    return Turn(**{**made, **fields})

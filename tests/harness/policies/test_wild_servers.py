"""Whatever a server does, the client returns; whatever a client does, `bench serve` stands."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import msgpack
import pytest
import toys
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from policyservers import bench_server, get, turn_of_a_toy
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.server import serve as listen

from harness.core import AgentUnavailable, UserError
from harness.play.values import AgentFault, Chunk, taken
from harness.policies.openpi import OpenPI

EXTENSION = {
    "version": 1, "agent": "a", "fingerprint": "f", "reads": ["state"], "history": 1, "batch": 2,
}  # fmt: skip
FRAMES = st.one_of(
    st.binary(max_size=60),
    st.text(max_size=30),
    st.just(None),
    st.recursive(
        st.none() | st.booleans() | st.integers(-3, 2**40) | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "actions",
                        "answers",
                        "ended",
                        "chunk",
                        "rest",
                        "fault",
                        "status",
                        "bench",
                        "reads",
                    ]
                ),
                inner,
                max_size=3,
            )
        ),
        max_leaves=8,
    ).map(msgpack.packb),
)


class Wild:
    """A server that sends given frames, the first one unasked; None: it breaks the connection."""

    frames: tuple[Any, ...] = ()

    def handle(self, connection: Any) -> None:
        with contextlib.suppress(ConnectionClosed, OSError, StopIteration):
            frames = iter(self.frames)
            self.send(connection, next(frames))
            while True:
                connection.recv()
                self.send(connection, next(frames))

    def send(self, connection: Any, frame: Any) -> None:
        if frame is None:
            connection.socket.shutdown(socket.SHUT_RDWR)
        else:
            connection.send(frame)


@pytest.fixture(scope="module")
def wild() -> Iterator[tuple[Wild, str]]:
    there = Wild()
    server = listen(there.handle, "127.0.0.1", 0, compression=None)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield there, f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
    server.shutdown()
    thread.join(10)


@given(
    st.one_of(
        FRAMES,
        st.just(msgpack.packb({})),
        st.just(msgpack.packb({"bench": EXTENSION})),
    ),
    st.lists(FRAMES, max_size=3),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_server_can_hang_or_break_the_client(
    wild: tuple[Wild, str], first: Any, frames: list[Any]
) -> None:
    there, url = wild
    there.frames = (first, *frames)
    try:
        policy = OpenPI(url, timeout_s=0.05, reach_s=0.05)
    except UserError:
        return
    try:
        turns = [turn_of_a_toy(episode=name) for name in "abc"]
        try:
            answers = policy.act(turns)
        except AgentUnavailable:
            return
        assert len(answers) == 3
        for answer, turn in zip(answers, turns):
            assert isinstance(taken(answer, turn.brief.action), (AgentFault, Chunk))
        with contextlib.suppress(AgentUnavailable):
            policy.end(["a", "b"])
    finally:
        policy.close()


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    with bench_server(toys.GoodAgent(), size=2, max_frame_mb=1.0) as url:
        yield url


@given(st.lists(st.one_of(FRAMES, st.binary(max_size=2000)), min_size=1, max_size=3))
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_client_can_hang_or_break_the_server(served: str, frames: list[Any]) -> None:
    with connect(served, compression=None, close_timeout=1) as connection:
        assert connection.recv(timeout=20)
        with contextlib.suppress(ConnectionClosed, OSError):
            for frame in frames:
                if frame is None:
                    connection.socket.shutdown(socket.SHUT_RDWR)
                    return
                connection.send(frame)
                said = connection.recv(timeout=20)
                assert not isinstance(said, str) or said.startswith(("Malformed: ", "AgentError: "))
                assert "Traceback" not in str(said)
    assert get(served, "/healthz")[0] == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: x\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5000,
        b"\x16\x03\x01\x02\x00",
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        b"\x82\xff\x00\x00\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00abc",
    ],
    ids=["nothing", "half a request", "many headers", "TLS", "half a frame"],
)
def test_a_client_that_stops_midway_holds_up_nobody(served: str, sent: bytes) -> None:
    parts = urlsplit(served)
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as slow:
        with contextlib.suppress(OSError):
            slow.sendall(sent)
        assert get(served, "/healthz") == (200, b"OK\n")
        policy = OpenPI(served)
        assert isinstance(policy.act([turn_of_a_toy()])[0], Chunk)
        policy.close()

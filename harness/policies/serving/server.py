"""The server of `bench serve`: openpi's websocket protocol, and what our own client adds to it.

Source of the protocol: src/openpi/serving/websocket_policy_server.py of
Physical-Intelligence/openpi.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import http
import logging
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from harness.core import Agent, Brief, UserError
from harness.play.values import AgentFault
from harness.policies.serving.batches import Batches
from harness.policies.serving.sessions import Sessions
from harness.policies.serving.stock import StockEpisode, StockForm
from harness.policies.wire.address import is_loopback
from harness.policies.wire.extension import Extension
from harness.policies.wire.nouns import as_answer, brief_of, revive, turn_of
from harness.policies.wire.packing import MB, Malformed, pack, unpack

__all__ = ["PolicyServer", "ServerOptions", "serve"]

INTERNAL_ERROR, UNSUPPORTED, GOING_AWAY = 1011, 1007, 1001
HANDSHAKE_S = 10.0
LEAVING_S = 5.0
"""How long answers under way may take when the server is told to end."""
SWEEP_S = 30.0
MOST_BRIEFS = 4096
MOST_ENDED = 10_000


@dataclass(frozen=True, kw_only=True)
class ServerOptions:
    """Where and how to serve."""

    host: str = "127.0.0.1"
    port: int = 8000
    """0: any that is free."""
    token: str | None = None
    """What a client must send as `Authorization: Api-Key TOKEN`."""
    batch: int = 256
    """The most turns that the agent is given at once."""
    agent_timeout: float = 600.0
    """How long a call of the agent may take, in seconds."""
    max_frame_mb: float = 256.0
    max_connections: int = 256
    idle_s: float = 3600.0
    """After so long without a message a connection is closed."""

    def check(self) -> None:
        """Raises UserError with the remedy."""
        for name, value, low, high in (
            ("--port", self.port, 0, 65535),
            ("--batch", self.batch, 1, 4096),
            ("--max-connections", self.max_connections, 1, 100_000),
            ("--max-frame-mb", self.max_frame_mb, 0.01, 4096.0),
            ("--agent-timeout", self.agent_timeout, 0.01, 1e6),
            ("--idle", self.idle_s, 0.01, 1e6),
        ):
            if not low <= value <= high:
                raise UserError(f"{name} is a number from {low:g} to {high:g}; got {value:g}")
        if self.token is None and not is_loopback(self.host):
            raise UserError(
                f"--host {self.host} can be reached from other machines: put a token into an "
                "environment variable and name it with --token-env NAME"
            )


def serve(
    agent: Agent,
    told: Extension,
    options: ServerOptions,
    form: StockForm | None = None,
    ready: Callable[[str], None] = lambda url: None,
) -> str | None:
    """Serve until the process is told to end (SIGTERM, Ctrl-C). Returns why it had to end itself.

    `told`: what clients are told of the agent. `form`: how clients of others are understood; None:
    they are refused. `ready` is called with the address when connections are taken. Raises
    UserError.
    """
    options.check()
    try:
        import websockets.asyncio.server  # noqa: F401
    except ImportError:
        raise UserError(
            "the package websockets is not installed: pip install 'generalist-bench[policies]'"
        ) from None
    return asyncio.run(PolicyServer(agent, told, options, form).run(ready))


class PolicyServer:
    """All connections of one server."""

    def __init__(
        self, agent: Agent, told: Extension, options: ServerOptions, form: StockForm | None
    ) -> None:
        self._agent = agent
        self._told = told
        self._options = options
        self._form = form
        self._open = 0
        self._answering = 0
        self._clients: dict[Any, _Client] = {}
        self._told_to_end = asyncio.Event()
        self._metadata = pack({"bench": told.to_json()})

    async def run(self, ready: Callable[[str], None]) -> str | None:
        """Serve. Raises UserError if it cannot listen."""
        from websockets.asyncio.server import serve as listen

        options = self._options
        self._batches = Batches(self._agent, options.agent_timeout, options.batch)
        self._sessions = Sessions(self._batches)
        quiet = logging.getLogger("bench.serve")
        quiet.propagate = False
        quiet.addHandler(logging.NullHandler())
        try:
            server = await listen(
                self._serve,
                options.host,
                options.port,
                compression=None,
                max_size=int(options.max_frame_mb * MB),
                max_queue=2,
                open_timeout=HANDSHAKE_S,
                close_timeout=1.0,
                # A client whose simulator holds its interpreter answers none for a long time.
                ping_interval=None,
                # A page in a browser on this machine must not play: only browsers have an origin.
                origins=[None],
                process_request=self._admit,
                server_header=None,
                logger=quiet,
            )
        except OSError as fault:
            raise UserError(
                f"cannot listen on {options.host}:{options.port}: {fault.strerror or fault}; "
                "choose another --port"
            ) from None
        with _signals(self._told_to_end):
            port = next(iter(server.sockets)).getsockname()[1]
            host = f"[{options.host}]" if ":" in options.host else options.host
            ready(f"ws://{host}:{port}")
            sweeping = asyncio.create_task(self._sweep())
            ends = self._told_to_end, self._batches.hung
            waiting = [asyncio.create_task(event.wait()) for event in ends]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in (*waiting, sweeping):
                task.cancel()
            server.close(close_connections=False)
            await self._leave(server)
        if self._batches.hung.is_set():
            return f"the agent did not answer within {options.agent_timeout:g} s"
        return None

    def stop(self) -> None:
        """Tell it to end, as a signal does; to be called in its event loop."""
        self._told_to_end.set()

    async def _leave(self, server: Any) -> None:
        """Let answers under way be sent, then close all connections."""
        until = time.monotonic() + LEAVING_S
        while self._answering and time.monotonic() < until:
            await asyncio.sleep(0.01)
        leaving = [
            asyncio.create_task(each.close(GOING_AWAY, "the server ends"))
            for each in list(server.connections)
        ]
        if leaving:
            await asyncio.wait(leaving, timeout=2.0)
        for task in leaving:
            task.cancel()
        with contextlib.suppress(TimeoutError, asyncio.TimeoutError):
            await asyncio.wait_for(server.wait_closed(), LEAVING_S)

    def _admit(self, connection: Any, request: Any) -> Any:
        """Answers what is no websocket, and refuses whoever may not come in."""
        if request.path == "/healthz":
            return connection.respond(http.HTTPStatus.OK, "OK\n")
        token = self._options.token
        if token is not None:
            given = request.headers.get_all("Authorization")
            said = given[0] if len(given) == 1 else ""
            right = hmac.compare_digest(
                said.encode("utf-8", "surrogateescape"), f"Api-Key {token}".encode()
            )
            if not right:
                return connection.respond(http.HTTPStatus.UNAUTHORIZED, "another token\n")
        if self._open >= self._options.max_connections:
            return connection.respond(http.HTTPStatus.SERVICE_UNAVAILABLE, "too many connections\n")
        return None

    async def _sweep(self) -> None:
        """End the episodes of clients that are gone, and connections that are idle.

        One look at all connections now and then costs less than a timer for each message.
        """
        while True:
            await asyncio.sleep(min(SWEEP_S, self._options.idle_s / 2))
            await self._sessions.forget()
            long_ago = time.monotonic() - self._options.idle_s
            idle = [each for each, client in self._clients.items() if client.idle_since(long_ago)]
            if idle:
                closing = (each.close(GOING_AWAY, "no message for too long") for each in idle)
                await asyncio.gather(*closing, return_exceptions=True)

    async def _serve(self, connection: Any) -> None:
        """One connection, from its metadata to its end."""
        from websockets.exceptions import ConnectionClosed

        self._open += 1
        client = _Client(f"client-{secrets.token_hex(8)}")
        self._clients[connection] = client
        try:
            await connection.send(self._metadata)
            total = None
            while True:
                client.heard = time.monotonic()
                message = await connection.recv()
                client.heard = begun = time.monotonic()
                self._answering += 1
                client.asking = True
                try:
                    if isinstance(message, str):
                        raise Malformed("a message is binary")
                    reply = await self._replied(client, unpack(message, revive))
                    timing = {"infer_ms": 1000 * (time.monotonic() - begun)}
                    if total is not None:
                        timing["prev_total_ms"] = 1000 * total
                    client.heard, client.asking = time.monotonic(), False
                    await connection.send(pack({**reply, "server_timing": timing}))
                finally:
                    self._answering -= 1
                    client.asking = False
                total = time.monotonic() - begun
        except ConnectionClosed:
            pass
        except _Failed as failed:
            await self._refuse(connection, INTERNAL_ERROR, f"AgentError: {failed}")
        except Malformed as wrong:
            await self._refuse(connection, UNSUPPORTED, f"Malformed: {wrong}")
        finally:
            self._open -= 1
            self._clients.pop(connection, None)
            if client.stock is not None and client.stock.begun:
                await self._batches.end(client.name)

    async def _refuse(self, connection: Any, code: int, text: str) -> None:
        """An error is a text and the end of the connection, as openpi's server does it."""
        from websockets.exceptions import ConnectionClosed

        with contextlib.suppress(ConnectionClosed, TimeoutError, asyncio.TimeoutError):
            await asyncio.wait_for(connection.send(text), LEAVING_S)
            await connection.close(code, "the reason is in the text before")

    async def _replied(self, client: _Client, message: Any) -> dict[str, Any]:
        if not isinstance(message, dict):
            raise Malformed("a message is a map")
        kind = message.get("bench")
        if kind == "act":
            return await self._act(client, message)
        if kind == "end":
            return await self._end(message)
        if kind is not None:
            raise Malformed(f"there is no request {str(kind)[:40]!r}")
        if self._form is None:
            raise Malformed(
                "this server answers clients of bench; for others start it with --profile P or "
                "--action-size N"
            )
        if client.stock is None:
            client.stock = StockEpisode(client.name, self._form, self._told.reads)
        answers = await self._batches.infer([client.stock.turn(message)])
        reply = client.stock.reply(answers[0])
        if isinstance(reply, AgentFault):
            raise _Failed(reply.reason)
        return reply

    async def _act(self, client: _Client, message: dict[Any, Any]) -> dict[str, Any]:
        session, briefs, given = _session(message), message.get("briefs"), message.get("turns")
        if not isinstance(briefs, dict) or not isinstance(given, list):
            raise Malformed("it holds no turns")
        if len(given) > self._options.batch or len(client.briefs) + len(briefs) > MOST_BRIEFS:
            raise Malformed("it holds too many turns, or too many briefs")
        for name, brief in briefs.items():
            client.briefs[str(name)] = brief_of(brief)
        turns = [turn_of(each, client.briefs, self._told.history) for each in given]
        if len({turn.episode for turn, _ in turns}) < len(turns):
            raise Malformed("it holds two turns of one episode")
        self._sessions.touch(session)
        answers = await self._sessions.ask(session, turns)
        self._sessions.touch(session)
        return {"answers": [_sendable(answer) for answer in answers]}

    async def _end(self, message: dict[Any, Any]) -> dict[str, Any]:
        session, episodes = _session(message), message.get("episodes")
        if (
            not isinstance(episodes, list)
            or len(episodes) > MOST_ENDED
            or not all(isinstance(each, str) for each in episodes)
        ):
            raise Malformed("it holds no episodes")
        self._sessions.touch(session)
        ended = await self._sessions.end(session, episodes)
        return {"ended": ended, "footprint": self._batches.footprint}


class _Failed(Exception):
    """The agent failed for a client of others."""


class _Client:
    """What is known of a connection."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.heard = time.monotonic()
        """When its last message came, or its last answer began to be sent."""
        self.asking = False
        """Whether the agent is at its last message."""
        self.briefs: dict[str, Brief] = {}
        self.stock: StockEpisode | None = None

    def idle_since(self, moment: float) -> bool:
        """Whether nothing came since then, and nothing is owed to it."""
        return not self.asking and self.heard < moment


def _session(message: dict[Any, Any]) -> str:
    session = message.get("session")
    if not isinstance(session, str) or not 0 < len(session) <= 100:
        raise Malformed("it holds no session")
    return session


def _sendable(answer: Any) -> dict[str, Any]:
    try:
        return as_answer(answer)
    except TypeError as wrong:
        return as_answer(AgentFault(f"its answer cannot be sent: {wrong}"))


@contextlib.contextmanager
def _signals(told: asyncio.Event) -> Iterator[None]:
    """SIGTERM and SIGINT set the event, as far as this is the main thread."""
    loop = asyncio.get_running_loop()
    kept = []
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(ValueError, RuntimeError, NotImplementedError):
            loop.add_signal_handler(number, told.set)
            kept.append(number)
    try:
        yield
    finally:
        for number in kept:
            loop.remove_signal_handler(number)

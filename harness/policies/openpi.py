"""`--agent openpi:ws://HOST:PORT`: a policy behind openpi's websocket protocol.

The server sends its metadata, then an answer for each observation: maps in msgpack, with arrays as
in wire/packing.py; a text is an error. To a server that announces the extension of `bench serve`
(wire/extension.py) turns are sent as they are, in batches.

Sources: openpi_client/websocket_client_policy.py (openpi-client 0.1.2) and
src/openpi/serving/websocket_policy_server.py of Physical-Intelligence/openpi.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from harness.core import Agent, AgentUnavailable, Brief, Missing, Turn, UserError
from harness.play.values import AgentFault
from harness.policies.encoding import Encoding, encoding_of, profile_identity, unfit
from harness.policies.wire.address import Address, Patience
from harness.policies.wire.asking import ask_each
from harness.policies.wire.bench_client import BenchClient
from harness.policies.wire.connection import Connection, Limits, Lost
from harness.policies.wire.extension import Extension
from harness.policies.wire.packing import Malformed, pack, unpack
from harness.policies.wire.pool import Pool, metadata_of

__all__ = ["OpenPI"]

HEALTH = "/healthz"
FRESH_S = 5.0
"""So long what a server told of itself is taken for true, where it decides nothing."""
NOT_IDENTITY = ("address", "timeout_s", "reach_s", "max_frame_mb", "token_env")


class OpenPI(Agent):
    """Asks a policy server; one instance for all workers, a connection for each episode.

    A server that cannot be reached, goes away or stays silent makes the case an `error`; an error
    that it reports, or an answer that makes no sense, is the agent's.
    """

    reads: ClassVar[tuple[str, ...]] = ("*",)
    served = True

    def __init__(
        self,
        address: str,
        profile: str = "",
        profile_check: str = "on",
        execute: int = 0,
        timeout_s: float = 120.0,
        reach_s: float = 30.0,
        max_frame_mb: float = 64.0,
        token_env: str = "",
    ) -> None:
        """Connect. Raises UserError if there is no such server.

        `profile`: what the policy expects, see docs/policies; empty: the views under their own
        names. `execute`: without a profile, how many actions of a chunk are executed; 0: all.
        `timeout_s`: the longest silence before an answer; `reach_s`: how long it is tried to reach
        the server. `max_frame_mb`: the largest message from the server, in MiB. `token_env`: the
        environment variable with the token; empty: BENCH_POLICY_TOKEN, if it is set.
        """
        where = Address.of(address)
        limits = Limits.of(timeout_s, reach_s, max_frame_mb)
        self._limits = limits
        self._url = where.url
        self._told: Extension | None = None
        self._greeted = False
        self._pool = Pool(where, limits, token_env, self._greet)
        self._encoding: Encoding = encoding_of(profile, execute)
        wait_until_healthy(where, limits)
        try:
            told: Extension | None = self._pool.greeting()
        except (Lost, AgentUnavailable) as silent:
            raise UserError(f"{silent}; start the server, or correct the address") from None
        self._bench: BenchClient | None = None
        if told is not None:
            self._bench = BenchClient(self._pool, told)
            self.history = told.history  # type: ignore[misc]
        self.reads = _reads(told, self._encoding)  # type: ignore[misc]

    @classmethod
    def declares(cls, arguments: Mapping[str, Any]) -> tuple[tuple[str, ...], int]:
        """What the agent behind `bench serve` reads; what the profile needs; or all views."""
        told = _told(arguments)
        encoding = encoding_of(arguments.get("profile", ""), arguments.get("execute", 0))
        return _reads(told, encoding), told.history if told is not None else 1

    @classmethod
    def identity(cls, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """The arguments that decide answers, with the server's own fingerprint if it tells one.

        The same agent behind another address is the same agent; without a fingerprint the address
        is all that is known.
        """
        told = _told(arguments)
        kept = {name: value for name, value in arguments.items() if name not in NOT_IDENTITY}
        kept.update(profile_identity(arguments.get("profile", "")))
        if told is None:
            return {**kept, "address": Address.of(arguments["address"]).url}
        return {**kept, "server": {"agent": told.agent, "fingerprint": told.fingerprint}}

    @classmethod
    def unfit(cls, arguments: Mapping[str, Any], brief: Brief) -> Missing | None:
        """Why the profile does not fit this body."""
        return unfit(arguments.get("profile", ""), arguments.get("profile_check", "on"), brief)

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        if self._bench is not None:
            return self._bench.act(turns)
        return ask_each(
            turns, self._pool, self._encoding, self._limits, pack=self._packed, read=self._read
        )

    def end(self, episodes: Iterable[str]) -> AgentFault | None:  # type: ignore[override]
        if self._bench is not None:
            return self._bench.end(episodes)
        for episode in episodes:
            self._pool.release(episode)
        return None

    def close(self) -> None:
        self._pool.close()

    def _packed(self, turn: Turn) -> bytes:
        return pack(self._encoding.observation(turn))

    def _read(self, message: bytes, turn: Turn) -> Any:
        reply = unpack(message)
        if not isinstance(reply, dict) or "actions" not in reply:
            keys = ", ".join(sorted(map(str, reply)))[:200] if isinstance(reply, dict) else ""
            raise Malformed(f"it holds no `actions`{keys and ' but ' + keys}")
        return self._encoding.answer(reply["actions"], turn)

    def _greet(self, connection: Connection) -> Extension | None:
        told = Extension.of(metadata_of(connection, self._limits))
        if self._greeted and told != self._told:
            raise Malformed("another agent answers there than when the run began")
        self._told, self._greeted = told, True
        return told


def wait_until_healthy(where: Address, limits: Limits, path: str = HEALTH) -> None:
    """Wait until the server says that it is ready. Raises UserError with the remedy."""
    patience = Patience(limits.reach_s)
    while not where.healthy(path):
        if not patience.wait():
            raise UserError(
                f"no policy server is ready at {where.url} (tried for {limits.reach_s:g} s): start "
                "it, correct the address, or wait longer with --agent-arg reach_s=SECONDS"
            )


_KNOWN: dict[str, tuple[float, Extension | None]] = {}


def _told(arguments: Mapping[str, Any]) -> Extension | None:
    """What the server told of its agent within the last seconds. Raises UserError."""
    key = repr(sorted(arguments.items(), key=str))
    asked, told = _KNOWN.get(key, (0.0, None))
    if not asked or time.monotonic() - asked > FRESH_S:
        policy = OpenPI(**arguments)
        policy.close()
        told = policy._told
        _KNOWN.clear()
        _KNOWN[key] = time.monotonic(), told
    return told


def _reads(told: Extension | None, encoding: Encoding) -> tuple[str, ...]:
    return encoding.reads if told is None else told.reads

"""`--agent openpi:ws://HOST:PORT`: a policy behind openpi's websocket protocol.

The server sends its metadata, then an answer for each observation: maps in msgpack, with arrays as
in wire/packing.py; a text is an error. To a server that announces the extension of `bench serve`
(wire/extension.py) turns are sent as they are, in batches.

Sources: openpi_client/websocket_client_policy.py (openpi-client 0.1.2) and
src/openpi/serving/websocket_policy_server.py of Physical-Intelligence/openpi.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.core import Turn
from harness.play.values import AgentFault
from harness.policies.wire.bench_client import BenchClient
from harness.policies.wire.connection import Connection
from harness.policies.wire.extension import Extension
from harness.policies.wire.packing import Malformed, pack, unpack
from harness.policies.wire.pool import metadata_of
from harness.policies.wire.remote import RemotePolicy
from harness.policies.wire.server_timing import timings_of

__all__ = ["OpenPI"]


class OpenPI(RemotePolicy):
    """A server of openpi, of others with its protocol, or of `bench serve`."""

    _bench: BenchClient | None = None

    def _greet(self, connection: Connection) -> Extension | None:
        return Extension.of(metadata_of(connection, self._limits))

    def _reading(self, told: Extension | None) -> tuple[tuple[str, ...], int]:
        if told is None:
            return super()._reading(told)
        self._bench = BenchClient(self._pool, told, self.footprint)
        return told.reads, told.history

    @classmethod
    def _server_identity(cls, told: Extension | None) -> Mapping[str, Any] | None:
        if told is None:
            return None
        return {"agent": told.agent, "fingerprint": told.fingerprint}

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        return super().act(turns) if self._bench is None else self._bench.act(turns)

    def end(self, episodes: Iterable[str]) -> AgentFault | None:  # type: ignore[override]
        return super().end(episodes) if self._bench is None else self._bench.end(episodes)

    def _packed(self, turn: Turn) -> Sequence[bytes]:
        return [pack(self._encoding.observation(turn))]

    def _read(self, message: bytes, turn: Turn) -> Any:
        reply = unpack(message)
        answer = self._encoding.answer(actions_in(reply), turn)
        return dataclasses.replace(answer, figures={**answer.figures, **timings_of(reply)})


def actions_in(reply: Any) -> Any:
    """The value of `actions`. Raises Malformed."""
    if not isinstance(reply, dict) or "actions" not in reply:
        keys = ", ".join(sorted(map(str, reply)))[:200] if isinstance(reply, dict) else ""
        raise Malformed(f"it holds no `actions`{keys and ' but ' + keys}")
    return reply["actions"]

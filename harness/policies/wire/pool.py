"""The connections to one server: one for each episode that is under way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.core import AgentUnavailable
from harness.policies.wire.address import Address, token_from
from harness.policies.wire.connection import Connection, Limits, Lost, Reported
from harness.policies.wire.packing import Malformed, unpack

__all__ = ["Pool"]

AGAIN_S = 1.0
"""How long a server is tried that could not be reached the last time."""


class Pool:
    """Opens connections as they are needed, and keeps those that are free for later episodes."""

    def __init__(
        self,
        address: Address,
        limits: Limits,
        token_env: str,
        greet: Callable[[Connection], Any],
    ) -> None:
        """`greet` is called with each new connection; what it returns is what the server told."""
        self._address = address
        self._limits = limits
        self._token = token_from(token_env)
        self._greet = greet
        self._free: list[Connection] = []
        self._used: dict[str, Connection] = {}
        self._reach_s = limits.reach_s

    def greeting(self) -> Any:
        """What the server tells at the beginning of a connection. Raises Lost, Malformed."""
        connection, told = self._open()
        self._free.append(connection)
        return told

    def of(self, episode: str) -> Connection:
        """The connection of this episode. Raises Lost."""
        if episode not in self._used:
            self._used[episode] = self._free.pop() if self._free else self._open()[0]
        return self._used[episode]

    def begun(self, episode: str) -> bool:
        """Whether the episode has a connection."""
        return episode in self._used

    def lose(self, episode: str) -> None:
        """The connection of this episode is of no use any more."""
        connection = self._used.pop(episode, None)
        if connection is not None:
            connection.close()
        # What is free may be as dead; opening another one costs little.
        while self._free:
            self._free.pop().close()

    def release(self, episode: str) -> Connection | None:
        """The episode is over: its connection is free. Returns it, if there was one."""
        connection = self._used.pop(episode, None)
        if connection is not None:
            self._free.append(connection)
        return connection

    def close(self) -> None:
        """Close all connections."""
        for connection in (*self._used.values(), *self._free):
            connection.close()
        self._used.clear()
        self._free.clear()

    def _open(self) -> tuple[Connection, Any]:
        limits = Limits(self._limits.answer_s, self._reach_s, self._limits.frame)
        try:
            connection = Connection(self._address, limits, self._token)
            try:
                told = self._greet(connection)
            except BaseException:
                connection.close()
                raise
        except Lost:
            # It was waited for long enough; the next case needs not wait as long again.
            self._reach_s = min(AGAIN_S, self._limits.reach_s)
            raise
        except (Malformed, Reported) as wrong:
            raise AgentUnavailable(f"{self._address.url} is no such server: {wrong}") from None
        self._reach_s = self._limits.reach_s
        return connection, told


def metadata_of(connection: Connection, limits: Limits) -> Mapping[Any, Any]:
    """openpi's first message: the server's metadata. Raises Lost, Malformed, Reported."""
    told = unpack(connection.receive(limits.reach_s))
    if not isinstance(told, Mapping):
        raise Malformed("its first message is no map of metadata")
    return told

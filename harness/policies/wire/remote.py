"""What the clients of all policy servers have in common: connecting, declaring, identity."""

from __future__ import annotations

import functools
import logging
import time
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from harness.core import Agent, AgentUnavailable, Brief, Missing, Turn, UserError
from harness.play.values import AgentFault
from harness.policies.encoding import Encoding, encoding_of, profile_identity, unfit
from harness.policies.wire.address import Address, Patience
from harness.policies.wire.asking import ask_each
from harness.policies.wire.connection import Connection, Limits, Lost
from harness.policies.wire.pool import Pool

__all__ = ["RemotePolicy"]

log = logging.getLogger("bench")
FRESH_S = 5.0
"""So long what a server told of itself is taken for true, where it decides nothing."""
SILENT_S = 2.0
"""So long it is waited for a server without a word."""
NOT_IDENTITY = ("address", "timeout_s", "reach_s", "max_frame_mb", "token_env")


class RemotePolicy(Agent):
    """Asks a policy server; one instance for all workers, a connection for each episode.

    A server that cannot be reached, goes away or stays silent makes the case an `error`; an error
    that it reports, or an answer that makes no sense, is the agent's.
    """

    reads: ClassVar[tuple[str, ...]] = ("*",)
    served = True
    health: ClassVar[str] = "/healthz"
    """The page that says whether the server is ready."""

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
        self._limits = limits = Limits.of(timeout_s, reach_s, max_frame_mb)
        self.footprint: dict[str, int] = {}
        self._told: Any = None
        self._greeted = False
        self._pool = Pool(where, limits, token_env, self._greet_again)
        self._encoding: Encoding = encoding_of(profile, execute)
        _wait_until_healthy(where, limits, self.health)
        try:
            told = self._pool.greeting()
        except (Lost, AgentUnavailable) as silent:
            raise UserError(f"{silent}; start the server, or correct the address") from None
        self.reads, self.history = self._reading(told)  # type: ignore[misc]

    @abstractmethod
    def _greet(self, connection: Connection) -> Any:
        """Begin a connection; returns what the server told. Raises Lost, Malformed, Reported."""

    @abstractmethod
    def _packed(self, turn: Turn) -> Sequence[bytes]:
        """The messages that ask for an answer to this turn; one is answered. Raises TypeError."""

    @abstractmethod
    def _read(self, message: bytes, turn: Turn) -> Any:
        """The answer in a message. Raises Malformed, Reported, and ValueError."""

    def _reading(self, told: Any) -> tuple[tuple[str, ...], int]:
        """(reads, history)."""
        return self._encoding.reads, 1

    def _again(self, turn: Turn) -> bool:
        """Whether a turn whose connection is lost may be asked over another one."""
        return True

    @classmethod
    def declares(cls, arguments: Mapping[str, Any]) -> tuple[tuple[str, ...], int]:
        """What the profile needs, or what the server says; without both all views."""
        return cls._facts(arguments)[1]

    @classmethod
    def identity(cls, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """The arguments that decide answers, with what the server tells of its policy.

        Where it tells nothing, the address is all that is known of it.
        """
        kept = {name: value for name, value in arguments.items() if name not in NOT_IDENTITY}
        kept.update(profile_identity(arguments.get("profile", "")))
        server = cls._server_identity(cls._facts(arguments)[0])
        if server is None:
            url = Address.of(arguments["address"]).url
            _tell_unknown(url)
            return {**kept, "address": url}
        return {**kept, "server": server}

    @classmethod
    def _server_identity(cls, told: Any) -> Mapping[str, Any] | None:
        """What tells this policy from another one wherever it is served; None: nothing does."""
        return None

    @classmethod
    def unfit(cls, arguments: Mapping[str, Any], brief: Brief) -> Missing | None:
        """Why the profile does not fit this body."""
        return unfit(arguments.get("profile", ""), arguments.get("profile_check", "on"), brief)

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        return ask_each(
            turns,
            self._pool,
            self._encoding,
            self._limits,
            pack=self._packed,
            read=self._read,
            again=self._again,
        )

    def end(self, episodes: Iterable[str]) -> AgentFault | None:  # type: ignore[override]
        for episode in episodes:
            self._pool.release(episode)
        return None

    def close(self) -> None:
        self._pool.close()

    def _greet_again(self, connection: Connection) -> Any:
        told = self._greet(connection)
        if self._greeted and self._server_identity(told) != self._server_identity(self._told):
            raise AgentUnavailable("another agent answers there than when the run began")
        self._told, self._greeted = told, True
        return told

    @classmethod
    def _facts(cls, arguments: Mapping[str, Any]) -> tuple[Any, tuple[tuple[str, ...], int]]:
        """(what the server told within the last seconds, (reads, history)). Raises UserError."""
        key = f"{cls.__name__} {sorted(arguments.items(), key=str)!r}"
        known: tuple[Any, tuple[tuple[str, ...], int]] | None
        asked, known = _KNOWN.get(key, (0.0, None))
        if known is None or time.monotonic() - asked > FRESH_S:
            policy = cls(**arguments)
            policy.close()
            known = policy._told, (policy.reads, policy.history)
            _KNOWN.clear()
            _KNOWN[key] = time.monotonic(), known
        return known


_KNOWN: dict[str, tuple[float, Any]] = {}


@functools.cache
def _tell_unknown(url: str) -> None:
    """Told once in a process: a fingerprint is asked for several times."""
    log.warning(
        "%s tells no fingerprint: whether the same policy answers there when the run goes on "
        "cannot be checked",
        url,
    )


def _wait_until_healthy(where: Address, limits: Limits, path: str) -> None:
    """Wait until the server says that it is ready. Raises UserError with the remedy."""
    patience = Patience(limits.reach_s)
    tell_at, told = time.monotonic() + SILENT_S, False
    while not where.healthy(path):
        if not told and time.monotonic() > tell_at:
            told = True
            log.warning(
                "waiting until a policy server is ready at %s, for %g s at most",
                where.url,
                limits.reach_s,
            )
        if not patience.wait():
            raise UserError(
                f"no policy server is ready at {where.url} (tried for {limits.reach_s:g} s): start "
                "it, correct the address, or wait longer with --agent-arg reach_s=SECONDS"
            )

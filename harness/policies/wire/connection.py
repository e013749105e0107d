"""One connection to a policy server: binary messages with deadlines, and errors as texts."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.core import UserError
from harness.policies.wire.address import Address, Patience
from harness.policies.wire.packing import MB, Malformed

__all__ = ["Connection", "Limits", "Lost", "Reported"]

SHORTEST_S = 0.05
TOO_LARGE = 1009
"""The websocket's code for a message beyond the limit."""


class Lost(Exception):
    """The server cannot be reached, went away, refused for its load, or stays silent."""


class Reported(Exception):
    """The server said that its policy failed; the text is the last line of what it said."""


@dataclass(frozen=True)
class Limits:
    """How long and how large."""

    answer_s: float
    """The longest silence before an answer, in seconds."""
    reach_s: float
    """How long it is tried to reach the server, in seconds."""
    frame: int
    """The most bytes of a message from the server."""

    @classmethod
    def of(cls, timeout_s: Any, reach_s: Any, max_frame_mb: Any) -> Limits:
        """Raises UserError if a number is none, or out of its range."""
        for name, value, low, high in (
            ("timeout_s", timeout_s, 0.0, 86_400.0),
            ("reach_s", reach_s, 0.0, 86_400.0),
            ("max_frame_mb", max_frame_mb, 0.0, 4096.0),
        ):
            if type(value) not in (int, float) or not low < value <= high:
                raise UserError(f"{name} is a number above {low:g}, at most {high:g}; got {value}")
        return cls(float(timeout_s), float(reach_s), int(max_frame_mb * MB))


class Connection:
    """An open websocket. Not thread-safe."""

    def __init__(self, address: Address, limits: Limits, token: str | None) -> None:
        """Connect, and try it again while the server is not there or refuses for its load.

        Raises Lost after `limits.reach_s`, and UserError where the server wants another token or
        the package is not installed.
        """
        try:
            from websockets import exceptions
            from websockets.sync import client
        except ImportError:
            raise UserError(
                "the package websockets is not installed: pip install 'generalist-bench[policies]'"
            ) from None
        self._errors = exceptions
        self._closing = contextlib.ExitStack()
        self._limits = limits
        headers: Mapping[str, str] = {} if token is None else {"Authorization": f"Api-Key {token}"}
        patience = Patience(limits.reach_s)
        while True:
            try:
                opened = client.connect(
                    address.url,
                    additional_headers=headers,
                    compression=None,
                    max_size=limits.frame,
                    open_timeout=max(patience.left, SHORTEST_S),
                    close_timeout=1.0,
                    # A policy that compiles, or infers in the server's only thread, answers none.
                    ping_interval=None,
                    proxy=None if address.loopback else True,
                )
                self._socket: Any = self._closing.enter_context(opened)
                break
            except exceptions.InvalidStatus as refused:
                status = refused.response.status_code
                if status in (401, 403):
                    raise UserError(
                        f"{address.url} wants another token (HTTP {status}): put it into the "
                        "environment variable BENCH_POLICY_TOKEN, or name one with "
                        "--agent-arg token_env=NAME"
                    ) from None
                why = f"it answers HTTP {status}"
            except (OSError, exceptions.WebSocketException, EOFError) as fault:
                why = str(fault) or type(fault).__name__
            if not patience.wait():
                raise Lost(f"{address.url} cannot be reached: {' '.join(why.split())[:300]}")
        self._where = address.url
        with contextlib.suppress(OSError, AttributeError):
            # A server that reads nothing must not hold up a call that sends.
            seconds = max(1, round(limits.answer_s))
            self._socket.socket.setsockopt(
                socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", seconds, 0)
            )

    def send(self, message: bytes) -> None:
        """Send a message. Raises Lost."""
        try:
            self._socket.send(message)
        except (OSError, self._errors.WebSocketException) as fault:
            raise self._lost(fault) from None

    def receive(self, seconds: float | None = None) -> bytes:
        """The next message; `seconds`: how long it may take, None: as long as an answer.

        Raises Lost, Reported for a text, and Malformed for a message that is too large.
        """
        seconds = self._limits.answer_s if seconds is None else seconds
        try:
            message = self._socket.recv(timeout=seconds)
        except TimeoutError:
            self.close()
            raise Lost(f"{self._where} did not answer within {seconds:g} s") from None
        except (OSError, self._errors.WebSocketException) as fault:
            sent = getattr(fault, "sent", None)
            if sent is not None and sent.code == TOO_LARGE:
                raise Malformed(
                    f"it is larger than {self._limits.frame / MB:g} MB: raise max_frame_mb"
                ) from None
            raise self._lost(fault) from None
        if isinstance(message, str):
            self.close()
            raise Reported(last_line(message))
        found: bytes = message
        return found

    def close(self) -> None:
        """Close it; a server that does not answer that is waited for one second."""
        with contextlib.suppress(OSError, self._errors.WebSocketException):
            self._closing.close()

    def _lost(self, fault: BaseException) -> Lost:
        self.close()
        why = " ".join(str(fault).split())[:300] or type(fault).__name__
        return Lost(f"the connection to {self._where} is lost: {why}")


def last_line(text: str) -> str:
    """The last line of a traceback, which says what was raised; at most 500 characters."""
    lines = [line.strip() for line in text.strip()[-20_000:].splitlines() if line.strip()]
    return lines[-1][:500] if lines else "(an empty text)"

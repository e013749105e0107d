"""Where a policy server is, whether it is ready, and with which token it is asked."""

from __future__ import annotations

import http.client
import ipaddress
import os
import ssl
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from harness.core import UserError

__all__ = ["Address", "is_loopback", "token_from"]

TOKEN = "BENCH_POLICY_TOKEN"
"""The environment variable with the token, unless another one is named."""
PROBE_S = 5.0
"""Seconds for one question about health."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
"""Pauses between two attempts to reach a server grow from the first to the longest."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens on this host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def token_from(variable: str) -> str | None:
    """The token in this environment variable; empty: in BENCH_POLICY_TOKEN, if that is set.

    Raises UserError if the variable that was named is not set, or holds what no header can.
    """
    token = os.environ.get(variable or TOKEN)
    if variable and not token:
        raise UserError(f"the environment variable {variable} is not set: put the token there")
    if token and not (token.isascii() and token.isprintable() and token == token.strip()):
        raise UserError(
            f"the token in {variable or TOKEN} holds spaces at its ends or characters that no "
            "header can hold"
        )
    return token or None


@dataclass(frozen=True)
class Address:
    """A websocket's address."""

    url: str
    host: str
    port: int
    secure: bool

    @classmethod
    def of(cls, text: str) -> Address:
        """`ws://HOST:PORT`, `wss://...` or `HOST:PORT`. Raises UserError with the remedy."""
        url = text if "://" in text else f"ws://{text}"
        wrong = f"{text!r} is no address of a policy server: write ws://HOST:PORT or wss://HOST"
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise UserError(wrong) from None
        if parts.scheme not in ("ws", "wss") or not parts.hostname or parts.fragment:
            raise UserError(wrong)
        if parts.username or parts.password:
            raise UserError(
                f"an address is kept in run.json and holds no password: put it into {TOKEN}"
            )
        secure = parts.scheme == "wss"
        return cls(url, parts.hostname, port or (443 if secure else 80), secure)

    @property
    def loopback(self) -> bool:
        """Whether the server is on this machine."""
        return is_loopback(self.host)

    def healthy(self, path: str) -> bool:
        """Whether the server answers `GET path` at all: one without that page is as good as ready.

        503 says that it is not ready yet.
        """
        context = ssl.create_default_context() if self.secure else None
        connection = (
            http.client.HTTPConnection(self.host, self.port, timeout=PROBE_S)
            if context is None
            else http.client.HTTPSConnection(self.host, self.port, timeout=PROBE_S, context=context)
        )
        try:
            connection.request("GET", path)
            return connection.getresponse().status != http.HTTPStatus.SERVICE_UNAVAILABLE
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


class Patience:
    """Pauses between attempts, until a time has passed."""

    def __init__(self, seconds: float) -> None:
        """`seconds`: how long attempts may go on."""
        self._until = time.monotonic() + seconds
        self._pause = FIRST_PAUSE_S

    @property
    def left(self) -> float:
        """Seconds that are left, not below 0."""
        return max(0.0, self._until - time.monotonic())

    def wait(self) -> bool:
        """Wait before the next attempt; False if the time has passed."""
        if not self.left:
            return False
        time.sleep(min(self._pause, self.left))
        self._pause = min(2 * self._pause, LONGEST_PAUSE_S)
        return True

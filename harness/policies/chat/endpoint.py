"""Sends one request to an endpoint, again where that may help.

What is no fault of the model never becomes one: an endpoint that is unreachable, overloaded, slow
or out of order ends in AgentUnavailable. No redirect is followed, since the key would go along.
"""

from __future__ import annotations

import contextlib
import datetime
import email.utils
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.core import AgentUnavailable, UserError
from harness.core.text import printable, shorten
from harness.policies.chat.address import Address, Key
from harness.policies.chat.reply import BadReply, Reply
from harness.records import safe_json

if TYPE_CHECKING:
    import httpx

__all__ = ["Endpoint", "Failing", "Refused", "Sent"]

log = logging.getLogger("bench")

MOST_BODY = 4 << 20
"""Bytes of a response."""
LONGEST_WAIT_S = 60.0
"""Between two attempts, whatever the endpoint asks for."""
CONNECT_S = 20.0
LATER = frozenset({408, 409, 425, 429})
"""Statuses, beside those from 500 on, after which the same request may succeed."""
REMEDIES = {
    401: "set the environment variable that holds the key, and name it with key_env",
    403: "the key does not allow it",
    404: "look at the URL and at the model's name",
}


class Refused(Exception):
    """The endpoint refuses this request for what it holds, such as too long a conversation."""


class Failing(AgentUnavailable):
    """The endpoint is there and fails at this request, each time: status 500 or 501."""


class _Again(Exception):
    """It failed, and the same request may succeed later; `after_s`: what the endpoint asks for."""

    def __init__(self, what: str, after_s: float | None = None, status: int = 0) -> None:
        super().__init__(what)
        self.after_s = after_s
        self.status = status


@dataclass(frozen=True)
class Sent:
    """A reply, and what it took."""

    reply: Reply
    attempts: int
    seconds: float


class Endpoint:
    """One address. Threads may use it together."""

    def __init__(
        self,
        address: Address,
        key: Key,
        *,
        retries: int,
        timeout_s: float,
        backoff_s: float,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """`timeout_s`: of one attempt, in seconds. `backoff_s`: the first wait, doubled each time.

        Raises UserError where the URL cannot be used, or httpx is absent.
        """
        try:
            import httpx
        except ImportError:
            raise UserError(
                "the package httpx is not installed: pip install 'generalist-bench[chat]'"
            ) from None
        self.address = address
        self._key = key
        self._retries = retries
        self._timeout_s = timeout_s
        self._backoff_s = backoff_s
        self._pause = pause
        self._told = False  # of the first failure, so that a wrong address is no silence
        # identity: the size of what comes is then the size of what is kept.
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        if key.secret:
            headers["Authorization"] = f"Bearer {key.secret}"
        try:
            self._client = httpx.Client(
                headers=headers,
                follow_redirects=False,
                trust_env=not address.loopback,  # no proxy stands between a machine and itself
                limits=httpx.Limits(max_connections=None),
            )
            httpx.URL(address.url)
        except (httpx.InvalidURL, ValueError, ImportError, OSError) as wrong:
            raise UserError(f"the endpoint {address.url} cannot be used: {wrong}") from None

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def post(self, body: Mapping[str, Any], until: float, retries: int | None = None) -> Sent:
        """Send a request, and again until there is a reply.

        `until`: a time.monotonic() value, after which it is given up. `retries`: where they are
        fewer than this endpoint's, after a status of 500 or 501. Raises AgentUnavailable with what
        happened last, which is Failing after such a status, and Refused.
        """
        content = json.dumps(body).encode()
        begun = time.monotonic()
        attempt = 0
        while True:
            attempt += 1
            try:
                reply = self._once(content, until)
                return Sent(reply, attempt, time.monotonic() - begun)
            except _Again as failed:
                wait = failed.after_s
                if wait is None:
                    wait = self._backoff_s * 2.0 ** min(attempt - 1, 30)
                wait = min(wait, LONGEST_WAIT_S)
                fails = failed.status in (500, 501)
                most = (
                    self._retries if retries is None or not fails else min(retries, self._retries)
                )
                if attempt > most or time.monotonic() + wait >= until:
                    tries = "once" if attempt == 1 else f"{attempt} times"
                    kind = Failing if fails else AgentUnavailable
                    raise kind(f"{self.address.url} was asked {tries}: {failed}") from None
                if not self._told:
                    self._told = True
                    log.warning(
                        "%s: %s; a request is tried up to %d times",
                        self.address.url,
                        failed,
                        most + 1,
                    )
                self._pause(wait)

    def _once(self, content: bytes, until: float) -> Reply:
        left = min(self._timeout_s, until - time.monotonic())
        if left <= 0:
            raise _Again("no time is left to ask")
        import httpx

        ends = time.monotonic() + left
        try:
            timeout = httpx.Timeout(left, connect=min(CONNECT_S, left))
            request = self._client.build_request(
                "POST", self.address.url, content=content, timeout=timeout
            )
            response = self._client.send(request, stream=True)
            with contextlib.closing(response):
                body = self._body(response, ends)
        except httpx.TimeoutException:
            raise _Again(f"no answer within {left:.3g} s") from None
        except (httpx.HTTPError, httpx.StreamError) as fault:
            raise _Again(self._quoted(f"{type(fault).__name__}: {fault}")) from None
        self._judge(response, body)
        try:
            return Reply.from_json(body)
        except BadReply as bad:
            raise _Again(f"its answer is no chat completion: {self._quoted(str(bad))}") from None

    def _body(self, response: httpx.Response, ends: float) -> bytes:
        """The body, of bounded size and in bounded time: one that trickles is too slow."""
        parts, size = [], 0
        for part in response.iter_raw():
            parts.append(part)
            size += len(part)
            if size > MOST_BODY:
                raise _Again(f"its answer has more than {MOST_BODY} bytes")
            if time.monotonic() > ends:
                raise _Again("its answer did not come to an end in time")
        return b"".join(parts)

    def _judge(self, response: httpx.Response, body: bytes) -> None:
        """Raise what a status other than success stands for."""
        status = response.status_code
        if 200 <= status < 300:
            return
        said = self._said(body)
        if 300 <= status < 400:
            place = self._quoted(response.headers.get("location", "another place"))
            raise AgentUnavailable(
                f"{self.address.url} redirects to {place}: name the address that is meant; no key "
                "is sent elsewhere"
            )
        if status == 429 and "insufficient_quota" in said:
            raise AgentUnavailable(f"{self.address.url}: the quota is used up: {said}")
        if status in LATER or status >= 500:
            after = _after(response.headers.get("retry-after"))
            raise _Again(f"status {status}: {said}", after, status)
        if status in REMEDIES:
            raise AgentUnavailable(
                f"{self.address.url}: status {status}: {said} ({REMEDIES[status]})"
            )
        raise Refused(f"status {status}: {said}")

    def _said(self, body: bytes) -> str:
        """The message in an error's body, or the beginning of the body."""
        text = body[:20_000].decode("utf-8", "replace")
        with contextlib.suppress(ValueError):
            found = safe_json.parse(body[:20_000])
            error = found.get("error", found) if isinstance(found, dict) else found
            if isinstance(error, dict):
                error = error.get("message", "") or error.get("detail", "")
                code = found.get("error", {})
                kind = code.get("code") if isinstance(code, dict) else None
                error = f"{error} ({kind})" if isinstance(kind, str) and kind else error
            if isinstance(error, str) and error:
                text = error
        return self._quoted(text)

    def _quoted(self, text: str) -> str:
        """A stranger's text in one line, without the key."""
        return printable(shorten(" ".join(self._key.hidden_in(text).split()), 300))


def _after(header: str | None) -> float | None:
    """Seconds that a Retry-After header asks for (RFC 9110, 10.2.3); None where it says none."""
    if header is None:
        return None
    text = header.strip()[:80]
    if text.isascii() and text.replace(".", "", 1).isdigit():
        return min(float(text), LONGEST_WAIT_S)
    try:
        when = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=datetime.timezone.utc)
    now = datetime.datetime.now(datetime.timezone.utc)
    return min(max((when - now).total_seconds(), 0.0), LONGEST_WAIT_S)

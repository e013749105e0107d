"""A headless Chromium, driven over a pipe by the Chrome DevTools Protocol.

It cannot outlive this process: see keeper.py.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adapters.miniwob.keeper import remove

__all__ = ["Browser", "BrowserError", "chromium"]

VARIABLE = "MINIWOB_CHROME_BINARY"
"""Environment variable with the browser to use; the miniwob package's own."""
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--no-default-browser-check", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-extensions", "--disable-breakpad", "--disable-dev-shm-usage",
    "--mute-audio", "--hide-scrollbars", "--lang=en-US", "--force-color-profile=srgb",
    "--font-render-hinting=none", "--disable-lcd-text", "--disable-smooth-scrolling",
    "--disable-partial-raster", "--disable-gpu-rasterization", "--num-raster-threads=1",
    "--disable-renderer-backgrounding", "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows", "--disable-site-isolation-trials",
    "--disable-features=BackForwardCache,Translate,MediaRouter,OptimizationHints,"
    "WebUIOmniboxPopup,WebUIOmniboxAimPopup,SpareRendererForSitePerProcess",
    "--host-resolver-rules=MAP * ~NOTFOUND", "--allow-file-access-from-files",
    "--remote-debugging-pipe", "about:blank",
)  # fmt: skip
"""No network, no background work, and pixels that depend neither on the GPU nor on the user's
settings."""
PATIENCE_S = 30.0
"""Seconds to wait for an answer or an event."""


class BrowserError(RuntimeError):
    """The browser ended, rejected a command, or did not answer."""


def chromium() -> str | None:
    """The browser's path: MINIWOB_CHROME_BINARY, or the first Chromium or Chrome on the PATH; None
    if there is none."""
    named = os.environ.get(VARIABLE)
    return shutil.which(named) if named else next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One browser with one page. Every call raises BrowserError once the browser has ended."""

    def __init__(self, binary: str) -> None:
        # Ours to remove as well, in case that the keeper is killed.
        self._profile = tempfile.mkdtemp(prefix="bench-chromium-")
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()
        keeper = [
            sys.executable,
            "-I",
            "-S",
            str(Path(__file__).with_name("keeper.py")),
            str(commands),
            str(answers),
        ]
        nothing = subprocess.DEVNULL
        environment = {
            **os.environ,
            "TZ": "UTC",
            "LANGUAGE": "en_US",
            "TMPDIR": self._profile,
        }
        try:
            self._keeper = subprocess.Popen(
                [*keeper, binary, *FLAGS],
                stdin=nothing,
                stdout=nothing,
                stderr=nothing,
                pass_fds=(commands, answers),
                start_new_session=True,
                env=environment,
            )
        except BaseException:
            os.rmdir(self._profile)
            raise
        finally:
            os.close(commands)
            os.close(answers)
        self._poll = select.poll()
        self._poll.register(self._answers, select.POLLIN)
        self._rest = b""
        self._number = 0
        self._session: str | None = None
        self._events: list[dict[str, Any]] = []
        self._closed = False
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        self._session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]

    def send(self, method: str, **parameters: Any) -> int:
        """Send a command without waiting for its answer; returns its id."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        data = memoryview(json.dumps(message).encode() + b"\0")
        try:
            while data:
                data = data[os.write(self._commands, data) :]
        except OSError as fault:
            raise BrowserError(f"the browser ended before {method}: {fault}") from fault
        return self._number

    def answers(self, numbers: Sequence[int]) -> list[dict[str, Any]]:
        """Wait for the results of the commands with these ids; returns them in that order."""
        wanted: dict[int, dict[str, Any] | None] = dict.fromkeys(numbers)
        until = time.monotonic() + PATIENCE_S
        while None in wanted.values():
            message = self._read(until)
            if message.get("id") in wanted:
                if "error" in message:
                    raise BrowserError(f"the browser refused a command: {message['error']}")
                wanted[message["id"]] = message["result"]
            elif "method" in message:
                self._events.append(message)
        return [answer for answer in wanted.values() if answer is not None]

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result."""
        return self.answers([self.send(method, **parameters)])[0]

    def event(self, method: str, **fields: Any) -> None:
        """Wait for an event with these parameters, discarding those that came before it."""
        until = time.monotonic() + PATIENCE_S
        while True:
            message = self._events.pop(0) if self._events else self._read(until)
            if message.get("method") == method and fields.items() <= message["params"].items():
                return

    def forget(self) -> None:
        """Discard the events received so far."""
        self._events.clear()

    def evaluate(self, expression: str, wait: bool = False) -> Any:
        """The JSON value of an expression in the page; with `wait`, of the promise that it returns.

        Raises BrowserError where the expression throws.
        """
        answer = self.call(
            "Runtime.evaluate",
            expression=expression,
            returnByValue=True,
            awaitPromise=wait,
            userGesture=True,
        )
        if "exceptionDetails" in answer:
            thrown = answer["exceptionDetails"]
            raise BrowserError(
                f"the page threw {thrown.get('exception', {}).get('description', thrown['text'])}"
            )
        return answer["result"].get("value")

    def _read(self, until: float) -> dict[str, Any]:
        while b"\0" not in self._rest:
            if not self._poll.poll(max(0.0, until - time.monotonic()) * 1000):
                raise BrowserError(f"the browser did not answer within {PATIENCE_S:g} s")
            block = os.read(self._answers, 1 << 20)
            if not block:
                raise BrowserError("the browser ended")
            self._rest += block
        text, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        return message

    def close(self) -> None:
        """End the browser and wait until all its processes have ended."""
        if self._closed:
            return
        self._closed = True
        # The keeper notices that its pipe is closed, and ends the browser.
        for descriptor in (self._commands, self._answers):
            os.close(descriptor)
        try:
            self._keeper.wait(8)
        except subprocess.TimeoutExpired:
            self._keeper.kill()
            self._keeper.wait()
        remove(self._profile)

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError):
            self.close()

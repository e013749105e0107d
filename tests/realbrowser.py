"""A real browser that asks nobody for anything, for the tests of pages."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from typing import Any

from playwright.sync_api import Page, expect, sync_playwright

__all__ = ["Watched", "launched"]

expect.set_options(timeout=30_000)  # a busy machine is no failure
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@contextlib.contextmanager
def launched() -> Iterator[Any]:
    """The system's Chromium."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


class Watched:
    """Pages of a browser, and what they asked for and said."""

    def __init__(self, browser: Any) -> None:
        self._browser = browser
        self._contexts: list[Any] = []
        self._asked: list[str] = []
        self._said: list[str] = []

    def open(self, url: str, width: int = 1200, scheme: str = "light", **more: Any) -> Page:
        """A page, in a context of its own."""
        context = self._browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, **more
        )
        self._contexts.append(context)
        page: Page = context.new_page()
        page.on("request", lambda request: self._asked.append(request.url))
        page.on("console", lambda message: self._said.append(message.text))
        page.on("pageerror", lambda fault: self._said.append(str(fault)))
        page.goto(url)
        return page

    def close(self, *allowed: str) -> None:
        """Close them: only URLs that begin so were asked for, and the console is empty."""
        for context in self._contexts:
            context.close()
        assert [url for url in self._asked if not url.startswith(allowed)] == []
        assert self._said == []

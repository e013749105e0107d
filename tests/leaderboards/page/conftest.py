"""A real browser for the tests of pages."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import toys
from conftest import Notes, plan_of
from playwright.sync_api import Page, expect, sync_playwright

from harness.play.runner import RunOptions, play

expect.set_options(timeout=30_000)  # a busy machine is no failure
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="package")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The run of an agent with videos of all its failures and successes; each is played once."""
    folder = tmp_path_factory.mktemp("filmed")
    tasks = [toys.toy_task(f"goal{k:02}", control_hz=10.0) for k in range(14)]
    tasks.append(toys.toy_task("survive", success=None, max_steps=20))

    def run_of(agent: str) -> Path:
        path = folder / agent
        if not path.exists():
            spec, plan = plan_of(agent, tasks, 2)
            play(spec, ["toys"], plan, path, RunOptions(video="all"), Notes())
        return path

    return run_of


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Open a page from a file; at the end nothing was asked for, and the console is empty."""
    asked: list[str] = []
    said: list[str] = []
    contexts = []

    def go(content: str, width: int = 1200, scheme: str = "light", **more: Any) -> Page:
        file = tmp_path / "page.html"
        file.write_text(content, "utf-8")
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, **more
        )
        contexts.append(context)
        page: Page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda fault: said.append(str(fault)))
        page.goto(file.as_uri())
        return page

    yield go
    for context in contexts:
        context.close()
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert said == []

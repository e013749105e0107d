"""A real browser for the tests of pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import toys
from conftest import Notes, plan_of
from playwright.sync_api import Page
from realbrowser import Watched

from harness.play.runner import RunOptions, play


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
    pages = Watched(browser)

    def go(content: str, width: int = 1200, scheme: str = "light", **more: Any) -> Page:
        file = tmp_path / "page.html"
        file.write_text(content, "utf-8")
        return pages.open(file.as_uri(), width, scheme, **more)

    yield go
    pages.close("file:", "data:")

"""A small board, and a browser that asks nobody for anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from boardentries import play_entry, small
from playwright.sync_api import Page
from realbrowser import Watched

from harness.cli.names import suites_named
from harness.core import Perturbation, Suite, Task
from harness.records.plan import CaseIndex
from leaderboards.board.build import build_site
from leaderboards.submissions.verdict import REFUSED

NOISE = [[Perturbation("action_noise", 2)], [Perturbation("occlusion", 3)]]


class Site(NamedTuple):
    """A board that was built."""

    path: Path
    entries: Path
    runs: dict[str, Path]
    """By agent the run directory that its entry is of."""
    suites: dict[str, Suite]


def outcomes(seed: int, skill: float) -> Callable[[Task, CaseIndex], bool | float | None]:
    """What an agent comes to: drawn, with some errors of its own, worse where it is perturbed."""
    rng = np.random.default_rng(seed)

    def outcome(task: Task, index: CaseIndex) -> bool | float | None:
        drawn = float(rng.random())
        if drawn > 0.97:
            return None
        if task.success is not None:
            return drawn < skill - 0.1 * index.condition
        return 4000 * skill * drawn - 300

    return outcome


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    root = tmp_path_factory.mktemp("board")
    entries = root / "entries"
    entries.mkdir()
    suites = {
        "babyai": small(suites_named("babyai")[0], 14),
        "atari": small(suites_named("atari")[0], 5),
        "vizdoom": suites_named("vizdoom")[0],
    }
    runs: dict[str, Path] = {}

    def add(name: str, played: list[str], skill: float, **fields: Any) -> None:
        before = set(root.glob(".run*"))
        seed = len(runs)
        play_entry(
            entries, name, [suites[each] for each in played], outcomes(seed, skill),
            episodes=6, created=f"2026-0{1 + seed % 9}-03T00:00:00+00:00", **fields,
        )  # fmt: skip
        (runs[name],) = set(root.glob(".run*")) - before

    add("strong", ["babyai"], 0.9, conditions=NOISE)
    add("weak", ["babyai"], 0.3, conditions=NOISE)
    add("plain", ["babyai"], 0.5)
    add("wide", ["babyai", "atari", "vizdoom"], 0.7)
    add("wider", ["babyai", "atari", "vizdoom"], 0.4)
    add("seer", ["babyai"], 1.0, privileged=True, reads=["expert"])
    add("elsewhere", ["babyai"], 0.6, start=lambda index: f"ab{index.episode}")
    add("other", ["babyai"], 0.6, packages={"toysim": "9"})
    add("new", ["babyai"], 0.8, verdict=None)
    add("forged", ["babyai"], 1.0, verdict=REFUSED, reasons=("success is false, not true",))
    out = root / "site"
    build_site([entries], out, suites, url="https://example.org/board", hub_dataset="me/board")
    return Site(out, entries, runs, suites)


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Page]]:
    """Open a file; at the end only files were asked for, and the console is empty."""
    pages = Watched(browser)

    def go(root: Path, path: str, width: int = 1200, scheme: str = "light", **more: Any) -> Page:
        return pages.open(f"{root.as_uri()}/{path}", width, scheme, **more)

    yield go
    pages.close("file:")

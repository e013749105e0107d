"""An entry that is as it should be."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from submitting import SUBMISSION, SUITES, ours, play_run

from leaderboards.submissions.write import add


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two tasks with three episodes each."""
    path = tmp_path_factory.mktemp("submitted") / "run"
    return play_run(path, "uniform", 3, tasks="babyai/GoToRedBall,pddl/ferry")


@pytest.fixture(scope="session")
def good(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    entries = tmp_path_factory.mktemp("entries")
    return add(run, "Agent", SUBMISSION, entries, known=ours(), suites=SUITES).path


@pytest.fixture
def entry(good: Path, tmp_path: Path) -> Path:
    """A copy of it, to be spoilt."""
    return Path(shutil.copytree(good, tmp_path / "entries" / good.name))

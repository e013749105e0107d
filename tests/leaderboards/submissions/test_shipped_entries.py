"""The entries that come with bench: their files, a sample of their episodes, and their board."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT, Said

from leaderboards.submissions.entry import read_entry
from leaderboards.submissions.verdict import ACCEPTED, read_verdict

SHIPPED = ROOT / "leaderboards" / "entries"
NAMES = sorted(each.name for each in SHIPPED.iterdir() if each.is_dir())
AGENTS = {"noop", "uniform", "blind", "oracle", "gea", "gea-state", "gea-base"}


def test_seven_agents_have_entries() -> None:
    agents = {read_entry(SHIPPED / name).described["agent"]["name"] for name in NAMES}
    assert agents == AGENTS


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_was_accepted_after_a_replay_of_all_its_episodes(name: str) -> None:
    entry = read_entry(SHIPPED / name)
    verdict = read_verdict(SHIPPED / name, entry.digest)
    assert verdict is not None
    assert verdict["verdict"] == ACCEPTED
    assert verdict["replayed"] == verdict["playable"] == entry.described["results"]["cases"]


@pytest.mark.slow
def test_a_sample_of_every_entry_comes_out_as_recorded(
    tmp_path: Path, bench_here: Callable[..., Said]
) -> None:
    copy = tmp_path / "entries"  # a check writes its verdict beside the entry
    shutil.copytree(SHIPPED, copy, ignore=shutil.ignore_patterns("README.md", "check.json"))
    said = bench_here(
        "leaderboard", "check", "--all", "--entries", copy, "--sample", 2, "--no-starts"
    )
    assert said.code == 0, said.err
    assert said.out.count(": accepted: ") == len(NAMES)


def test_their_board_has_every_entry(tmp_path: Path, bench_here: Callable[..., Said]) -> None:
    said = bench_here("leaderboard", "build", "--entries", SHIPPED, "--out", tmp_path / "site")
    assert said.code == 0, said.err
    assert f"{len(NAMES)} entries" in said.out + said.err
    page = (tmp_path / "site" / "index.html").read_text()
    assert f"{len(NAMES)} of which were accepted by a check" in page
    json.loads(next((tmp_path / "site" / "data").glob("*.json")).read_text())

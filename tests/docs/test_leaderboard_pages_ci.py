"""The workflow that publishes the board: its build step, run as written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from boardentries import play_entry

from harness.cli.names import suites_named

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = ROOT / "docs" / "ci" / "leaderboard-pages.yml"


def test_the_board_is_built_from_the_entries_of_the_checkout(tmp_path: Path) -> None:
    jobs = yaml.safe_load(WORKFLOW.read_text())["jobs"]
    steps = jobs["build"]["steps"]
    assert all("${{" not in step.get("run", "") for step in steps)
    (build,) = (step for step in steps if step.get("name") == "build")
    (upload,) = (step for step in steps if "upload-pages-artifact" in step.get("uses", ""))
    entries = tmp_path / "leaderboards" / "entries"
    entries.mkdir(parents=True)
    play_entry(entries, "fine", [suites_named("pddl")[0]], lambda *_: True, episodes=1)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-ec", build["run"]],
        cwd=tmp_path,
        env={**os.environ, "PATH": path, "ADDRESS": "https://owner.github.io/board/"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    site = tmp_path / upload["with"]["path"]
    assert (site / "index.html").is_file()
    assert "https://owner.github.io/board/agents/fine" in (site / "feed.xml").read_text()


def test_only_the_job_that_publishes_may_write() -> None:
    content = yaml.safe_load(WORKFLOW.read_text())
    assert content["permissions"] == {"contents": "read"}
    assert content["jobs"]["publish"]["permissions"] == {"pages": "write", "id-token": "write"}
    assert content["jobs"]["build"]["steps"][0]["with"]["persist-credentials"] is False

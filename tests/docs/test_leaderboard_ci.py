"""The workflow that checks the entries of a pull request, run as written in a small repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from submitting import SUBMISSION, SUITES, ours, play_run

from leaderboards.submissions.write import add

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = ROOT / "docs" / "ci" / "leaderboard-check.yml"


def steps() -> dict[str, dict[str, Any]]:
    """The steps that have a name."""
    jobs = yaml.safe_load(WORKFLOW.read_text())["jobs"]
    return {step["name"]: step for step in jobs["check"]["steps"] if "name" in step}


def test_nothing_of_the_pull_request_is_run_or_becomes_shell() -> None:
    content = yaml.safe_load(WORKFLOW.read_text())
    assert content["permissions"] == {"contents": "read"}
    job = content["jobs"]["check"]["steps"]
    assert "base.sha" in job[0]["with"]["ref"], "the code is that of the target branch"
    assert job[0]["with"]["persist-credentials"] is False
    assert all("${{" not in step.get("run", "") for step in job)


@pytest.mark.slow
def test_the_entries_that_changed_are_checked(tmp_path: Path) -> None:
    """A good entry passes, a bad one fails, and one that did not change is left alone."""
    origin, here, temp = tmp_path / "origin", tmp_path / "here", tmp_path / "temp"
    entries = origin / "leaderboards" / "entries"
    temp.mkdir()

    def sh(command: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        identity = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER")
                    for what in ("NAME", "EMAIL")}  # fmt: skip
        return subprocess.run(
            ["bash", "-ec", command], cwd=cwd, capture_output=True, text=True, timeout=200,
            env={**os.environ, "PATH": path, "RUNNER_TEMP": str(temp), "NUMBER": "7",
                 "SAMPLE": "2", **identity, **variables},
        )  # fmt: skip

    entries.mkdir(parents=True)
    (entries / "untouched").mkdir()
    (entries / "untouched" / "entry.json").write_text("{}")
    assert sh("git init -q -b main; git add .; git commit -qm base", origin).returncode == 0
    assert sh(f"git clone -q {origin} {here}", tmp_path).returncode == 0
    run = play_run(tmp_path / "run", "uniform", 2, tasks="pddl/ferry")
    add(run, "Good", SUBMISSION, entries, known=ours(), suites=SUITES)
    commit = "git checkout -q -B pull; git add .; git commit -qm change; "
    commit += "git update-ref refs/pull/7/head HEAD"
    assert sh(commit, origin).returncode == 0

    take, check = (steps()[name]["run"] for name in (
        "take the entries of the pull request", "check those that changed",
    ))  # fmt: skip
    assert sh(take, here).returncode == 0
    done = sh(check, here)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == "good-pddl: accepted: all of 2 episodes replayed\n"
    assert (temp / "submitted/leaderboards/entries/good-pddl/check.json").is_file()
    assert not (temp / "submitted/leaderboards/entries/untouched/check.json").exists()

    shutil.rmtree(temp / "submitted")
    assert sh("git worktree prune", here).returncode == 0
    (entries / "good-pddl" / "extra.py").write_text("raise SystemExit")
    assert sh(commit, origin).returncode == 0
    assert sh(take, here).returncode == 0
    done = sh(check, here)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "it holds other files than an entry has: extra.py" in done.stderr

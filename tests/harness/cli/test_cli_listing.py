"""`bench list` and `bench doctor`: what there is, and what is missing here."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from collections.abc import Callable

import pytest
from conftest import ROOT, Said

Bench = Callable[..., Said]
HEAVY = (
    "ray",
    "gymnasium",
    "minigrid",
    "ale_py",
    "metaworld",
    "mujoco",
    "torch",
    "pandas",
    "scipy",
)
SILENT = [
    "--help",
    "run --help",
    "list suites",
    "list tasks --suite all",
    "list agents",
    "list adapters",
    "doctor",
]
IMPORTS = f"""
import os, sys
before = dict(os.environ)
import bench
for line in sys.argv[1:]:
    sys.argv = ["bench", *line.split()]
    try:
        bench.main()
    except SystemExit as ended:
        assert not ended.code, line
assert dict(os.environ) == before, "an environment variable was set"
assert not {set(HEAVY)} & sys.modules.keys(), {set(HEAVY)} & sys.modules.keys()
"""


def test_help_and_lists_import_nothing_heavy() -> None:
    said = subprocess.run(
        [sys.executable, "-c", IMPORTS, *SILENT],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    assert said.stderr == ""
    for word in (
        "--agent-timeout",
        "babyai-planning",
        "metaworld/reach-v3@1",
        "privileged",
        "ale-py",
    ):
        assert word in said.stdout


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("suites", ["smoke", "metaworld", "atari-sticky"]),
        ("tasks", ["babyai/GoToRedBall@1", "atari/pong@2", "metaworld/reach-v3@1"]),
        ("agents", ["uniform", "noop", "oracle", "blind"]),
        ("adapters", ["minigrid", "atari", "metaworld", "gym"]),
    ],
)
def test_list(bench_here: Bench, what: str, words: list[str]) -> None:
    said = bench_here("list", what)
    assert (said.code, said.err) == (0, "")
    assert all(any(line.startswith(word) for line in said.out.splitlines()) for word in words)
    assert max(map(len, said.out.splitlines())) <= 80


def test_a_list_of_tasks_in_full(bench_here: Bench) -> None:
    short = bench_here("list", "tasks", "--suite", "babyai,libero-10").out
    assert "babyai: 17 tasks, navigation; the mission fulfilled (return > 0) within" in short
    full = bench_here("list", "tasks", "--suite", "babyai,libero-10", "--full").out.splitlines()
    (row,) = [line for line in full if line.startswith("babyai/GoToDoor@1 ")]
    assert row.endswith(" the mission fulfilled (return > 0) within the level's own step limit")
    assert [line.split()[1] for line in full[2:]] == ["babyai"] * 17 + ["libero-10"] * 10


def test_doctor_names_what_is_missing_and_what_fixes_it(
    bench_here: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "bench[" not in bench_here("doctor").out, "everything that our extras install is here"
    real = importlib.metadata.version

    def version(name: str) -> str:
        if name in ("minigrid", "ray"):
            raise importlib.metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    said = bench_here("doctor")
    assert said.code == 0
    assert max(map(len, said.out.splitlines())) <= 80
    states, fixes = (
        {line.split()[0]: line for line in part.splitlines()} for part in said.out.split("\n\n")
    )
    assert "the package minigrid is not installed" in states["minigrid"]
    assert "pip install 'generalist-bench[minigrid]'" in fixes["minigrid"]
    assert "pip install 'generalist-bench[ray]'" in fixes["parallel"]
    assert "ready" in states["gym"]
    assert "gym" not in fixes
    said = bench_here("run", "--agent", "noop", "--suite", "babyai", "--episodes", 1)
    assert said.code == 4, "nothing could run"
    assert "the package minigrid is not installed" in said.out
    assert "pip install 'generalist-bench[minigrid]'" in " ".join(said.out.split())

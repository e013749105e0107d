"""A comparison on a terminal: the verdict stands last, and the figures fit."""

from __future__ import annotations

from pathlib import Path

import pytest
from reports import item, run_of, successes, write_report_run

from harness.compare.pairs import ScoredRun, read_scored_run
from leaderboards.compare import Compared, compare_runs
from leaderboards.compare_render import render_compared
from leaderboards.compare_several import compare_several
from leaderboards.several_render import render_several
from leaderboards.short_compare import MOST_TASKS, SHOWN

ITEMS = [item(f"toy/a-task-of-number-{k}@1", episodes=20) for k in range(MOST_TASKS + 10)]
NAMES = ["the-first-run-of-all", "another-run-of-these", "and-the-last-of-them"]


def scored(folder: Path, name: str, *wins: int) -> ScoredRun:
    """A run in which each task has its number of successes, the last one all others."""
    counts = [wins[min(k, len(wins) - 1)] for k in range(len(ITEMS))]
    lines = [x for each, count in zip(ITEMS, counts) for x in successes(each, count)]
    run = run_of(*ITEMS, name=name)
    run["created"] = f"2025-06-01T10:00:{sum(map(ord, name)) % 60:02}+00:00"
    return read_scored_run(write_report_run(folder / name, run, lines), f"runs/{name}")


@pytest.fixture
def compared(tmp_path: Path) -> Compared:
    base = scored(tmp_path, "main", 20, 0, 10)
    return compare_runs(base, scored(tmp_path, "branch", 0, 20, 10), 0.05, 0.05)


def test_the_verdict_stands_last_below_the_means(compared: Compared) -> None:
    text = render_compared(compared, "text")
    *_, means, verdict = text.split("\n\n")
    assert means.startswith("DOMAINS AND OVERALL\n")
    assert verdict.startswith(f"VERDICT\n{compared.comparison.verdict}: ")
    assert text.startswith("base runs/main (main), new runs/branch (branch); ")
    assert max(map(len, text.splitlines())) <= 80
    assert len(text.splitlines()) <= 60


def test_of_many_tasks_those_that_changed_come_first_and_all_are_counted(
    compared: Compared,
) -> None:
    text = render_compared(compared, "text")
    rows = [row.split()[0] for row in text.splitlines() if row.startswith("toy/")]
    assert rows[:2] == [ITEMS[0].task.id, ITEMS[1].task.id]
    assert f"{SHOWN} of {len(ITEMS)} tasks: 1 worse, 1 better, " in " ".join(text.split())
    assert f"all {len(ITEMS)} tasks" in " ".join(text.split())
    full = render_compared(compared, "text", full=True)
    for each in ITEMS:
        assert f"\n{each.task.id} " in full
    assert "detectable" in full
    assert full.split("\n\n")[-1].startswith("VERDICT\n")


def test_flipped_cases_have_their_number_in_a_line(compared: Compared) -> None:
    (flips,) = [
        part for part in render_compared(compared, "text").split("\n\n") if part.startswith("CASES")
    ]
    rows = [row for row in flips.splitlines() if row.startswith("toy/")]
    assert len(rows) == 2
    assert " 20: " in rows[0]


@pytest.mark.parametrize("width", [80, 120])
def test_several_runs_end_with_their_order(tmp_path: Path, width: int) -> None:
    runs = [scored(tmp_path, name, wins) for name, wins in zip(NAMES, (20, 10, 0))]
    text = render_several(compare_several(runs, 0.05), "text", width=width)
    assert max(map(len, text.splitlines())) <= width
    *_, last = text.split("\n\n")
    assert last.startswith("RUNS\n")
    assert [row.split()[0] for row in last.splitlines()[-3:]] == [f"runs/{name}" for name in NAMES]
    assert ("corrected" in text.partition("NOTES")[0]) is (width == 120)

"""No worker waits at the end for cases that another one holds and has not begun."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import toys
from conftest import Run, read_lines

from harness.play import worker_handle


def played(run: Run) -> Counter[str]:
    """Worker -> the number of its cases; each of them was played once."""
    lines = read_lines(run.path)
    assert {(line["status"], line["timing"]["attempt"]) for line in lines} == {("finished", 1)}
    return Counter(line["timing"]["worker"] for line in lines)


def test_what_waits_behind_a_long_case_is_played_by_an_empty_worker(
    play_toys: Callable[..., Run],
    ray_here: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # However slow this machine is, each worker holds its half of the cases from early on.
    monkeypatch.setattr(worker_handle, "AHEAD_S", 1e9)
    task = toys.toy_task(
        adapter="stragglers:OneIsLong", folder=str(tmp_path), after=60, others=99, max_steps=2
    )
    run = play_toys(tasks=[task], episodes=100, workers=2)
    assert played(run).total() == 100


def test_few_cases_are_shared_out_among_the_lanes_of_all_workers(
    play_toys: Callable[..., Run], ray_here: None, tmp_path: Path
) -> None:
    task = toys.toy_task(adapter="stragglers:NeedsTwo", folder=str(tmp_path))
    run = play_toys(tasks=[task], episodes=8, workers=2, lanes=8)
    assert sorted(played(run).values()) == [4, 4]


def test_a_worker_that_starts_late_is_not_waited_for(
    play_toys: Callable[..., Run], ray_here: None, tmp_path: Path
) -> None:
    task = toys.toy_task(adapter="stragglers:OneIsLong", folder=str(tmp_path), after=99, others=0)
    run = play_toys(
        "stragglers:SecondStartsLate",
        [task],
        episodes=6,
        args={"folder": str(tmp_path), "others": 6},
        workers=2,
    )
    assert list(played(run).values()) == [6]

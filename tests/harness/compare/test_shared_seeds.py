"""Tasks that share their seeds count less than independent ones, in bounds and verdicts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import toys
from conftest import Run

from harness.compare.pairs import Pair, TaskPairs, read_scored_run
from harness.compare.sample_size import sample_size, sample_size_table
from harness.compare.shared_seeds import designs_of_pairs
from harness.compare.verdict import compare_pairs
from harness.core import Task


def rooms(base: np.ndarray, new: np.ndarray, *, adapter: str = "toys:Rooms") -> list[TaskPairs]:
    """base, new: 1 or 0, shape (seeds, tasks); all tasks have the same seeds."""
    return [
        TaskPairs(
            Task(id=f"rooms/t{k}@1", domain="navigation", adapter=adapter.format(k)),
            "rooms",
            tuple(
                Pair(seed, (), *pair)
                for seed, pair in enumerate(zip(base[:, k].tolist(), new[:, k].tolist()))
            ),
        )
        for k in range(base.shape[1])
    ]


def test_nine_copies_of_a_task_are_one() -> None:
    rng = np.random.default_rng(0)
    base, new = ((rng.random((40, 1)) < rate).astype(float) for rate in (0.9, 0.6))
    once, copies = rooms(base, new), rooms(np.repeat(base, 9, 1), np.repeat(new, 9, 1))
    assert designs_of_pairs(copies) == pytest.approx(9)
    one, many = compare_pairs(once, 0.05, 0.05), compare_pairs(copies, 0.05, 0.05)
    assert one.overall is not None
    assert many.overall is not None
    assert (many.overall.difference.low, many.overall.difference.high) == pytest.approx(
        (one.overall.difference.low, one.overall.difference.high)
    )
    assert many.detectable == pytest.approx(one.detectable, rel=0.05)
    apart = compare_pairs(
        rooms(np.repeat(base, 9, 1), np.repeat(new, 9, 1), adapter="toys:Room{}"), 0.05, 0.05
    )
    assert apart.overall is not None
    assert apart.overall.difference.high < many.overall.difference.high, "other simulators"


def test_where_no_pair_differs_a_seed_counts_once() -> None:
    solved = np.ones((30, 5))
    assert designs_of_pairs(rooms(solved, solved)) == pytest.approx(5)
    found = compare_pairs(rooms(solved, solved), 0.1, 0.05)
    assert found.verdict == "inconclusive", "30 seeds, not 150 pairs"
    apart = [replace(each, own_streams=True) for each in rooms(solved, solved)]
    assert designs_of_pairs(apart).tolist() == [1] * 5
    assert compare_pairs(apart, 0.1, 0.05).verdict == "pass"


def test_a_plan_from_a_base_counts_a_seed_once_where_nothing_fails(
    play_toys: Callable[..., Run],
) -> None:
    tasks = [toys.toy_task(name) for name in ("a", "b", "c")]
    apart = read_scored_run(play_toys("ExpertAgent", tasks, 12, out="base").path)
    items = tuple(replace(item, own_streams=False) for item in apart.plan.items)
    shared = apart.counting(replace(apart.plan, items=items))
    known = [sample_size(0.1, discordant=0.2, base=each) for each in (apart, shared)]
    assert [each.design for each in known] == pytest.approx([1, 3])
    assert known[1].paired == 3 * known[0].paired
    assert known[1].equal_passes == 3 * known[0].equal_passes
    assert (known[1].detectable or 0) > (known[0].detectable or 1)
    assert "3.0 times as many" in sample_size_table(known[1])
    assert "times as many" not in sample_size_table(known[0])


def test_equal_agents_in_shared_rooms_rarely_regress() -> None:
    """Nine tasks whose outcomes in a room correlate at 0.8; at most 2.5 % should be below 0."""
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(150):
        skill = rng.normal(size=(2, 25, 1))  # of each agent in each room
        base, new = (0.95 * skill + 0.3 * rng.normal(size=(2, 25, 9)) < 0.3).astype(float)
        found = compare_pairs(rooms(base, new), 0.05, 0.05)
        assert found.overall is not None
        wrong += found.overall.difference.high < 0
    assert wrong <= 10, "independent tasks would give a quarter"

"""Suites with resampled starts ask for the same as the benchmark, in tasks of their own."""

from __future__ import annotations

import dataclasses

import pytest

from harness.core import Suite, Task
from harness.core.resampled import is_resampled, same_but_for_starts
from harness.records.catalogue import find_suites
from suites import SUITES

NAMES = [name for name in SUITES if name.endswith("-resampled")]


def twins(name: str) -> tuple[Suite, Suite]:
    return find_suites(name.removesuffix("-resampled"), SUITES)[0], find_suites(name, SUITES)[0]


@pytest.mark.parametrize("name", NAMES)
def test_each_task_is_the_benchmarks_but_for_its_starts(name: str) -> None:
    prescribed, resampled = twins(name)
    assert len(prescribed.tasks) == len(resampled.tasks)
    assert (prescribed.episodes, resampled.in_all) == (resampled.episodes, False)
    for one, other in zip(prescribed.tasks, resampled.tasks, strict=True):
        assert one.name.partition("/")[2] == other.name.partition("/")[2]
        assert same_but_for_starts(one, other)
        assert same_but_for_starts(other, one)
        assert not other.references, "published figures are of the prescribed starts"
        assert is_resampled(other)
        assert not is_resampled(one)


def test_only_the_starts_may_differ() -> None:
    prescribed, resampled = twins("metaworld-resampled")
    one, other = prescribed.tasks[0], resampled.tasks[0]
    assert not same_but_for_starts(one, one)
    assert not same_but_for_starts(one, resampled.tasks[1])
    changes: list[Task] = [
        dataclasses.replace(other, max_steps=7),
        dataclasses.replace(other, success="end"),
        dataclasses.replace(other, params={**other.params, "size": 32}),
    ]
    assert not any(same_but_for_starts(one, each) for each in changes)

"""The tables of a comparison say what dicts would, in so few bytes that ten million cases fit."""

from __future__ import annotations

import dataclasses
import math
import random
from typing import Any

import toys
from conftest import plan_of

from harness.compare.case_tables import CaseTable, CodeTable, NumberTable, Pair, Pairs, StartTable
from harness.core import Perturbation
from harness.records.plan import CaseIndex

PLAN = dataclasses.replace(
    plan_of("GoodAgent", toys.TASKS[:2], 40)[1], perturbations=((Perturbation("typos", 1),),)
)


def check(table: CaseTable[Any], values: list[Any]) -> None:
    """Put values at random cases, and look for them as in a dict."""
    rng = random.Random(0)
    places = [CaseIndex(item, c, e) for item in range(2) for c in range(2) for e in range(40)]
    expected = {}
    for index in rng.sample(places, 90):
        case = PLAN.case(index)
        key = case.task.id, case.seed, tuple(map(str, case.perturbations))
        expected[key] = rng.choice(values)
        table.put(index, expected[key])
    assert table == expected
    assert dict(table) == expected
    assert len(table) == len(expected)
    for item in PLAN.items:
        seeds = [seed for _, seed, _ in table.of_task(item.task.id)]
        assert seeds == sorted(seed for task, seed, _ in expected if task == item.task.id)
    for index in places:
        case = PLAN.case(index)
        key = case.task.id, case.seed, tuple(map(str, case.perturbations))
        assert table.get(key) == expected.get(key)
        assert (key in table) == (key in expected)
    assert table.get(("toys/nothing@1", 0, ())) is None


def test_numbers() -> None:
    check(NumberTable(PLAN), [0.0, 1.0, -math.inf, 1 / 3])


def test_hashes_and_texts_of_a_stranger() -> None:
    check(StartTable(PLAN), ["0" * 20, "0123456789abcdef0123", "ABCDEF", "\x00", "f" * 21])


def test_values_that_many_cases_share() -> None:
    check(CodeTable(PLAN), ["llvmpipe", "NVIDIA", (1, 0)])


def test_pairs_are_a_sequence() -> None:
    pairs, expected = Pairs(), [Pair(-3, (), 0.0, 1.0), Pair(5, ("typos:1",), -math.inf, 0.5)]
    for each in expected:
        pairs.append(each)
    assert list(pairs) == expected == list(pairs[:])
    assert pairs[-1] == expected[-1]

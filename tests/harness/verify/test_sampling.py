"""A sample from every task, by a seed that nobody knew: repeatable, fair, as sharp as it says."""

from __future__ import annotations

from collections import Counter

import pytest
import toys
from conftest import plan_of

from harness.records.plan import CaseIndex, Plan
from harness.verify.sampling import Stratified


def plan() -> Plan:
    tasks = [toys.toy_task(f"t{number}") for number in range(5)]
    return plan_of("RandomAgent", tasks, 40)[1]


def cases(whole: Plan) -> list[CaseIndex]:
    return [CaseIndex(item, 0, k) for item in range(len(whole.items)) for k in range(40)]


def test_the_seed_alone_decides() -> None:
    whole = plan()
    first, again, other = (Stratified(seed, 20) for seed in ("5eed", "5eed", "5eee"))
    drawn = first(whole, cases(whole))
    assert drawn == again(whole, list(reversed(cases(whole))))
    assert drawn != other(whole, cases(whole))
    assert drawn == sorted(set(drawn))
    assert Counter(index.item for index in drawn) == dict.fromkeys(range(5), 4)
    assert set(first.by_task.values()) == {(4, 40)}


def test_all_and_none() -> None:
    whole = plan()
    everything = Stratified("0", None)
    assert everything(whole, cases(whole)) == cases(whole)
    assert {each["caught"] for each in everything.chances()} == {1.0}
    nothing = Stratified("0", 5)
    assert nothing(whole, []) == []
    assert nothing.chances() == []


def test_fewer_than_one_of_each_task_are_drawn_from_all() -> None:
    whole = plan()
    few = Stratified("0", 2)
    assert len(few(whole, cases(whole))) == 2
    (one, *_) = few.chances()
    assert one["episodes"] == 2
    assert one["caught"] == pytest.approx(1 - (198 * 197) / (200 * 199))


@pytest.mark.parametrize("sample", [3, 30])
def test_a_thousand_checks_catch_forged_episodes_as_often_as_stated(sample: int) -> None:
    """The forger knows how many of each task are drawn, and spreads ten episodes over them."""
    whole = plan()
    forged = {CaseIndex(number % 5, 0, number // 5) for number in range(10)}
    caught = 0
    for number in range(1000):
        draw = Stratified(f"{number:x}", sample)
        caught += not forged.isdisjoint(draw(whole, cases(whole)))
    stated = {each["episodes"]: each["caught"] for each in draw.chances()}[10]
    assert abs(caught / 1000 - stated) < 4 * (stated * (1 - stated) / 1000) ** 0.5


def test_every_case_is_drawn_equally_often() -> None:
    whole = plan()
    count = Counter(
        index
        for number in range(400)
        for index in Stratified(f"{number:x}", 50)(whole, cases(whole))
    )
    assert set(count) == set(cases(whole))
    assert max(abs(times / 400 - 0.25) for times in count.values()) < 0.1

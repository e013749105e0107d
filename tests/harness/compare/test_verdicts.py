"""Pairs and verdicts: what a result comes to, what pairs, what is refused, and what is decided."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import toys
from conftest import Run
from resultlines import line_of

from harness.compare.pairs import (
    Pair,
    ScoredRun,
    TaskPairs,
    pair_up,
    protocol_differences,
    read_scored_run,
    value_of_case,
)
from harness.compare.verdict import compare_pairs
from harness.core import Normaliser, Result, Task, UserError
from harness.records.plan import CaseIndex, PlanItem
from harness.records.results import result_from_json

Play = Callable[..., Run]
FIRST = CaseIndex(0, 0, 0)


TASKS = [toys.toy_task(name) for name in ("a", "b", "c")]


def task(name: str = "t", **fields: Any) -> Task:
    return Task(id=f"toys/{name}@1", domain="games", adapter="toys:ToyAdapter", **fields)


def outcomes(
    name: str, both: int, lost: int, won: int, neither: int = 0, **fields: Any
) -> TaskPairs:
    """A task with this many pairs of each kind, seeds from 0."""
    kinds = [(1.0, 1.0)] * both + [(1.0, 0.0)] * lost + [(0.0, 1.0)] * won + [(0.0, 0.0)] * neither
    return TaskPairs(
        task(name, **fields),
        "toys",
        tuple(Pair(seed, (), *pair) for seed, pair in enumerate(kinds)),
    )


@pytest.fixture
def base(play_toys: Play) -> ScoredRun:
    return read_scored_run(play_toys("ExpertAgent", TASKS, 30, out="base").path)


def test_what_a_result_comes_to() -> None:
    def result(**fields: Any) -> Result:
        return result_from_json(line_of(FIRST, success=None, **{"score": 30.0, **fields}))

    scored = task(success=None, normaliser=Normaliser(10.0, 50.0))
    assert value_of_case(task(), dataclasses.replace(result(), success=True)) == 1
    assert value_of_case(task(), result(status="agent_error")) == 0
    assert value_of_case(task(), result(status="error")) is None
    assert value_of_case(scored, result()) == 0.5
    assert [value_of_case(scored, result(score=score)) for score in (0.0, 90.0)] == [0, 1], (
        "cut off"
    )
    assert value_of_case(scored, result(status="agent_error", score=None)) == 0
    assert value_of_case(task(success=None), result()) == 30
    assert value_of_case(task(success=None), result(status="agent_error", score=None)) == float(
        "-inf"
    )


def test_verdicts() -> None:
    def verdict(*tasks: TaskPairs) -> str:
        return compare_pairs(tasks, 0.05, 0.05).verdict

    assert verdict(outcomes("a", 150, 0, 0), outcomes("b", 140, 1, 2)) == "pass"
    assert verdict(outcomes("a", 40, 30, 0), outcomes("b", 60, 10, 0)) == "regress"
    assert verdict(outcomes("a", 20, 2, 1)) == "inconclusive"
    assert verdict(dataclasses.replace(outcomes("a", 150, 0, 0), missing=1)) == "none"
    # Significantly worse on average, but by less than the margin: tolerated.
    little = [outcomes(str(k), 985, 11, 4) for k in range(10)]
    found = compare_pairs(little, 0.05, 0.05)
    assert (found.verdict, found.overall is not None and found.overall.difference.high < 0) == (
        "pass",
        True,
    )


def test_a_lost_task_is_not_hidden_by_the_pool() -> None:
    tasks = [outcomes(str(k), 95, 2, 3) for k in range(19)] + [outcomes("lost", 50, 45, 5)]
    found = compare_pairs(tasks, 0.05, 0.05)
    assert found.overall is not None
    assert found.overall.difference.low > -0.05, "by the mean alone it passes"
    assert (found.verdict, found.worse) == ("regress", ("toys/lost@1",))
    assert "toys/lost@1" in found.why


def test_correction_is_for_the_number_of_tasks() -> None:
    tasks = [
        outcomes(name, 20, lost, 0) for name, lost in (("first", 9), ("second", 8), ("third", 6))
    ] + [outcomes(str(k), 29, 0, 0) for k in range(5)]
    verdicts = {
        name: [row.verdict for row in compare_pairs(tasks, 0.3, 0.05, name).tasks[:3]]
        for name in ("holm", "bh", "none")
    }
    # p is 0.004, 0.008 and 0.031. Holm asks for 0.05 / 8 and 0.05 / 7, Benjamini and Hochberg for
    # k * 0.05 / 8.
    assert [verdict == "worse" for verdict in verdicts["holm"]] == [True, False, False]
    assert [verdict == "worse" for verdict in verdicts["bh"]] == [True, True, False]
    assert verdicts["none"] == ["worse"] * 3
    with pytest.raises(UserError, match="choose holm, bh, none"):
        compare_pairs(tasks, 0.05, 0.05, "sidak")


def test_the_number_of_further_pairs_decides() -> None:
    """With that many more pairs of the same kind there is a verdict."""
    found = compare_pairs([outcomes("a", 40, 3, 3)], 0.1, 0.05)
    assert (found.verdict, found.more is not None) == ("inconclusive", True)
    factor = 1 + (found.more or 0) / 46
    scaled = outcomes("a", round(40 * factor), round(3 * factor), round(3 * factor))
    assert compare_pairs([scaled], 0.1, 0.05).verdict == "pass"


def test_tasks_with_raw_scores_are_judged_by_sign_and_in_no_mean() -> None:
    raw = TaskPairs(
        task("raw", success=None),
        "toys",
        tuple(Pair(seed, (), 500.0 + seed, 3.0) for seed in range(20)),
    )
    found = compare_pairs([raw, outcomes("fine", 200, 0, 0)], 0.05, 0.05)
    assert found.overall is not None
    assert (found.overall.tasks, found.verdict, found.worse) == (1, "regress", ("toys/raw@1",))


def test_a_case_and_its_control_are_one_unit() -> None:
    pairs = tuple(
        Pair(seed, condition, 1.0, float(seed % 4 > 0))
        for seed in range(20)
        for condition in ((), ("noise:3",))
    )
    each = TaskPairs(task(), "toys", pairs)
    assert len(each.differences()) == 20
    found = compare_pairs([each], 0.05, 0.05)
    assert [row.name for row in found.perturbations] == ["unperturbed", "noise:3"]
    assert found.tasks[0].p == compare_pairs([outcomes("t", 15, 5, 0)], 0.05, 0.05).tasks[0].p


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"max_steps": 41}, "max_steps 41 instead of 40"),
        ({"size": 9}, "params.size 9 instead of None"),
        ({"success": "end"}, "success 'end' instead of 'ever'"),
        ({"version": 2}, "id 'toys/a@2' instead of 'toys/a@1'"),
    ],
    ids=str,
)
def test_another_protocol_is_refused_by_name(
    play_toys: Play, base: ScoredRun, change: dict[str, Any], words: str
) -> None:
    other = read_scored_run(
        play_toys("GoodAgent", [toys.toy_task("a", **change)], 2, out="other").path
    )
    with pytest.raises(UserError, match="different protocols") as refused:
        pair_up(base, other)
    assert words in str(refused.value)


def test_another_version_of_a_simulator_is_named() -> None:
    def item(version: str) -> PlanItem:
        return PlanItem("toys", task(), 1, version, {"toy": version}, "")

    assert protocol_differences(item("2.0"), item("1.0")) == ["package toy 2.0 instead of 1.0"]


def test_a_seed_alone_pairs_nothing(play_toys: Play, base: ScoredRun) -> None:
    with pytest.raises(UserError, match="share no task"):
        pair_up(
            base,
            read_scored_run(play_toys("GoodAgent", [toys.toy_task("other")], 2, out="tasks").path),
        )
    with pytest.raises(UserError, match="--seed 0"):
        pair_up(base, read_scored_run(play_toys("GoodAgent", TASKS, 2, seed=1, out="seeds").path))

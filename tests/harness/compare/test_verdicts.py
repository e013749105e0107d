"""Pairs and verdicts: what a result comes to, what pairs, what is refused, and what is decided."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import toys
from conftest import Run
from resultlines import line_of

from harness.compare.case_values import value_difference, value_of_case
from harness.compare.pairs import Pair, ScoredRun, TaskPairs, pair_up, read_scored_run
from harness.compare.protocols import protocol_differences
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
    """A task with this many pairs of each kind. No two tasks share a seed."""
    kinds = [(1.0, 1.0)] * both + [(1.0, 0.0)] * lost + [(0.0, 1.0)] * won + [(0.0, 0.0)] * neither
    return TaskPairs(
        task(name, **fields),
        "toys",
        tuple(Pair(seed, (), *pair) for seed, pair in enumerate(kinds, first_seed(name))),
    )


def first_seed(name: str) -> int:
    return 10_000 * zlib.crc32(name.encode())


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
    assert [value_of_case(scored, result(score=score)) for score in (0.0, 90.0)] == [-0.25, 2.0], (
        "not cut off"
    )
    assert value_of_case(scored, result(status="agent_error", score=None)) == float("-inf")
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


def scores(name: str, base: Sequence[float], new: Sequence[float], **fields: Any) -> TaskPairs:
    """A task without a success. No two tasks share a seed."""
    pairs = (Pair(seed, (), *each) for seed, each in enumerate(zip(base, new), first_seed(name)))
    return TaskPairs(task(name, success=None, **fields), "toys", tuple(pairs))


def test_the_difference_of_two_normalised_scores() -> None:
    def change(base: float, new: float) -> float:
        there = value_difference(base, new, "normalised")
        assert value_difference(new, base, "normalised") == -there
        return there

    failed = float("-inf")
    assert change(0.8, 0.3) == pytest.approx(-0.5), "on the scale as it is"
    assert change(9.5, 1.9) == pytest.approx(-0.8), "above it, the share that was lost"
    assert change(3.0, -3.0) == -1
    assert change(0.4, failed) == pytest.approx(-0.4), "an error counts as 0"
    assert -1e-6 < change(-0.2, failed) < 0, "and is never as good as a score"
    assert change(failed, failed) == 0


NORMALISER = Normaliser(0.0, 100.0)


def test_a_collapse_of_scores_above_the_scale_is_a_regression() -> None:
    """From 950 % of human to 155 %, in every case of 57 games."""
    rng = np.random.default_rng(0)
    games = [
        scores(str(k), rng.normal(9.5, 1.0, 3), rng.normal(1.55, 0.2, 3), normaliser=NORMALISER)
        for k in range(57)
    ]
    found = compare_pairs(games, 0.05, 0.05)
    assert found.verdict == "regress"
    assert all((row.losses, row.wins) == (3, 0) for row in found.tasks)
    assert found.improvement is not None
    assert found.improvement.value == 0
    assert 0 < found.improvement.high < 0.05
    assert found.overall is not None
    assert found.overall.base == pytest.approx(9.5, abs=0.3)
    assert compare_pairs([flipped(each) for each in games], 0.05, 0.05).verdict == "pass"


def flipped(each: TaskPairs) -> TaskPairs:
    pairs = (pair._replace(base=pair.new, new=pair.base) for pair in each.pairs)
    return dataclasses.replace(each, pairs=tuple(pairs))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("normaliser", [None, NORMALISER])
def test_a_task_that_loses_every_case_is_worse_whatever_its_scale(
    scale: float, normaliser: Normaliser | None
) -> None:
    base = scale * (10 + np.arange(20) % 7)
    lost = scores("lost", base, base - scale, normaliser=normaliser)
    failed = scores("failed", -base, np.full(20, float("-inf")), normaliser=normaliser)
    for each in (lost, failed):
        found = compare_pairs([each, outcomes("fine", 500, 0, 0)], 0.05, 0.05)
        assert (found.verdict, found.worse) == ("regress", (each.task.id,))


def test_large_losses_are_not_hidden_by_small_gains() -> None:
    """Six of ten cases gain a little, four lose all."""
    base = np.full(40, 3.0)
    new = np.where(np.arange(40) % 10 < 6, 3.1, 0.0)
    found = compare_pairs([scores("game", base, new, normaliser=NORMALISER)], 0.05, 0.05)
    assert (found.verdict, found.worse) == ("regress", ("toys/game@1",))


def test_raw_scores_alone_pass_or_not_by_the_cases_won_and_lost() -> None:
    base = [float(seed) for seed in range(400)]
    same = compare_pairs([scores("raw", base, base)], 0.05, 0.05)
    assert (same.verdict, same.overall is not None) == ("pass", True)
    assert same.improvement is not None
    assert same.improvement.low < same.improvement.value == 0.5 < same.improvement.high
    rng = np.random.default_rng(0)
    alike = scores("raw", rng.normal(size=400), rng.normal(size=400))
    assert compare_pairs([alike], 0.05, 0.05).verdict == "inconclusive"
    assert compare_pairs([alike], 0.2, 0.05).verdict == "pass"
    worse = scores("raw", rng.normal(size=400), rng.normal(-1, size=400))
    assert compare_pairs([worse], 0.2, 0.05).verdict == "regress"


def test_raw_scores_are_in_the_difference_and_no_mean_of_rates() -> None:
    raw = scores("raw", [500.0 + seed for seed in range(20)], [3.0] * 20)
    found = compare_pairs([raw, outcomes("fine", 200, 0, 0)], 0.05, 0.05)
    assert (found.verdict, found.worse) == ("regress", ("toys/raw@1",))
    overall = found.overall
    assert overall is not None
    assert (overall.tasks, overall.base, overall.difference.value) == (2, None, -0.5)
    failed = scores("raw", [1.0] * 4, [float("-inf")] * 4)
    (row,) = compare_pairs([failed], 0.05, 0.05).tasks
    assert (row.new, row.losses) == (None, 4), "no score has no mean"


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

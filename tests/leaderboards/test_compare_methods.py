"""Methods by several trainings: verdicts, what is refused, and what more trainings would add."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Said
from reports import item, line, run_of, scores, write_report_run

from harness.compare.methods import Method
from harness.compare.pairs import read_scored_run
from harness.compare.training_plan import training_plan, training_plan_table
from harness.core import UserError
from harness.records.plan import PlanItem
from leaderboards.compare_methods import compare_methods, played_by
from leaderboards.methods_render import render_methods

TASKS = [item(f"toy/{name}@1", episodes=30) for name in "abc"]
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """The run of a training: of each task a share of its episodes succeeds, drawn by its seed."""

    def go(
        name: str, rates: Sequence[float], items: Sequence[PlanItem] = TASKS, **run: Any
    ) -> Path:
        rng = np.random.default_rng(sum(name.encode()))
        rooms = np.random.default_rng(0)
        lines = []
        for each, rate in zip(items, rates):
            hard = rooms.random(each.episodes)
            won = hard + 0.2 * rng.normal(size=each.episodes) < rate
            lines += [line(each, k, success=bool(w), start="s") for k, w in enumerate(won)]
        who = {"name": name, "fingerprint": name, **run}
        return write_report_run(tmp_path / name, run_of(*items, **who), lines)

    return go


def method(name: str, *paths: Path) -> Method:
    return Method(name, tuple(read_scored_run(path, path.name) for path in paths))


def two(write: Write, base: Sequence[float], new: Sequence[float]) -> list[Method]:
    """Two methods of three tasks; a rate for each training."""
    return [
        method(name, *(write(f"{name}{k}", [rate] * 3) for k, rate in enumerate(rates)))
        for name, rates in (("old", base), ("fresh", new))
    ]


ALIKE, BETTER, APART = (0.5, 0.52, 0.48, 0.5), (0.8, 0.82, 0.78, 0.8), (0.1, 0.9, 0.5, 0.7)


def test_a_clear_loss_regresses_and_its_reverse_passes(write: Write) -> None:
    good, bad = two(write, BETTER, ALIKE)
    found = compare_methods([good, bad], 0.05, 0.05)
    assert (found.verdict, found.exit_code) == ("regress", 1)
    assert compare_methods([bad, good], 0.05, 0.05).exit_code == 0
    text = render_methods(found, "text")
    assert "of the methods: by 4 trainings of old and 4 of fresh on the same 90 cases" in text
    assert "checkpoint" not in text
    page = json.loads(render_methods(found, "json"))
    assert (page["scope"], page["exit_code"]) == ("method", 1)
    assert page["contrasts"][0]["difference"] == pytest.approx(found.contrasts[0].difference.value)
    assert page["methods"][0]["rate_low"] < page["methods"][0]["rate"]
    assert render_methods(found, "markdown").startswith("### ❌ regress")


def test_trainings_that_differ_as_much_as_the_methods_decide_nothing(write: Write) -> None:
    found = compare_methods(two(write, BETTER, APART), 0.05, 0.05)
    assert (found.verdict, found.exit_code) == ("inconclusive", 3)
    overall = found.contrasts[0].difference
    assert overall.value < -0.1
    between = found.methods[1].between
    assert between is not None
    assert between.low is not None
    assert between.low > 0.1


def test_two_trainings_have_no_interval_and_that_is_said(write: Write) -> None:
    found = compare_methods(two(write, BETTER[:2], ALIKE[:2]), 0.05, 0.05)
    assert (found.verdict, found.exit_code) == ("inconclusive", 3)
    assert "2 trainings of old are too few" in found.why
    assert found.contrasts[0].difference.low is None
    assert found.methods[0].between is None
    assert "no interval by 2 trainings" in render_methods(found, "text")


def test_one_lost_task_is_not_hidden_by_the_mean(write: Write) -> None:
    base = method("old", *(write(f"old{k}", [0.4, 0.4, 0.9]) for k in range(5)))
    new = method("fresh", *(write(f"fresh{k}", [0.9, 0.9, 0.1]) for k in range(5)))
    found = compare_methods([base, new], 0.05, 0.05)
    assert found.contrasts[0].difference.value > 0
    assert found.verdict == "regress"
    assert "toy/c@1 is significantly worse" in found.why


def test_three_methods_have_ranks_and_no_verdict(write: Write) -> None:
    methods = [*two(write, ALIKE, BETTER), method("third", *(
        write(f"third{k}", [0.5] * 3) for k in range(4)))]  # fmt: skip
    found = compare_methods(methods, 0.05, 0.05)
    assert (found.verdict, found.exit_code) == (None, 0)
    best = found.methods[0]
    assert (best.method, best.rank_low, best.rank_high, best.letters) == ("fresh", 1, 1, "a")
    assert {row.letters for row in found.methods[1:]} == {"b"}
    assert "VERDICT" not in render_methods(found, "text")


def test_a_missing_case_leaves_no_verdict(write: Write, tmp_path: Path) -> None:
    methods = two(write, BETTER, ALIKE)
    file = tmp_path / "old1" / "episodes.jsonl"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-2]))
    methods[0] = method("old", *(tmp_path / f"old{k}" for k in range(4)))
    found = compare_methods(methods, 0.05, 0.05)
    assert (found.verdict, found.exit_code, found.cases) == ("none", 4, 88)


def test_what_started_differently_in_one_training_is_left_out(write: Write, tmp_path: Path) -> None:
    methods = two(write, BETTER, ALIKE)
    file = tmp_path / "fresh2" / "episodes.jsonl"
    first, *rest = file.read_text().splitlines(keepends=True)
    file.write_text("".join([first.replace('"start": "s"', '"start": "other"'), *rest]))
    methods[1] = method("fresh", *(tmp_path / f"fresh{k}" for k in range(4)))
    found = compare_methods(methods, 0.05, 0.05)
    assert found.cases == 89
    assert any("did not start alike" in note for note in found.notes)


def test_raw_scores_are_won_and_lost(tmp_path: Path) -> None:
    game = item("toy/game@1", episodes=20, success=None)
    methods = []
    for name, level in (("old", 5.0), ("fresh", 9.0)):
        paths = []
        for k in range(3):
            lines = scores(game, *(level + k / 10 + (e % 3) for e in range(20)))
            run = run_of(game, name=name, fingerprint=f"{name}{k}")
            paths.append(write_report_run(tmp_path / f"{name}{k}", run, lines))
        methods.append(method(name, *paths))
    found = compare_methods(methods, 0.05, 0.05)
    assert found.contrasts[0].difference.value == 1.0
    assert found.methods[0].rate is None
    assert found.verdict == "pass"
    assert "raw scores only" in render_methods(found, "text")


def test_what_are_no_trainings_is_refused(write: Write) -> None:
    a, b, c = (write(name, [0.5] * 3) for name in "abc")
    again = write("again", [0.7] * 3, fingerprint="a")
    live = write("live", [0.5] * 3, fingerprint="unnamed")
    for methods, words in (
        ((method("A", a), method("B", b, c)), "A has one run, which is a checkpoint"),
        ((method("A", a, again), method("B", b, c)), "one training played twice"),
        ((method("A", a, b), method("B", again, c)), "a of A and again have one agent"),
        ((method("A", a, live), method("B", b, c)), "names no files"),
    ):
        with pytest.raises(UserError, match=words):
            compare_methods(methods, 0.05, 0.05)


def test_a_plan_says_what_to_buy(write: Write) -> None:
    methods = two(write, APART, APART[::-1])
    found = training_plan(methods, played_by(methods).common(methods), 0.05)
    widths = dict(found.half_widths)
    assert found.buy == "trainings"
    assert widths["twice the trainings"] < 0.8 * widths["now"]
    assert widths["these trainings, any number of episodes"] > 0.8 * widths["twice the episodes"]
    assert "half-width" in training_plan_table(found)
    few = [Method(each.name, each.runs[:2]) for each in methods]
    with pytest.raises(UserError, match="2 trainings of old do not show"):
        training_plan(few, played_by(few).common(few), 0.05)


def test_the_command_and_its_refusals(write: Write, bench_here: Callable[..., Said]) -> None:
    good, bad = (",".join(str(run.path) for run in each.runs) for each in two(write, BETTER, ALIKE))
    named = ("--method", f"A={good}", "--method", f"B={bad}")
    said = bench_here("compare", *named)
    assert said.code == 1
    assert "VERDICT\nregress: " in said.out
    said = bench_here("compare", *named, "--format", "html")
    assert (said.code, said.out.startswith("<!doctype html>")) == (1, True)
    for words in ("A against B", "regress: ", 'id="methods"', "Differences", "<figure"):
        assert words in said.out
    said = bench_here("plan", *named)
    assert (said.code, "buy " in said.out or "cheaper" in said.out) == (0, True)
    first, other = good.split(",")[:2]
    assert "of this checkpoint" in bench_here("compare", first, other).out
    for arguments, words in (
        (("compare",), "name two runs"),
        (("compare", first), "name two runs"),
        (("compare", first, *named), "not both"),
        (("compare", "--method", f"A={good}"), "one method"),
        (("compare", "--method", good, "--method", f"B={bad}"), "write NAME=RUN"),
        (("compare", "--method", f"A={good}", "--method", f"A={bad}"), "named twice"),
        (("compare", *named, "--junit", "x.xml"), "for two runs"),
        (("plan", *named, "--rate", "0.5"), "takes everything from its runs"),
    ):
        said = bench_here(*arguments)
        assert said.code == 2, arguments
        assert words in said.err

"""`bench probe forgetting` measures what planted checkpoints lose."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import toys
from conftest import Notes, Said, plan_of
from findings import printed_again

from harness.compare.pairs import ScoredRun, read_scored_run
from harness.core import UserError
from harness.play.runner import RunOptions, play
from harness.probes.forgetting import measure_forgetting

TASKS = (
    toys.toy_task("goal", marker="purple"),
    toys.toy_task("far", domain="games", marker="green"),
    toys.toy_task("wide", domain="games", marker="red"),
)


def stage(folder: Path, forgotten: str) -> ScoredRun:
    """A checkpoint that fails wherever its instruction has this word."""
    spec, plan = plan_of("planted:ErrsOnWord", TASKS, 6, word=forgotten)
    play(spec, ["toys"], plan, folder, RunOptions(), Notes())
    return read_scored_run(folder, folder.name)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> list[ScoredRun]:
    """Checkpoints: the first cannot do `goal`, the second can do all, the third not `far`."""
    folder = tmp_path_factory.mktemp("stages")
    return [stage(folder / name, word) for name, word in zip("abc", ("purple", "none", "green"))]


def test_what_was_lost_is_found(three: list[ScoredRun]) -> None:
    found = measure_forgetting(three, "task", {"toys/goal": 2})
    rates = {
        each.name: [None if one is None else one.value for one in each.success]
        for each in found.groups
    }
    assert rates == {
        "toys/goal": [0.0, 1.0, 1.0],
        "toys/far": [1.0, 1.0, 0.0],
        "toys/wide": [1.0, 1.0, 1.0],
    }
    transfer = {each.name: each.transfer for each in found.groups}
    assert [None if each is None else each.value for each in transfer.values()] == [0.0, -1.0, 0.0]
    assert found.overall.value == pytest.approx(-1 / 3)
    assert found.overall.low < -1 / 3 < found.overall.high
    assert (found.tasks, found.n) == (3, 18)
    lost = transfer["toys/far"]
    assert lost is not None
    assert lost.high < 0


def test_domains_are_means_over_their_tasks(three: list[ScoredRun]) -> None:
    found = measure_forgetting(three, "domain", {})
    navigation, games = found.groups
    assert (navigation.name, games.name) == ("navigation", "games")
    assert games.tasks == 2
    assert games.transfer is not None
    assert games.transfer.value == -0.5
    assert navigation.transfer is not None
    assert navigation.transfer.value == 1.0
    assert "neither forgetting nor a gain is shown" in found.as_text()


def test_what_was_learnt_last_is_in_no_mean(three: list[ScoredRun]) -> None:
    found = measure_forgetting(three, "domain", {"navigation": 3})
    assert found.groups[0].transfer is None
    assert found.groups[0].n == 0
    assert found.overall.value == -0.5
    assert found.tasks == 2
    with pytest.raises(UserError, match="no task was learnt before the last checkpoint"):
        measure_forgetting(three, "domain", {"navigation": 3, "games": 3})


def test_scores_have_a_transfer_and_no_rate(tmp_path: Path) -> None:
    task = toys.toy_task("survive", success=None, max_steps=20)
    runs = []
    for name in ("one", "two"):
        spec, plan = plan_of("GoodAgent", [task], 3)
        play(spec, ["toys"], plan, tmp_path / name, RunOptions(), Notes())
        runs.append(read_scored_run(tmp_path / name, name))
    (group,) = measure_forgetting(runs, "domain", {}).groups
    assert group.success == (None, None)
    assert group.transfer is not None
    assert group.transfer.value == 0.0


def test_the_command_plays_checkpoints_in_order(bench_here: Callable[..., Said]) -> None:
    for name, word in (("one", "nothing"), ("two", "go")):
        Path(name).write_text(word)
    words = (
        "probe",
        "forgetting",
        "--agent",
        "stages:ErrsOnWordInFile",
        "--checkpoint-arg",
        "file",
    )
    given = ("--suite", "toysuite:QUICK", "--tasks", "toys/goal*", "--episodes", 6, "--workers", 0)
    said = bench_here(*words, "--checkpoints", "one,two", *given, "--out", "stages")
    assert said.code == 0, said.err
    assert "1: 1-one" in said.out
    assert "the training forgot" in said.out
    printed_again(bench_here, "stages", said.out)
    again = bench_here(
        "probe", "forgetting", "--runs", "stages/1-one,stages/2-two", "--format", "json"
    )
    told = json.loads(again.out)
    assert told["schema"] == 1
    assert told["checkpoints"] == ["stages/1-one", "stages/2-two"]
    assert told["backward_transfer"]["value"] == -1.0
    assert told["groups"][0]["success"][0]["value"] == 1.0


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "name --agent, --checkpoints and --suite"),
        (("--runs", "a"), "name two at least"),
        (("--runs", "a,b", "--agent", "noop"), "leave --agent"),
        (("--runs", "nowhere,nothing"), "there is no base"),
        (("--learnt", "games"), "write NAME=K"),
        (("--learnt", "gmes=1"), "did you mean games"),
        (("--learnt", "games=7"), "the checkpoints are numbered 1 to 3"),
        (("--agent", "noop", "--suite", "smoke", "--checkpoints", "x,y"), "no file or folder x"),
    ],
)
def test_what_cannot_be_measured_is_one_line(
    three: list[ScoredRun], bench_here: Callable[..., Said], words: tuple[str, ...], why: str
) -> None:
    runs = (
        ("--runs", ",".join(str(run.path) for run in three)) if words[:1] == ("--learnt",) else ()
    )
    said = bench_here("probe", "forgetting", *words, *runs)
    assert said.code == 2, said
    assert why in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""

"""Environments that fail at their start are rows with a remedy; what can be played is played."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import faultygyms
import pytest
from conftest import Said

import harness.play.video as video
from adapters.gym import GymAdapter
from adapters.gym_task import task_for
from harness.core import Case, UserError
from harness.records.stored_run import load_run

Bench = Callable[..., Said]

NOT_RUN = [
    ("NoSeed", "reset() takes no seed", "shimmy"),
    ("BareReset", "reset() does not return (observation, info)", "shimmy"),
    ("FourValues", "step() does not return (observation, reward,", "shimmy"),
    ("TwoRewards", "step() returns 2 rewards", "TransformReward"),
    ("Asks", "EOFError", "asks on stdin"),
    ("Leaves", "SystemExit: 0 (", "correct"),
    ("Raises", "GeneratorExit: no window (", "correct"),
    ("Hangs", "it did not return in time", "correct"),
]


@pytest.fixture(autouse=True)
def _nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the process that plays, stdin is empty. And nobody waits for five minutes."""
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setattr("harness.cli.names.PATIENCE_S", 3.0)


def named(name: str) -> str:
    return f"gym:faultygyms:first/{name}-v0"


@pytest.mark.parametrize(("name", "reason", "remedy"), NOT_RUN)
def test_alone_it_ends_with_2_and_one_line_of_remedy(
    bench_here: Bench, name: str, reason: str, remedy: str
) -> None:
    said = bench_here("run", "--agent", "uniform", "--suite", named(name), "--workers", 0)
    assert said.code == 2
    [line] = [line for line in said.err.splitlines() if line.startswith("nothing could run")]
    assert reason in line
    assert remedy in line
    assert "Traceback" not in said.err
    assert "same command" not in said.err
    assert "1 task cannot run here: bench report RUN --full" in said.out


@pytest.mark.parametrize(("name", "reason", "remedy"), NOT_RUN)
def test_beside_others_it_is_a_row(bench_here: Bench, name: str, reason: str, remedy: str) -> None:
    suites = f"{named(name)},{named('Plain')}"
    words = ("run", "--agent", "uniform", "--suite", suites, "--workers", 0, "--episodes", 2)
    said = bench_here(*words, "--out", "run")
    assert said.code == 0, said
    [row] = load_run("run").whole.not_run
    assert reason in row.reason
    assert remedy in row.remedy
    assert bench_here(*words, "--strict", "--out", "strict").code == 4


def test_a_failure_in_a_later_step_is_an_error(bench_here: Bench) -> None:
    said = bench_here(
        "run", "--agent", "uniform", "--suite", named("LeavesLater"), "--workers", 0,
        "--episodes", 3, "--out", "run",
    )  # fmt: skip
    assert said.code == 4
    errors = [each.error or "" for each in load_run("run").results()]
    assert len(errors) == 3
    assert all("SystemExit: 0 (" in each and "faultygyms.py" in each for each in errors)
    assert said.err.count("SystemExit") == 2, "at once, and with the number"
    assert "(and 2 more)" in said.err
    assert "they fail the same way each time" in said.err


@pytest.mark.parametrize("name", ["EndsAtOnce", "NoPictures", "HandsOn"])
def test_what_can_be_played_is_played(bench_here: Bench, name: str) -> None:
    words = ("run", "--agent", "uniform", "--suite", named(name), "--workers", 0)
    said = bench_here(*words, "--out", "run")
    assert said.code == 0, said
    assert {each.status for each in load_run("run").results()} == {"finished"}


@pytest.mark.parametrize("name", ["NoPictures", "HandsOn"])
def test_without_pictures_no_video_and_the_reason_once(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    adapter = GymAdapter(task_for(f"faultygyms:first/{name}-v0"))
    adapter.reset(Case(task_for(f"faultygyms:first/{name}-v0"), 0))
    with pytest.raises(UserError, match="takes no render_mode"):
        adapter.render()
    recorder = video.VideoRecorder.__new__(video.VideoRecorder)
    recorder._warned = set()
    for _ in range(3):
        recorder._warn("gym/a@1", "no render_mode")
    assert len(caplog.records) == 1


def test_a_constructors_own_fault_is_told_as_it_is() -> None:
    with pytest.raises(UserError, match=r"cannot be made with \{\}: TypeError.*faultygyms.py:"):
        task_for("faultygyms:first/WrongPart-v0")


def test_solved_starts_are_drawn_again_and_then_counted(bench_here: Bench) -> None:
    words = ("run", "--agent", "uniform", "--workers", 0, "--episodes", 20)
    said = bench_here(*words, "--suite", named("SolvedSometimes"), "--out", "some")
    assert said.code == 0, said
    results = list(load_run("some").results())
    assert all(each.steps == 5 and each.success for each in results)
    assert 0 < sum("redrawn_starts" in each.metrics for each in results) < 20
    assert "began with another draw of the start" in " ".join(said.out.split())
    said = bench_here(*words, "--suite", named("SolvedAlways"), "--out", "all")
    assert said.code == 0, said
    assert {each.ended for each in load_run("all").results()} == {"solved_at_start"}
    assert "20 of 20 episodes were solved at their start" in " ".join(said.out.split())


def test_all_environments_have_a_test() -> None:
    told: set[Any] = {name for name, _, _ in NOT_RUN}
    played = {"LeavesLater", "EndsAtOnce", "NoPictures", "HandsOn", "WrongPart", "Plain"}
    assert told | played | {"SolvedAlways", "SolvedSometimes"} == {
        form.__name__ for form in faultygyms.FORMS
    }

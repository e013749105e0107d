"""`bench run` and `report` as a user meets them: output, exit codes, and that the same command
continues a run."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import (
    SLOW_RUN,
    Said,
    bench_process,
    bench_there,
    planned,
    refused,
    results_of,
    wait_for_lines,
)

Bench = Callable[..., Said]
QUICK = ("--suite", "toysuite:QUICK", "--workers", 0)


# Exit codes


def test_a_failure_of_the_agent_exits_4(bench_here: Bench) -> None:
    words = (
        "run",
        "--agent",
        "toyfaults:RaiseOn",
        "--suite",
        "toysuite:MARKED",
        "--workers",
        0,
        "--out",
        "run",
    )
    said = bench_here(*words)
    assert said.code == 4
    assert [line["status"] for line in results_of(Path("run"))] == [
        "finished",
        "agent_error",
        "finished",
    ]
    assert "66.7" in said.out, "a failure counts in n"
    again = bench_here(*words)
    assert (again.code, again.out) == (4, said.out)


def test_an_error_exits_4_and_the_same_command_tries_again(bench_here: Bench) -> None:
    words = (
        "run",
        "--agent",
        "toys:GoodAgent",
        "--suite",
        "toysuite:BROKEN",
        "--workers",
        0,
        "--out",
        "run",
    )
    for times in (1, 2):
        said = bench_here(*words)
        assert said.code == 4
        assert "toys/bad@1 seed 1: error: step: RuntimeError: the simulator broke (" in said.err
        assert "toys.py:" in said.err
        assert "1 of 6 cases has no score; it fails the same way each time" in said.err
        assert "plays them again" not in said.err
        assert "next: bench show run --failures" in said.err
        assert (Path("run") / "episodes.jsonl").read_text().count('"error", "success"') == times
    tasks = {
        row["task"]: row
        for row in json.loads(bench_here("report", "run", "--format", "json").out)["tasks"]
    }
    bad = tasks["toys/bad@1"]
    assert (bad["planned"], bad["n"], bad["errors"], bad["partial"]) == (3, 2, 1, True)
    assert bad["rate_if_missing_fail"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("suite", "strict", "code"),
    [
        ("QUICK", ["--strict"], 0),
        ("PARTLY", [], 0),
        ("PARTLY", ["--strict"], 4),
        ("NOWHERE", [], 2),
        ("NOWHERE", ["--strict"], 2),
    ],
)
def test_what_cannot_run_is_a_row(
    bench_here: Bench, suite: str, strict: list[str], code: int
) -> None:
    said = bench_here(
        "run", "--agent", "toys:GoodAgent", "--suite", f"toysuite:{suite}", "--workers", 0, *strict
    )
    assert said.code == code
    assert ("there is no chalk to draw the square" in said.out and "buy chalk" in said.out) == (
        suite != "QUICK"
    )
    assert ("nothing could run" in said.err) == (suite == "NOWHERE")


def test_a_view_that_no_task_offers_exits_4(bench_here: Bench) -> None:
    words = ("run", "--agent", "toyfaults:ReadsSmell", *QUICK)
    for _ in range(2):
        said = bench_here(*words)
        assert said.code == 4
        assert "the agent reads 'smell'" in said.out
        assert "nothing could run" in said.err


def test_a_task_without_an_expert_is_a_row(bench_here: Bench) -> None:
    said = bench_here(
        "run",
        "--agent",
        "oracle",
        "--suite",
        "smoke",
        "--tasks",
        "PickupLoc,FourRooms",
        "--episodes",
        1,
        "--workers",
        0,
    )
    assert said.code == 0
    assert "this task has no expert" in said.out
    assert "play it with another agent" in said.out


# What is printed


LIGHT = "babyai/*,minigrid/*,metaworld/*,smoke/[!cn]*,gym/*"
"""Families that start in a second; the others have tests of their own."""
RUN = ("run", "--agent", "uniform", "--suite", "smoke", "--tasks", LIGHT)
RUN += ("--episodes", 1, "--workers", 0)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Said]:
    """A real run of several families, one episode a task, in its own process."""
    folder = tmp_path_factory.mktemp("finished")
    return folder, bench_there(*RUN, "--out", "run", cwd=folder)


def test_a_run_prints_its_table_alone(finished: tuple[Path, Said]) -> None:
    folder, said = finished
    assert said.code == 0, said.err
    assert said.out.startswith("uniform (baselines.simple:Uniform)")
    assert all(line["task"] in said.out for line in results_of(folder / "run"))
    assert said.out == bench_there("report", "run", cwd=folder).out
    assert "playing in this process" in said.err
    assert "run directory: run\n" in said.err
    assert said.err.endswith("bench report run --format markdown\n")
    assert "9/9 episodes" in said.err
    assert sorted(path.name for path in folder.iterdir()) == ["run"], "simulators leave no files"


def test_the_formats_of_a_report(finished: tuple[Path, Said], bench_here: Bench) -> None:
    run = finished[0] / "run"
    said = {
        format: bench_here("report", run, "--format", format)
        for format in ("text", "markdown", "latex", "csv", "json")
    }
    assert {(each.code, each.err) for each in said.values()} == {(0, "")}
    for line in results_of(run):
        for format, each in said.items():
            assert line["task"].replace("_", r"\_" if format == "latex" else "_") in each.out, (
                format
            )
    report = json.loads(said["json"].out)
    assert list(report) == [
        "schema",
        "run",
        "overall",
        "domains",
        "suites",
        "tasks",
        "perturbations",
        "not_run",
        "footprint",
    ]
    assert report["overall"]["planned"] == report["overall"]["n"] == len(report["tasks"]) == 9
    rows = list(csv.DictReader(io.StringIO(said["csv"].out)))
    assert [row["task"] for row in rows] == [row["task"] for row in report["tasks"]]
    assert [float(row["steps_mean"]) for row in rows] == [
        row["steps_mean"] for row in report["tasks"]
    ]
    assert said["markdown"].out.count("| task ") >= 1
    assert said["latex"].out.count(r"\begin{") == said["latex"].out.count(r"\end{") > 0


@pytest.mark.parametrize("format", ["text", "json"])
def test_a_reader_that_stops_reading_is_no_failure(
    finished: tuple[Path, Said], format: str
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    said = bench_there("report", "run", "--format", format, cwd=finished[0], stdout=writer)
    os.close(writer)
    assert (said.code, said.err) == (0, "")


def test_the_same_command_again_plays_nothing(
    finished: tuple[Path, Said], bench_here: Bench
) -> None:
    run = finished[0] / "run"
    files = [run / "run.json", run / "episodes.jsonl", *sorted((run / "traces").iterdir())]
    before = [file.read_bytes() for file in files]
    said = bench_here(*RUN, "--out", run, "--resume")
    assert (said.code, said.out) == (0, finished[1].out)
    assert "playing" not in said.err
    assert [file.read_bytes() for file in files] == before


def test_without_out_the_same_command_finds_its_directory(bench_here: Bench) -> None:
    first = bench_here("run", "--agent", "toys:GoodAgent", *QUICK)
    assert first.code == 0
    (run,) = Path("runs").iterdir()
    assert run.name.startswith("toys_GoodAgent-toys-")
    assert bench_here("run", "--agent", "toys:GoodAgent", *QUICK, "--resume").out == first.out
    for change in (["--seed", 1], ["--episodes", 1], ["--tasks", "glide"]):
        assert bench_here("run", "--agent", "toys:GoodAgent", *QUICK, *change).code == 0
    assert bench_here("run", "--agent", "uniform", *QUICK).code == 0
    assert len(list(Path("runs").iterdir())) == 5


def test_another_run_on_an_old_directory_is_refused(bench_here: Bench) -> None:
    words = ("run", "--agent", "toys:ChunkAgent", *QUICK, "--out", "run")
    assert bench_here(*words).code == 0
    refused(bench_here(*words, "--agent-arg", "length=2"), "Results are never blended")
    refused(bench_here(*words, "--seed", 3), "seed 3 instead of 0")


def test_agent_arguments_are_json_or_text(bench_here: Bench) -> None:
    words = ("run", *QUICK, "--episodes", 1, "--out", "run", "--agent", "toyfaults:SleepOn")
    assert (
        bench_here(*words, "--agent-arg", "marker=never=ever", "--agent-arg", "seconds=2.5").code
        == 0
    )
    assert planned(Path("run"))["agent"]["args"] == {"marker": "never=ever", "seconds": 2.5}


# Interrupted


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_ctrl_c_leaves_a_run_that_goes_on(
    tmp_path: Path, slow_results: list[dict[str, Any]], workers: int
) -> None:
    words = (*SLOW_RUN, "--workers", workers, "--out", "run")
    with bench_process(*words, cwd=tmp_path) as process:
        wait_for_lines(tmp_path / "run", 5, process)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert "the same command continues the run" in err
    assert "Traceback" not in err
    assert 5 <= len(results_of(tmp_path / "run")) < 12
    assert planned(tmp_path / "run")["finished"] is None
    assert (
        "not finished: the same command goes on" in bench_there("report", "run", cwd=tmp_path).out
    )
    said = bench_there(*words, "--resume", cwd=tmp_path)
    assert said.code == 0, said.err
    assert results_of(tmp_path / "run") == slow_results
    assert (tmp_path / "run" / "episodes.jsonl").read_bytes().count(b"\n") == 12, (
        "no case was played twice"
    )


def test_ctrl_c_says_what_to_do(bench_here: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def play(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("harness.cli.api.play", play)
    said = bench_here("run", "--agent", "toys:GoodAgent", *QUICK)
    assert said.code == 130
    assert "the same command continues the run" in said.err

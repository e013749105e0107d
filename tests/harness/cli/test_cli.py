"""The command line as a user meets it: what it prints and where, its exit codes, and that the same command goes on."""

from __future__ import annotations

import csv
import importlib.metadata
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import (
    ROOT,
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

HEAVY = (
    "ray",
    "gymnasium",
    "minigrid",
    "ale_py",
    "metaworld",
    "mujoco",
    "torch",
    "pandas",
    "scipy",
)
SILENT = [
    "--help",
    "run --help",
    "list suites",
    "list tasks --suite all",
    "list agents",
    "list adapters",
    "doctor",
]
IMPORTS = f"""
import os, sys
before = dict(os.environ)
import bench
for line in sys.argv[1:]:
    sys.argv = ["bench", *line.split()]
    try:
        bench.main()
    except SystemExit as ended:
        assert not ended.code, line
assert dict(os.environ) == before, "an environment variable was set"
assert not {set(HEAVY)} & sys.modules.keys(), {set(HEAVY)} & sys.modules.keys()
"""
QUICK = ("--suite", "toysuite:QUICK", "--workers", 0)


# What there is


def test_help_and_lists_import_nothing_heavy() -> None:
    said = subprocess.run(
        [sys.executable, "-c", IMPORTS, *SILENT],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    assert said.stderr == ""
    for word in (
        "--agent-timeout",
        "babyai-planning",
        "metaworld/reach-v3@1",
        "privileged",
        "ale-py",
    ):
        assert word in said.stdout


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("suites", ["smoke", "metaworld", "atari-sticky"]),
        ("tasks", ["babyai/GoToRedBall@1", "atari/pong@1", "metaworld/reach-v3@1"]),
        ("agents", ["uniform", "noop", "oracle", "blind"]),
        ("adapters", ["minigrid", "atari", "metaworld", "gym"]),
    ],
)
def test_list(bench_here: Bench, what: str, words: list[str]) -> None:
    said = bench_here("list", what)
    assert (said.code, said.err) == (0, "")
    assert all(any(line.startswith(word) for line in said.out.splitlines()) for word in words)


def test_doctor_names_what_is_missing_and_what_mends_it(
    bench_here: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "bench[" not in bench_here("doctor").out, "all that an extra of ours installs is here"
    real = importlib.metadata.version

    def version(name: str) -> str:
        if name in ("minigrid", "ray"):
            raise importlib.metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    said = bench_here("doctor")
    assert said.code == 0
    rows = {line.split()[0]: line for line in said.out.splitlines() if line}
    assert "the package minigrid is not installed" in rows["minigrid"]
    assert "pip install 'generalist-bench[minigrid]'" in rows["minigrid"]
    assert "pip install 'generalist-bench[ray]'" in rows["parallel"]
    assert "ready" in rows["gym"]
    said = bench_here("run", "--agent", "noop", "--suite", "babyai", "--episodes", 1)
    assert said.code == 4, "nothing could run"
    assert "the package minigrid is not installed" in said.out
    assert "pip install 'generalist-bench[minigrid]'" in said.out


# Wrong use


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--agent unifrom --suite smoke", "did you mean uniform?"),
        ("--agent uniform --suite smok", "did you mean smoke?"),
        ("--agent uniform --suite gym:CartPol-v1", "did you mean CartPole-v1"),
        ("--agent uniform --suite gym:nowhere:X-v0", "the module nowhere does not import"),
        ("--agent uniform --suite ,", "--suite names nothing"),
        ("--agent uniform --suite nowhere.toml", "there is no file nowhere.toml"),
        ("--agent uniform --suite nowhere.suite", "there is no module 'nowhere'"),
        ("--agent uniform --suite smoke --tasks goto*z,ponk", "no task matches"),
        ("--agent uniform --suite smoke --tasks tag:none", "no task matches"),
        ("--agent uniform --suite smoke --episodes 0", "--episodes must lie between 1 and"),
        ("--agent uniform --suite smoke --episodes -1", "--episodes must lie between 1 and"),
        ("--agent uniform --suite smoke --episodes many", "valid integer"),
        ("--agent uniform --suite smoke --seed -1", "--seed must lie between 0 and 1000"),
        ("--agent uniform --suite smoke --seed 1001", "--seed must lie between 0 and 1000"),
        ("--agent uniform --suite smoke --lanes 0", "--lanes must be at least 1"),
        ("--agent uniform --suite smoke --workers -1", "write auto, or a number"),
        ("--agent uniform --suite smoke --workers two", "write auto, or a number"),
        ("--agent uniform --suite smoke --agent-arg speed", "write NAME=VALUE"),
        ("--agent uniform --suite smoke --agent-arg speed=1", "--agent-arg k=v"),
        ("--agent toys:ChunkAgent --suite smoke --agent-arg lenght=1", "(length: 'int' = 3)"),
        ("--agent uniform --suite smoke --resume", "there is no run at runs/uniform-smoke-"),
        ("--agent uniform --suite smoke --out /dev/null/run", "Choose another place with --out"),
        ("--agent uniform", "--suite"),
        ("--agent uniform --suite smoke --colour red", "--colour"),
        ("--agent missing_agent:Mine --suite smoke", "there is no module 'missing_agent'"),
        ("--agent toys:GoodAgnet --suite smoke", "did you mean GoodAgent"),
        ("--agent toys:toy_task --suite smoke", "is no agent"),
        ("--agent toys:ToyAdapter --suite smoke", "is no agent"),
        ("--agent harness.core:Agent --suite smoke", "abstract: it lacks act"),
        ("--agent broken:Mine --suite smoke", "broken.py:2"),
        ("--agent needy:Mine --suite smoke", "needs no_such_package, which is not installed"),
    ],
)  # fmt: skip
def test_wrong_use_is_said_in_one_message(bench_here: Bench, words: str, message: str) -> None:
    Path("broken.py").write_text("\nraise RuntimeError('not today')\n")
    Path("needy.py").write_text("import no_such_package\n")
    refused(bench_here("run", *words.split()), message)


@pytest.mark.parametrize("timeout", ["-1", "0", "nan"])
def test_a_timeout_that_makes_no_sense_is_refused(bench_here: Bench, timeout: str) -> None:
    refused(
        bench_here("run", "--agent", "uniform", *QUICK, "--agent-timeout", timeout),
        "--agent-timeout",
    )


def test_a_number_of_workers_in_other_digits_is_refused(bench_here: Bench) -> None:
    refused(
        bench_here("run", "--agent", "uniform", "--suite", "smoke", "--workers", "²"),
        "write auto, or a number",
    )


def test_a_misspelt_task_is_guessed(bench_here: Bench) -> None:
    refused(
        bench_here("run", "--agent", "uniform", "--suite", "babyai", "--tasks", "PickupDisst"),
        "PickupDist",
    )


def test_one_misspelt_task_of_several_is_refused(bench_here: Bench) -> None:
    words = ("run", "--agent", "uniform", *QUICK, "--tasks", "glide,gaol")
    refused(bench_here(*words), "gaol")


@pytest.mark.parametrize("module", ["ray", "gymnasium"])
def test_a_package_that_is_not_installed_is_named(
    bench_here: Bench, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    for name in [
        name
        for name in sys.modules
        if name.partition(".")[0] == module or name == "harness.play.ray_workers"
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    said = bench_here(
        "run",
        "--agent",
        "uniform",
        "--suite",
        "gym:CartPole-v1",
        "--episodes",
        1,
        "--workers",
        1 if module == "ray" else 0,
    )
    assert said.code == 2
    assert f"pip install 'generalist-bench[{'ray' if module == 'ray' else 'gym'}]'" in said.err


def test_a_cluster_that_is_not_there_is_said_soon(tmp_path: Path) -> None:
    words = (
        "run",
        "--agent",
        "uniform",
        "--suite",
        "toysuite:QUICK",
        "--ray-address",
        "127.0.0.1:1",
    )
    with bench_process(*words, cwd=tmp_path) as process:
        try:
            _, err = process.communicate(timeout=10)
        finally:
            process.kill()
    assert process.returncode == 2
    assert "no Ray cluster answers at 127.0.0.1:1" in err
    assert not list(tmp_path.glob("runs/*"))


def test_report_wants_a_run(bench_here: Bench) -> None:
    refused(bench_here("report", "."), "not a run directory")
    refused(bench_here("report", "nowhere"), "not a run directory")
    refused(
        bench_here("report", ".", "--format", "yaml"), "'text', 'markdown', 'latex', 'csv', 'json'"
    )
    Path("run.json").write_text("{")
    refused(bench_here("report", "."), "cannot be read")
    Path("run.json").write_text('{"schema": 99}')
    refused(bench_here("report", "."), "has the schema 99; this version reads 1")


def test_a_foreign_package_of_the_same_name_is_named(tmp_path: Path) -> None:
    package = tmp_path / "elsewhere" / "adapters"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    said = bench_there("list", "suites", cwd=tmp_path, first=str(package.parent))
    assert said.code != 0
    assert said.out == ""
    assert said.err.startswith(
        f"bench: the package 'adapters' resolves to {package / '__init__.py'} instead of {ROOT / 'adapters'}"
    )
    assert len(said.err.splitlines()) == 1


# Exit codes


def test_a_failure_of_the_agent_exits_4(bench_here: Bench) -> None:
    words = (
        "run",
        "--agent",
        "toys:RaiseOn",
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
        assert "toys/bad@1 seed 1: given up: step: RuntimeError: the simulator broke" in said.err
        assert "1 of 6 cases have no score; the same command plays them again" in said.err
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
        ("NOWHERE", [], 4),
        ("NOWHERE", ["--strict"], 4),
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
    words = ("run", "--agent", "toys:ReadsSmell", *QUICK)
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


LIGHT = "babyai/*,minigrid/*,metaworld/*,smoke/*,gym/*"
"""Families that start in a second; the others have tests of their own."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Said]:
    """A real run of several families, one episode a task, in a process of its own."""
    folder = tmp_path_factory.mktemp("finished")
    words = (
        "run",
        "--agent",
        "uniform",
        "--suite",
        "smoke",
        "--tasks",
        LIGHT,
        "--episodes",
        1,
        "--workers",
        0,
        "--out",
        "run",
    )
    return folder, bench_there(*words, cwd=folder)


def test_a_run_prints_its_table_alone(finished: tuple[Path, Said]) -> None:
    folder, said = finished
    assert said.code == 0, said.err
    assert said.out.startswith("uniform (baselines.simple:Uniform)")
    assert all(line["task"] in said.out for line in results_of(folder / "run"))
    assert said.out == bench_there("report", "run", cwd=folder).out
    assert "playing in this process" in said.err
    assert "run directory: run\n" in said.err
    assert said.err.endswith("next: bench report run --format markdown\n")
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
    said = bench_here(
        "run",
        "--agent",
        "uniform",
        "--suite",
        "smoke",
        "--tasks",
        LIGHT,
        "--episodes",
        1,
        "--workers",
        0,
        "--out",
        run,
        "--resume",
    )
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
    words = ("run", *QUICK, "--episodes", 1, "--out", "run", "--agent", "toys:SleepOn")
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
    assert "the same command goes on where it stopped" in err
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

    monkeypatch.setattr("harness.play.runner.play", play)
    said = bench_here("run", "--agent", "toys:GoodAgent", *QUICK)
    assert said.code == 130
    assert "the same command goes on where it stopped" in said.err

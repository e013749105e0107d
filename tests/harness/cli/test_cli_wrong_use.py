"""Wrong use of the command line: one message with the remedy, exit code 2, nothing left behind."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT, Said, bench_process, bench_there, refused

Bench = Callable[..., Said]
QUICK = ("--suite", "toysuite:QUICK", "--workers", 0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--agent unifrom --suite smoke", "did you mean uniform?"),
        ("--agent uniform --suite smok", "did you mean smoke?"),
        ("--agent uniform --suite gym:CartPol-v1", "did you mean gym:CartPole-v1"),
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
        ("--agent toys:ChunkAgent --suite smoke --agent-arg length=NaN", "give finite numbers"),
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
    Path("notes.txt").write_text("")
    refused(bench_here("report", "notes.txt"), "notes.txt is a file, not a run directory")
    refused(
        bench_here("report", ".", "--format", "yaml"), "'text', 'markdown', 'latex', 'csv', 'json'"
    )
    Path("run.json").write_text("{")
    refused(bench_here("report", "."), "It was cut off or changed by hand")
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
        f"bench: the package 'adapters' resolves to {package / '__init__.py'} "
        f"instead of {ROOT / 'adapters'}"
    )
    assert len(said.err.splitlines()) == 1

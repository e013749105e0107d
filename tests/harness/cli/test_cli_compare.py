"""`bench compare`, `gate`, `plan` and `baseline` as a user types them: output, files, exits."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import toysuite
from conftest import Said

Bench = Callable[..., Said]
COMMON = ("--workers", 0)
TRUSTED = (*COMMON, "--trust")


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of toys: `good` and `bad`."""
    from conftest import Notes, plan_of

    from harness.play.runner import RunOptions, play

    folder = tmp_path_factory.mktemp("compared")
    for name, agent in (("good", "ExpertAgent"), ("bad", "RandomAgent")):
        spec, plan = plan_of(agent, toysuite.QUICK.tasks, 12)
        play(spec, ["toys"], plan, folder / name, RunOptions(), Notes())
    return folder


def test_a_comparison_in_every_format(bench_here: Bench, runs: Path) -> None:
    text = bench_here("compare", runs / "good", runs / "bad", "--junit", "junit.xml")
    assert text.code == 1
    assert "\n\nVERDICT\nregress: 5 tasks are significantly worse" in text.out
    for words in (
        "TASKS",
        "toys/goal@1",
        "toys/survive@1",
        "DOMAINS AND OVERALL",
        "CASES THAT FLIPPED",
        "100.0 (>75.8)",
        "raw scores only",
    ):
        assert words in text.out, words
    root = ElementTree.parse("junit.xml").getroot()
    assert [root.get(name) for name in ("tests", "errors", "skipped")] == ["6", "0", "0"]
    failed = [case.get("name") for case in root if case.find("failure") is not None]
    assert "overall" in failed
    assert len(failed) == int(root.get("failures", 0)) == 6

    markdown = bench_here("compare", runs / "good", runs / "bad", "--format", "markdown")
    assert (markdown.code, markdown.out.startswith("### ❌ regress")) == (1, True)

    said = bench_here("compare", runs / "good", runs / "bad", "--format", "json")
    found = json.loads(said.out)
    assert (said.code, found["verdict"], found["exit_code"], found["schema"]) == (
        1,
        "regress",
        1,
        1,
    )
    rows = {row["task"]: row for row in found["tasks"]}
    goal = rows["toys/goal@1"]
    assert (goal["n"], goal["base"], goal["losses"] - goal["wins"]) == (
        12,
        1.0,
        round(-12 * goal["difference"]),
    )
    assert rows["toys/survive@1"]["measure"] == "sign"
    assert (found["overall"]["tasks"], found["overall"]["base"]) == (5, None)
    assert {flip["became"] for flip in found["flips"]} == {"worse"}


def test_better_passes_and_few_cases_are_inconclusive(bench_here: Bench, runs: Path) -> None:
    assert bench_here("compare", runs / "bad", runs / "good").code == 0
    said = bench_here(
        "gate", "--agent", "toys:ExpertAgent", "--base", runs / "good", "--margin", 0.01, *TRUSTED
    )
    assert said.code == 3
    assert "more pairs would decide" in said.out
    assert "find an overall difference of" in said.out


def test_runs_that_cannot_be_compared_are_refused(
    bench_here: Bench, runs: Path, tmp_path: Path
) -> None:
    shutil.copytree(runs / "good", tmp_path / "again")
    for words, base, new, options in (
        ("the same run", runs / "good", tmp_path / "again", ()),
        ("neither a run directory", runs / "good", "nowhere", ()),
        ("--margin must lie between 0 and 1", runs / "good", runs / "bad", ("--margin", 5)),
        ("--alpha must lie between 0 and 0.5", runs / "good", runs / "bad", ("--alpha", 0.7)),
        ("cannot write", runs / "good", runs / "bad", ("--junit", "no/such/folder.xml")),
    ):
        said = bench_here("compare", base, new, *options)
        assert said.code == 2, words
        assert words in said.err
        assert "Traceback" not in said.err


def test_a_damaged_run_is_named(bench_here: Bench, runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "bad", tmp_path / "odd")
    file = tmp_path / "odd" / "episodes.jsonl"
    line = json.loads(file.read_text().splitlines()[0])
    for change, words in (
        ({"seed": 77}, "does not plan"),
        ({"task": "toys/other@1"}, "line 1: run.json does not plan toys/other@1"),
        ({"score": "x"}, "line 1 is no result: score is 'x', not a finite number or null"),
    ):
        file.write_text(json.dumps({**line, "task": "toys/survive@1", **change}) + "\n")
        said = bench_here("compare", runs / "good", tmp_path / "odd")
        assert said.code == 2, change
        assert words in said.err
    file.unlink()
    run = json.loads((tmp_path / "odd" / "run.json").read_text())
    (tmp_path / "odd" / "run.json").write_text(
        json.dumps({**run, "stopped": {"toys/goal@1": "all"}})
    )
    assert "changed by hand" in bench_here("compare", runs / "good", tmp_path / "odd").err


def test_missing_cases_leave_no_verdict(bench_here: Bench, runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "bad", tmp_path / "cut")
    file = tmp_path / "cut" / "episodes.jsonl"
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-3]))
    said = bench_here("compare", runs / "good", tmp_path / "cut", "--junit", "junit.xml")
    assert said.code == 4
    assert "\n\nVERDICT\nno verdict: 3 cases without a score" in said.out
    assert ElementTree.parse("junit.xml").getroot().get("errors") != "0"


def test_a_base_has_a_name_or_is_fetched(bench_here: Bench, runs: Path, tmp_path: Path) -> None:
    assert bench_here("baseline", "list").out.startswith("no base is saved")
    saved = bench_here("baseline", "save", "main", runs / "good")
    assert (saved.code, "60 cases of 5 tasks" in saved.err) == (0, True)
    assert "ExpertAgent" in bench_here("baseline", "list").out
    shutil.make_archive(str(tmp_path / "artefact"), "zip", runs, "good")
    places = [
        "main",
        tmp_path / "artefact.zip",
        f"file://{runs / 'good'}",
        f"file://{tmp_path / 'artefact.zip'}",
    ]
    assert [bench_here("compare", place, runs / "bad").code for place in places] == [1, 1, 1, 1]
    for wrong, words in (
        ("mian", "did you mean main?"),
        (f"file://{tmp_path / 'gone'}", "there is no file"),
        ("nosuch://host/run", "cannot be read"),
    ):
        said = bench_here("compare", wrong, runs / "bad")
        assert said.code == 2, wrong
        assert words in said.err
    for arguments, words in (
        (("a/b", runs / "good"), "characters"),
        (("x", "nowhere"), "no run at"),
    ):
        assert words in bench_here("baseline", "save", *arguments).err


def test_an_archive_is_data(bench_here: Bench, runs: Path, tmp_path: Path) -> None:
    """Whatever paths it holds, two files are read, and they are written under fixed names."""
    import zipfile

    with zipfile.ZipFile(tmp_path / "odd.zip", "w") as archive:
        for name in ("run.json", "episodes.jsonl"):
            archive.write(runs / "good" / name, f"../../../{name}")
        archive.writestr("../../escaped", "x")
    assert bench_here("compare", tmp_path / "odd.zip", runs / "bad").code == 1
    assert not list(tmp_path.parent.glob("escaped"))
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        for folder in ("a", "b"):
            archive.write(runs / "good" / "run.json", f"{folder}/run.json")
    assert "holds 2 runs" in bench_here("compare", tmp_path / "two.zip", runs / "bad").err
    (tmp_path / "text.zip").write_text("no archive")
    assert (
        "neither a run directory nor a zip"
        in bench_here("compare", tmp_path / "text.zip", runs / "bad").err
    )


def test_a_gate_writes_the_jobs_summary(
    bench_here: Bench, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("summary.md").write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    options = (
        "--base",
        runs / "good",
        "--sequential",
        *COMMON,
        "--out",
        "gated",
        "--format",
        "json",
    )
    said = bench_here("gate", "--agent", "toys:RandomAgent", "--trust", *options)
    assert said.code == 1
    gate = json.loads(said.out)["gate"]
    assert gate["cases"] + gate["saved"] + gate["played_beyond"] == gate["cases_planned"] == 60
    assert gate["saved"] > 0
    summary = Path("summary.md").read_text()
    assert summary.startswith("before\n### ❌ regress")
    assert "stopped after round" in summary
    report: dict[str, Any] = json.loads(bench_here("report", "gated", "--format", "json").out)
    assert report["overall"]["planned"] == gate["cases"]
    assert not report["overall"]["partial"]
    note = bench_here("compare", runs / "good", "gated")
    assert "stopped early for what it saw" in note.out


def test_a_gate_refuses_what_cannot_be_judged(bench_here: Bench, runs: Path) -> None:
    for words, options in (
        ("--max-episodes 3: a round of all tasks takes 5", ("--max-episodes", 3)),
        ("--margin", ("--margin", 0)),
        ("no task matches", ("--tasks", "nothing")),
        ("there is no base 'main'", ("--base", "main")),
    ):
        said = bench_here(
            "gate", "--agent", "toys:GoodAgent", "--base", runs / "good", *TRUSTED, *options
        )
        assert (said.code, words in said.err) == (2, True), said.err
        assert not Path("runs").exists()


def test_plans(bench_here: Bench, runs: Path) -> None:
    said = bench_here(
        "plan", "--effect", 0.1, "--discordant", 0.3, "--power", 0.9, "--episodes", 312
    )
    assert said.code == 0
    assert " 312 " in said.out
    assert "312 episodes on the same cases find differences from 10.0 points on" in said.out
    from_base = bench_here("plan", "--base", runs / "good", "--effect", 0.2)
    assert "48 episodes" in from_base.out
    assert "a task of 4" in from_base.out
    played = bench_here(
        "run", "--agent", "uniform", "--suite", "gym:Pendulum-v1", "--episodes", 6, "--workers", 0,
        "--out", "pendulum",
    )  # fmt: skip
    assert played.code == 0, played.err
    raw = bench_here("plan", "--base", "pendulum", "--effect", 0.2)
    assert "squared: 1.00 on average" in raw.out, "any two raw scores are won or lost"
    assert "bench gate --margin 0.2` passes an equal agent" in raw.out
    assert "rate" not in raw.out
    for options in (
        ("--effect", 2),
        ("--effect", 0.3, "--discordant", 0.1),
        ("--rate", 2),
        ("--base", "nowhere"),
    ):
        assert bench_here("plan", *options).code == 2, options


def test_a_run_until_its_intervals_are_narrow(bench_here: Bench) -> None:
    said = bench_here(
        "run",
        "--agent",
        "toys:RandomAgent",
        "--suite",
        "toysuite:SHORT",
        "--until-width",
        0.4,
        *COMMON,
        "--out",
        "run",
    )
    assert said.code == 0, said.err
    assert "until width 0.4" in said.out
    rows = json.loads(bench_here("report", "run", "--format", "json").out)["tasks"]
    assert all(
        5 < row["n"] == row["planned"] < 200 and row["ci_high"] - row["ci_low"] < 0.4
        for row in rows
    )
    again = bench_here(
        "run",
        "--agent",
        "toys:RandomAgent",
        "--suite",
        "toysuite:SHORT",
        "--episodes",
        1000,
        *COMMON,
        "--out",
        "run",
    )
    assert (again.code, "all episodes instead of until width" in again.err) == (2, True)
    assert (
        bench_here(
            "run", "--agent", "noop", "--suite", "toysuite:SHORT", "--until-width", 3, *COMMON
        ).code
        == 2
    )

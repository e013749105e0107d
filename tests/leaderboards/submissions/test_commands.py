"""`bench leaderboard add` and `check` as somebody types them: exit codes, files, words."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Said, bench_there
from submitting import Forger, play_run, success_flipped

from harness.cli.names import agent_named

Bench = Callable[..., Said]


def test_a_run_becomes_an_entry_that_is_accepted(
    run: Path, tmp_path: Path, bench_here: Bench
) -> None:
    named = ("--name", "Dice", "--selection", "no choice", "--entries", tmp_path / "entries")
    code, out, said = bench_here("leaderboard", "add", run, *named, "--url", "https://example.org")
    assert code == 0, said
    assert Path(out.strip()) == tmp_path / "entries" / "dice-2-suites"
    assert "bytes; next: bench leaderboard check" in said
    code, out, said = bench_here("leaderboard", "check", out.strip(), "--sample", 2, "--rerun")
    assert code == 0, said
    assert out.startswith("dice-2-suites: accepted: 2 of 6 episodes replayed: if 17 % (1) were ")
    assert "uniform, played again in 2 of them, did the same" in said
    assert "claimed, not checked: that the agent of this name chose the actions" in said
    verdict = json.loads((tmp_path / "entries" / "dice-2-suites" / "check.json").read_text())
    assert verdict["verdict"] == "accepted"
    assert (verdict["replayed"], verdict["playable"], verdict["starts"]) == (2, 6, 4)
    assert f"repeat with --seed {verdict['seed']} --sample 2" in said
    again = ("--entries", tmp_path / "entries", "--seed", verdict["seed"], "--sample", 2)
    assert bench_here("leaderboard", "check", "--all", *again)[0] == 0
    repeated = json.loads((tmp_path / "entries" / "dice-2-suites" / "check.json").read_text())
    assert repeated["by_task"] == verdict["by_task"]
    assert repeated["entry"] == verdict["entry"]


def test_the_worst_of_several_entries_counts(
    good: Path, run: Path, tmp_path: Path, bench_here: Bench
) -> None:
    forged = Forger(run, tmp_path / "run", 0)
    success_flipped(forged)
    forged.submit(tmp_path / "entries")
    shutil.copytree(good, tmp_path / "entries" / good.name)
    code, out, said = bench_here("leaderboard", "check", "--all", "--entries", tmp_path / "entries")
    assert code == 1, said
    first, second = out.splitlines()
    assert first.startswith("agent-2-suites: accepted: all of 6 episodes replayed")
    assert second.startswith("forged: refused: ")
    assert "success is True, not False" in said
    assert json.loads((tmp_path / "entries" / "forged" / "check.json").read_text())["reasons"]


def test_traces_that_lie_elsewhere(run: Path, tmp_path: Path, bench_here: Bench) -> None:
    named = ("--name", "Dice", "--selection", "no choice", "--evidence-url", "https://x.org/t")
    code, out, said = bench_here("leaderboard", "add", run, *named, "--entries", "mine")
    assert code == 0, said
    assert "upload dice-2-suites.traces.msgpack.xz to https://x.org/t" in said
    code, _, said = bench_here("leaderboard", "check", out.strip())
    assert code == 4, said
    (tmp_path / "here").mkdir()
    shutil.move(tmp_path / "dice-2-suites.traces.msgpack.xz", tmp_path / "here/traces.msgpack.xz")
    code, _, said = bench_here("leaderboard", "check", out.strip(), "--evidence", "here")
    assert code == 0, said


def test_a_public_agent_that_did_not_play_is_found_by_playing_it(
    tmp_path: Path, bench_here: Bench
) -> None:
    """The actions are those of an expert; the run says that they are random ones."""
    run = play_run(tmp_path / "run", "oracle", 2, tasks="babyai/GoToRedBall")
    forged = Forger(run, tmp_path / "forged", 0)
    forged.run["agent"] = agent_named("uniform", {}).to_json()
    for line in forged.lines:
        line["metrics"] = {}
        line["timing"].pop("privileged", None)
    path = forged.submit(tmp_path / "entries")
    code, _, said = bench_here("leaderboard", "check", path)
    assert code == 0, said
    code, _, said = bench_here("leaderboard", "check", path, "--rerun")
    assert code == 1, said
    assert "uniform, played again in 2 of them, did something else" in said


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (("check",), "write bench leaderboard check ENTRY"),
        (("check", "x", "--all"), "write bench leaderboard check ENTRY"),
        (("check", "nowhere"), "there is no entry nowhere"),
        (("check", "--all", "--entries", "nowhere"), "there is no folder nowhere"),
        (("check", ".", "--sample", "many"), "write a number, a share such as 4%, or all"),
        (("check", ".", "--sample", "0%"), "write a number, a share such as 4%, or all"),
        (("check", ".", "--seed", "../x"), "write the hexadecimal digits"),
        (("add", "nowhere", "--name", "x", "--selection", "y"), "is not a run directory"),
        (("add", "nowhere", "--name", "x"), "--selection"),
    ],
)
def test_wrong_use(bench_here: Bench, words: tuple[Any, ...], remedy: str) -> None:
    code, out, said = bench_here("leaderboard", *words)
    assert (code, out) == (2, "")
    assert remedy in said.replace("\n", " ")


def test_a_folder_that_is_no_entry_is_refused(tmp_path: Path, bench_here: Bench) -> None:
    (tmp_path / "empty").mkdir()
    code, out, said = bench_here("leaderboard", "check", "empty")
    assert code == 1, said
    assert out == "empty: refused: nothing was replayed\n"


@pytest.mark.slow
def test_it_plays_in_a_process_of_its_own(good: Path, tmp_path: Path) -> None:
    entry = shutil.copytree(good, tmp_path / "entry")
    done = bench_there("leaderboard", "check", entry, cwd=tmp_path)
    assert done.code == 0, done.err
    assert done.out == "entry: accepted: all of 6 episodes replayed\n"

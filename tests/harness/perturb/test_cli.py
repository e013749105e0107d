"""`--perturb` and what goes with it, on the command line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Bench = Callable[..., Any]


def play(bench: Bench, out: str, perturb: str, agent: str = "toys:GoodAgent") -> Any:
    tasks = ["--suite", "toysuite:QUICK", "--tasks", "goal", "--episodes", "3", "--workers", "0"]
    return bench("run", "--agent", agent, *tasks, "--out", out, "--perturb", perturb)


def test_a_perturbed_run_its_report_and_its_figure(bench_here: Bench) -> None:
    pytest.importorskip("matplotlib")
    said = play(bench_here, "mine", "action_random:1,5,hue:2,action_noise:1")
    assert said.code == 0
    assert "ROBUSTNESS" in said.out
    assert "action_noise:1" in said.out  # has nothing to change: actions are choices
    assert "figure: mine/robustness.png" in said.err
    assert Path("mine/robustness.png").stat().st_size > 5000
    report = json.loads(bench_here("report", "mine", "--format", "json").out)
    rows = [
        row
        for row in report["perturbations"]
        if row["task"] is None and row["domain"] is None and row["severity"]
    ]
    assert [(row["perturbation"], row["severity"], row["n"]) for row in rows] == [
        ("action_random", 1, 3),
        ("action_random", 5, 3),
        ("hue", 2, 3),
    ]
    assert [row["perturbation"] for row in report["not_run"]] == ["action_noise:1"]
    assert (
        bench_here("report", "mine", "--baseline", "mine", "--figure", "there/curves.svg").code == 0
    )
    assert Path("there/curves.svg").exists()
    again = play(bench_here, "mine", "action_random:1,5,hue:2,action_noise:1")
    assert again.code == 0
    assert play(bench_here, "mine", "action_random:1").code == 2


def test_comparing_the_losses_of_two(bench_here: Bench) -> None:
    play(bench_here, "good", "action_random:5")
    play(bench_here, "bad", "action_random:5", "toys:RandomAgent")
    said = bench_here("compare", "bad", "good", "--robustness")
    assert said.code == 0
    assert "WHO LOSES LESS" in said.out
    found = json.loads(bench_here("compare", "bad", "good", "--robustness", "--format", "json").out)
    assert found["effects"][0]["perturbation"] == "action_random"


def test_losses_are_compared_by_name_and_by_archive_too(bench_here: Bench) -> None:
    play(bench_here, "good", "action_random:5")
    play(bench_here, "bad", "action_random:5", "toys:RandomAgent")
    assert bench_here("baseline", "save", "old", "bad").code == 0
    shutil.make_archive("good", "zip", ".", "good")
    plain = bench_here("compare", "bad", "good", "--robustness")
    assert plain.code == 0
    assert bench_here("compare", "old", "good.zip", "--robustness").out == plain.out
    for place in ("old", "bad", "file://" + str(Path("bad").absolute())):
        said = bench_here("report", "good", "--format", "json", "--baseline", place)
        assert said.code == 0
        overall = [
            row
            for row in json.loads(said.out)["perturbations"]
            if row["severity"] is None and row["domain"] is None
        ]
        assert overall[0]["corruption_error"] is not None
    Path("broken.zip").write_bytes(b"no archive")
    for wrong in ("lost", "ol", "broken.zip", "good"):
        asked, other = (
            bench_here("compare", "good", wrong, *more) for more in (["--robustness"], [])
        )
        assert (asked.code, asked.err) == (2, other.err)
    lines = Path("bad/episodes.jsonl").read_text()
    for old, new, words in (
        ('"metrics"', '"metric"', "is no result: it lacks the field 'metrics'"),
        ('"seed": 0', '"seed": 7000000', "does not plan"),
    ):
        Path("bad/episodes.jsonl").write_text(lines.replace(old, new))
        said = bench_here("compare", "bad", "good", "--robustness")
        assert (said.code, words in said.err, "Traceback" in said.err) == (2, True, False)


def test_games_are_in_the_experts_table(bench_here: Bench) -> None:
    """CartPole has an expert and a scale, Pong neither."""
    for package in ("minigrid", "gymnasium", "matplotlib"):
        pytest.importorskip(package)
    words = (
        "run",
        "--agent",
        "oracle",
        "--suite",
        "smoke",
        "--episodes",
        1,
        "--workers",
        0,
        "--perturb",
        "action_random:3",
        "--out",
        "run",
    )
    said = bench_here(*words, "--tasks", "babyai/GoToRedBall,gym/CartPole-v1,smoke/pong")
    assert said.code == 0
    short = " ".join(said.out.split())
    assert "no row of games: 1 task: this task has no expert; " in short
    said = bench_here("report", "run", "--full")
    rates, scores = (
        said.out.partition(f"\n{title}\n")[2].partition("\n\n")[0]
        for title in ("ROBUSTNESS", "ROBUSTNESS OF NORMALISED SCORES")
    )
    assert "navigation" in rates
    games = " ".join(rates.partition("any ")[2].split())
    assert games.startswith("games 0 - 1 task: this task has no expert")
    assert "no success here" in games
    assert "0 is no step, 1 is all 500 steps" in " ".join(scores.split())
    assert "action_random     3  games      1      1    1.000" in scores


@pytest.mark.parametrize("perturb", ["image_nose", "hue:9", "lost.toml", "hue:1+hue:2"])
def test_wrong_use_is_told_in_a_line(bench_here: Bench, perturb: str) -> None:
    said = play(bench_here, "wrong", perturb)
    assert said.code == 2
    assert "--perturb" in said.err
    assert "Traceback" not in said.err
    assert not Path("wrong").exists()


def test_they_are_listed(bench_here: Bench) -> None:
    said = bench_here("list", "perturbations")
    assert said.code == 0
    for name in ("image_noise", "paraphrase", "closed-loop", "friction", "distractors"):
        assert name in said.out

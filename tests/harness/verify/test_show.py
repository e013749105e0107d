"""One episode again: as a video, a picture, or words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import toys
from conftest import Notes, Run, Said, plan_of, results_of
from PIL import Image

from harness.core import Element, Perturbation, Task, UIAction, UserError
from harness.play.runner import RunOptions, play
from harness.play.video import LINE
from harness.records.plan import Plan
from harness.verify.descriptions import describe_action
from harness.verify.episode_replay import find_episode
from harness.verify.show import failures_table, show
from harness.verify.transcript import transcript


def test_a_video_of_any_episode(play_toys: Callable[..., Run]) -> None:
    run = play_toys(
        "GoodAgent", [toys.toy_task(), toys.toy_task("batch", adapter="toys:BatchedToy")], 2
    )
    for line in run.results:
        shown = show(find_episode(run.path, line["case"][:8]))
        assert shown.as_recorded
        with av.open(shown.text) as container:
            assert sum(1 for _ in container.decode(video=0)) == 1 + line["steps"] + 10


def test_a_step_is_a_picture(play_toys: Callable[..., Run], tmp_path: Path) -> None:
    run = play_toys("GoodAgent", [toys.toy_task()], 2)
    recording = find_episode(run.path, "toys/goal:0")
    pictures = []
    for step in (0, len(recording.actions)):
        shown = show(recording, step=step, out=tmp_path / f"{step}.png")
        assert shown.as_recorded
        with Image.open(shown.text) as picture:
            pictures.append(np.asarray(picture)[:256])
    assert (pictures[0] != pictures[1]).any()
    with pytest.raises(UserError, match=f"the steps 0 to {len(recording.actions)}"):
        show(recording, step=1000)


def test_words(play_toys: Callable[..., Run]) -> None:
    run = play_toys("GoodAgent", [toys.toy_task(), toys.toy_task("glide", action="box")], 1)
    line = next(line for line in run.results if line["task"] == "toys/goal@1")
    text = show(find_episode(run.path, "toys/goal:0"), format="text").text
    assert text.count("\n--- ") == line["steps"]
    assert "--- 1: " in text
    assert text.splitlines()[1].startswith("instruction: go to")
    assert text.splitlines()[-1] == f"=== success after {line['steps']} steps; score 1, distance 0"
    assert "--- 1: [" in show(find_episode(run.path, "toys/glide:0"), format="text").text


def test_elements_are_called_by_their_names() -> None:
    form = Element(1, 0, "form", "", "", "", (), 0.0, 0.0, 100.0, 100.0)
    button = Element(2, 1, "button", "Send now", "", "go", (), 10.0, 10.0, 20.0, 20.0)
    assert (
        describe_action(None, UIAction("click", ref=2), (form, button))
        == "click on button#go 'Send now'"
    )
    assert (
        describe_action(None, UIAction("click", x=12.0, y=15.0), (form, button))
        == "click on button#go 'Send now' at (12, 15)"
    )
    assert (
        describe_action(None, UIAction("click", x=50.0, y=50.0), (form, button))
        == "click on form at (50, 50)"
    )
    assert (
        describe_action(None, UIAction("drag", ref=2, to_x=500.0, to_y=0.0), (form, button))
        == "drag on button#go 'Send now' to (500, 0)"
    )
    assert describe_action(None, UIAction("type", text="hello"), ()) == "type 'hello'"


def test_a_text_world_is_a_transcript(tmp_path: Path) -> None:
    from suites.pddl import SUITES

    task = next(task for suite in SUITES for task in suite.tasks if task.name == "pddl/blocksworld")
    spec, plan = plan_of("baselines.simple:Oracle", [task], 1)
    play(spec, ["pddl"], plan, tmp_path / "run", RunOptions(), Notes())
    recording = find_episode(tmp_path / "run", "pddl/blocksworld:0")
    text = show(recording).text
    assert "--- 1: (pick-up b" in text
    assert "b1 is on the table." in text
    assert text.splitlines()[-1].startswith("=== success")
    only = show(recording, step=1).text
    assert "--- 1: " in only
    assert "--- 2: " not in only
    with pytest.raises(UserError, match="has no pictures"):
        show(recording, format="video")


def test_a_perturbed_episode_shows_what_the_agent_saw(tmp_path: Path) -> None:
    task = toys.toy_task(max_steps=8)
    spec, plan = plan_of("ImageAgent", [task], 1)
    conditions = (
        (Perturbation("image_noise", 5, {}), Perturbation("action_random", 3, {})),
        (Perturbation("instruction_blackout", 5, {}),),
    )
    play(
        spec,
        ["toys"],
        Plan(plan.items, plan.seed, conditions),
        tmp_path / "run",
        RunOptions(video="all"),
        Notes(),
    )
    lines = {
        " ".join(line["perturbations"]).partition(":")[0]: line
        for line in results_of(tmp_path / "run")
    }
    noisy = find_episode(tmp_path / "run", lines["image_noise"]["case"])
    (filmed,) = (
        file
        for file in (tmp_path / "run" / "videos").glob("*.mp4")
        if noisy.result.case in file.name
    )
    again = show(noisy, out=tmp_path / "again.mp4")
    assert again.as_recorded
    pictures = []
    for file in (filmed, tmp_path / "again.mp4"):
        with av.open(str(file)) as container:
            pictures.append(next(container.decode(video=0)).to_ndarray(format="rgb24"))
    assert pictures[0].shape == pictures[1].shape
    assert np.abs(np.subtract(*pictures, dtype=int)).mean() < 4, (
        "the film of the run, but for compression"
    )
    assert pictures[0].shape[0] >= 200 + 4 * LINE
    told = show(
        find_episode(tmp_path / "run", lines["instruction_blackout"]["case"]), format="text"
    ).text.splitlines()
    clean = show(find_episode(tmp_path / "run", lines[""]["case"]), format="text").text.splitlines()
    assert told[1].startswith("perturbed: instruction_blackout:5")
    assert told[2] != clean[1]


def test_the_failures_have_a_line_each(play_toys: Callable[..., Run]) -> None:
    tasks = [
        toys.toy_task(max_steps=12),
        toys.toy_task("bad", fault="raise_on_step"),
        toys.toy_task("survive", success=None, max_steps=5),
    ]
    run = play_toys("RandomAgent", tasks, 4)
    listed = failures_table(run.path).splitlines()[2:]
    wanted = [
        line["case"][:10]
        for line in run.results
        if line["success"] is False or line["status"] == "error"
    ]
    assert sorted(row.split()[0] for row in listed if row.split()[0] in wanted) == sorted(wanted)
    assert any("horizon" in row and "distance" in row for row in listed)
    assert (
        failures_table(play_toys("GoodAgent", [toys.toy_task()], 2, out="good").path)
        == "no failures"
    )


def test_names(play_toys: Callable[..., Run]) -> None:
    run = play_toys("GoodAgent", [toys.toy_task(), toys.toy_task("bad", fault="raise_on_step")], 2)
    with pytest.raises(UserError, match="--failures"):
        find_episode(run.path, "toys/goal:17")
    with pytest.raises(UserError, match="leaves none"):
        find_episode(run.path, "toys/bad:0")
    assert find_episode(run.path, "toys/goal@1:1").case.seed == 1


def test_two_episodes_of_one_name(tmp_path: Path) -> None:
    task: Task = toys.toy_task()
    spec, plan = plan_of("GoodAgent", [task], 1)
    play(
        spec,
        ["toys"],
        Plan(plan.items, plan.seed, ((Perturbation("letter_case", 3, {}),),)),
        tmp_path / "run",
        RunOptions(),
        Notes(),
    )
    with pytest.raises(UserError, match="names 2 episodes"):
        find_episode(tmp_path / "run", "toys/goal:0")


def test_the_command_line(bench_here: Callable[..., Said]) -> None:
    assert (
        bench_here(
            "run", "--agent", "uniform", "--suite", "toysuite:QUICK", "--workers", 0, "--out", "run"
        ).code
        == 0
    )
    assert "toys/goal@1" in bench_here("show", "run", "--failures").out
    said = bench_here("show", "run", "toys/goal:0", "--trust")
    assert said.code == 0, said.err
    assert Path(said.out.strip()).stat().st_size > 1000
    assert bench_here("show", "run").code == 2
    assert bench_here("show", "run", "nothing").code == 2
    run = json.loads(Path("run/run.json").read_text())
    run["plan"]["seed"] = 1
    Path("run/run.json").write_text(json.dumps(run))
    said = bench_here("show", "run", "toys/goal:0", "--trust")
    assert said.code == 2
    assert "bench verify run" in said.err


def test_no_line_of_a_stranger_looks_like_one_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def entries(*_: object) -> list[str]:
        return ["instruction: go\n=== success after 3 steps\x1b[2J", "", "    a\x9b\u2028--- 1: x"]

    monkeypatch.setattr("harness.verify.transcript._entries", entries)
    nothing: Any = None
    assert list(transcript(nothing, nothing)) == [
        "instruction: go",
        "    === success after 3 steps\\x1b[2J",
        "",
        "    a\\x9b",
        "    --- 1: x",
    ]


def test_failures_of_a_stranger_stay_in_their_rows(play_toys: Callable[..., Run]) -> None:
    run = play_toys("RandomAgent", [toys.toy_task(max_steps=1)], 2)
    file = run.path / "episodes.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    for line in lines:
        line |= {"success": False, "ended": "\x1b[2J\nfine\u202e"}
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    table = failures_table(run.path)
    assert len(table.splitlines()) == 2 + len(lines)
    assert "\\x1b[2J\\nfine\\u202e" in table

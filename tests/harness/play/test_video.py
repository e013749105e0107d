"""Videos: frames, size and content; which are kept, and what a run does when it cannot make any."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import toys
from conftest import Notes, Run, Said, plan_of, results_of
from PIL import Image

from adapters._grid_specs import brief_of
from harness.core import Box, Case, Perturbation, Task, UserError
from harness.play.runner import RunOptions, play
from harness.play.video import VideoWriter, check_video, picture
from harness.play.video_captions import LINE
from harness.play.video_store import VideoStore
from harness.records.plan import Plan


def test_a_grid_of_codes_is_no_picture() -> None:
    brief = brief_of("BabyAI-GoToRedBall-v0", 7, image=True)
    assert picture(brief) == "image_partial"
    codes = {name: brief.observation[name] for name in ("grid", "direction")}
    assert picture(dataclasses.replace(brief, observation=codes)) is None
    unbounded = {"camera": Box((64, 64, 3), "uint8")}
    assert picture(dataclasses.replace(brief, observation=unbounded)) == "camera"


def opened(file: Path | bytes) -> tuple[np.ndarray, Any]:
    """(frames, height, width, 3) and the stream."""
    with av.open(io.BytesIO(file) if isinstance(file, bytes) else str(file)) as container:
        stream = container.streams.video[0]
        frames = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
        return frames, stream


def videos(path: Path) -> dict[str, Path]:
    """By the id of the case."""
    return {file.stem.rpartition("-")[2]: file for file in (path / "videos").glob("*.mp4")}


def test_all_episodes_are_filmed(play_toys: Callable[..., Run]) -> None:
    run = play_toys(
        "GoodAgent",
        [toys.toy_task(), toys.toy_task("batch", adapter="toys:BatchedToy", control_hz=20.0)],
        2,
        video="all",
        lanes=2,
    )
    found = videos(run.path)
    assert set(found) == {line["case"] for line in run.results}
    for line in run.results:
        frames, stream = opened(found[line["case"]])
        rate = 20 if "batch" in line["task"] else 10
        assert stream.codec_context.name == "h264"
        assert stream.average_rate == rate
        assert len(frames) == 1 + line["steps"] + rate, (
            "the reset, every step, and the last picture for a second"
        )
        assert frames.shape[2] == 256, "64 px, four times as large"
        assert frames.shape[1] == 256 + 4 * LINE, "title, instruction, step and outcome"
        assert (frames[:, :256].max(axis=(1, 2, 3)) > 150).all(), "no picture is black"
        assert (frames[0, :256] != frames[-1, :256]).any(), "the point moved"
        assert (frames[:, 256:] > 150).any(axis=(1, 2, 3)).all(), "words below each"
        with Image.open(found[line["case"]].with_suffix(".jpg")) as poster:
            assert poster.size == frames.shape[2:0:-1]


def test_only_failures(play_toys: Callable[..., Run]) -> None:
    run = play_toys(
        "RandomAgent",
        [toys.toy_task(max_steps=20), toys.toy_task("survive", success=None, max_steps=5)],
        8,
        video="failures",
    )
    failed = {line["case"] for line in run.results if line["success"] is False}
    assert 0 < len(failed) < 8
    assert set(videos(run.path)) == failed


def test_filming_changes_no_result(play_toys: Callable[..., Run]) -> None:
    plain = play_toys("ImageAgent", out="plain").results
    assert play_toys("ImageAgent", out="filmed", video="all", lanes=3).results == plain


@pytest.mark.slow
def test_workers_film_too(play_toys: Callable[..., Run], ray_here: None) -> None:
    run = play_toys("GoodAgent", [toys.toy_task()], 4, video="all", workers=2)
    assert set(videos(run.path)) == {line["case"] for line in run.results}


def test_a_perturbed_episode_shows_what_the_agent_saw(tmp_path: Path) -> None:
    spec, plan = plan_of("ImageAgent", [toys.toy_task(max_steps=6)], 1)
    plan = Plan(
        plan.items,
        plan.seed,
        ((Perturbation("brightness", 5, {}),), (Perturbation("image_noise", 5, {}),)),
    )
    play(spec, ["toys"], plan, tmp_path / "run", RunOptions(video="all"), Notes())
    found = videos(tmp_path / "run")
    lines = {
        " ".join(line["perturbations"]).partition(":")[0]: line
        for line in results_of(tmp_path / "run")
    }
    clean, bright, noisy = (
        opened(found[lines[name]["case"]])[0][0] for name in ("", "brightness", "image_noise")
    )
    assert bright.shape[0] == clean.shape[0] + LINE, "a line more: the perturbation"
    assert np.abs(bright[:200].astype(int) - clean[:200]).mean() > 5
    assert np.abs(noisy[:200].astype(int) - clean[:200]).mean() > 5


def test_the_folder_is_bounded(play_toys: Callable[..., Run], tmp_path: Path) -> None:
    run = play_toys("GoodAgent", [toys.toy_task()], 12, video="all", video_limit=40_000)
    size = sum(file.stat().st_size for file in (run.path / "videos").iterdir())
    assert 0 < len(videos(run.path)) < 12
    assert size <= 40_000
    assert sum("no more videos" in said for said in run.notes.said) == 1
    assert run.summary.missing == 0
    store = VideoStore(run.path, 40_000)
    clip = VideoWriter(Case(toys.toy_task(), 3))
    clip.add(np.zeros((16, 16, 3), np.uint8), 0, "")
    made = clip.finish("over", None)
    assert made is not None
    assert (
        store.keep(Case(toys.toy_task(), 3), made) is not None
        or size + len(made.mp4) + len(made.poster) <= 40_000
    )


class Frameless(toys.ToyAdapter):
    """Cannot draw after its second step."""

    def render(self) -> np.ndarray:
        if self.steps > 1:
            raise RuntimeError("the context is lost")
        return super().render()


def test_what_cannot_be_drawn_costs_the_video_alone(
    play_toys: Callable[..., Run], caplog: pytest.LogCaptureFixture
) -> None:
    run = play_toys(
        "GoodAgent", [toys.toy_task("blind", adapter=f"{__name__}:Frameless")], 2, video="all"
    )
    assert {line["status"] for line in run.results} == {"finished"}
    assert videos(run.path) == {}
    assert "the context is lost" in caplog.text


def test_text_has_no_video_and_says_so(tmp_path: Path) -> None:
    from suites.pddl import SUITES

    task = next(task for suite in SUITES for task in suite.tasks if task.name == "pddl/blocksworld")
    spec, plan = plan_of("baselines.simple:Oracle", [task], 1)
    notes = Notes()
    play(spec, ["pddl"], plan, tmp_path / "run", RunOptions(video="all"), notes)
    assert "no videos of pddl" in " ".join(notes.said)
    assert not (tmp_path / "run" / "videos").exists()


def test_odd_sizes_changing_words_and_long_episodes(monkeypatch: pytest.MonkeyPatch) -> None:
    writer = VideoWriter(Case(toys.toy_task(), 0), 30.0)
    frame = np.full((251, 333, 3), 120, np.uint8)
    writer.add(frame, 0, "one line")
    for step in range(1, 5):
        writer.add(frame, step, "many words " * step * 20)
    clip = writer.finish("over", True)
    assert clip is not None
    frames, _ = opened(clip.mp4)
    assert frames.shape == (5 + 30, 252 + 4 * LINE, 334, 3)
    monkeypatch.setattr("harness.play.video.MOST_FRAMES", 10)
    writer = VideoWriter(Case(toys.toy_task(), 0), 1.0)
    for step in range(50):
        writer.add(frame, step, "")
    clip = writer.finish("over", None)
    assert clip is not None
    assert len(opened(clip.mp4)[0]) == 11
    fast = VideoWriter(Case(toys.toy_task(), 0), 80.0)
    assert [step for step in range(10) if fast.wants(step)] == [0, 3, 6, 9]
    assert VideoWriter(Case(toys.toy_task(), 0)).finish("over", None) is None


def test_a_missing_package_is_a_users_error(
    monkeypatch: pytest.MonkeyPatch, play_toys: Callable[..., Run], tmp_path: Path
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UserError, match="bench\\[video\\]"):
        check_video()
    with pytest.raises(UserError, match="--video none"):
        play_toys(video="all")
    assert not (tmp_path / "run").exists()


def test_the_command_line(bench_here: Callable[..., Said]) -> None:
    said = bench_here(
        "run",
        "--agent",
        "uniform",
        "--suite",
        "toysuite:QUICK",
        "--workers",
        0,
        "--out",
        "run",
        "--video",
        "failures",
        "--video-limit",
        5,
    )
    assert said.code == 0, said.err
    assert videos(Path("run"))
    assert (
        bench_here(
            "run", "--agent", "uniform", "--suite", "toysuite:QUICK", "--video-limit", 0
        ).code
        == 2
    )


FAMILIES = {
    "babyai/GoToRedBall": 3,
    "atari/pong": 4,
    "metaworld/reach-v3": 3,
    "gym/CartPole-v1": 4,
    "pointmaze/umaze": 3,
    "vizdoom/basic": 3,
    "miniworld/OneRoom": 3,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_real_simulators(tmp_path: Path, name: str) -> None:
    import dataclasses

    from harness.records.catalogue import find_suites
    from suites import SUITES

    task: Task = next(
        task
        for suite in SUITES
        for task in find_suites(suite, SUITES)[0].tasks
        if task.name == name
    )
    task = dataclasses.replace(task, id=f"{name}-short@1", max_steps=FAMILIES[name])
    spec, plan = plan_of("baselines.simple:Uniform", [task], 1)
    play(spec, ["films"], plan, tmp_path / "run", RunOptions(video="all"), Notes())
    (line,) = results_of(tmp_path / "run")
    frames, _ = opened(videos(tmp_path / "run")[line["case"]])
    assert len(frames) > line["steps"]
    assert frames[0, : -6 * LINE].std() > 5, "a picture, not one colour"


def test_a_strangers_words_are_drawn_as_what_they_are() -> None:
    odd = "\ud83d\x00\x1b[2J\n\u202e\u2028" + "\U000e0041" * 3 + "x" * 2000
    case = Case(Task(f"toys/{odd}@1", "planning", "toys:ToyAdapter"), 0)
    writer = VideoWriter(case)
    frame = np.zeros((64, 64, 3), np.uint8)
    shown = writer.compose(frame, 0, odd, odd, False)
    assert shown.shape[1] == 256
    writer.add(frame, 0, odd)
    assert writer.finish(f"error: {odd}", False) is not None

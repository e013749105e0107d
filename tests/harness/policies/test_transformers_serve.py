"""A vision-language model behind a real OpenAI-compatible server: `transformers serve`.

The model is tiny, random and made here (tests/tinyvlm.py); the server has an interpreter of its
own, which `make test-heavy` makes.
"""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, Notes

from harness.cli.names import agent_named
from harness.core import Answer, Box, Brief, Discrete, Result, Suite, Task, Turn
from harness.play.planning import make_plan
from harness.play.runner import RunOptions, play
from harness.policies.chat import ChatAgent
from harness.records.results import read_results
from harness.verify.episode_replay import find_episode
from suites import atari, babyai, miniwob

pytestmark = pytest.mark.heavy
FOLDER = ROOT / ".bench" / "interpreters" / "transformers-serve" / "bin"
PLACES = 16
"""Tokens of a picture."""
CLICKS = [f'{{"kind": "click", "x": {x}, "y": {y}}}' for x in (45, 115) for y in (80, 120, 160)]
MODELS = {
    "walker": ["left", "right", "forward", "sideways"],
    "gamer": ["NOOP", "FIRE", "LEFT", "RIGHT", "sideways"],
    "clicker": [*CLICKS, "sideways"],
}
"""Name -> what the model may answer; `sideways` is no action anywhere."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of all models: a folder is the name of one."""
    if not (FOLDER / "transformers").exists():
        pytest.fail(f"there is no {FOLDER}/transformers: make test-heavy makes it")
    folder = tmp_path_factory.mktemp("models")
    offline = {**os.environ, "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
    maker = [FOLDER / "python", ROOT / "tests" / "tinyvlm.py", folder, json.dumps(MODELS)]
    subprocess.run(maker, env=offline, check=True, capture_output=True, timeout=300)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder / "server.log"
    with log.open("w") as said:
        process = subprocess.Popen(
            [
                *(FOLDER / "transformers", "serve", "--device", "cpu"),
                *("--host", "127.0.0.1", "--port", str(port)),
            ],
            env=offline,
            stdout=said,
            stderr=said,
        )
    try:
        until = time.monotonic() + 120
        while not _healthy(port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1#{folder}"
    finally:
        process.terminate()
        process.wait(60)


def _healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answered:
            return bool(answered.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def played(model: str, task: Task, folder: Path, episodes: int, **args: Any) -> list[Result]:
    """Play by a model's single token an answer."""
    given = {"views": "image", "max_tokens": 1, "on_invalid": "noop", "history": 1, **args}
    spec = agent_named(f"chat:{model}", given)
    suite = Suite("few", "few", (task,), episodes)
    plan = make_plan([(suite, task)], spec, episodes=None, seed=0)
    play(spec, ["few"], plan, folder, RunOptions(lanes=2), Notes())
    return list(read_results(folder))


def named(suite: Suite, name: str, steps: int) -> Task:
    """The task, with a short horizon."""
    task = next(each for each in suite.tasks if each.name == name)
    return dataclasses.replace(task, max_steps=steps)


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("walker", named(babyai.SUITES[0], "babyai/GoToRedBallGrey", 12)),
        ("gamer", named(atari.SUITES[0], "atari/breakout", 8)),
        ("clicker", named(miniwob.SUITES[0], "miniwob/click-test", 4)),
    ],
)
def test_it_plays_by_what_it_sees(served: str, tmp_path: Path, name: str, task: Task) -> None:
    lines = played(f"{served}/{name}", task, tmp_path / "run", episodes=2)
    assert {line.status for line in lines} == {"finished"}
    for line in lines:
        told = line.timing["agent"]
        assert told["answers"] == line.steps > 0
        assert told["tokens_out"] == told["answers"] + told["invalid"]  # a token a reply
        assert told["tokens_in"] > PLACES * told["tokens_out"]
        said = find_episode(tmp_path / "run", line.case).said
        # It has neither tool calls nor schemas, which is found out.
        assert '"form": "text"' in said
        assert "(1 images)" in said
    figures = [line.timing["agent"] for line in lines]
    assert sum(told["answers"] - told["invalid"] for told in figures) > 0, "none was an action"


def turn(colour: tuple[int, int, int]) -> Turn:
    seen = {"image": np.full((64, 64, 3), colour, np.uint8), "state": np.zeros(2, np.float32)}
    specs = {"image": Box((64, 64, 3), "uint8"), "state": Box((2,), "float32")}
    brief = Brief(specs, Discrete(4, tuple(MODELS["walker"])), "", "")
    return Turn(brief, "go", (seen,), (), 0, "e", rng_key=7)


def answers(served: str, turns: list[Turn], images: int) -> list[Answer]:
    agent = ChatAgent(
        f"{served}/walker", views="image,state", images=images, max_tokens=1, on_invalid="noop"
    )
    try:
        return agent.act(turns)
    finally:
        agent.close()


def test_a_picture_changes_the_answer_and_equal_questions_do_not(served: str) -> None:
    colours = [(r, g, b) for r in (0, 255) for g in (0, 255) for b in (0, 255)]
    turns = [turn(each) for each in colours]
    said = [answer.said for answer in answers(served, turns, images=1)]
    assert len(set(said)) > 2, "the model answers all pictures nearly alike"
    assert [answer.said for answer in answers(served, turns, images=1)] == said


def test_a_picture_is_as_many_tokens_as_the_model_makes_of_it(served: str) -> None:
    seen, blind = (answers(served, [turn((0, 0, 0))], images)[0] for images in (1, 0))
    more = seen.figures["tokens_in"] - blind.figures["tokens_in"]
    # A letter is a token, and the words say where the picture stands.
    assert more == PLACES + len("\nThe images: [image].")


def test_a_model_that_it_does_not_have_is_an_error_and_not_the_models(
    served: str, tmp_path: Path
) -> None:
    task = named(babyai.SUITES[0], "babyai/GoToRedBallGrey", 3)
    (line,) = played(f"{served}/nobody", task, tmp_path / "run", 1, retries=0, give_up_s=20.0)
    assert line.status == "error"

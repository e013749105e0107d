"""An agent in another interpreter: the same results as here, and what goes wrong there is said."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import toys
from conftest import Notes, plan_of
from processes import children_with

from harness.cli.names import agent_named
from harness.core import Brief, Discrete, Turn, UserError
from harness.host.agents import AgentFailed, HostedAgentSpec
from harness.host.client import Client
from harness.host.interpreters import VARIABLE, configured
from harness.play.runner import RunOptions, play
from harness.records.identity import AgentSpec
from harness.records.run_file import read_run
from harness.records.stored_run import load_run
from suites import babyai

KEEPER, AWKWARD = "faraway:Keeper", "faraway:Awkward"
LEVEL = next(task for task in babyai.SUITES[0].tasks if task.name == "babyai/GoToRedBall")
TASKS = (toys.TASKS[1], toys.TASKS[2], dataclasses.replace(LEVEL, max_steps=20))


def children() -> list[psutil.Process]:
    return children_with("child.py")


def results(path: Path) -> list[dict[str, Any]]:
    fields = [dataclasses.asdict(each) for each in load_run(path).results()]
    for each in fields:
        each.pop("timing", None)
    return sorted(fields, key=lambda each: (each["task"], each["seed"]))


@pytest.fixture
def played(tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """played("faraway:Keeper", python=PATH or None, args={...}, tasks=..., episodes=2)."""

    def go(
        entry: str,
        python: str | None,
        *,
        args: dict[str, Any] | None = None,
        tasks: Any = TASKS,
        episodes: int = 2,
        out: str = "run",
        **options: Any,
    ) -> list[dict[str, Any]]:
        _, plan = plan_of("baselines.simple:Uniform", tasks, episodes)
        spec = AgentSpec(entry, entry, args or {})
        if python is not None:
            spec = HostedAgentSpec(entry, entry, args or {}, python)
        play(spec, ["toys"], plan, tmp_path / out, RunOptions(**options), Notes())
        return results(tmp_path / out)

    return go


@pytest.mark.parametrize(("entry", "lanes"), [(KEEPER, 1), (KEEPER, 3), ("faraway:Everything", 2)])
def test_the_same_results_as_in_this_process(
    played: Callable[..., Any], bare: str, entry: str, lanes: int
) -> None:
    here = played(entry, None, out="here", lanes=lanes)
    there = played(entry, bare, out="there", lanes=lanes)
    assert {each["status"] for each in here} == {"finished"}
    assert there == here
    assert not children()


@pytest.mark.slow
@pytest.mark.usefixtures("ray_here")
@pytest.mark.parametrize("entry", [KEEPER, "faraway:Served"])
def test_the_same_results_in_workers(played: Callable[..., Any], bare: str, entry: str) -> None:
    here = played(KEEPER, None, out="here")
    assert played(entry, bare, out="there", workers=1, lanes=2) == here


def test_agents_that_come_with_bench_run_there_too(played: Callable[..., Any], bare: str) -> None:
    here = played("baselines.simple:Oracle", None, out="here", tasks=[toys.TASKS[1]])
    assert played("baselines.simple:Oracle", bare, out="there", tasks=[toys.TASKS[1]]) == here


@pytest.mark.parametrize(
    ("how", "status", "words"),
    [
        ("tensor", "finished", None),
        ("object", "agent_error", "TypeError: an action of object cannot pass"),
        ("raises", "agent_error", "ValueError: it slipped (tests/faraway.py"),
    ],
)
def test_what_it_answers_and_raises(
    played: Callable[..., Any], bare: str, how: str, status: str, words: str | None
) -> None:
    found = played(AWKWARD, bare, args={"how": how}, tasks=[toys.TASKS[1]], lanes=2)
    assert [each["status"] for each in found] == [status] * len(found)
    assert all(each["error"] is None if words is None else words in each["error"] for each in found)


def test_a_child_that_dies_is_started_again(
    played: Callable[..., Any], bare: str, tmp_path: Path
) -> None:
    args = {"how": "exits once", "folder": str(tmp_path)}
    found = played(AWKWARD, bare, args=args, tasks=[toys.TASKS[1]])
    assert [each["status"] for each in found] == ["finished"] * 2
    assert (tmp_path / "exited").exists()
    assert not children()


def test_an_episode_whose_memory_died_is_played_again(
    played: Callable[..., Any], bare: str, tmp_path: Path
) -> None:
    args = {"how": "forgets", "folder": str(tmp_path)}
    found = played(AWKWARD, bare, args=args, tasks=[toys.TASKS[1]])
    assert [each["status"] for each in found] == ["finished"] * 2
    assert (tmp_path / "exited").exists()


@pytest.mark.parametrize(
    ("how", "words"),
    [("exits", "ended with exit code 3"), ("unavailable", "nobody answers")],
)
def test_an_agent_that_always_dies_is_no_failure_of_its_skill(
    played: Callable[..., Any], bare: str, how: str, words: str
) -> None:
    found = played(AWKWARD, bare, args={"how": how}, tasks=[toys.TASKS[1]])
    assert {each["status"] for each in found} == {"error"}
    assert all(words in each["error"] for each in found)


def test_an_agent_that_hangs_is_ended_by_its_own_deadline(
    played: Callable[..., Any], bare: str
) -> None:
    found = played(
        AWKWARD, bare, args={"how": "sleeps"}, tasks=[toys.TASKS[1]], episodes=1, agent_timeout=1.0
    )
    assert [(each["status"], each["error"]) for each in found] == [
        ("agent_error", "no answer within 1 s")
    ]
    assert not children()


def test_embeddings_of_instructions_come_over(bare: str) -> None:
    agent = HostedAgentSpec(KEEPER, KEEPER, {}, bare).build()
    values = agent.embed(["go", "stop"])
    assert values.tolist() == [[2.0, 1.0], [4.0, 1.0]]
    agent.close()
    mute = HostedAgentSpec(AWKWARD, AWKWARD, {"how": ""}, bare).build()
    with pytest.raises(AgentFailed, match="Awkward tells no embeddings of instructions"):
        mute.embed(["go"])
    mute.close()


def test_what_cannot_be_built_is_refused_with_its_reason(bare: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be built: RuntimeError: the weights are torn"):
        HostedAgentSpec("a", AWKWARD, {"how": "unbuildable"}, bare).build()
    with pytest.raises(UserError, match="takes other arguments"):
        HostedAgentSpec("a", AWKWARD, {"speed": 1}, bare).kind()
    with pytest.raises(UserError, match=r"cannot be started.*correct --interpreter agent=PATH"):
        HostedAgentSpec("a", AWKWARD, {"how": ""}, str(tmp_path / "python")).kind()
    assert not children()
    assert not [name for name in os.listdir(tempfile.gettempdir()) if name == "bench-host-"]


def test_the_fingerprint_covers_files_and_packages(
    bare: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / "weights.bin"
    weights.write_bytes(b"1")
    args = {"how": "", "folder": str(weights)}
    here = AgentSpec("a", AWKWARD, args)
    there = HostedAgentSpec("a", AWKWARD, args, bare)
    said = there.to_json()
    assert said["fingerprint"] == there.fingerprint() != here.fingerprint()
    assert said["interpreter"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert set(said["files"]) == {*here.to_json()["files"], "interpreter/packages"}
    again = HostedAgentSpec("a", AWKWARD, args, bare)
    assert again.fingerprint() == there.fingerprint()
    weights.write_bytes(b"2")
    changed = HostedAgentSpec("a", AWKWARD, args, bare)
    assert changed.fingerprint() != there.fingerprint()
    assert changed.to_json(said)["fingerprint"] == changed.fingerprint()


def test_what_does_not_fit_is_not_played(
    played: Callable[..., Any], bare: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    call = Client.call
    monkeypatch.setattr(
        Client, "call", lambda self, *given: asked.append(given[0]) or call(self, *given)
    )
    found = played("faraway:Picky", bare, args={"chunk": 7}, tasks=[*TASKS], lanes=2)
    assert {each["task"] for each in found} == {"babyai/GoToRedBall@1"}
    assert asked.count("agent_unfit") <= len(TASKS)


def test_the_option_names_the_interpreter(bare: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert type(agent_named("uniform", {})) is AgentSpec
    with configured([f"agent={bare}"]):
        spec = agent_named("uniform", {})
        assert isinstance(spec, HostedAgentSpec)
        assert spec.python == bare
    with configured([f"sb3={bare}"]):
        assert type(agent_named("uniform", {})) is AgentSpec
    with pytest.raises(UserError, match="no family 'agnt'"), configured([f"agnt={bare}"]):
        pass


def test_figures_and_transcripts_come_along(bare: str) -> None:
    agent = HostedAgentSpec("a", KEEPER, {}, bare).build()
    try:
        turn = Turn(Brief({}, Discrete(3), "", ""), "", ({},), (), 4, "e")
        (answer,) = agent.act([turn])
    finally:
        agent.close()
    assert (answer.figures, answer.said) == ({"requests": 1.0}, "step 4")
    assert answer.confidence == 0.5


def test_a_run_says_where_its_agent_lived(
    played: Callable[..., Any], bare: str, tmp_path: Path
) -> None:
    played(KEEPER, bare, tasks=[toys.TASKS[1]], episodes=1)
    said = read_run(tmp_path / "run")["agent"]
    assert said["entry"] == KEEPER
    assert said["reads"] == ["image?", "state?", "grid?", "direction?"]
    assert "python" in said["interpreter"]
    assert json.dumps(said)

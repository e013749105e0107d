"""Whole runs of toys: the same results however they are played, nothing lost, nothing blended."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import toys
from conftest import ROOT, Run, plan_of, results_of

from harness.core import UserError
from harness.records.run_directory import RunDirectory
from harness.records.run_file import read_run
from harness.records.traces import read_traces

Play = Callable[..., Run]

WAYS = [
    {"lanes": 8},
    {"shuffle": 3},
    {"shuffle": 5, "lanes": 3},
    {"workers": 1},
    {"workers": 2, "lanes": 8},
    {"workers": 2, "shuffle": 7},
]


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("agent", ["GoodAgent", "RandomAgent", "ChunkAgent", "ImageAgent"])
def test_the_same_results_however_it_is_played(
    play_toys: Play, ray_here: None, agent: str, way: dict[str, Any]
) -> None:
    undisturbed = play_toys(agent, out="undisturbed")
    assert len(undisturbed.results) == 5 * 4
    assert play_toys(agent, out="other", **way).results == undisturbed.results


def test_results_and_traces_say_what_happened(play_toys: Play) -> None:
    run = play_toys("ExpertAgent")
    assert {line["status"] for line in run.results} == {"finished"}
    by_task = {line["task"]: line for line in run.results}
    assert by_task["toys/goal@1"]["success"] is True
    assert by_task["toys/goal@1"]["ended"] == "success"
    assert by_task["toys/survive@1"]["success"] is None
    assert by_task["toys/survive@1"]["ended"] == "horizon"
    assert by_task["toys/survive@1"]["steps"] == 20
    traces = {trace.case: trace for trace in read_traces(run.path)}
    for line in run.results:
        assert len(traces[line["case"]].decoded()) == line["steps"]
        assert traces[line["case"]].digest == line["digest"]


def test_another_seed_makes_another_run(play_toys: Play) -> None:
    first = play_toys("RandomAgent", out="a").results
    assert first != play_toys("RandomAgent", out="b", seed=1).results
    assert {line["seed"] for line in first}.isdisjoint(
        line["seed"] for line in results_of(play_toys("RandomAgent", out="c", seed=1).path)
    )


def test_the_same_command_again_plays_nothing(play_toys: Play) -> None:
    first = play_toys()
    lines = (first.path / "episodes.jsonl").read_bytes()
    again = play_toys(resume=True)
    assert (again.path / "episodes.jsonl").read_bytes() == lines
    assert again.summary.missing == 0
    finished = json.loads((again.path / "run.json").read_text())["finished"]
    said = [text for text in again.notes.said if "nothing is played" in text]
    assert len(said) == 1
    assert finished in said[0]
    assert not [text for text in first.notes.said if "nothing is played" in text]


@pytest.mark.parametrize("keep", [0, 1, 7, 19])
def test_a_cut_run_goes_on_to_the_same_end(play_toys: Play, keep: int) -> None:
    whole = play_toys(out="whole")
    cut = play_toys(out="cut")
    file = cut.path / "episodes.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(
        b"".join(lines[:keep]) + lines[keep][: len(lines[keep]) // 2]
    )  # a torn last line
    assert play_toys(out="cut").results == whole.results
    assert len(file.read_bytes().splitlines()) == len(lines)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 1}, "seed 1 instead of 0"),
        ({"episodes": 5}, "5 episodes a task instead of 4"),
        ({"tasks": toys.TASKS}, "2 tasks dropped"),
        ({"agent": "RandomAgent"}, "RandomAgent"),
        ({"args": {"length": 2}}, "length"),
        (
            {"tasks": [toys.toy_task(max_steps=39), *toys.SUITE_TASKS[1:]]},
            "another protocol for toys/goal@1",
        ),
    ],
    ids=["seed", "episodes", "tasks", "agent", "arguments", "rule"],
)
def test_another_run_on_an_old_directory_is_refused(
    play_toys: Play, change: dict[str, Any], words: str
) -> None:
    before = play_toys("ChunkAgent")
    lines = (before.path / "episodes.jsonl").read_bytes()
    with pytest.raises(UserError, match="never blended") as refused:
        play_toys(**{"agent": "ChunkAgent", **change})
    assert words in str(refused.value)
    assert (before.path / "episodes.jsonl").read_bytes() == lines


def test_a_changed_source_is_another_agent(
    play_toys: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "mine_changes.py"
    source.write_text((ROOT / "tests" / "toys.py").read_text())
    monkeypatch.syspath_prepend(str(tmp_path))
    play_toys("mine_changes:GoodAgent")
    source.write_text(source.read_text() + "\n# a changed line\n")
    with pytest.raises(UserError, match="source or weights changed"):
        play_toys("mine_changes:GoodAgent")


def test_a_folder_of_something_else_is_refused(play_toys: Play, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("chapter one")
    with pytest.raises(UserError, match=r"thesis.tex"):
        play_toys()
    assert [entry.name for entry in (tmp_path / "run").iterdir()] == ["thesis.tex"]


def test_wrong_use_leaves_no_directory_behind(play_toys: Play, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no Ray cluster answers"):
        play_toys(workers=1, ray_address="127.0.0.1:9")
    assert not (tmp_path / "run").exists()


def test_resume_insists_on_a_run(play_toys: Play) -> None:
    with pytest.raises(UserError, match="no run at"):
        play_toys(resume=True)


def _hold(path: Path, ready: Any, done: Any) -> None:
    spec, plan = plan_of("GoodAgent", toys.TASKS, 1)
    directory = RunDirectory(path, {"agent": spec.to_json()}, plan)
    ready.set()
    done.wait(60)
    directory.close(finished=False)


def test_a_second_writer_is_refused(play_toys: Play, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(tmp_path / "run", ready, done))
    holder.start()
    assert ready.wait(60)
    with pytest.raises(UserError, match="written by another run"):
        play_toys(tasks=toys.TASKS, episodes=1)
    done.set()
    holder.join(60)
    assert play_toys(tasks=toys.TASKS, episodes=1).summary.missing == 0


def test_a_damaged_run_is_named(play_toys: Play) -> None:
    run = play_toys()
    file = run.path / "episodes.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(lines[0] + b"{torn\n" + b"".join(lines[1:]))
    with pytest.raises(UserError, match=r"episodes.jsonl, line 2"):
        play_toys()
    (run.path / "run.json").write_text("{")
    with pytest.raises(UserError, match=r"run.json cannot be read"):
        play_toys()
    (run.path / "run.json").write_text(json.dumps({"schema": 99}))
    with pytest.raises(UserError, match="schema 99"):
        read_run(run.path)


def test_a_served_agent_answers_batches(play_toys: Play, ray_here: None, tmp_path: Path) -> None:
    counts = tmp_path / "counts"
    alone = play_toys("GoodAgent", episodes=30, out="alone")
    served = play_toys("Served", episodes=30, args={"counts": str(counts)}, workers=2)
    assert [line["digest"] for line in served.results] == [line["digest"] for line in alone.results]
    sizes = [int(line) for line in counts.read_text().split()]
    assert sum(sizes) == sum(line["steps"] for line in served.results)
    assert max(sizes) > 8, "several lanes were answered at once"
    assert len(sizes) < sum(sizes) / 3

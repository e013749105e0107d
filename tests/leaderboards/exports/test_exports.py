"""A run in other programs' formats says what its own files say."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from conftest import Said, read_lines
from PIL import Image
from pyarrow import parquet
from reports import game, item, line, run_of, scores, write_report_run

from harness.records.results import FIELDS
from harness.records.traces import read_traces
from leaderboards.report import load_report

Bench = Callable[..., Said]


@pytest.fixture
def played(bench_here: Bench) -> Path:
    """Random play with and without a perturbation: successes, failures, and a score."""
    said = bench_here(
        "run", "--agent", "toys:RandomAgent", "--suite", "toysuite:QUICK", "--episodes", 3,
        "--perturb", "action_noise:2", "--workers", 0, "--out", "run",
    )  # fmt: skip
    assert said.code == 0
    return Path("run")


# Parquet


def test_parquet_has_every_field_of_every_case(bench_here: Bench, played: Path) -> None:
    said = bench_here("export", "run", "--to", "parquet")
    assert (said.code, said.out) == (0, "run.parquet\n")
    table = parquet.read_table("run.parquet")
    lines = {each["case"]: each for each in read_lines(played)}
    assert table.num_rows == len(lines) == 18
    assert set(FIELDS) <= set(table.column_names)
    for row in table.to_pylist():
        told = dict(lines[row["case"]])
        timing = told.pop("timing")
        assert dict(row["metrics"]) == told.pop("metrics")
        assert {name: row[name] for name in told} == told
        assert json.loads(row["timing"]) == timing
        assert row["agent_s"] == timing["agent_s"]
        assert row["condition"] == ("action_noise:2" if told["perturbations"] else "")
    about = json.loads(table.schema.metadata[b"bench"])
    assert (about["agent"]["name"], about["plan"]["seed"]) == ("toys:RandomAgent", 0)
    frame = pandas.read_parquet("run.parquet")
    plain = frame[frame.condition == ""].groupby("task").success.mean()
    for row in load_report(played).tasks:
        if row.success_rate is not None:
            assert plain[row.task] == row.success_rate


def test_what_a_stranger_wrote_in_timing_is_no_time(bench_here: Bench) -> None:
    told = line(item(), 0, timing={"asked": "x", "attempt": 1e300, "worker": 7})
    write_report_run(Path("run"), run_of(item()), [told])
    assert bench_here("export", "run", "--to", "parquet").code == 0
    (row,) = parquet.read_table("run.parquet").to_pylist()
    assert (row["asked"], row["attempt"], row["worker"]) == (None, None, "7")


# eval_info.json


def test_eval_info_is_read_again_with_the_same_counts(bench_here: Bench, played: Path) -> None:
    said = bench_here("export", "run", "--to", "eval_info")
    assert (said.code, said.out) == (0, "run.eval_info.json\n")
    assert "3 perturbed episodes left out" in said.err
    assert "1 task without a success left out" in said.err
    told = json.loads(Path("run.eval_info.json").read_text())
    rows = [row for row in load_report(played).tasks if row.successes is not None]
    assert [row["task"] for row in told["per_task"]] == [row.task for row in rows]
    for mine, row in zip(told["per_task"], rows):
        assert sum(mine["metrics"]["successes"]) == row.successes
        assert mine["seeds"] == sorted(mine["seeds"])
    assert told["overall"]["n_episodes"] == 12
    again = bench_here("import", "run.eval_info.json", "--as", "eval_info", "--out", "again")
    assert again.code == 0
    assert [row.successes for row in load_report("again").tasks] == [row.successes for row in rows]


def test_eval_info_counts_an_agents_error_and_no_other(bench_here: Bench) -> None:
    reach = item("toy/reach@1", episodes=4)
    lines = [
        line(reach, 0, success=True, score=2.0),
        line(reach, 1, "agent_error"),
        line(reach, 2, "error"),
    ]
    write_report_run(Path("run"), run_of(reach), lines)
    said = bench_here("export", "run", "--to", "eval_info")
    assert "1 episode without a score left out" in said.err
    told = json.loads(Path("run.eval_info.json").read_text())
    assert told["per_task"][0]["metrics"]["successes"] == [True, False]
    assert told["overall"]["pc_success"] == 50.0
    assert told["overall"]["avg_sum_reward"] == 1.0
    assert told["overall"]["eval_s"] == 1.5


def test_scores_alone_are_no_eval_info(bench_here: Bench) -> None:
    pong = game("atari/Pong@1")
    write_report_run(Path("run"), run_of(pong), scores(pong, 1.0, 2.0))
    said = bench_here("export", "run", "--to", "eval_info")
    assert said.code == 2
    assert "has no scored episode of a task with a success" in said.err
    assert not Path("run.eval_info.json").exists()


# Inspect


def logs(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(file.read_text()) for file in sorted(folder.iterdir())]


def test_an_inspect_log_has_a_sample_for_each_case(bench_here: Bench, played: Path) -> None:
    said = bench_here("export", "run", "--to", "inspect", "--out", "logs")
    assert (said.code, said.out) == (0, "logs\n")
    (log,) = logs(Path("logs"))
    assert (log["version"], log["status"]) == (2, "success")
    assert (log["eval"]["task"], log["eval"]["model"]) == ("toys", "bench/toys:RandomAgent")
    lines = {each["case"]: each for each in read_lines(played)}
    assert len({sample["id"] for sample in log["samples"]}) == len(lines) == 18
    said_by = {trace.case: trace.instruction for trace in read_traces(played)}
    for sample in log["samples"]:
        told = lines[sample["metadata"]["case"]]
        assert sample["input"] == said_by[told["case"]]
        assert sample["metadata"]["seed"] == told["seed"]
        assert sample["scores"]["score"]["value"] == told["score"]
        if told["success"] is not None:
            assert sample["scores"]["success"]["value"] == ("C" if told["success"] else "I")
    report = load_report(played)
    of_suite, *of_tasks = log["results"]["scores"]
    assert of_suite["metrics"]["success_rate"]["value"] == report.overall.success_rate
    assert [each["name"] for each in of_tasks] == [row.task for row in report.tasks]
    # The same run gives the same logs.
    bench_here("export", "run", "--to", "inspect", "--out", "again")
    assert logs(Path("again")) == [log]
    assert [file.name for file in Path("again").iterdir()] == [
        file.name for file in Path("logs").iterdir()
    ]


def test_an_inspect_log_tells_errors(bench_here: Bench) -> None:
    reach, pong = item("toy/reach@1", suite="a/b"), game("atari/Pong@1")
    lines = [line(reach, 0, "agent_error"), line(reach, 1, "error"), line(pong, 0, "agent_error")]
    write_report_run(Path("run"), run_of(reach, pong) | {"finished": None}, lines)
    bench_here("export", "run", "--to", "inspect", "--out", "logs")
    found = {log["eval"]["task"]: log for log in logs(Path("logs"))}
    assert {log["status"] for log in found.values()} == {"cancelled"}
    failed, broken = found["a/b"]["samples"]
    assert failed["scores"]["success"] == {"value": "I", "explanation": "RuntimeError: no"}
    assert (broken["scores"], broken["error"]["message"]) == ({}, "RuntimeError: no")
    assert found["atari"]["samples"][0]["scores"]["score"]["value"] == "N"


# LeRobot


def test_lerobot_datasets_hold_what_was_seen_and_done(bench_here: Bench, played: Path) -> None:
    words = ("export", "run", "--to", "lerobot", "--views", "image,state", "--out", "data")
    refused = bench_here(*words)
    assert refused.code == 2
    assert "would import toys:ToyAdapter; --trust allows it" in refused.err
    said = bench_here(*words, "--trust")
    assert said.code == 0
    folders = [Path(each) for each in said.out.split()]
    lines = {each["case"]: each for each in read_lines(played)}
    traces = {trace.case: trace for trace in read_traces(played)}
    found = 0
    for folder in folders:
        outcome = {"successes": True, "failures": False, "scored": None}[folder.parent.name]
        info = json.loads((folder / "meta" / "info.json").read_text())
        wide = info["features"]["action"]["shape"] == [2]
        mine = [
            trace
            for trace in traces.values()
            if lines[trace.case]["success"] is outcome
            and trace.length
            and ("glide" in trace.task) is wide
        ]
        rows = parquet.read_table(folder / "data").to_pylist()
        episodes: dict[int, list[dict[str, Any]]] = {}
        for row in rows:
            episodes.setdefault(row["episode_index"], []).append(row)
        done = [[np.asarray(row["action"]).tolist() for row in each] for each in episodes.values()]
        wanted = [np.asarray(trace.decoded()).tolist() for trace in mine]
        assert sorted(done) == sorted(wanted)
        found += len(done)
        for row in rows[:3]:
            image = np.asarray(Image.open(io.BytesIO(row["observation.images.image"]["bytes"])))
            # The point is red, and stands where the state says.
            x, y = np.asarray(row["observation.state"][:2], np.float32)
            assert image[int(y * 2), int(x * 2), 0] == 255
    assert found == sum(each.length > 0 for each in traces.values())


def test_an_episode_that_takes_another_course_is_left_out(bench_here: Bench) -> None:
    bench_here(
        "run", "--agent", "toys:GoodAgent", "--suite", "toysuite:SHORT", "--workers", 0,
        "--out", "run",
    )  # fmt: skip
    file = Path("run/episodes.jsonl")
    first, *rest = read_lines(Path("run"))
    told = [{**first, "digest": "0" * 20}, *rest]
    file.write_text("".join(json.dumps(each) + "\n" for each in told))
    said = bench_here("export", "run", "--to", "lerobot", "--trust", "--out", "data")
    assert said.code == 0
    assert "1 episode left out: the replay takes another course than the recording" in said.err
    info = json.loads((Path(said.out.strip()) / "meta" / "info.json").read_text())
    assert info["total_episodes"] == 5
    assert set(info["features"]) & {"observation.state", "observation.images.image"} == {
        "observation.state"
    }, "what the agent reads"
    unknown = bench_here(
        "export", "run", "--to", "lerobot", "--trust", "--out", "x", "--views", "depth"
    )
    assert unknown.code == 2
    assert "--views: the agent reads 'depth', which this task does not offer" in unknown.err


# All of them


@pytest.mark.parametrize("to", ["parquet", "eval_info", "inspect", "lerobot"])
def test_nothing_is_overwritten(bench_here: Bench, to: str) -> None:
    write_report_run(Path("run"), run_of(item()), [line(item(), 0, success=True)])
    Path("there").write_text("mine")
    said = bench_here("export", "run", "--to", to, "--out", "there")
    assert (said.code, Path("there").read_text()) == (2, "mine")
    assert "there is there already: name another place with --out" in said.err
    said = bench_here("export", "run", "--to", to, "--out", "there/below")
    assert said.code == 2
    if to != "lerobot":
        assert "cannot write to there/below" in said.err


def test_no_run(bench_here: Bench) -> None:
    said = bench_here("export", "absent", "--to", "parquet")
    assert said.code == 2
    assert "absent is not a run directory" in said.err
    write_report_run(Path("run"), run_of(item()), [])
    said = bench_here("export", "run", "--to", "parquet", "--views", "image")
    assert (said.code, said.err) == (2, "bench: --views belongs to --to lerobot\n")


@pytest.mark.heavy
def test_inspect_itself_reads_the_logs(bench_here: Bench, played: Path) -> None:
    from trackerpython import PYTHON

    bench_here("export", "run", "--to", "inspect", "--out", "logs")
    script = (
        "import json\n"
        "from inspect_ai.log import list_eval_logs, read_eval_log\n"
        "log = read_eval_log(list_eval_logs('logs')[0])\n"
        "print(json.dumps([log.status, log.results.scores[0].metrics['success_rate'].value,\n"
        "    {each.metadata['case']: each.score.value for each in log.samples if each.scores}]))\n"
    )
    done = subprocess.run(
        [PYTHON, "-W", "error", "-c", script], capture_output=True, text=True, check=True
    )
    status, rate, values = json.loads(done.stdout.splitlines()[-1])
    assert (status, rate) == ("success", load_report(played).overall.success_rate)
    for each in read_lines(played):
        letter = "C" if each["success"] else "I"
        assert values[each["case"]] == (each["score"] if each["success"] is None else letter)

"""`bench probe tokenizer --play trained`: agents in the tokens that they learned."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import toys
from conftest import Notes, Said
from gearig import NANO

from baselines.gea.config import RVQConfig
from baselines.gea.train import Job, train
from harness.core import Suite
from harness.demos.record import RecordingOptions, record
from harness.play.runner import RunOptions


def test_agents_that_learned_tokens_are_played_in_them(
    bench_here: Callable[..., Said], tmp_path: Path
) -> None:
    task = toys.toy_task("glide", action="box", size=8, max_steps=20)
    demos, bins = tmp_path / "d", tmp_path / "bins"
    record(
        [(Suite("toys", "toys", (task,), 5), task)], demos, RecordingOptions(("state",)),
        RunOptions(), Notes(), episodes=5,
    )  # fmt: skip
    config = dataclasses.replace(
        NANO, views=("state",), rvq=RVQConfig(kind="uniform", dims=2, codes=16)
    )
    for stage in ("tokenizer", "sft"):
        train(stage, Job((demos,), bins, config, steps=1), lambda _: None)
    said = bench_here(
        "probe", "tokenizer", "--data", demos, "--out", "out", "--held-out", 2, "--trust",
        "--variants", "uniform-16", "--gea", f"one={bins}", "--gea", f"two={bins}",
        "--play", "trained", "--format", "json", "--figure", "f.svg",
    )  # fmt: skip
    assert said.code == 0, said.err
    found = json.loads(said.out)
    codecs = {each.pop("name"): each for each in found["codecs"]}
    for name in ("one", "two"):
        assert codecs[name] == {**codecs["uniform-16"], "family": name}
        agent = json.loads(Path("out/runs/trained", name, "run.json").read_text())["agent"]
        assert (agent["entry"], agent["args"]) == ("baselines.gea:GEA", {"weights": str(bins)})
    (mode,) = found["modes"]
    assert mode["mode"] == "trained"
    assert [arm["name"] for arm in mode["arms"]] == ["one", "two"]
    for arm in mode["arms"]:
        results = Path("out/runs/trained", arm["name"]).rglob("episodes.jsonl")
        rows = [json.loads(row) for file in results for row in file.read_text().splitlines()]
        assert arm["successes"] == sum(bool(row["success"]) for row in rows)
        assert (arm["episodes"], arm["change"]) == (2, None)
    assert (mode["knees"], mode["keeps_95_percent"]) == ({}, None)
    assert Path("f.svg").exists()

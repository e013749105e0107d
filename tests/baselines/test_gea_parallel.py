"""Several processes that learn together, and the paper's recipe."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import toys
from geaprocesses import update
from gearig import NANO, TASKS
from toysuite import QUICK

from baselines.gea.config import Config
from baselines.gea.data import Examples
from baselines.gea.policy import Policy
from baselines.gea.rollouts import Rollouts
from baselines.gea.train import RECIPES, Job, configuration, train
from harness.core import DOMAINS, UserError
from harness.perturb import parse_conditions
from harness.records.catalogue import find_suites, select_tasks
from suites import SUITES

SCRIPT = Path(__file__).resolve().parents[1] / "geaprocesses.py"


def test_two_processes_are_one_with_twice_the_batch(nano: Path, data: Path, tmp_path: Path) -> None:
    """Over gloo, with parts of different size: the same weights within rounding."""
    shutil.copytree(nano, tmp_path / "nano")
    config = dataclasses.replace(NANO, minibatches=1, sft_share=0.0, value=0.5)
    config.save(tmp_path / "nano")
    policy = Policy.load(tmp_path / "nano")
    torch.nn.init.normal_(policy.value_head.weight, std=0.1)
    policy.save(tmp_path / "nano" / "model.safetensors")
    examples = Examples((data,), config, policy.backbone.text_tokenizer, policy.codec)
    prompts, answers = examples.draw(np.random.default_rng(0), 5)
    rollouts = Rollouts(policy, [[toys.toy_task(size=4)]], 0)
    segments = rollouts.collect(20)
    rollouts.stop()
    for step in (
        step for segment in segments for each in segment.transitions for step in each.prompt.steps
    ):
        step.features.clear()
    (tmp_path / "shared.pickle").write_bytes(pickle.dumps((prompts, answers, segments)))
    threads = torch.get_num_threads()
    try:
        alone = update(0, 1, tmp_path)
    finally:
        torch.set_num_threads(threads)
    members = [
        subprocess.Popen([sys.executable, SCRIPT, str(number), "2", tmp_path])
        for number in range(2)
    ]
    assert [member.wait(timeout=240) for member in members] == [0, 0]
    first, other = (dict(np.load(tmp_path / f"{number}-of-2.npz")) for number in range(2))
    before = policy.saved_tensors()
    assert any(not np.array_equal(alone[name], before[name].detach()) for name in before)
    for name, value in alone.items():
        np.testing.assert_array_equal(first[name], other[name], err_msg=name)
        # AdamW's first steps divide a gradient by itself: where it is 0 but for rounding, by that.
        np.testing.assert_allclose(first[name], value, atol=2e-5, rtol=1e-4, err_msg=name)


def test_processes_share_suites_and_never_seeds(
    nano: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from baselines.gea import ppo

    suites = [dataclasses.replace(QUICK, name=name) for name in ("pick", "procgen", "langr")]
    config = dataclasses.replace(NANO, rl_suites={"pick": 3, "procgen": 3, "langr": 2})
    job = Job((), nano, config, tasks=[(suite, TASKS[0]) for suite in suites])
    monkeypatch.setattr("baselines.learning.parallel.size", lambda: 8)
    alone, numbers = [], set()
    for number in range(8):
        monkeypatch.setattr("baselines.learning.parallel.rank", lambda number=number: number)
        alone += ppo._suites(job)
        rollouts = Rollouts(Policy.load(nano), [[TASKS[0]]], 0)
        numbers |= {rollouts.take(())[1].seed for _ in range(3)}
        rollouts.stop()
    assert alone == ["pick"] * 3 + ["procgen"] * 3 + ["langr"] * 2
    assert len(numbers) == 24
    monkeypatch.setattr("baselines.learning.parallel.size", lambda: 3)
    assert list(ppo._suites(job)) == ["pick", "procgen", "langr"]


@pytest.mark.heavy
def test_processes_of_ray(data: Path, tmp_path: Path) -> None:
    """SFT and RL with two processes, each of which has begun from the same weights."""
    config = dataclasses.replace(NANO, processes=2, steps=3, lanes=2, rollout=5)
    said: list[str] = []
    train("tokenizer", Job((data,), tmp_path / "m", config), said.append)
    train("sft", Job((data,), tmp_path / "m", config), said.append)
    tasks = [(QUICK, task) for task in TASKS]
    job = Job((data,), tmp_path / "rl", config, tasks=tasks, steps=30, init=tmp_path / "m")
    train("rl", job, said.append)
    made = json.loads((tmp_path / "rl" / "training.json").read_text())
    assert made["sft"]["steps"] == 3
    assert 30 <= made["rl"]["steps"] < 70
    assert any("rl/policy" in line for line in said)
    with pytest.raises(UserError, match="--steps"):
        train("rl", dataclasses.replace(job, out=tmp_path / "no", steps=None), said.append)


PAPER: dict[str, Any] = {
    "backbone": "llava-hf/llava-onevision-qwen2-7b-ov-hf",
    "views": ("image?",),
    "history": 3,
    "image_rows": 196,
    # supervised fine-tuning
    **{"lr": 1e-5, "warmup": 0.1, "batch": 256, "steps": 75_000, "muon": False, "lora": 0},
    "datasets": {"*": 1, "openx*": 2, "procgen*": 2, "vqa*": 3},
    # reinforcement learning
    **{"rl_lora": 128, "lora_alpha": 32, "lora_dropout": 0.1, "sft_share": 0.1},
    **{"rl_lr": 3e-4, "rl_falls": False, "rollout": 128, "epochs": 2, "minibatches": 6},
    **{"clip_ratio": 0.2, "gamma": 0.999, "gae": 0.95, "entropy": 1e-4, "value": 1.5e-4},
    **{"critic_width": 2048, "critic_images": True, "critic_apart": False, "critic_first": 0},
    **{"temperature": 1.0, "play_temperature": 0.0, "processes": 8},
    "rl_suites": {"habitat-skills": 3, "procgen-train": 3, "langr": 2},
    "contexts": {"langr": {"history": 16, "image_rows": 32}},
}
"""arXiv 2412.08442, sections 4 and 5, appendices A to C."""
TOKENIZER = {
    **{"dims": 21, "codebooks": 2, "codes": 512, "code_dim": 1024, "hidden": 4096, "layers": 4},
    **{"commitment": 1.0, "warmup": 0.1, "steps": 15_000},
}


def test_the_recipe_is_the_papers(tmp_path: Path) -> None:
    config = configuration(tmp_path, "paper", {})
    assert {name: getattr(config, name) for name in PAPER} == PAPER
    assert {name: getattr(config.rvq, name) for name in TOKENIZER} == TOKENIZER
    langr = config.in_context("langr")
    assert (langr.history, langr.image_rows) == (16, 32)
    assert config.in_context("procgen-train") == config
    written = json.loads((RECIPES / "paper.json").read_text())
    assert set(PAPER) - set(written) == {
        *("muon", "lora", "critic_apart", "critic_first", "temperature", "play_temperature")
    }, "these are the defaults"


def test_data_sets_are_drawn_by_their_weights() -> None:
    config = Config.read(RECIPES / "paper.json")
    found = [config.data_set(name, "games") for name in ("babyai", "procgen-2", "vqa", "openx")]
    assert found == [("babyai", 1), ("procgen-2", 2), ("vqa", 3), ("openx", 2)]
    assert NANO.data_set("procgen", "games") == ("games", 1.0)
    with pytest.raises(UserError, match="divide batch"):
        dataclasses.replace(NANO, processes=5)
    with pytest.raises(UserError, match="nothing else"):
        dataclasses.replace(NANO, contexts={"langr": {"batch": 1}})


def test_the_comparison_of_robustness_names_what_exists(tmp_path: Path) -> None:
    """Its commands, which `echo` prints: agents, tasks of all domains, perturbations."""
    done = subprocess.run(
        ["sh", RECIPES / "robustness.sh"],
        env={"PATH": os.environ["PATH"], "BENCH": "echo", "RUNS": str(tmp_path)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    *runs, compared = [line.split() for line in (done.stderr + done.stdout).splitlines()]
    options = [dict(zip(words[1::2], words[2::2])) for words in runs]
    assert [each["--agent"] for each in options] == ["gea-base", "gea-state"]
    assert compared == [
        "compare", *(each["--out"] for each in options), "--robustness", "--format", "markdown"
    ]  # fmt: skip
    chosen = select_tasks(find_suites(options[0]["--suite"], SUITES), options[0]["--tasks"])
    assert {task.domain for _, task in chosen} == set(DOMAINS)
    assert len(parse_conditions(options[0]["--perturb"], ())) == 5

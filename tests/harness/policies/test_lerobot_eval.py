"""A LeRobot policy scores here what `lerobot-eval` gives it, episode by episode."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT, bench_there, results_of

INTERPRETERS = ROOT / ".bench" / "interpreters"
PYTHON = Path(
    os.environ.get("BENCH_LEROBOT_PYTHON", str(INTERPRETERS / "lerobot" / "bin" / "python"))
)
PUSHT = Path(os.environ.get("BENCH_PUSHT_PYTHON", str(INTERPRETERS / "pusht" / "bin" / "python")))
EPISODES = 3
VIEWS = {"observation.state": "proprio", "observation.environment_state": "state_keypoints"}

MAKE = """
import sys
import torch
from lerobot.configs.types import FeatureType, PolicyFeature
from lerobot.policies.factory import get_policy_class, make_policy_config, make_pre_post_processors

folder = sys.argv[1]
torch.manual_seed(0)
inputs = {
    "observation.state": PolicyFeature(FeatureType.STATE, (2,)),
    "observation.environment_state": PolicyFeature(FeatureType.ENV, (16,)),
}
outputs = {"action": PolicyFeature(FeatureType.ACTION, (2,))}
config = make_policy_config(
    "act", input_features=inputs, output_features=outputs, device="cpu", push_to_hub=False,
    dim_model=32, dim_feedforward=64, n_heads=2, n_encoder_layers=1, use_vae=False, chunk_size=6,
    n_action_steps=3,
)
policy = get_policy_class("act")(config)
def moments(size):
    mean = torch.full((size,), 256.0)
    return {"mean": mean, "std": mean / 2, "min": mean * 0, "max": mean * 2}
sizes = {"observation.state": 2, "observation.environment_state": 16, "action": 2}
stats = {name: moments(size) for name, size in sizes.items()}
for part in (policy, *make_pre_post_processors(config, dataset_stats=stats)):
    part.save_pretrained(folder)
"""
"""A policy with random weights: its targets hang on what it sees, which is enough here."""


@pytest.mark.heavy
def test_pusht_is_scored_as_lerobot_eval_does(tmp_path: Path) -> None:
    """`make test-heavy` installs gym-pusht beside LeRobot, too."""
    for python in (PYTHON, PUSHT):
        if not python.exists():
            pytest.fail(f"there is no {python}: bench doctor --fix {python.parents[1].name}")
    folder = str(tmp_path / "policy")
    subprocess.run([PYTHON, "-c", MAKE, folder], check=True)
    subprocess.run(
        [
            PYTHON.with_name("lerobot-eval"), f"--policy.path={folder}", "--policy.device=cpu",
            "--env.type=pusht", "--env.obs_type=environment_state_agent_pos", "--seed=1000",
            f"--eval.n_episodes={EPISODES}", "--eval.batch_size=1", "--output_dir=theirs",
        ],
        cwd=tmp_path, check=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    found = json.loads((tmp_path / "theirs" / "eval_info.json").read_text())
    theirs = found["per_task"][0]["metrics"]
    said = bench_there(
        "run", "--agent", f"lerobot:{folder}", "--agent-arg", f"views={json.dumps(VIEWS)}",
        "--suite", "pusht", "--episodes", EPISODES, "--workers", 0, "--out", "ours",
        "--interpreter", f"lerobot={PYTHON}", "--interpreter", f"pusht={PUSHT}",
        cwd=tmp_path,
    )  # fmt: skip
    assert said.code == 0, said.err
    ours = sorted(results_of(tmp_path / "ours"), key=lambda line: int(line["seed"]))
    assert [line["seed"] for line in ours] == [1000, 1001, 1002]
    assert [line["success"] for line in ours] == theirs["successes"]
    assert [line["score"] for line in ours] == pytest.approx(theirs["max_rewards"], abs=1e-6)
    assert max(theirs["max_rewards"]) > 0, "the disc never moved the T onto the target"

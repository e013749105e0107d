"""LeRobot's policies: what their folders say without LeRobot, and with it what it says itself."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT

from harness.core import Box, Brief, Discrete, Turn, UserError
from harness.host.agents import HostedAgentSpec
from harness.policies.lerobot import LeRobot
from harness.policies.lerobot_folder import features_of, read_config

ENTRY = "harness.policies.lerobot:LeRobot"
CONFIG = {
    "type": "act",
    "n_obs_steps": 1,
    "n_action_steps": 8,
    "input_features": {
        "observation.images.image": {"type": "VISUAL", "shape": [3, 32, 48]},
        "observation.state": {"type": "STATE", "shape": [6]},
    },
    "output_features": {"action": {"type": "ACTION", "shape": [4]}},
}
STEPS = {"name": "x", "steps": [{"registry_name": "device_processor", "config": {}}]}
VIEWS = {"image": Box((32, 48, 3), "uint8"), "proprio": Box((2, 3), "float32")}
ACTION = Box((4,), low=-1.0, high=1.0)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose JSON is that of a policy; its weights are empty."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    for name in ("policy_preprocessor.json", "policy_postprocessor.json"):
        (tmp_path / name).write_text(json.dumps(STEPS))
    (tmp_path / "model.safetensors").write_bytes(b"")
    return tmp_path


def test_features_are_views(folder: Path) -> None:
    named = {"observation.state": "proprio"}
    assert LeRobot.declares({"path": str(folder)}) == (("image", "state"), 1)
    assert LeRobot.declares({"path": str(folder), "views": named}) == (("image", "proprio"), 1)
    with pytest.raises(UserError, match=r"no feature state; it has observation\.images\.image"):
        features_of(CONFIG, {"state": "proprio"}, "here")


def test_shapes_that_differ_are_refused(folder: Path) -> None:
    arguments = {"path": str(folder), "views": {"observation.state": "proprio"}}

    def refused(views: dict[str, Any], action: Any) -> str:
        found = LeRobot.unfit(arguments, Brief(views, action, "", ""))
        return "" if found is None else found.reason.partition("does not fit: ")[2]

    assert refused(VIEWS, ACTION) == ""
    turned = {**VIEWS, "image": Box((48, 32, 3), "uint8")}
    assert refused(turned, ACTION) == (
        "its observation.images.image is (3, 32, 48), the view image is (3, 48, 32)"
    )
    assert "the view proprio, which the task lacks" in refused({"image": VIEWS["image"]}, ACTION)
    assert "has 4 numbers, that of the task is 7 numbers" in refused(VIEWS, Box((7,)))
    assert "has 4 numbers, that of the task is 1 numbers" in refused(VIEWS, Discrete(4))


def test_a_profile_says_what_is_read(folder: Path) -> None:
    arguments = {"path": str(folder), "profile": "lerobot-metaworld"}
    assert LeRobot.declares(arguments) == (("image", "proprio"), 1)
    found = LeRobot.unfit(arguments, Brief(VIEWS, ACTION, "", ""))
    assert found is not None
    assert "the profile lerobot-metaworld lacks its observation.images.image" in found.reason
    assert LeRobot.identity(arguments).keys() == {"path", "profile", "profile_content"}
    with pytest.raises(UserError, match="leave one of the two out"):
        LeRobot.declares({**arguments, "views": {}})


@pytest.mark.parametrize("name", ["pytorch_model.bin", "deep/policy.PT", "stats.pkl", "m.ckpt"])
def test_files_that_run_code_are_refused(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"")
    with pytest.raises(UserError, match=r"can run code when it is loaded.*safetensors"):
        read_config(str(folder))


def test_a_step_that_names_a_class_is_refused(folder: Path) -> None:
    step = {"class": "os.system", "config": {}}
    (folder / "policy_preprocessor.json").write_text(json.dumps({"steps": [step]}))
    with pytest.raises(UserError, match=r"names the Python class 'os\.system'"):
        read_config(str(folder))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"type": "tdmpc"}, "of the type tdmpc: it plans"),
        ({"input_features": {}}, "names no input_features"),
        ({"input_features": {"observation.state": {"shape": "4"}}}, "has no shape"),
        ({"n_obs_steps": "2"}, "n_obs_steps is '2'"),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(
    folder: Path, change: dict[str, Any], words: str
) -> None:
    (folder / "config.json").write_text(json.dumps({**CONFIG, **change}))
    with pytest.raises(UserError, match=words):
        LeRobot.declares({"path": str(folder)})


def test_what_is_missing_is_named(folder: Path, tmp_path: Path) -> None:
    (folder / "policy_preprocessor.json").unlink()
    with pytest.raises(UserError, match=r"lacks policy_preprocessor\.json.*migrate_policy"):
        read_config(str(folder))
    (folder / "config.json").write_text("{")
    with pytest.raises(UserError, match=r"config\.json is no JSON"):
        read_config(str(folder))
    (folder / "config.json").unlink()
    with pytest.raises(UserError, match=r"has no config\.json: write lerobot:FOLDER"):
        read_config(str(folder))
    with pytest.raises(UserError, match=r"is no folder: write lerobot:FOLDER"):
        read_config(str(folder / "model.safetensors"))
    outer = tmp_path / "outer"
    (outer / "pretrained_model").mkdir(parents=True)
    (outer / "pretrained_model" / "config.json").write_text("{}")
    with pytest.raises(UserError, match=r"write lerobot:.*outer/pretrained_model"):
        read_config(str(outer))


def test_without_lerobot_the_remedy_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="bench doctor --fix lerobot"):
        LeRobot.declares({"path": str(folder)})


# With LeRobot itself

PYTHON = os.environ.get(
    "BENCH_LEROBOT_PYTHON", str(ROOT / ".bench" / "interpreters" / "lerobot" / "bin" / "python")
)
MAKE = """
import json, sys
import numpy as np, torch
from lerobot.configs.types import FeatureType, PolicyFeature
from lerobot.policies.factory import get_policy_class, make_policy_config, make_pre_post_processors

folder, kind, options = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
torch.manual_seed(0)
inputs = {
    "observation.images.image": PolicyFeature(FeatureType.VISUAL, (3, 32, 32)),
    "observation.state": PolicyFeature(FeatureType.STATE, (5,)),
}
outputs = {"action": PolicyFeature(FeatureType.ACTION, (4,))}
config = make_policy_config(
    kind, input_features=inputs, output_features=outputs, device="cpu", push_to_hub=False,
    pretrained_backbone_weights=None, **options,
)
policy = get_policy_class(kind)(config)
def moments(*shape):
    values = torch.rand(*shape) + 0.5
    return {"mean": values, "std": values, "min": -values, "max": values}
stats = {"observation.images.image": moments(3, 1, 1), "observation.state": moments(5),
         "action": moments(4)}
before, after = make_pre_post_processors(config, dataset_stats=stats)
for part in (policy, before, after):
    part.save_pretrained(folder)
"""
PLAY = """
import sys
import numpy as np, torch
from lerobot.configs.policies import PreTrainedConfig
from lerobot.policies.factory import get_policy_class, make_pre_post_processors

torch.set_num_threads(1)
folder = sys.argv[1]
config = PreTrainedConfig.from_pretrained(folder)
policy = get_policy_class(config.type).from_pretrained(folder, config=config)
before, after = make_pre_post_processors(config, folder)
given = np.load(folder + "/given.npz")
policy.reset()
played = []
for step, (image, state) in enumerate(zip(given["image"], given["state"])):
    torch.manual_seed(int(given["seeds"][step]))
    picture = torch.from_numpy(image.transpose(2, 0, 1).copy())[None].float() / 255
    batch = {"observation.images.image": picture,
             "observation.state": torch.from_numpy(state)[None], "task": ["go"]}
    with torch.no_grad():
        played.append(after(policy.select_action(before(batch)))[0].numpy())
np.save(folder + "/played.npy", np.stack(played))
"""
SMALL = {"dim_model": 32, "dim_feedforward": 64, "n_heads": 2, "n_encoder_layers": 1}
KINDS = {
    "act": ("act", {**SMALL, "chunk_size": 6, "n_action_steps": 3}),
    "act, averaged": (
        "act",
        {**SMALL, "chunk_size": 6, "n_action_steps": 1, "temporal_ensemble_coeff": 0.01},
    ),
    "diffusion": (
        "diffusion",
        {
            "down_dims": [16, 32], "horizon": 8, "n_action_steps": 3, "n_obs_steps": 2,
            "num_inference_steps": 3, "crop_shape": None, "spatial_softmax_num_keypoints": 4,
        },
    ),
}  # fmt: skip


@pytest.mark.heavy
@pytest.mark.parametrize("name", KINDS)
def test_the_actions_are_those_of_its_own_select_action(name: str, tmp_path: Path) -> None:
    if not Path(PYTHON).exists():
        pytest.fail(f"there is no {PYTHON}: bench doctor --fix lerobot")
    kind, options = KINDS[name]
    folder = str(tmp_path)
    subprocess.run([PYTHON, "-c", MAKE, folder, kind, json.dumps(options)], check=True)
    rng = np.random.default_rng(0)
    steps = 8
    images = rng.integers(0, 256, (steps, 32, 32, 3), np.uint8)
    states = rng.normal(size=(steps, 5)).astype(np.float32)
    brief = Brief(
        {"image": Box((32, 32, 3), "uint8"), "state": Box((5,), "float32")}, ACTION, "", ""
    )
    agent = HostedAgentSpec("a", ENTRY, {"path": folder}, PYTHON).build()
    ours: list[Any] = []
    seeds: list[int] = []
    pending: list[Any] = []
    memory = None
    seen: list[dict[str, Any]] = []
    try:
        for step in range(steps):
            seen = [*seen, {"image": images[step], "state": states[step]}][-agent.history :]
            turn = Turn(brief, "go", tuple(seen), (), step, "episode", memory, None, 7)
            seeds.append(int(turn.rng.integers(2**31)))
            if not pending:
                other = Turn(brief, "go", ({**seen[-1]},), (), 0, "another", None, None, 8)
                again = Turn(brief, "go", tuple(seen), (), step, "episode", memory, None, 7)
                _, answer = agent.act([other, again])
                pending, memory = list(answer.actions), answer.memory
            ours.append(pending.pop(0))
    finally:
        agent.close()
    np.savez(tmp_path / "given.npz", image=images, state=states, seeds=seeds)
    subprocess.run([PYTHON, "-c", PLAY, folder], check=True)
    np.testing.assert_allclose(np.stack(ours), np.load(tmp_path / "played.npy"), atol=1e-6)

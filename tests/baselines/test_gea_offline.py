"""`bench train gea --stage offline`, and backbones of which a part keeps its weights."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tinymodels
import torch
import toys
from gearig import NANO
from safetensors.torch import load_file
from toysuite import QUICK

from baselines.gea.config import Config
from baselines.gea.offline import returns_to_go
from baselines.gea.policy import FILE, Policy
from baselines.gea.pretrained import Pretrained
from baselines.gea.rollouts import Rollouts
from baselines.gea.train import Job, train
from baselines.gea.trainer import TRAINER
from harness.core import UserError
from harness.demos import Demos
from harness.demos.record import RecordingOptions, record
from harness.demos.trainer import TrainingRequest
from harness.play.progress import PlainProgress
from harness.play.runner import RunOptions
from harness.records.identity import AgentSpec


def test_returns_to_go_by_hand() -> None:
    np.testing.assert_allclose(returns_to_go(np.array([1.0, 0, 2]), 0.5), [1.5, 1, 2])


TASK = dataclasses.replace(toys.toy_task(size=2), max_steps=3)


@pytest.fixture(scope="module")
def chance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Episodes of an agent that acts at random, failures too."""
    out = tmp_path_factory.mktemp("chance") / "out"
    record(
        [(QUICK, TASK)], out, RecordingOptions(("state",), keep="all"), RunOptions(),
        PlainProgress(), episodes=150, agent=AgentSpec("random", "toys:RandomAgent", {}),
    )  # fmt: skip
    return out


def test_what_was_rewarded_is_imitated_more(chance: Path, nano: Path, tmp_path: Path) -> None:
    """Who imitates random play succeeds as often; who weighs it by reward, more often."""
    config = dataclasses.replace(
        NANO, lr=5e-3, steps=120, batch=32, offline_temperature=0.1, gamma=0.5
    )
    out = tmp_path / "m"
    train("offline", Job((chance,), out, config, init=nano), lambda _: None)
    rollouts = Rollouts(Policy.load(out), [[TASK]], 7)
    rollouts.collect(300)
    rollouts.stop()
    rate = np.mean([outcome.result.success for outcome in rollouts.finished])
    recorded = np.mean([bool(row.success) for row in Demos(chance).rows])
    assert 0.05 < recorded < 0.3
    assert rate > recorded + 0.1


def test_offline_says_what_it_lacks(chance: Path, data: Path, nano: Path, tmp_path: Path) -> None:
    def offline(job: Job) -> None:
        train("offline", job, lambda _: None)

    with pytest.raises(UserError, match="--keep all"):
        offline(Job((data,), tmp_path / "a", NANO, init=nano))
    with pytest.raises(UserError, match="--init"):
        offline(Job((chance,), tmp_path / "b", NANO))
    with pytest.raises(UserError, match="--data"):
        offline(Job((), tmp_path / "c", NANO, init=nano))


@pytest.mark.parametrize("kept", ["vision", "language", "none"])
def test_a_part_of_a_backbone_keeps_its_weights(kept: str, tmp_path: Path) -> None:
    folder = str(tinymodels.llava_onevision(tmp_path / "b"))
    config = dataclasses.replace(
        NANO, backbone=folder, views=("image?",), train_vision=True, initialise="all"
    )
    whole = Pretrained(config, 4).model.state_dict()
    torch.manual_seed(1)
    other = Pretrained(dataclasses.replace(config, initialise=kept), 4).model.state_dict()
    assert whole.keys() == other.keys()
    for name, part in (("vision_tower", "vision"), ("language_model", "language")):
        matrices = [key for key, value in whole.items() if name in key and value.ndim == 2]
        assert matrices
        for key in matrices:
            assert torch.equal(whole[key], other[key]) == (kept == part), key
    between = "model.multi_modal_projector.linear_1.weight"
    assert not torch.equal(whole[between], other[between])


@pytest.mark.parametrize("kept", ["all", "vision", "language", "none"])
def test_nano_keeps_a_part_of_the_weights_that_it_starts_from(
    kept: str, data: Path, nano: Path, tmp_path: Path
) -> None:
    config = dataclasses.replace(NANO, initialise=kept, lr=0.0)  # nothing is learned after that
    train("sft", Job((data,), tmp_path, config, steps=1, seed=3, init=nano), lambda _: None)
    before, after = load_file(nano / FILE), load_file(tmp_path / FILE)
    assert before.keys() == after.keys()
    for part, name in {
        "vision": "backbone.number_encoder.net.0.weight",
        "language": "backbone.model.embed_tokens.weight",
        "": "backbone.code_embedding.weight",
    }.items():
        assert torch.equal(before[name], after[name]) == (kept in ("all", part)), name


def test_the_next_training_forgets_nothing(data: Path, nano: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    asked = TrainingRequest(
        stage="sft", out=first, data=(data,), init=nano, steps=1,
        changes={"initialise": "vision", "lr": 0.0},
    )  # fmt: skip
    TRAINER.train(asked, lambda _: None)
    TRAINER.train(dataclasses.replace(asked, out=second, init=first, changes={}), lambda _: None)
    assert [Config.load(each).initialise for each in (first, second)] == ["vision", "all"]
    before, after = load_file(first / FILE), load_file(second / FILE)
    name = "backbone.model.embed_tokens.weight"
    assert torch.equal(before[name], after[name])
    assert not torch.equal(before[name], load_file(nano / FILE)[name])


def test_nano_needs_weights_of_which_a_part_is_kept(data: Path, nano: Path, tmp_path: Path) -> None:
    config = dataclasses.replace(NANO, initialise="vision")
    train("tokenizer", Job((data,), tmp_path, config, steps=1), lambda _: None)
    for init in (None, tmp_path):
        with pytest.raises(UserError, match="name some with --init"):
            train("sft", Job((data,), tmp_path, config, steps=1, init=init), lambda _: None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"initialise": "half"},
        {"initialise": "none", "backbone": "x"},
        {"initialise": "none", "backbone": "x", "train_vision": True, "lora": 2},
        {"offline_temperature": 0.0},
    ],
)
def test_what_a_configuration_may_not_say(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=next(iter(wrong))):
        Config(**wrong)

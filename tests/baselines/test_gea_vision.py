"""GEA that sees: the encoder of pictures, what training changes and adds, and kept weights."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from gearig import NANO, TASKS
from toysuite import QUICK

from baselines.gea.agent import GEA
from baselines.gea.augment import augmented
from baselines.gea.config import Config
from baselines.gea.data import Examples
from baselines.gea.policy import Policy
from baselines.gea.train import Job, train
from baselines.gea.vision import SUMMARY, PictureEncoder
from harness.core import UserError
from harness.demos.record import RecordingOptions, record
from harness.play.progress import PlainProgress
from harness.play.runner import RunOptions
from harness.testing import check_agent

SEES = dataclasses.replace(
    NANO, views=("image",), vision="residual", past_rows=1, auxiliary=("state",),
    shift=1, colour=0.2, turned=("*/glide@*",), validate_every=3, steps=6, history=3,
)  # fmt: skip


@pytest.fixture(scope="module")
def held_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("held") / "out"
    record(
        [(QUICK, TASKS[0])], out, RecordingOptions(("state", "image")), RunOptions(workers=0),
        PlainProgress(), episodes=3, seed=1,
    )  # fmt: skip
    return out


def test_an_agent_of_pictures_alone_is_trained_and_plays(
    data: Path, held_out: Path, tmp_path: Path
) -> None:
    """Training may predict the privileged state; the agent that comes of it cannot read it."""
    said: list[str] = []
    job = Job((data,), tmp_path / "m", SEES, validation=(held_out,))
    train("tokenizer", job, said.append)
    with pytest.raises(UserError, match="--validation"):
        train("sft", dataclasses.replace(job, validation=()), said.append)
    with pytest.raises(UserError, match="that are learned"):
        train("sft", dataclasses.replace(job, validation=(data,)), said.append)
    train("sft", job, said.append)
    losses = [float(line.split()[3].rstrip(",")) for line in said if "validation" in line]
    assert len(losses) == 2
    assert GEA.declares({"weights": str(job.out)})[0] == ("image",)
    check_agent(GEA, TASKS, args={"weights": str(job.out)}, steps=5, tolerance=1e-5)

    # The kept weights are the best ones, and an example has the numbers to predict.
    policy = Policy.load(job.out)
    examples = Examples((held_out,), SEES, policy.backbone.text_tokenizer, policy.codec)
    prompts, answers = examples.draw(np.random.default_rng(0), 8)
    assert all(prompt.auxiliary is not None for prompt in prompts)
    assert not any(name.startswith("auxiliary") for name in policy.saved_tensors())
    with torch.no_grad():
        with_numbers = policy.sft_loss(prompts, answers)
        bare = [dataclasses.replace(prompt, auxiliary=None) for prompt in prompts]
        assert policy.sft_loss(bare, answers) < with_numbers


def test_earlier_pictures_are_shortened_in_play_and_training_alike(
    data: Path, tmp_path: Path
) -> None:
    job = Job((data,), tmp_path / "m", SEES, steps=1)
    train("tokenizer", job, lambda _: None)
    policy = Policy.new(SEES, job.out).eval()
    examples = Examples((data,), SEES, policy.backbone.text_tokenizer, policy.codec)
    long = next(row for row in examples._sets[0].rows if row.steps > 2)
    prompt, answer = examples.example(0, long.index, 2)
    assert prompt.supervised == ()  # what was answered to a whole picture
    policy.backbone.encode_inputs(prompt.steps, keep=True)
    assert [len(step.features["past"][0][1]) for step in prompt.steps] == [1, 1, 1]
    # 16 x 16 pixels are one place.
    assert len(prompt.steps[-1].features["rows"][0][1]) == 1 + SUMMARY
    with torch.no_grad():
        hidden, _ = policy.backbone.hidden_states([prompt], [answer])
    assert torch.isfinite(hidden).all()


def test_acting_computes_what_training_does(data: Path, nano: Path) -> None:
    """`last_hidden` has other matrices, which follow the weights when they change."""
    policy = Policy.load(nano)
    llama = policy.backbone.model
    embeds = torch.randn(2, 9, NANO.width)
    mask = torch.ones(2, 9, dtype=torch.int64)
    mask[1, :4] = 0
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    for _ in range(2):
        with torch.inference_mode():
            whole = llama(embeds, mask, positions)[:, -1:]
            cache: list[tuple[torch.Tensor, torch.Tensor]] = []
            llama.last_hidden(embeds[:, :6], mask[:, :6], positions[:, :6], cache)
            rest = llama.last_hidden(embeds[:, 6:], mask, positions[:, 6:], cache)
        torch.testing.assert_close(rest, whole, atol=1e-5, rtol=1e-5)
        with torch.no_grad():
            for weight in llama.layers.parameters():
                weight.mul_(1.5)


def test_the_encoder_sees_each_picture_alone() -> None:
    torch.manual_seed(0)
    encoder = PictureEncoder(84, 16).eval()
    pictures = torch.randn(3, 3, 84, 84)
    with torch.no_grad():
        rows = encoder(pictures)
        assert rows.shape == (3, 36 + SUMMARY, 16)
        torch.testing.assert_close(encoder(pictures[1:2])[0], rows[1], atol=1e-5, rtol=1e-5)


def test_augmented_pictures_of_a_context_stay_one_world(data: Path, nano: Path) -> None:
    policy = Policy.load(nano)
    examples = Examples((data,), NANO, policy.backbone.text_tokenizer, policy.codec)
    prompt, _ = next(
        examples.example(0, row.index, 1) for row in examples._sets[0].rows if row.steps > 1
    )
    moved = dataclasses.replace(NANO, shift=3)
    seen = set()
    for seed in range(8):
        rng = np.random.default_rng(seed)
        turned = augmented(prompt, NANO, rng, turned=True, moved=False)
        quarter = int(np.random.default_rng(seed).integers(4))
        for step, other in zip(prompt.steps, turned.steps, strict=True):
            np.testing.assert_array_equal(np.rot90(step.images[0], quarter), other.images[0])
        shifted = augmented(prompt, moved, rng, turned=False, moved=True)
        assert shifted.steps[0].images[0].shape == prompt.steps[0].images[0].shape
        seen.add(shifted.steps[0].images[0].tobytes())
        still = augmented(prompt, moved, rng, turned=False, moved=False)
        np.testing.assert_array_equal(still.steps[0].images[0], prompt.steps[0].images[0])
    assert len(seen) > 1


@pytest.mark.parametrize(
    "fields", [{"vision": "great"}, {"past_rows": 4}, {"vision": "residual", "past_rows": 5}]
)
def test_a_configuration_that_cannot_be(fields: dict[str, object]) -> None:
    with pytest.raises(UserError, match=r"vision|past_rows"):
        Config.from_json(fields)

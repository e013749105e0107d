"""The stage `see`: a model that reads states learns to see, from frames (baselines/gea/frames.py).

Learning by cheating (Chen et al. 2020, arXiv 1912.12294): a model that was told the state has
learned how to act; what it was told becomes labels for one that sees. Only the encoder of pictures
learns (baselines/gea/reader.py). With labels from frames, its loss is the sum of

    cross-entropies of: whether it is a map, its cells per side, where the agent is, where it looks,
    and each code of each cell that the agent sees
    the squared error of where in its place the agent is
    the squared error of the row of other pictures, against the row that the model's encoder makes
    of the numbers, in units of their variance; and that of the numbers themselves

A row rather than the numbers is what is learned, because under uncertainty the mean of rows is not
the row of the mean: the encoder of numbers has sines of high frequencies. The privileged numbers
are used in training only.

With demonstrations that have pictures, the cross-entropy of the expert's actions is added: the
model acts on what its eyes make of a picture, and what they have to change is learned through it.
Where no map is among the frames, only the part that reads other pictures learns, so that what the
model does on maps stays the same.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.gea.config import Config
from baselines.gea.data import Examples
from baselines.gea.frames import Frames, read_frames
from baselines.gea.job import Job, identity, record_stage
from baselines.gea.nano import Nano
from baselines.gea.policy import FILE, Policy
from baselines.gea.reader import DIRECTIONS, SCENE, Glance, PictureReader
from baselines.gea.rvq import FILE as ACTIONS
from baselines.learning.encoders import rare_cells
from baselines.learning.learner import Learner, Metrics, cosine_schedule
from baselines.learning.stages import CHECKPOINTS, MADE, device
from baselines.learning.text_tokenizer import FILE as WORDS
from harness.core import UserError, stream

__all__ = ["SeeingLoss", "frames_configuration", "see", "student", "turned"]

PIXELS = 168
"""Side of the pictures: a cell of BabyAI's largest maps has 7.5 of them."""
RATE = 2e-3
"""The learning rate, instead of the configuration's, which is SFT's."""
WARMUP = 0.05
STEPS = 4000
BATCHES = {"maps": 64, "scenes": 32, "acts": 16}
"""Of each kind in an update: pictures, or decisions of demonstrations. A scene has several times as
much to compute as a map, and a decision has as many pictures as the model has steps of context."""
HELD_OUT, MEASURED = 0.05, 512
"""Share of the frames of each file that is not learned, and how many of them are measured."""
OBJECTS = 5
"""How much more the cells of objects count; the first trainings here counted all cells alike."""
LEAST = 1e-2
"""The smallest unit in which errors of numbers are measured: 1 cm, where they are in metres."""
JITTER = 0.08
"""Of the glimpse in training, in cells: it will be taken where the agent was found."""
PRIVILEGED = ("grid", "direction", "state", "proprio", "image", "image_partial")


def frames_configuration(job: Job) -> Config:
    """What is recorded: the views of the weights in `init`, and pictures of the student's size."""
    if job.init is None:
        raise UserError("--init names the weights whose views are recorded with the pictures")
    return dataclasses.replace(Config.load(job.init), pixels=PIXELS)


def student(config: Config) -> Config:
    """The configuration of the model that sees instead of the one that reads states."""
    kept = tuple(view for view in config.views if view.rstrip("?") not in PRIVILEGED)
    return dataclasses.replace(
        config, views=("image?", *kept), vision="reader", pixels=PIXELS, past_rows=0
    )


class SeeingLoss(nn.Module):
    """The reader of a policy, with what it needs to learn."""

    number_mean: Tensor
    number_std: Tensor
    """float32 (n,): of the numbers of scenes."""

    def __init__(self, backbone: Nano, frames: Sequence[Frames]) -> None:
        """`frames`: whose numbers and rows tell in what units errors are measured."""
        super().__init__()
        assert backbone.reader is not None
        self.reader: PictureReader = backbone.reader
        self._encoder = [backbone.number_encoder]  # in a list: it does not learn
        scenes = [each for each in frames if each.cells.ndim != 4]
        self._size = min((each.numbers.shape[1] for each in scenes), default=0)
        self.told = nn.Linear(SCENE, max(1, self._size))
        """Predicts the numbers from the features of a scene; it is not saved with the weights."""
        mean, std, variance = np.zeros(self._size), np.ones(self._size), 1.0
        if scenes:
            # What varies within a task has to be seen, not what tells tasks apart.
            numbers = [each.numbers[:, : self._size] for each in scenes]
            mean = np.mean([each.mean(0) for each in numbers], 0)
            std = np.sqrt(np.mean([each.var(0) for each in numbers], 0)).clip(LEAST)
            variance = float(
                np.mean([self._wanted(each.numbers).var(0).mean().item() for each in scenes])
            )
        self._row_variance = max(variance, 1e-6)
        for name, part in (("number_mean", mean), ("number_std", std)):
            self.register_buffer(name, torch.as_tensor(part, dtype=torch.float32), persistent=False)

    def forward(self, frames: Frames, rng: np.random.Generator) -> dict[str, Tensor]:
        """The parts of the loss by name, of frames that are all maps or all scenes."""
        where = self.told.weight.device
        pictures = torch.as_tensor(frames.pictures, device=where).movedim(-1, 1).float() / 127.5 - 1
        maps = frames.cells.ndim == 4
        if maps and self.training:
            frames, pictures = turned(frames, pictures, int(rng.integers(4)))
        glance = self.reader.glance(pictures)
        losses = {
            "map": F.binary_cross_entropy_with_logits(
                glance.is_map.float(), torch.full_like(glance.is_map.float(), float(maps))
            )
        }
        return losses | (
            self._of_maps(frames, pictures, glance, rng)
            if maps
            else self._of_scenes(frames, pictures)
        )

    def _of_maps(
        self, frames: Frames, pictures: Tensor, glance: Glance, rng: np.random.Generator
    ) -> dict[str, Tensor]:
        where = pictures.device
        pose = torch.as_tensor(frames.pose, device=where)
        directions = torch.as_tensor(
            np.rint((frames.numbers[:, 0] + 1) / 2 * (DIRECTIONS - 1)).astype(np.int64),
            device=where,
        )
        count = int(glance.places.shape[1] ** 0.5)
        middle = pose[:, :2] * count
        column, row = middle.long().clamp(0, count - 1).unbind(1)
        place = row * count + column
        one = place[:, None, None]
        looks = glance.directions.gather(2, one.expand(-1, DIRECTIONS, 1))[..., 0]
        offset = glance.offsets.gather(2, one.expand(-1, 2, 1))[..., 0]
        inside = middle - torch.stack([column, row], 1) - 0.5
        jitter = torch.as_tensor(rng.normal(0, JITTER, pose[:, :2].shape), device=where)
        moved = torch.cat([pose[:, :2] + jitter.float() * pose[:, 2:], pose[:, 2:]], 1)
        codes = self.reader.read_cells(pictures, moved, directions)
        wanted = torch.as_tensor(frames.cells.astype(np.int64), device=where)
        sides = (1 / pose[:, 2]).round().long()
        return {
            "sides": F.cross_entropy(glance.sides.float(), sides),
            "place": F.cross_entropy(glance.places.float(), place),
            "direction": F.cross_entropy(looks.float(), directions),
            "offset": ((offset.float() - inside) ** 2).mean(),
            "cells": _of_cells(codes.float(), wanted),
        }

    def _of_scenes(self, frames: Frames, pictures: Tensor) -> dict[str, Tensor]:
        features = self.reader.scene.features(pictures)
        rows = self.reader.scene.out(features).float()
        numbers = torch.as_tensor(frames.numbers[:, : self._size], device=pictures.device)
        standard = (numbers - self.number_mean) / self.number_std
        return {
            "row": ((rows - self._wanted(frames.numbers)) ** 2).mean() / self._row_variance,
            # Not squared: what tells tasks apart is large in these units.
            "numbers": F.smooth_l1_loss(self.told(features).float()[:, : self._size], standard),
        }

    @torch.no_grad()
    def _wanted(self, numbers: np.ndarray) -> Tensor:
        """(N, width): the rows that the model made of these numbers."""
        where = next(self._encoder[0].parameters()).device
        with torch.autocast(where.type, enabled=False):
            rows: Tensor = self._encoder[0](list(numbers), where)
        return rows


def _of_cells(codes: Tensor, wanted: Tensor) -> Tensor:
    """The cross-entropy of a cell, of logits (N, W, H, C, CODES) for codes (N, W, H, C).

    Objects, few among walls and floor, count OBJECTS times.
    """
    losses = F.cross_entropy(codes.flatten(0, 3), wanted.flatten(), reduction="none")
    weights = 1.0 + (OBJECTS - 1) * rare_cells(wanted)
    per_cell = losses.view_as(wanted).sum(-1).flatten(1)
    return (weights * per_cell).sum() / weights.sum()


def turned(frames: Frames, pictures: Tensor, quarters: int) -> tuple[Frames, Tensor]:
    """Maps turned counterclockwise, and what they show: the agent sees the same as before."""
    pose, looks = frames.pose.copy(), frames.numbers.copy()
    direction = np.rint((looks[:, 0] + 1) / 2 * (DIRECTIONS - 1))
    for _ in range(quarters):
        pose[:, 0], pose[:, 1] = pose[:, 1].copy(), 1 - pose[:, 0]
    looks[:, 0] = (direction - quarters) % DIRECTIONS / (DIRECTIONS - 1) * 2 - 1
    changed = dataclasses.replace(frames, pose=pose, numbers=looks)
    return changed, torch.rot90(pictures, quarters, (2, 3))


def see(job: Job, say: Callable[[str], None]) -> None:
    """Train the eyes of a student of the weights in `init`, for `job.steps` updates.

    Weights in `out` are continued. Raises UserError without weights or frames.
    """
    if job.init is None:
        raise UserError("--stage see starts from weights that read states: name them with --init")
    # A call that continues finds the student's configuration in `out`, of which it makes the same.
    job = dataclasses.replace(job, config=student(job.config))
    policy = _student(job)
    acts = tuple(folder for folder in job.data if (folder / "episodes.parquet").is_file())
    frames = list(read_frames([folder for folder in job.data if folder not in acts]))
    for weight in policy.parameters():
        weight.requires_grad_(False)
    backbone = policy.backbone
    assert isinstance(backbone, Nano)
    loss = SeeingLoss(backbone, frames).to(device())
    kinds = _by_kind(frames)
    (loss.reader if "maps" in kinds else loss.reader.scene).requires_grad_(True)
    loss.told.requires_grad_(True)
    count = {name: len(each) for name, each in kinds.items()}
    examples = None
    if acts:
        examples = Examples(acts, policy.config, backbone.text_tokenizer, policy.codec)
        count["acts"] = examples.steps
    say(f"learned from: {', '.join(f'{n} {name}' for name, n in count.items())}")
    steps = job.steps or STEPS
    learner = Learner(
        loss,
        job.out / CHECKPOINTS / "see",
        RATE,
        policy.config.weight_decay,
        policy.config.clip,
        {**identity("see", job), "steps": steps, "frames": count},
    )
    metrics = Metrics(job.out / CHECKPOINTS / "curves", say)
    while learner.step < steps:
        rng = stream(job.seed, "see", step=learner.step)
        parts: dict[str, Tensor] = {}
        with policy.autocast():
            for name, each in kinds.items():
                drawn = loss(each.draw(rng, BATCHES[name]), rng)
                parts |= {f"see/{name}/{part}": value for part, value in drawn.items()}
        if examples is not None:
            parts["see/acts"] = policy.sft_loss(*examples.draw(rng, BATCHES["acts"]))
        factor = cosine_schedule(learner.step, steps, WARMUP)
        norm = learner.learn(torch.stack(list(parts.values())).sum(), factor)
        told = {name: value.item() for name, value in parts.items()}
        metrics.add(learner.step, steps, told | {"see/gradient": norm})
        learner.checkpoint()
    learner.checkpoint(now=True)
    metrics.close()
    loss.eval()
    for name, each in kinds.items():
        say(f"on held-out {name}: " + _measured(backbone, loss, each))
    for weight in policy.parameters():
        weight.requires_grad_(True)
    policy.save(job.out / FILE)
    record_stage(job, "see", steps)


def _student(job: Job) -> Policy:
    """The policy that learns: that of `init`, but for its eyes, or what `out` has."""
    assert job.init is not None
    teacher = Policy.load(job.init, device())
    config = job.config
    if config.backbone != "nano":
        raise UserError("--stage see teaches a nano: other backbones see already")
    job.out.mkdir(parents=True, exist_ok=True)
    for name in (WORDS, ACTIONS):
        if (job.init / name).is_file():  # bins have no file
            shutil.copyfile(job.init / name, job.out / name)
    if (job.init / MADE).is_file() and not (job.out / MADE).is_file():
        shutil.copyfile(job.init / MADE, job.out / MADE)
    torch.manual_seed(job.seed)
    policy = Policy.new(config, job.out, device())
    known = teacher.state_dict()
    wanted = policy.state_dict()
    policy.load_state_dict({name: known.get(name, each) for name, each in wanted.items()})
    if (job.out / FILE).is_file():
        policy.restore(job.out / FILE)
    config.save(job.out)
    return policy


class _Kind:
    """The frames of maps, or of scenes, from which tasks are drawn alike."""

    def __init__(self, frames: Sequence[Frames]) -> None:
        self._tasks: dict[str, list[Frames]] = {}
        for each in frames:
            self._tasks.setdefault(each.task, []).append(each)

    def __len__(self) -> int:
        return sum(len(each.pictures) for files in self._tasks.values() for each in files)

    def draw(self, rng: np.random.Generator, count: int) -> Frames:
        """`count` frames of which none is held out."""
        names = list(self._tasks)
        rows = []
        for _ in range(count):
            files = self._tasks[names[int(rng.integers(len(names)))]]
            each = files[int(rng.integers(len(files)))]
            rows.append((each, int(rng.integers(_learned(each)))))
        return _stacked(rows)

    def held_out(self, most: int) -> Frames:
        """Frames that are never drawn: the last ones of each file."""
        files = [each for files in self._tasks.values() for each in files]
        rows = [(each, k) for each in files for k in range(_learned(each), len(each.pictures))]
        return _stacked([rows[k] for k in range(0, len(rows), -(-len(rows) // most))])


def _learned(frames: Frames) -> int:
    return max(1, int((1 - HELD_OUT) * len(frames.pictures)))


def _stacked(rows: Sequence[tuple[Frames, int]]) -> Frames:
    width = min(each.numbers.shape[1] for each, _ in rows)
    return Frames(
        "",
        np.stack([each.pictures[k] for each, k in rows]),
        np.stack([each.cells[k] for each, k in rows]),
        np.stack([each.numbers[k, :width] for each, k in rows]),
        np.stack([each.pose[k] for each, k in rows]),
    )


def _by_kind(frames: Sequence[Frames]) -> dict[str, _Kind]:
    parts = {
        "maps": [each for each in frames if each.cells.ndim == 4],
        "scenes": [each for each in frames if each.cells.ndim != 4],
    }
    return {name: _Kind(part) for name, part in parts.items() if part}


@torch.no_grad()
def _measured(backbone: Nano, loss: SeeingLoss, kind: _Kind) -> str:
    """What held-out frames show, as the agent reads them."""
    frames = kind.held_out(MEASURED)
    if frames.cells.ndim != 4:
        parts = loss(frames, stream(0, "measured"))
        return ", ".join(f"{name} {float(value):.4f}" for name, value in parts.items())
    reader = loss.reader
    pictures = torch.as_tensor(frames.pictures, device=backbone.device).movedim(-1, 1)
    pictures = pictures.float() / 127.5 - 1
    pose, directions = reader.pose(reader.glance(pictures))
    codes = reader.read_cells(pictures, pose, directions).argmax(-1).cpu().numpy()
    looks = (2 * directions / (DIRECTIONS - 1) - 1).cpu().numpy()
    right = (codes == frames.cells).all(-1)
    away = np.abs(pose[:, :2].cpu().numpy() - frames.pose[:, :2]).max(1) / frames.pose[:, 2]
    return (
        f"{len(right)} frames; the agent found in {(away < 0.5).mean():.2%}, its direction read in "
        f"{np.isclose(looks, frames.numbers[:, 0], atol=1e-3).mean():.2%}; {right.mean():.2%} of "
        f"cells read, all of {right.all((1, 2)).mean():.2%} of frames"
    )

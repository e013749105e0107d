"""The stage `see`: a model that reads states learns to see, from frames (baselines/gea/frames.py).

Learning by cheating (Chen et al. 2020, arXiv 1912.12294): a model that was told the state has
learned how to act; what it was told becomes labels for one that sees. Only the encoder of pictures
learns (baselines/gea/reader.py), by the loss of baselines/gea/seeing_loss.py.

Of scenes, the numbers are learned, of which the model's own encoder makes the row: no gradient goes
through that encoder, whose sines of high frequencies would lead it nowhere. At the end, what the
numbers are is refined (baselines/gea/refine.py). The privileged numbers are used in training only.

Maps and scenes have eyes of their own, and those whose frames are there learn; what the model does
on the other kind stays the same. Frames of scenes in a folder of weight 0 (Config.datasets) teach
the eyes of maps what is no map, and nothing else.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from baselines.gea.config import Config
from baselines.gea.frames import Frames, read_frames
from baselines.gea.job import Job, identity, record_stage
from baselines.gea.nano import Nano
from baselines.gea.policy import FILE, Policy
from baselines.gea.reader import DIRECTIONS
from baselines.gea.refine import refine
from baselines.gea.rvq import FILE as ACTIONS
from baselines.gea.seeing_loss import SeeingLoss, shown
from baselines.learning.learner import Learner, Metrics, cosine_schedule
from baselines.learning.stages import CHECKPOINTS, MADE, device
from baselines.learning.text_tokenizer import FILE as WORDS
from harness.core import UserError, stream
from harness.core.reads import view_of

__all__ = ["begun", "frames_configuration", "see", "student"]

PIXELS = 168
"""Side of the pictures: a cell of BabyAI's largest maps has 7.5 of them."""
RATE = 2e-3
"""The learning rate, instead of the configuration's, which is SFT's."""
WARMUP = 0.05
STEPS = 4000
BATCHES = {"maps": 64, "scenes": 32}
"""Pictures of each kind in an update; a scene has several times as much to compute as a map."""
HELD_OUT, MEASURED = 0.05, 512
"""Share of the frames of each file that is not learned, and how many of them are measured."""
PRIVILEGED = ("grid", "direction", "state", "proprio", "image", "image_partial")


def frames_configuration(job: Job) -> Config:
    """What is recorded: the views of the weights in `init`, and pictures of the student's size."""
    if job.init is None:
        raise UserError("--init names the weights whose views are recorded with the pictures")
    return dataclasses.replace(Config.load(job.init), pixels=PIXELS)


def student(config: Config) -> Config:
    """The configuration of the model that sees instead of the one that reads states."""
    kept = tuple(view for view in config.views if view_of(view) not in PRIVILEGED)
    return dataclasses.replace(
        config, views=("image?", *kept), vision="reader", pixels=PIXELS, past_rows=0
    )


def see(job: Job, say: Callable[[str], None]) -> None:
    """Train the eyes of a student of the weights in `init`, for `job.steps` updates.

    Weights in `out` are continued. Raises UserError without weights or frames.
    """
    if job.init is None:
        raise UserError("--stage see starts from weights that read states: name them with --init")
    # A call that continues finds the student's configuration in `out`, of which it makes the same.
    job = dataclasses.replace(job, config=student(job.config))
    policy = begun(job)
    weighed = [
        (each, _weight(folder, job.config)) for folder in job.data for each in read_frames([folder])
    ]
    kinds, others = _by_kind(weighed)
    for weight in policy.parameters():
        weight.requires_grad_(False)
    backbone = policy.backbone
    assert isinstance(backbone, Nano)
    loss = SeeingLoss(backbone, [each for each, weight in weighed if weight]).to(device())
    if "maps" in kinds:
        for eye in loss.reader.map_eyes:
            eye.requires_grad_(True)
    if "scenes" in kinds:
        loss.reader.scene.requires_grad_(True)
        loss.told.requires_grad_(True)
    count = {name: len(each) for name, each in (kinds | others).items()}
    say(f"frames: {', '.join(f'{n} of {name}' for name, n in count.items())}")
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
            for name, each in others.items():
                parts[f"see/{name}/map"] = loss.of_no_map(each.draw(rng, BATCHES["scenes"]))
        factor = cosine_schedule(learner.step, steps, WARMUP)
        norm = learner.learn(torch.stack(list(parts.values())).sum(), factor)
        told = {name: value.item() for name, value in parts.items()}
        metrics.add(learner.step, steps, told | {"see/gradient": norm})
        learner.checkpoint()
    learner.checkpoint(now=True)
    metrics.close()
    loss.eval()
    if "scenes" in kinds:
        torch.manual_seed(job.seed)
        refine(loss, kinds["scenes"].learned(), stream(job.seed, "refine"), say)
        loss.tell()
    for name, each in kinds.items():
        say(f"on held-out {name}: " + _measured(loss, each))
    for name, each in others.items():
        say(
            f"on held-out frames of {name}: logits of a map {_logits(loss, each).max():.1f} or less"
        )
    for weight in policy.parameters():
        weight.requires_grad_(True)
    policy.save(job.out / FILE)
    for name in kinds:
        record_stage(job, f"see-{name}", steps)


def begun(job: Job) -> Policy:
    """The policy that learns, as `job.config` says: what `out` has, or the weights of `init`.

    New are only the modules that those lack.
    """
    assert job.init is not None
    teacher = Policy.load(job.init, device())
    config = job.config
    if config.backbone != "nano":
        raise UserError("this stage teaches a nano: other backbones see already")
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
    """The frames of maps, or of scenes, from which tasks are drawn by the weight of their folders.

    A task in several folders has the weight of the last one.
    """

    def __init__(self, frames: Sequence[tuple[Frames, float]]) -> None:
        self._tasks: dict[str, list[Frames]] = {}
        weights: dict[str, float] = {}
        for each, weight in frames:
            self._tasks.setdefault(each.task, []).append(each)
            weights[each.task] = weight
        shares = np.array([weights[name] for name in self._tasks])
        self._shares = shares / shares.sum()

    def __len__(self) -> int:
        return sum(len(each.pictures) for files in self._tasks.values() for each in files)

    def draw(self, rng: np.random.Generator, count: int) -> Frames:
        """`count` frames of which none is held out."""
        names = list(self._tasks)
        rows = []
        for _ in range(count):
            files = self._tasks[names[int(rng.choice(len(names), p=self._shares))]]
            each = files[int(rng.integers(len(files)))]
            rows.append((each, int(rng.integers(_learned(each)))))
        return _stacked(rows)

    def learned(self) -> list[Frames]:
        """All frames that are not held out, file by file."""
        return [
            Frames(each.task, *(column[: _learned(each)] for column in each.columns()))
            for files in self._tasks.values()
            for each in files
        ]

    def held_out(self, most: int) -> Frames:
        """Frames that are never drawn: the last ones of each file."""
        files = [each for files in self._tasks.values() for each in files]
        rows = [(each, k) for each in files for k in range(_learned(each), len(each.pictures))]
        return _stacked([rows[k] for k in range(0, len(rows), -(-len(rows) // most))])


def _learned(frames: Frames) -> int:
    return max(1, int((1 - HELD_OUT) * len(frames.pictures)))


def _stacked(rows: Sequence[tuple[Frames, int]]) -> Frames:
    width = min(each.numbers.shape[1] for each, _ in rows)
    stacked = (
        np.stack(column)
        for column in zip(
            *(
                [
                    column[k]
                    for column in dataclasses.replace(
                        each, numbers=each.numbers[:, :width]
                    ).columns()
                ]
                for each, k in rows
            )
        )
    )
    return Frames("", *stacked)


def _weight(folder: Path, config: Config) -> float:
    return config.data_set(folder.name, "")[1] if config.datasets else 1.0


def _by_kind(
    frames: Sequence[tuple[Frames, float]],
) -> tuple[dict[str, _Kind], dict[str, _Kind]]:
    """The frames of maps and of scenes that are learned, and those that show what is no map.

    Raises UserError when nothing is left to learn.
    """
    maps = [(each, weight) for each, weight in frames if each.cells.ndim == 4 and weight]
    scenes = [(each, weight) for each, weight in frames if each.cells.ndim != 4]
    learned = [(each, weight) for each, weight in scenes if weight]
    shown = [(each, 1.0) for each, weight in scenes if not weight]
    kinds = {name: _Kind(part) for name, part in (("maps", maps), ("scenes", learned)) if part}
    if not kinds:
        raise UserError("datasets gives every folder of --data the weight 0: name one to learn")
    return kinds, {"no map": _Kind(shown)} if maps and shown else {}


@torch.no_grad()
def _logits(loss: SeeingLoss, kind: _Kind) -> Tensor:
    """(N,): of a map, for held-out frames."""
    return loss.reader.glance(loss.pictures(kind.held_out(MEASURED))).is_map


@torch.no_grad()
def _measured(loss: SeeingLoss, kind: _Kind) -> str:
    """What held-out frames show, as the agent reads them."""
    frames = kind.held_out(MEASURED)
    if frames.cells.ndim != 4:
        parts = loss(frames, stream(0, "measured"))
        return ", ".join(f"{name} {float(value):.4f}" for name, value in parts.items())
    reader = loss.reader
    pictures = loss.pictures(frames)
    glance = reader.glance(pictures)
    pose, directions = reader.pose(glance)
    codes = reader.read_cells(pictures, pose, directions).argmax(-1).cpu().numpy()
    looks = (2 * directions / (DIRECTIONS - 1) - 1).cpu().numpy()
    right = (codes == shown(frames.cells)).all(-1)
    away = np.abs(pose[:, :2].cpu().numpy() - frames.pose[:, :2]).max(1) / frames.pose[:, 2]
    return (
        f"{len(right)} frames; logits of a map {glance.is_map.min():.1f} or more; "
        f"the agent found in {(away < 0.5).mean():.2%}, its direction read in "
        f"{np.isclose(looks, frames.numbers[:, 0], atol=1e-3).mean():.2%}; {right.mean():.2%} of "
        f"cells read, all of {right.all((1, 2)).mean():.2%} of frames"
    )

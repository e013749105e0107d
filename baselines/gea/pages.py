"""The stage `pages`: a model that was told the elements of pages learns to read their pictures.

Learning by cheating, as in the stage `see`: the elements that a page tells are the labels, and only
the eyes for pages learn (baselines/gea/page_eyes.py). The loss is the sum of

    the focal loss of where lines begin (arXiv 1708.02002, with the blurred targets of 1904.07850)
    the absolute errors of where and how large a line is, and of where its element's middle is
    the cross-entropy of the elements' tags
    the cross-entropy of the characters, column by column: it is known where each one is drawn
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.gea.job import Job, identity, record_stage
from baselines.gea.nano import Nano
from baselines.gea.page_eyes import (
    CELL,
    CHARACTERS,
    LAST,
    NUMBERS,
    SCALE,
    SHAPE,
    TAGS,
    PageEyes,
    as_pixels,
    strip,
)
from baselines.gea.page_frames import Labelled, Page, read_pages
from baselines.gea.policy import FILE
from baselines.gea.see import begun
from baselines.learning.learner import Learner, Metrics, cosine_schedule
from baselines.learning.stages import CHECKPOINTS, device
from harness.core import UserError, stream

__all__ = ["PageLoss", "pages"]

RATE = 2e-3
"""The learning rate, instead of the configuration's, which is SFT's."""
WARMUP = 0.03
STEPS = 4000
PICTURES, STRIPS = 8, 24
"""Of an update."""
ALL, MORE = 0.85, 2
"""The share of the updates, at first, that learn everything; the others only read, so many times as
many strips: where lines are is known by then."""
HELD_OUT = 0.05
"""Share of each task's pages that is not learned."""
SHIFT = 5
"""Pixels by which a picture is moved at most."""
GAP = 1.5
"""Pixels from a line's ends to where a space is read, so that words of two lines are not one."""
SPREAD = 0.7
"""Of the blurred targets, in places."""
IGNORED = -100


class PageLoss(nn.Module):
    """The loss of eyes for pages."""

    def __init__(self, eyes: PageEyes) -> None:
        super().__init__()
        self.eyes = eyes

    def forward(
        self, pages: Sequence[Page], rng: np.random.Generator, *, reading: bool = False
    ) -> dict[str, Tensor]:
        """The parts of the loss of some pages, moved and painted at random.

        `reading`: only of the characters.
        """
        moved = [_moved(page, rng) for page in pages]
        if reading:
            return {"characters": self._characters(moved, rng, MORE * STRIPS)}
        return {**self._where(moved), "characters": self._characters(moved, rng, STRIPS)}

    def _where(self, pages: Sequence[tuple[Tensor, list[Labelled]]]) -> dict[str, Tensor]:
        found = self.eyes.look(torch.stack([picture for picture, _ in pages])).float()
        aims = [_aims(lines, found.shape[2:]) for _, lines in pages]
        heat = torch.stack([aim[0] for aim in aims])
        counts = torch.stack([aim[1] for aim in aims])
        at = [(number, *place) for number, aim in enumerate(aims) for place in aim[2]]
        wanted = torch.tensor([row for aim in aims for row in aim[3]]).view(-1, NUMBERS + 1)
        likely = found[:, 0].sigmoid().clamp(1e-4, 1 - 1e-4)
        hit = torch.where(
            heat == 1,
            -((1 - likely) ** 2) * likely.log(),
            -((1 - heat) ** 4) * likely**2 * (1 - likely).log(),
        )
        parts = {"begins": (hit * counts).sum() / max(1, len(at))}
        if at:
            number, row, column = torch.tensor(at).T
            told = found[number, 1:, row, column]
            parts["numbers"] = F.l1_loss(told[:, :NUMBERS], wanted[:, :NUMBERS]) * NUMBERS
            parts["tags"] = F.cross_entropy(told[:, NUMBERS:], wanted[:, NUMBERS].long())
        return parts

    def _characters(
        self, pages: Sequence[tuple[Tensor, list[Labelled]]], rng: np.random.Generator, most: int
    ) -> Tensor:
        strips: list[Tensor] = []
        aims: list[Tensor] = []
        lines = [
            (picture, line, others)
            for picture, others in pages
            for line in others
            if line.seen and line.text
        ]
        for place in rng.permutation(len(lines))[:most]:
            picture, line, others = lines[place]
            cut, aim = _strip(picture, line, others, rng)
            strips.append(cut)
            aims.append(aim)
        if not strips:
            return torch.zeros(())
        wide = max(aim.shape[0] for aim in aims)
        padded = [F.pad(cut, (0, wide - cut.shape[2])) for cut in strips]
        wanted = torch.stack([F.pad(aim, (0, wide - len(aim)), value=IGNORED) for aim in aims])
        logits = self.eyes.read(torch.stack(padded)).float()
        return 3 * F.cross_entropy(logits, wanted, ignore_index=IGNORED)


def _moved(page: Page, rng: np.random.Generator) -> tuple[Tensor, list[Labelled]]:
    """A picture, float (3, H, W) in [-1, 1], moved by some pixels, and its lines; what it shows
    at its edges is repeated."""
    across, down = (int(rng.integers(-SHIFT, SHIFT + 1)) for _ in range(2))
    high, wide, _ = SHAPE
    picture = page.picture()
    rows = (np.arange(high) - down).clip(0, high - 1)
    columns = (np.arange(wide) - across).clip(0, wide - 1)
    moved = as_pixels(picture[rows][:, columns])
    if rng.random() < 0.2:  # letters and grounds of other colours
        order = rng.permutation(3)
        moved = moved[list(order)]
    lines = []
    for line in page.lines:
        x, y = line.x + across, line.y + down
        if -1 <= x < wide - 2 and 0 <= y < high:
            lines.append(
                dataclasses.replace(
                    line,
                    x=x,
                    y=y,
                    width=min(line.width, wide - x),
                    centre_x=line.centre_x + across,
                    centre_y=line.centre_y + down,
                    edges=tuple(edge + across for edge in line.edges),
                )
            )
    return moved, lines


def _aims(
    lines: Sequence[Labelled], size: Sequence[int]
) -> tuple[Tensor, Tensor, list[tuple[int, int]], list[list[float]]]:
    """What `PageEyes.look` should say of a picture.

    (H, W): 1 where a line begins, less around it; (H, W): 0 where it does not count; (row, column)
    of each line; its numbers, and the number of its tag.
    """
    high, wide = size
    heat, counts = np.zeros((high, wide), np.float32), np.ones((high, wide), np.float32)
    places: list[tuple[int, int]] = []
    rows: list[list[float]] = []
    ranks: dict[tuple[str, float, float], int] = {}
    for line in lines:
        if not line.tag:
            continue
        row, column = int(line.y // CELL), int(max(line.x, 0) // CELL)
        if not line.seen:
            # Whether a part of it can be seen is not known.
            counts[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2] = 0
            continue
        if (row, column) in places:
            continue
        places.append((row, column))
        rank = ranks.setdefault(line.element, len(ranks))
        left, top = column * CELL, row * CELL
        numbers = (
            line.x - left, line.y - top, line.height, line.width,
            line.centre_x - line.x, line.centre_y - line.y, min(rank, LAST),
        )  # fmt: skip
        tag = TAGS.index(line.tag) if line.tag in TAGS else 0
        rows.append([value / unit for value, unit in zip(numbers, SCALE)] + [float(tag)])
        for r in range(max(0, row - 1), min(high, row + 2)):
            for c in range(max(0, column - 1), min(wide, column + 2)):
                away = (line.x / CELL - c - 0.5) ** 2 + (line.y / CELL - r - 0.5) ** 2
                near = min(0.9, math.exp(-away / (2 * SPREAD**2)))
                heat[r, c] = max(heat[r, c], near)
    for row, column in places:
        heat[row, column] = counts[row, column] = 1
    return torch.from_numpy(heat), torch.from_numpy(counts), places, rows


def _strip(
    picture: Tensor, line: Labelled, others: Sequence[Labelled], rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """The pixels around a line, taken as inexactly as it will be found, and int64 (W,): what has
    its middle in each column."""
    found = dataclasses.replace(
        line.line(),
        x=line.x + rng.uniform(-1.5, 1.5),
        y=line.y + rng.uniform(-1.2, 1.2),
        height=line.height * rng.uniform(0.93, 1.07),
    )
    cut, scale, begin = strip(picture, found)
    aim = torch.full((cut.shape[2],), len(CHARACTERS))

    def column(x: float) -> int:
        return int((x - begin) * scale)

    for other in others:
        away = abs(other.y - line.y)
        if other is line or away <= 2.0 or away >= (other.height + line.height) / 2 + 4:
            continue
        # What is half in the strip beside this line is not asked for.
        left, right = column(other.x - 1), column(other.x + other.width + 1)
        aim[max(0, left) : max(0, right + 1)] = IGNORED
    aim[max(0, column(line.x - 2)) : max(0, column(line.x + line.width + 2))] = len(CHARACTERS)
    row = [each for each in others if each is not line and abs(each.y - line.y) <= 2.0]
    for other in [*row, line]:
        for x in (other.x - GAP, other.x + other.width + GAP):
            if 0 <= column(x) < len(aim):
                aim[column(x)] = CHARACTERS.index(" ")
    for other in [*row, line]:
        for letter, start, end in zip(other.text, other.edges, other.edges[1:]):
            place = column((start + end) / 2)
            if 0 <= place < len(aim):
                # A part of a covered line may be seen.
                known = CHARACTERS.find(letter) if other.seen else -1
                aim[place] = known if known >= 0 else IGNORED
    return cut, aim


def pages(job: Job, say: Callable[[str], None]) -> None:
    """Train the eyes for pages of the weights in `init`, for `job.steps` updates.

    Weights in `out` are continued. Raises UserError without weights or frames of pages.
    """
    if job.init is None:
        raise UserError("--stage pages starts from weights that read pages: name them with --init")
    if job.config.vision != "reader":
        raise UserError(
            f"--stage pages teaches a model that sees, and {job.init} does not: begin with "
            "--stage see, or with --init baselines/gea/weights/gea"
        )
    job = dataclasses.replace(job, config=dataclasses.replace(job.config, pages=True))
    by_task: dict[str, list[Page]] = {}
    for page in read_pages(job.data):
        by_task.setdefault(page.task, []).append(page)
    policy = begun(job)
    for weight in policy.parameters():
        weight.requires_grad_(False)
    backbone = policy.backbone
    assert isinstance(backbone, Nano)
    assert backbone.reader is not None
    eyes = backbone.reader.page
    assert eyes is not None
    eyes.requires_grad_(True)
    loss = PageLoss(eyes).to(device())
    count = sum(map(len, by_task.values()))
    say(f"{count} pages of {len(by_task)} tasks")
    steps = job.steps or STEPS
    learner = Learner(
        loss,
        job.out / CHECKPOINTS / "pages",
        RATE,
        policy.config.weight_decay,
        policy.config.clip,
        {**identity("pages", job), "steps": steps, "pages": count},
    )
    metrics = Metrics(job.out / CHECKPOINTS / "curves", say)
    tasks = list(by_task)
    while learner.step < steps:
        rng = stream(job.seed, "pages", step=learner.step)
        drawn = []
        for _ in range(PICTURES):
            of = by_task[tasks[int(rng.integers(len(tasks)))]]
            drawn.append(of[int(rng.integers(_learned(of)))])
        with policy.autocast():
            parts = loss(drawn, rng, reading=learner.step >= ALL * steps)
        norm = learner.learn(
            torch.stack(list(parts.values())).sum(), cosine_schedule(learner.step, steps, WARMUP)
        )
        told = {f"pages/{name}": value.item() for name, value in parts.items()}
        metrics.add(learner.step, steps, told | {"pages/gradient": norm})
        learner.checkpoint()
    learner.checkpoint(now=True)
    metrics.close()
    say(
        "on held-out pages: "
        + measured(eyes, [p for of in by_task.values() for p in of[_learned(of) :]])
    )
    for weight in policy.parameters():
        weight.requires_grad_(True)
    policy.save(job.out / FILE)
    record_stage(job, "pages", steps)


def _learned(pages: Sequence[Page]) -> int:
    return max(1, int((1 - HELD_OUT) * len(pages)))


@torch.no_grad()
def measured(eyes: PageEyes, pages: Sequence[Page]) -> str:
    """How much of some pages is read as it is written."""
    lines = found = near = tags = texts = said = 0
    for page in pages:
        wanted = [line for line in page.lines if line.tag and line.seen]
        pixels = as_pixels(page.picture())
        read = eyes.lines(pixels)
        lines, said = lines + len(wanted), said + len(read)
        for line in wanted:
            for other in read:
                if abs(other.x - line.x) <= 3 and abs(other.y - line.y) <= 3:
                    break
            else:
                continue
            found += 1
            tags += other.tag == line.tag
            away = max(abs(other.centre[0] - line.centre_x), abs(other.centre[1] - line.centre_y))
            near += away <= 4
            texts += eyes.texts(pixels, [other])[0] == " ".join(line.text.split())
    total, hits = max(1, lines), max(1, found)
    return (
        f"{len(pages)} pages, {lines} lines; found {found / total:.2%}, and {said - found} others; "
        f"of those, the tag of {tags / hits:.2%}, the middle of {near / hits:.2%}, "
        f"every character of {texts / hits:.2%}"
    )

"""Screenshots of pages, each with the lines of text that it shows: what the stage `pages` learns.

A file FOLDER/FAMILY/TASK-ROUND.npz holds some of one task, from seeds of its own:

    pictures  uint8 (N, 210, 160, 3)
    pages     str (N,): JSON, the lines of a picture, each a list of the fields of `Labelled`
"""

from __future__ import annotations

import dataclasses
import json
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from baselines.gea.frames import WRONG, frame_files
from baselines.gea.page_eyes import SHAPE, Line
from baselines.gea.prompt import is_listed
from harness.core import Case, Element, Task, UserError, stream
from harness.demos.training import training_seed, training_task
from harness.host.loading import load_adapter

__all__ = ["DRAWN", "Labelled", "Page", "labelled", "read_pages", "record_pages"]

DRAWN = "lines_drawn"
"""The method of an adapter that tells where lines of text are drawn."""
SEED_SET = 21
"""Of the sets of training seeds, so that no other training here plays the same episodes."""
OF_AN_EPISODE, STEPS = 3, 8
"""The most pictures of an episode, and how many of its steps are played."""
TAKEN = 0.6
"""The share of later steps that are drawn; the first one always is."""
NOISE = (0.0, 0.15, 0.4)
"""Shares of actions drawn at random, one for each episode."""
ROUND = 12
"""Pictures of a task in one file."""
COLUMNS = ("pictures", "pages")


@dataclass(frozen=True)
class Labelled:
    """A line of text as it is drawn, in pixels."""

    tag: str
    """Of its element; empty for what is written on a page and is in no element that is listed."""
    text: str
    x: float
    """Of its left end."""
    y: float
    """Of its middle."""
    width: float
    height: float
    centre_x: float
    centre_y: float
    """Of its element."""
    seen: bool
    """Whether nothing covers it."""
    edges: tuple[float, ...]
    """Where each character begins, and where the last one ends."""

    @property
    def element(self) -> tuple[str, float, float]:
        """What the lines of an element have in common, and no other line."""
        return self.tag, self.centre_x, self.centre_y

    def line(self) -> Line:
        """As the eyes should find it."""
        centre = self.centre_x, self.centre_y
        return Line(self.tag, self.x, self.y, self.width, self.height, centre, 0.0)


@dataclass(frozen=True)
class Page:
    """A screenshot, packed, and what it shows."""

    task: str
    packed: bytes
    lines: tuple[Labelled, ...]

    def picture(self) -> np.ndarray:
        """uint8 (210, 160, 3)."""
        return np.frombuffer(zlib.decompress(self.packed), np.uint8).reshape(SHAPE)


def labelled(elements: Sequence[Element], drawn: Sequence[Sequence[Any]]) -> list[Labelled]:
    """The lines that a picture shows.

    `drawn`: rows of (ref, text, x, y, width, height, seen, edges), from the upper left corner, as
    an adapter's `lines_drawn` tells them.
    """
    known = {element.ref: element for element in elements}
    high, wide, _ = SHAPE
    lines = []
    for ref, text, x, y, width, height, seen, edges in drawn:
        middle = y + height / 2
        if not (-1 <= x < wide - 2 and 0 <= middle < high):
            continue
        element = known.get(ref)
        tag, centre = "", (x, middle)
        if element is not None and is_listed(element.tag, element.text or element.value):
            tag, centre = element.tag, element.center
        shown = min(width, wide - x)
        lines.append(
            Labelled(tag, text, x, middle, shown, height, *centre, bool(seen), tuple(edges))
        )
    return lines


def record_pages(
    tasks: Sequence[Task], out: Path, count: int, seed: int, say: Callable[[str], None]
) -> None:
    """Record `count` pictures of each task into `out`, in rounds over all tasks.

    The expert plays, where there is one, with some of its actions replaced by random ones. Files
    that exist are left as they are. Raises UserError when a task cannot run here, or its pictures
    are not of the size that is learned.
    """
    chosen = [training_task(task) for task in tasks]
    for task in chosen:
        missing = load_adapter(task.adapter).missing(task)
        if missing is not None:
            raise UserError(f"{task.id} cannot run here: {missing.reason}; {missing.remedy}")
    for number in range(-(-count // ROUND)):
        for task in chosen:
            file = out / f"{task.id.partition('@')[0]}-{number}.npz"
            if file.is_file():
                continue
            pages = _recorded(task, min(ROUND, count - number * ROUND), seed, number)
            file.parent.mkdir(parents=True, exist_ok=True)
            partial = file.with_suffix(".new.npz")
            pictures = np.stack([picture for picture, _ in pages])
            lines = [json.dumps([dataclasses.astuple(line) for line in each]) for _, each in pages]
            np.savez_compressed(partial, pictures=pictures, pages=np.array(lines))
            os.replace(partial, file)
        say(f"{min(count, (number + 1) * ROUND)} of {count} pages of each of {len(chosen)} tasks")


def _recorded(
    task: Task, count: int, seed: int, number: int
) -> list[tuple[np.ndarray, list[Labelled]]]:
    """`count` pictures of a task, and the lines that they show, of round `number`."""
    env: Any = load_adapter(task.adapter)(task)
    found: list[tuple[np.ndarray, list[Labelled]]] = []
    try:
        if env.brief.observation["image"].shape != SHAPE:
            high, wide, _ = SHAPE
            raise UserError(
                f"{task.id} shows pictures of another size than {high} x {wide}: leave it out "
                "with --tasks"
            )
        episode = 0
        while len(found) < count:
            place = number * 100 + episode
            begin = training_seed(task, SEED_SET, seed * 4000 + place)
            found += _played(env, Case(task, begin), stream(seed, "pages", task.id, step=place))
            episode += 1
    finally:
        env.close()
    return found[:count]


def _played(
    env: Any, case: Case, rng: np.random.Generator
) -> list[tuple[np.ndarray, list[Labelled]]]:
    """Some pictures of the first steps of an episode."""
    found = []
    seen, executed = env.reset(case), None
    has_expert = type(env).has_expert(case.task)
    noise = NOISE[int(rng.integers(len(NOISE)))]
    for step in range(STEPS):
        if step == 0 or rng.random() < TAKEN:
            lines = labelled(seen.observation["dom"](), getattr(env, DRAWN)())
            found.append((seen.observation["image"](), lines))
            if len(found) == OF_AN_EPISODE:
                break
        action = env.expert(executed) if has_expert else None
        if action is None or rng.random() < noise:
            action = env.brief.action.sample(rng)
        executed = action
        seen = env.step(executed)
        if seen.terminated or seen.truncated or seen.success:
            break
    return found


def read_pages(folders: Sequence[Path]) -> Iterator[Page]:
    """All pages of some folders. Raises UserError for a folder that has none, or a broken file."""
    for file, task in frame_files(folders, "frames of pages", "miniwob"):
        yield from _pages(file, task)


def _pages(file: Path, task: str) -> Iterator[Page]:
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as content:
            pictures, pages = (content[name] for name in COLUMNS)
        if pictures.shape[1:] != SHAPE or pictures.dtype != np.uint8:
            raise ValueError(f"pictures are {pictures.dtype} {pictures.shape[1:]}")
        lines = [tuple(_line(row) for row in json.loads(str(page))) for page in pages]
        if len(lines) != len(pictures):
            raise ValueError(f"{len(pictures)} pictures and {len(lines)} pages")
    except WRONG as wrong:
        raise UserError(f"{file} holds no frames of pages: {wrong}; record it again") from None
    for picture, page in zip(pictures, lines):
        yield Page(task, zlib.compress(picture.tobytes(), 1), page)


def _line(row: Sequence[Any]) -> Labelled:
    tag, text, *numbers, seen, edges = row
    x, y, width, height, across, down = map(float, numbers)
    drawn = tuple(map(float, edges))
    line = Labelled(str(tag), str(text), x, y, width, height, across, down, bool(seen), drawn)
    if line.text and len(line.edges) != len(line.text) + 1:
        raise ValueError(f"a line of {len(line.text)} characters with {len(line.edges)} edges")
    values = (line.x, line.y, line.width, line.height, line.centre_x, line.centre_y, *line.edges)
    if not np.isfinite(values).all():
        raise ValueError("a line whose place is no number")
    return line

"""The stage `frames`: pictures of tasks, each with what another model reads of the same moment.

A frame is a picture and the grid, the numbers and the agent's place in the picture that go with it.
Learning to see needs no actions and no whole episodes, so only every few steps of a play are drawn:
neighbouring steps look alike, and drawing is most of the cost. The expert plays; where a task has
none, the other model does.

A file FOLDER/FAMILY/TASK-ROUND.npz holds the frames of one task from seeds of its own:

    pictures  uint8 (N, pixels, pixels, 3)
    cells     uint8 (N, W, H, C), or (N, 0): the codes of a grid
    numbers   float32 (N, n): the numeric views, scaled, in the configuration's order
    pose      float32 (N, 3): x and y of the centre of the agent's cell and the side of a cell, in
              parts of the picture's side; NaN where no grid is seen from above
    points    float32 (N, 3, 2): x and y of where the hand, the first object and the goal are seen,
              in parts of the picture's sides; NaN where that is not known
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from baselines.gea.config import Config
from baselines.gea.driver import Driver, driven_by_expert, driven_by_model
from baselines.gea.prompt import numeric_inputs
from harness.core import Agent, Case, Task, UserError, stream
from harness.core.reads import view_of
from harness.demos.columns import is_image, shrunk
from harness.demos.training import training_seed, training_task
from harness.host.loading import load_adapter

__all__ = [
    "WRONG",
    "Frames",
    "frame_files",
    "place_in",
    "played_frames",
    "read_frames",
    "record_frames",
]

SEED_SET = 20
"""Of the sets of training seeds, so that no other training here plays the same episodes."""
EVERY, EVERY_OF_MAPS = (10, 25, 60), (2, 4, 8)
"""Steps from one frame of an episode to the next, of which one is chosen for each episode; a map is
drawn fast, and its episodes are short."""
MOST_OF_A_SCENE, MOST_OF_A_MAP = 4, 8
"""Frames of one episode: where things stand differs between episodes, and a reset takes less time
than a picture."""
CLOSE = 6.0
"""Largest mean difference of colours, of 255, at which two drawings are the same."""
NOISE = (0.0, 0.1, 0.3)
"""Shares of actions drawn at random, one for each episode: how far plays leave the expert's way."""
BURSTS, BURST = 1 / 40, (5, 30)
"""In a scene: how often an action drawn at random is repeated, and for how many steps; single ones
do not bring a hand that moves 1 cm a step to where the expert would not be."""
MOST_STEPS = 300
ROUND = 100
"""Frames of a task in one file."""
COLUMNS = ("pictures", "cells", "numbers", "pose", "points")
WRONG = (OSError, ValueError, KeyError, EOFError, TypeError, BadZipFile, zlib.error)
"""What reading a file that was not written here may raise."""
THINGS = ("eef_position", "object_1_position", "goal_position")
"""What of the layout of a view `state` is looked for in a picture."""
PICTURE, PARTIAL = "image", "image_partial"
BEYOND = 146.0
"""The colour of a wall in sight: who sees through walls sees nothing else beyond the map."""
MOST_CELLS = 25
"""Cells per side of the largest map."""
AHEAD = ((1, 0), (0, 1), (-1, 0), (0, -1))
"""(x, y) of the cell ahead, by `direction`."""


@dataclass(frozen=True)
class Frames:
    """Some frames of one task; see the module."""

    task: str
    pictures: np.ndarray
    cells: np.ndarray
    numbers: np.ndarray
    pose: np.ndarray
    points: np.ndarray

    def columns(self) -> tuple[np.ndarray, ...]:
        """Its arrays, in the order of COLUMNS."""
        return tuple(getattr(self, name) for name in COLUMNS)


def record_frames(
    tasks: Sequence[Task],
    out: Path,
    config: Config,
    count: int,
    seed: int,
    say: Callable[[str], None],
    model: Callable[[], Agent] | None = None,
) -> None:
    """Record `count` frames of each task into `out`, in rounds over all tasks.

    `config`: what the other model reads, and the side of the pictures. `model`: makes what plays
    the tasks that have no expert. Files that exist are left as they are. Raises UserError when a
    task cannot run here, shows no picture, or has nobody to play it.
    """
    chosen = [training_task(task) for task in tasks]
    for task in chosen:
        _check(task, model is not None)
    agent = None
    if model is not None and not all(_has_expert(task) for task in chosen):
        agent = model()
    for number in range(-(-count // ROUND)):
        for task in chosen:
            file = out / f"{task.id.partition('@')[0]}-{number}.npz"
            if file.is_file():
                continue
            kept = min(ROUND, count - number * ROUND)
            arrays = _recorded(task, config, kept, seed, number, agent)
            file.parent.mkdir(parents=True, exist_ok=True)
            partial = file.with_suffix(".new.npz")
            np.savez_compressed(partial, **arrays)
            os.replace(partial, file)
        say(f"{min(count, (number + 1) * ROUND)} of {count} frames of each of {len(chosen)} tasks")


def read_frames(folders: Sequence[Path]) -> Iterator[Frames]:
    """All frames of some folders, file by file. Raises UserError for a folder that has none."""
    for file, task in frame_files(folders, "frames", "S"):
        try:
            # Opened here: numpy leaves a file open that is cut.
            with file.open("rb") as opened, np.load(opened, allow_pickle=False) as content:
                arrays = {name: content[name] for name in COLUMNS}
        except WRONG as wrong:
            raise UserError(f"{file} holds no frames: {wrong}; record it again") from None
        yield Frames(task, **arrays)


def frame_files(folders: Sequence[Path], what: str, suite: str) -> list[tuple[Path, str]]:
    """The files of frames in some folders, each with its task.

    `what` and `suite` are for messages. Raises UserError without folders, or for one without files.
    """
    records = f"`bench train gea --stage frames --suite {suite} --out FRAMES` records some"
    if not folders:
        raise UserError(f"name {what} with --data; {records}")
    files = []
    for folder in folders:
        found = sorted(folder.rglob("*-*.npz"))
        if not found:
            raise UserError(f"--data {folder} holds no frames; {records}")
        for file in found:
            name = file.relative_to(folder).with_suffix("").as_posix()
            files.append((file, name.rpartition("-")[0]))
    return files


def _has_expert(task: Task) -> bool:
    return bool(load_adapter(task.adapter).has_expert(task))


def _check(task: Task, has_model: bool) -> None:
    adapter = load_adapter(task.adapter)
    missing = adapter.missing(task)
    if missing is not None:
        raise UserError(f"{task.id} cannot run here: {missing.reason}; {missing.remedy}")
    if not has_model and not _has_expert(task):
        raise UserError(f"{task.id} has no expert to play it: leave it out with --tasks")


def _recorded(
    task: Task, config: Config, count: int, seed: int, number: int, agent: Agent | None
) -> Mapping[str, np.ndarray]:
    """The arrays of a file."""
    env = load_adapter(task.adapter)(task)
    has_expert = _has_expert(task)
    try:
        specs = env.brief.observation
        if PICTURE not in specs or not is_image(PICTURE, specs[PICTURE]):
            raise UserError(f"{task.id} shows no picture: leave it out with --tasks")
        rows: list[tuple[np.ndarray, ...]] = []
        episode = side = 0
        while len(rows) < count:
            # Rounds and seeds have episodes of their own.
            begin = training_seed(task, SEED_SET, seed * 4000 + number * 400 + episode % 400)
            rng = stream(seed, "frames", task.id, step=number * 400 + episode)
            case = Case(task, begin)
            if has_expert or agent is None:
                driver = driven_by_expert(env)
            else:
                driver = driven_by_model(agent, env, case)
            found, side = played_frames(env, case, config, rng, side, driver)
            rows += found
            episode += 1
    finally:
        env.close()
    return dict(zip(COLUMNS, (np.stack(column) for column in zip(*rows[:count]))))


def played_frames(
    env: Any, case: Case, config: Config, rng: np.random.Generator, side: int, driver: Driver
) -> tuple[list[tuple[np.ndarray, ...]], int]:
    """(the frames of one episode that `driver` plays, the cells per side of its map).

    `side`: that of an earlier episode, or 0.
    """
    seen, executed = env.reset(case), None
    noise = NOISE[int(rng.integers(len(NOISE)))]
    is_map = PARTIAL in env.brief.observation
    gaps, most = (EVERY_OF_MAPS, MOST_OF_A_MAP) if is_map else (EVERY, MOST_OF_A_SCENE)
    every = gaps[int(rng.integers(len(gaps)))]
    wanted = int(rng.integers(every))
    rows = []
    repeated, left = None, 0
    for step in range(MOST_STEPS):
        if step % every == wanted:
            row, side = _frame(env, seen, config, side)
            rows.append(row)
            if len(rows) == most:
                break
        action = driver(seen, executed)
        if action is None:
            break
        executed = env.brief.action.sample(rng) if rng.random() < noise else action
        if not is_map and not left and rng.random() < BURSTS:
            repeated, left = env.brief.action.sample(rng), int(rng.integers(*BURST))
        if left:
            executed, left = repeated, left - 1
        seen = env.step(executed)
        if seen.terminated or seen.truncated or seen.success:
            break
    return rows, side


def _frame(env: Any, seen: Any, config: Config, side: int) -> tuple[tuple[np.ndarray, ...], int]:
    """(a frame, the number of cells of its map): `side` is that of an earlier frame, or 0."""
    names = {view_of(view) for view in config.views} | {PICTURE, PARTIAL, "direction"}
    views = {
        name: value() if callable(value) else value
        for name, value in seen.observation.items()
        if name in names
    }
    cells, numbers = numeric_inputs(env.brief, views, config)
    picture = np.asarray(views[PICTURE])
    pose = np.full(3, np.nan, np.float32)
    if cells and PARTIAL in env.brief.observation:
        shown = picture, np.asarray(views[PARTIAL]), cells[0][..., 0] > 0, int(views["direction"])
        pose, side, error = place_in(*shown, [side] if side else range(3, MOST_CELLS + 1))
        if error > CLOSE:
            pose, side, error = place_in(*shown, range(3, MOST_CELLS + 1))
    small = shrunk(picture, config.pixels)
    codes = cells[0] if cells else np.zeros(0, np.uint8)
    return (small, codes, numbers, pose, _points(env, views)), side


def _points(env: Any, views: Mapping[str, Any]) -> np.ndarray:
    """float32 (3, 2): where the picture shows what THINGS names; NaN where that is not known."""
    found = np.full((len(THINGS), 2), np.nan, np.float32)
    spec = env.brief.observation.get("state")
    if not hasattr(env, "seen_at") or spec is None or "state" not in views:
        return found
    begin = 0
    for field in spec.layout:
        if field.name in THINGS:
            place = views["state"][begin : begin + field.size]
            found[THINGS.index(field.name)] = env.seen_at(place)
        begin += field.size
    return found


def place_in(
    picture: np.ndarray,
    partial: np.ndarray,
    visible: np.ndarray,
    direction: int,
    sides: Sequence[int],
) -> tuple[np.ndarray, int, float]:
    """(pose, cells per side, mean difference of colours): where a map shows what the agent sees.

    `picture`: uint8 (H, H, 3), the map, drawn with whole pixels per cell and centred. `partial`:
    uint8 (P, P, 3), the cells ahead, the agent in the middle of the last row. `visible`: bool
    (n, n), by [x, y], the cells of `partial` that count. `sides`: the candidates. All positions are
    compared by the mean colours of cells, half a cell apart, since a map that is not square may lie
    between two cells.
    """
    n = len(visible)
    size = len(partial) // n
    wanted = partial.reshape(n, size, n, size, 3).mean((1, 3)).swapaxes(0, 1)[visible]
    x, y = (axis[visible] for axis in np.meshgrid(np.arange(n), np.arange(n), indexing="ij"))
    ahead, right = np.array(AHEAD[direction]), np.array(AHEAD[(direction + 1) % 4])
    offsets = (n - 1 - y)[:, None] * ahead + (x - n // 2)[:, None] * right
    sums = np.zeros((len(picture) + 1, len(picture) + 1, 3))
    sums[1:, 1:] = picture.cumsum(0, dtype=np.int64).cumsum(1)
    best = (np.inf, np.zeros(3, np.float32), 0)
    for side in sides:
        tile = len(picture) // side
        begin = (len(picture) - side * tile) // 2
        # On whole cells, and shifted by half a cell along one axis.
        for half_x, half_y in ((0, 0), (tile // 2, 0), (0, tile // 2)):
            left, top = (
                begin + half + tile * np.arange(side - bool(half)) for half in (half_x, half_y)
            )
            means = _box_means(sums, left, top, tile)
            padded = np.full((len(left) + 2 * n, len(top) + 2 * n, 3), BEYOND)
            padded[n:-n, n:-n] = means
            agents = np.stack(
                np.meshgrid(np.arange(len(left)), np.arange(len(top)), indexing="ij"), -1
            ).reshape(-1, 2)
            places = agents[:, None] + offsets + n
            errors = np.abs(padded[places[..., 0], places[..., 1]] - wanted).mean((1, 2))
            k = int(errors.argmin())
            if errors[k] < best[0]:
                centre = [left[agents[k, 0]] + tile / 2, top[agents[k, 1]] + tile / 2, tile]
                best = errors[k], np.array(centre, np.float32) / len(picture), side
    return best[1], best[2], float(best[0])


def _box_means(sums: np.ndarray, left: np.ndarray, top: np.ndarray, tile: int) -> np.ndarray:
    """(len(left), len(top), 3): the means of squares of `tile` pixels, from summed areas."""
    rows, columns = top[:, None], left[None]
    total = (
        sums[rows + tile, columns + tile] - sums[rows, columns + tile]
        - sums[rows + tile, columns] + sums[rows, columns]
    )  # fmt: skip
    means: np.ndarray = (total / tile**2).swapaxes(0, 1)
    return means

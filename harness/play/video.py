"""Episodes that one can look at: H.264 in an mp4, with the instruction, the step, the perturbations and the outcome written below the picture.

The loop hands frames over; a thread beside it draws and encodes. What is held in memory is a few frames and the compressed video.
"""

from __future__ import annotations

import dataclasses
import functools
import io
import logging
import math
import os
import queue
import re
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from harness.core import (
    Adapter,
    BatchedAdapter,
    Box,
    Brief,
    Case,
    Result,
    Task,
    TimeStep,
    UserError,
)
from harness.core.errors import describe
from harness.play.episode import Episode, Outcome, VideoClip, VideoSelection
from harness.play.inference import Watch, watched
from harness.records.plan import label
from harness.records.registry import load

__all__ = [
    "VideoRecorder",
    "VideoWriter",
    "VideoStore",
    "check_video",
    "draws_frames",
    "failed",
    "frame_of",
    "picture",
    "still",
    "stem",
]

log = logging.getLogger("bench")

SMALLEST = 200
"""Smaller pictures are enlarged, by a whole number, until their smaller side has so many px."""
LINE, FONT = 18, 13
"""The height of a line and of its letters, in px."""
INSTRUCTION_LINES = 3
MOST_FRAMES = 20_000
MOST_BYTES = 64 * 1024 * 1024
"""Of one video: what comes after is left out, but for the end."""
LAST_S = 1.0
"""How long the last picture stays."""
AHEAD = 16
"""Frames that may wait for the encoder; then the loop waits."""
MOST_HZ = 30.0
"""Pictures a second, at most."""
USUAL_HZ = 10.0
"""Steps a second where the task has no clock."""


def check_video() -> None:
    """Raises UserError with the remedy where the packages that videos need are missing."""
    try:
        import av  # noqa: F401
        import PIL  # noqa: F401
    except ImportError as lack:
        raise UserError(
            f"videos need the package {lack.name}: pip install 'generalist-bench[video]', or --video none"
        ) from None


def draws_frames(task: Task) -> bool:
    """Whether the task's adapter has pictures at all; text has none."""
    kind = load(task.adapter)
    return kind.render not in (Adapter.render, BatchedAdapter.render)


def failed(result: Result) -> bool:
    """Whether an episode failed: it lacks the success that it could have had, or was cut short."""
    return result.status != "finished" or result.success is False


def stem(case: Case) -> str:
    """The name of a case's files, without an ending."""
    task = re.sub(r"[^A-Za-z0-9@._-]+", "_", case.task.id)
    return f"{task}-{case.seed}-{case.id}"


def picture(brief: Brief) -> str | None:
    """The first view of the brief that is a picture in colour: (H, W, 3) uint8."""
    for name, spec in brief.observation.items():
        if (
            isinstance(spec, Box)
            and spec.dtype == "uint8"
            and len(spec.shape) == 3
            and spec.shape[2] == 3
        ):
            return name
    return None


def frame_of(episode: Episode, seen: TimeStep, view: str | None) -> np.ndarray:
    """What the agent sees now, (H, W, 3) uint8, where it reads the picture `view`; else the adapter's frame for people."""
    if view is None:
        return np.asarray(episode.slot.render(), np.uint8)
    return np.asarray(episode.shown(seen, view), np.uint8)


class VideoWriter:
    """One video in the making: `add` every frame, then `finish`. Frames are (H, W, 3) uint8, all of the first one's size."""

    def __init__(self, case: Case, hz: float | None = None) -> None:
        """`hz`: steps a second, 10 where the task has no clock; the video runs as fast, with every second or third step where that is enough."""
        self._perturbed = label(case.perturbations)
        self._title = f"{case.task.id}  seed {case.seed}"
        self._steps = case.task.max_steps
        self._every = max(1, math.ceil((hz or USUAL_HZ) / MOST_HZ))
        self._rate = max(1, round((hz or USUAL_HZ) / self._every))
        self._file = io.BytesIO()
        self._container: Any = None
        self._words: tuple[str, np.ndarray] | None = None
        self._last: tuple[np.ndarray, int, str] | None = None
        self.frames = 0

    def wants(self, step: int) -> bool:
        """Whether the picture after so many steps is one of the video's."""
        return step % self._every == 0

    def add(self, frame: np.ndarray, step: int, instruction: str) -> None:
        """The picture after `step` steps."""
        self._last = frame, step, instruction
        if self.frames < MOST_FRAMES and self._file.tell() < MOST_BYTES:
            self._encode(self.compose(frame, step, instruction))

    def compose(
        self,
        frame: np.ndarray,
        step: int,
        instruction: str,
        outcome: str = "",
        good: bool | None = None,
    ) -> np.ndarray:
        """The picture with its words below, (H, W, 3) uint8 with even sides."""
        factor = max(1, -(-SMALLEST // min(frame.shape[:2])))
        frame = frame.repeat(factor, axis=0).repeat(factor, axis=1) if factor > 1 else frame
        height, width = frame.shape[0] + frame.shape[0] % 2, frame.shape[1] + frame.shape[1] % 2
        if self._words is None or self._words[0] != instruction:
            self._words = instruction, self._below(width, instruction)
        of = f" of {self._steps}" if self._steps else ""
        colour = {None: (255, 255, 255), True: (120, 230, 120), False: (255, 130, 130)}[good]
        status = _written(width, [f"step {step}{of}  {outcome}"], colour)
        canvas = np.zeros((height + self._words[1].shape[0] + status.shape[0], width, 3), np.uint8)
        canvas[: frame.shape[0], : frame.shape[1]] = frame
        canvas[height : height + self._words[1].shape[0]] = self._words[1]
        canvas[-status.shape[0] :] = status
        return canvas

    def _below(self, width: int, instruction: str) -> np.ndarray:
        fitting = max(10, int(width / (0.52 * FONT)))
        words = textwrap.wrap(
            " ".join(instruction.split()), fitting, max_lines=INSTRUCTION_LINES, placeholder=" ..."
        )
        lines = [
            self._title,
            *([f"perturbed: {self._perturbed}"] if self._perturbed else []),
            *words,
        ]
        if self._words is not None:  # the instruction changed: as many lines as before
            count = self._words[1].shape[0] // LINE
            lines = [*lines, *[""] * count][:count]
        return _written(width, lines, (200, 200, 200))

    def _encode(self, picture: np.ndarray, times: int = 1) -> None:
        import av

        if self._container is None:
            self._container = av.open(self._file, "w", format="mp4")
            options = {"preset": "veryfast", "crf": "26", "threads": "1"}
            self._stream = self._container.add_stream("libx264", rate=self._rate, options=options)
            self._stream.height, self._stream.width = picture.shape[:2]
            self._stream.pix_fmt = "yuv420p"
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        for _ in range(times):
            frame.pts = self.frames
            self.frames += 1
            for packet in self._stream.encode(frame):
                self._container.mux(packet)

    def finish(self, outcome: str, good: bool | None) -> VideoClip | None:
        """The video, which ends with the outcome: green where `good`, red where not. None: there was no frame."""
        if self._last is None:
            return None
        last = self.compose(*self._last, outcome, good)
        self._encode(last, times=max(1, round(LAST_S * self._rate)))
        self.close()
        return VideoClip(self._file.getvalue(), still(last, "JPEG"))

    def close(self) -> None:
        """Free the encoder."""
        if self._container is not None:
            for packet in self._stream.encode():
                self._container.mux(packet)
            self._container.close()
            self._container = None


def _written(width: int, lines: list[str], colour: tuple[int, int, int]) -> np.ndarray:
    """Lines of text on black, (LINE * len(lines), width, 3) uint8."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (width, LINE * len(lines)))
    pen = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        pen.text((4, LINE * number + 1), line, colour, font=_font())
    return np.asarray(image)


@functools.lru_cache(maxsize=1)
def _font() -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(FONT)


def still(picture: np.ndarray, format: str) -> bytes:
    """A picture as a PNG or JPEG file."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture).save(file, format, **({"quality": 85} if format == "JPEG" else {}))
    return file.getvalue()


def outcome_words(result: Result) -> tuple[str, bool | None]:
    """How an episode ended, in words, and whether that is good; None where there is no success."""
    if result.status != "finished":
        return f"{result.status}: {result.error}", False
    if result.success is None:
        return f"{result.ended}, score {result.score:g}", None
    return ("success" if result.success else f"failed: {result.ended}"), result.success


class VideoRecorder:
    """Films the episodes of one loop. A picture that cannot be drawn costs the video, never the result."""

    def __init__(self, video: VideoSelection, watch: Watch) -> None:
        self._failures_only = video.failures_only
        self._watch = watch
        self._reels: dict[str, _Taken] = {}
        self._work: queue.Queue[Callable[[], None] | None] = queue.Queue(AHEAD)
        self._worker = threading.Thread(target=self._encode, name="film", daemon=True)
        self._worker.start()

    def _encode(self) -> None:
        while (work := self._work.get()) is not None:
            work()

    def close(self) -> None:
        """End the encoder."""
        self._work.put(None)
        self._worker.join(timeout=10.0)

    def begin(self, episode: Episode, first: TimeStep) -> None:
        """An episode begins."""
        view = picture(episode.brief)
        if view is not None or draws_frames(episode.case.task):
            self._reels[episode.name] = _Taken(
                VideoWriter(episode.case, episode.brief.control_hz), view
            )
            self.step(episode, first)

    def step(self, episode: Episode, seen: TimeStep, last: bool = False) -> None:
        """The episode moved on, or came to its last step."""
        taken = self._reels.get(episode.name)
        if taken is None or not (last or taken.writer.wants(episode.steps)):
            return
        try:
            with watched(self._watch, episode.slot.patience):
                frame = frame_of(episode, seen, taken.view)
        except Exception as fault:
            log.warning("no video of %s: %s", episode.case.task.id, describe(fault))
            self._drop(episode.name)
        else:
            step, instruction = episode.steps, episode.instruction
            self._work.put(lambda: taken.add(frame, step, instruction))

    def end(self, episode: Episode, outcome: Outcome) -> Outcome:
        """The episode ended: its outcome, with the video where one is wanted."""
        taken = self._reels.get(episode.name)
        result = outcome.result
        if (
            taken is None
            or result is None
            or result.status == "error"
            or (self._failures_only and not failed(result))
        ):
            self._drop(episode.name)
            return outcome
        del self._reels[episode.name]
        self._work.put(lambda: taken.finish(*outcome_words(result)))
        taken.done.wait()
        return dataclasses.replace(outcome, clip=taken.clip)

    def _drop(self, name: str) -> None:
        taken = self._reels.pop(name, None)
        if taken is not None:
            self._work.put(taken.close)


class _Taken:
    """A reel, on the encoder's side."""

    def __init__(self, writer: VideoWriter, view: str | None) -> None:
        self.writer = writer
        self.view = view
        self.done = threading.Event()
        self.clip: VideoClip | None = None
        self._broken = False

    def add(self, frame: np.ndarray, step: int, instruction: str) -> None:
        self._guarded(lambda: self.writer.add(frame, step, instruction))

    def finish(self, outcome: str, good: bool | None) -> None:
        def last() -> None:
            self.clip = self.writer.finish(outcome, good)

        self._guarded(last)
        self.done.set()

    def close(self) -> None:
        self._guarded(self.writer.close)

    def _guarded(self, work: Callable[[], None]) -> None:
        if self._broken:
            return
        try:
            work()
        except Exception as fault:
            self._broken = True
            log.warning("a video was lost: %s", describe(fault))


class VideoStore:
    """The folder `videos/` of a run: NAME.mp4 and its poster NAME.jpg, until there are `limit` bytes."""

    def __init__(self, run: str | os.PathLike[str], limit: int) -> None:
        self.folder = Path(run) / "videos"
        self._left = limit - sum(file.stat().st_size for file in self.folder.glob("*"))
        self._full = False

    def keep(self, case: Case, clip: VideoClip) -> str | None:
        """Write the two files. Returns why they were not, the first time that they do not fit."""
        if self._full:
            return None
        size = len(clip.mp4) + len(clip.poster)
        try:
            if size > self._left:
                raise OSError("the limit of --video-limit is reached")
            self.folder.mkdir(exist_ok=True)
            for ending, content in ((".jpg", clip.poster), (".mp4", clip.mp4)):
                write_whole(self.folder / f"{stem(case)}{ending}", content)
        except OSError as fault:
            self._full = True
            return f"no more videos are kept: {fault.strerror or fault}. `bench show` makes one of any episode"
        self._left -= size
        return None


def write_whole(file: Path, content: bytes) -> None:
    """Write a file in one step."""
    new = file.with_name(f".{file.name}.new")
    new.write_bytes(content)
    os.replace(new, file)

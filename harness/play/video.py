"""Videos of episodes: H.264 in an mp4 file.

The instruction, the step, the perturbations and the outcome are written below the picture. The
rollout loop hands frames over to a thread that draws and encodes. Memory holds only a few frames
and the compressed video.
"""

from __future__ import annotations

import dataclasses
import io
import logging
import math
import queue
import threading
from collections.abc import Callable
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
from harness.play.episode import Episode
from harness.play.inference import Watch, watched
from harness.play.outcome import Outcome, VideoClip
from harness.play.video_captions import LINE, fitted, written
from harness.records.plan import label
from harness.records.registry import load

__all__ = [
    "VideoRecorder", "VideoSelection", "VideoWriter", "check_video", "draws_frames", "failed",
    "frame_of", "picture", "still",
]  # fmt: skip

log = logging.getLogger("bench")

SMALLEST = 200
"""Pictures are enlarged by a whole factor until their shorter side has at least this many px."""
TITLE_LINES, PERTURBED_LINES, INSTRUCTION_LINES = 2, 3, 3
"""Longer texts are cut."""
MOST_FRAMES = 20_000
MOST_BYTES = 64 * 1024 * 1024
"""The limits of one video: later frames are left out, except the last one."""
BRIGHTEST = 255
"""Of a byte of a picture."""
LAST_S = 1.0
"""How long the last frame stays, in seconds."""
AHEAD = 16
"""How many frames may wait for the encoder before the rollout loop has to wait."""
MOST_HZ = 30.0
"""The highest frame rate, in frames per second."""
USUAL_HZ = 10.0
"""Steps per second of a task that has no control rate."""


def check_video() -> None:
    """Raises UserError with the remedy if a package that videos need is missing."""
    try:
        import av  # noqa: F401
        import PIL  # noqa: F401
    except ImportError as lack:
        raise UserError(
            f"videos need the package {lack.name}: pip install 'generalist-bench[video]', "
            "or --video none"
        ) from None


def draws_frames(task: Task) -> bool:
    """Whether the task's adapter renders frames; text games do not."""
    kind = load(task.adapter)
    return kind.render not in (Adapter.render, BatchedAdapter.render)


def failed(result: Result) -> bool:
    """Whether an episode did not succeed, or was cut short; False if its task has no success."""
    return result.status != "finished" or result.success is False


def picture(brief: Brief) -> str | None:
    """The name of the first view that is a colour image, uint8 (H, W, 3); None if there is none.

    Its values reach 255: a grid of codes has the same shape and would be drawn nearly black.
    """
    for name, spec in brief.observation.items():
        if (
            isinstance(spec, Box)
            and spec.dtype == "uint8"
            and len(spec.shape) == 3
            and spec.shape[2] == 3
            and np.max(spec.high) >= BRIGHTEST
        ):
            return name
    return None


def frame_of(episode: Episode, seen: TimeStep, view: str | None) -> np.ndarray:
    """The frame to show, uint8 (H, W, 3): the image `view` as the agent sees it now.

    With None, the adapter's rendering for people.
    """
    if view is None:
        return np.asarray(episode.slot.render(), np.uint8)
    return np.asarray(episode.shown(seen, view), np.uint8)


class VideoWriter:
    """Encodes one video of frames, uint8 (H, W, 3), all of one size: `add` each, then `finish`."""

    def __init__(self, case: Case, hz: float | None = None) -> None:
        """`hz`: the task's control rate in steps per second; None: 10.

        The video plays in real time. Above 30 steps per second only every second or third step
        becomes a frame.
        """
        self._perturbed = label(case.perturbations)
        self._title = f"{case.task.id}  seed {case.seed}"
        self._steps = case.task.max_steps
        self._every = max(1, math.ceil((hz or USUAL_HZ) / MOST_HZ))
        self._rate = max(1, round((hz or USUAL_HZ) / self._every))
        self._file = io.BytesIO()
        self._container: Any = None
        self._text: tuple[str, np.ndarray] | None = None
        self._last: tuple[np.ndarray, int, str] | None = None
        self.frames = 0

    def wants(self, step: int) -> bool:
        """Whether the frame after `step` steps belongs in the video."""
        return step % self._every == 0

    def add(self, frame: np.ndarray, step: int, instruction: str) -> None:
        """Add the frame after `step` steps."""
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
        """The frame with the text below it: uint8 (H, W, 3), H and W even, as H.264 requires.

        `good` colours the outcome green or red; None: white.
        """
        factor = max(1, -(-SMALLEST // min(frame.shape[:2])))
        frame = frame.repeat(factor, axis=0).repeat(factor, axis=1) if factor > 1 else frame
        height, width = frame.shape[0] + frame.shape[0] % 2, frame.shape[1] + frame.shape[1] % 2
        if self._text is None or self._text[0] != instruction:
            self._text = instruction, self._below(width, instruction)
        of = f" of {self._steps}" if self._steps else ""
        colour = {None: (255, 255, 255), True: (120, 230, 120), False: (255, 130, 130)}[good]
        said = [*fitted(f"step {step}{of}", width, 1), *fitted(outcome, width, 1)]
        status = written(width, said, colour)
        canvas = np.zeros((height + self._text[1].shape[0] + status.shape[0], width, 3), np.uint8)
        canvas[: frame.shape[0], : frame.shape[1]] = frame
        canvas[height : height + self._text[1].shape[0]] = self._text[1]
        canvas[-status.shape[0] :] = status
        return canvas

    def _below(self, width: int, instruction: str) -> np.ndarray:
        perturbed = f"perturbed: {self._perturbed}" if self._perturbed else ""
        texts = (
            (self._title, TITLE_LINES),
            (perturbed.replace("+", " + "), PERTURBED_LINES),
            (instruction, INSTRUCTION_LINES),
        )
        lines = [line for text, most in texts if text for line in fitted(text, width, most)]
        if self._text is not None:
            # The instruction changed. Frames of one video have one size: keep the number of lines.
            count = self._text[1].shape[0] // LINE
            lines = [*lines, *[""] * count][:count]
        return written(width, lines, (200, 200, 200))

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
        """Add the last frame with the outcome, green if `good`, red if not, and return the video.

        None if there was no frame.
        """
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


def still(picture: np.ndarray, format: str) -> bytes:
    """An image, uint8 (H, W, 3), as the contents of a file; `format` is `PNG` or `JPEG`."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture).save(file, format, **({"quality": 85} if format == "JPEG" else {}))
    return file.getvalue()


def _outcome_text(result: Result) -> tuple[str, bool | None]:
    """How an episode ended, and whether it succeeded; None if its task has no success."""
    if result.status != "finished":
        return f"{result.status}: {result.error}", False
    if result.success is None:
        return f"{result.ended}, score {result.score:g}", None
    return ("success" if result.success else f"failed: {result.ended}"), result.success


@dataclasses.dataclass(frozen=True)
class VideoSelection:
    """Which episodes videos are made of."""

    failures_only: bool

    def observer(self, watch: Watch) -> VideoRecorder:
        """What makes them in one process."""
        return VideoRecorder(self, watch)


class VideoRecorder:
    """An EpisodeObserver that makes videos. A frame that cannot be drawn costs only the video.

    The loop's thread gets frames from the simulator; another one encodes them. The queue between
    them is bounded: an encoder that is too slow holds the loop back instead of filling the memory.
    """

    def __init__(self, video: VideoSelection, watch: Watch) -> None:
        self._failures_only = video.failures_only
        self._watch = watch
        self._recordings: dict[str, _Recording] = {}
        self._warned: set[tuple[str, str]] = set()
        self._work: queue.Queue[Callable[[], None] | None] = queue.Queue(AHEAD)
        self._worker = threading.Thread(target=self._encode, name="video", daemon=True)
        self._worker.start()

    def _encode(self) -> None:
        while (work := self._work.get()) is not None:
            work()

    def close(self) -> None:
        """End the encoder's thread."""
        self._work.put(None)
        self._worker.join(timeout=10.0)

    def begin(self, episode: Episode, first: TimeStep) -> None:
        view = picture(episode.brief)
        if view is not None or draws_frames(episode.case.task):
            self._recordings[episode.name] = _Recording(
                VideoWriter(episode.case, episode.brief.control_hz), view
            )
            self.step(episode, first)

    def step(self, episode: Episode, seen: TimeStep, last: bool = False) -> None:
        recording = self._recordings.get(episode.name)
        if recording is None or not (last or recording.writer.wants(episode.steps)):
            return
        try:
            with watched(self._watch, episode.slot.patience):
                frame = frame_of(episode, seen, recording.view)
        except Exception as fault:
            self._warn(episode.case.task.id, _why(fault))
            self._drop(episode.name)
        else:
            step, instruction = episode.steps, episode.instruction
            self._work.put(lambda: recording.add(frame, step, instruction))

    def end(self, episode: Episode, outcome: Outcome) -> Outcome:
        """The outcome, with the video if one is wanted."""
        recording = self._recordings.get(episode.name)
        result = outcome.result
        if (
            recording is None
            or result is None
            or result.status == "error"
            or (self._failures_only and not failed(result))
        ):
            self._drop(episode.name)
            return outcome
        del self._recordings[episode.name]
        self._work.put(lambda: recording.finish(*_outcome_text(result)))
        recording.done.wait()
        return dataclasses.replace(outcome, clip=recording.clip)

    def _warn(self, task: str, why: str) -> None:
        """Say why there is no video of a task, once for each task and reason."""
        if (task, why) not in self._warned:
            self._warned.add((task, why))
            log.warning("no video of %s: %s", task, why)

    def _drop(self, name: str) -> None:
        recording = self._recordings.pop(name, None)
        if recording is not None:
            self._work.put(recording.close)


def _why(fault: Exception) -> str:
    return str(fault) if isinstance(fault, UserError) else describe(fault)


class _Recording:
    """One video being recorded. Its methods run in the encoder's thread."""

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

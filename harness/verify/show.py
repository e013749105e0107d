"""`bench show`: one recorded episode as a video, a picture or a text; and the list of failures."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.core import UIAction, UserError
from harness.core.errors import describe
from harness.play.environments import EnvSlot
from harness.play.text_table import text_table
from harness.play.video import VideoWriter, check_video, draws_frames, failed, picture, still
from harness.play.video_store import stem
from harness.records.results import case_results
from harness.records.safe_files import check_writable
from harness.records.stored_run import load_run
from harness.records.whole_file import write_whole
from harness.verify.descriptions import metrics_text, outcome_text
from harness.verify.episode_replay import EpisodeReplay, RecordedEpisode
from harness.verify.transcript import transcript

__all__ = ["ShownEpisode", "failures_table", "show"]


@dataclass(frozen=True)
class ShownEpisode:
    """What `show` made."""

    text: str
    """The path of the file that was written, or the transcript."""
    as_recorded: bool
    """False if the replay was played to its end and has another digest than the recording."""


def show(
    recording: RecordedEpisode,
    *,
    format: str = "auto",
    step: int | None = None,
    out: Path | None = None,
) -> ShownEpisode:
    """Play the episode again, and write its video or return its transcript.

    `format`: `video`, `text` or `auto`. `auto` is text where actions are text or UI actions, or
    where there are no pictures. `step`: only the picture or the text of this step.
    Raises UserError when there is no such step, no picture, or `out` cannot be written.
    """
    if step is not None and not 0 <= step <= len(recording.actions):
        raise UserError(f"--step {step}: this episode has the steps 0 to {len(recording.actions)}")
    pictures = draws_frames(recording.case.task)
    if format == "video" and not pictures:
        raise UserError(
            f"{recording.case.task.id} has no pictures: leave --format out, and read the transcript"
        )
    text_actions = bool(recording.actions) and isinstance(recording.actions[0], (str, UIAction))
    if format == "text" or not pictures or (format == "auto" and text_actions and step is None):
        with EpisodeReplay(recording, step) as again:
            text = "\n".join(transcript(recording, again, only_last=step is not None))
            return ShownEpisode(text, again.as_recorded is not False)
    check_video()
    name = stem(recording.case) + (".mp4" if step is None else f"-step{step}.png")
    if out is None:
        check_writable(recording.run, (), ("videos",))
    file = out or recording.run / "videos" / name
    with EpisodeReplay(recording, step) as again:
        content = _picture_file(recording, again, still_only=step is not None)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, content)
    except OSError as fault:
        raise UserError(
            f"cannot write {file}: {fault.strerror}. Choose another file with --out"
        ) from None
    return ShownEpisode(str(file), again.as_recorded is not False)


def _picture_file(recording: RecordedEpisode, again: EpisodeReplay, still_only: bool) -> bytes:
    """The video as MP4, or the last step's picture as PNG."""
    result = recording.result
    view = _agent_view(recording, again.slot)
    writer = VideoWriter(recording.case, again.slot.adapter.brief.control_hz)
    last = None
    for played in again.steps([view] if view else []):
        ends = played.step == len(recording.actions[: again.until])
        if not (ends or (writer.wants(played.step) and not still_only)):
            continue
        try:
            frame = played.observation[view] if view else np.asarray(again.slot.render(), np.uint8)
        except Exception as fault:
            raise UserError(
                f"no picture can be drawn here: {describe(fault)}; `bench doctor` may know why. "
                "--format text needs none"
            ) from None
        last = frame, played.step, played.instruction
        if not still_only:
            writer.add(*last)
    assert last is not None
    if still_only:
        return still(writer.compose(*last), "PNG")
    clip = writer.finish(outcome_text(result), result.success)
    assert clip is not None
    return clip.mp4


def _agent_view(recording: RecordedEpisode, slot: EnvSlot) -> str | None:
    """The image view that the agent of a perturbed episode read.

    None: the frame for people is shown.
    """
    if not recording.case.perturbations:
        return None
    slot.reset(recording.bare)  # some briefs exist only after a reset
    return picture(slot.narrowed(recording.reads))


def failures_table(run: str | os.PathLike[str]) -> str:
    """A row for each failed episode, with why it ended and its last metrics.

    Raises UserError when `run` is no run directory.
    """
    rows = [
        [
            result.case[:10],
            result.task,
            result.seed,
            " ".join(result.perturbations),
            result.steps,
            result.error or result.ended,
            metrics_text(result),
        ]
        for _, result in case_results(Path(run), load_run(run).whole)
        if failed(result)
    ]
    head = ["case", "task", "seed", "perturbed", "steps", "why it ended", "at the end"]
    if not rows:
        return "no failures"
    return text_table(head, rows)

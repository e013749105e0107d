"""`bench show`: one recorded episode again, without its agent, as a video or as a text that a person can read; and the list of failures."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

from harness.core import (
    BadAction,
    Case,
    Discrete,
    Element,
    Elements,
    Result,
    Text,
    TimeStep,
    UIAction,
    UserError,
)
from harness.core.errors import describe
from harness.perturb.pipeline import Pipeline
from harness.play.environments import Environments, EnvSlot
from harness.play.episode import Episode
from harness.play.inference import Watch
from harness.play.video import (
    VideoWriter,
    check_video,
    draws_frames,
    failed,
    picture,
    stem,
    still,
    write_whole,
)
from harness.records.results import case_results
from harness.records.stored_run import load_run
from harness.records.traces import locate_traces, read_trace
from harness.verify.replay import WithoutPerturbations

__all__ = ["RecordedEpisode", "Shown", "failures", "find", "show", "transcript"]

MOST_TEXT = 4000
"""Characters of one view in a transcript."""


@dataclass(frozen=True)
class ReplayedStep:
    """One step of a replay; the first one is the reset."""

    step: int
    action: Any
    elements: tuple[Element, ...]
    """What was on the screen when the action was chosen."""
    seen: TimeStep
    instruction: str
    """As the agent was told."""
    observation: Mapping[str, Any]
    """What the agent saw, of the views that were asked for."""


@dataclass(frozen=True, kw_only=True)
class RecordedEpisode:
    """A recorded episode: its case, its line, its actions, and what its agent reads."""

    run: Path
    case: Case
    bare: Case
    """Without what stands between adapter and agent."""
    result: Result
    actions: Sequence[Any]
    reads: tuple[str, ...]
    history: int


@dataclass(frozen=True)
class Shown:
    """What `show` made: a file or a text; and whether the replay went as recorded."""

    text: str
    same: bool


def find(run: str | os.PathLike[str], name: str) -> RecordedEpisode:
    """The recorded episode that `name` names: a case's id or its beginning, or TASK:SEED.

    Raises UserError when there is none or several.
    """
    stored = load_run(run)
    plan = stored.whole
    found = {
        result.case: (index, result)
        for index, result in case_results(stored.path, plan)
        if _is_called(result, name)
    }
    if not found:
        raise UserError(
            f"{run} has no episode {name!r}: name a case's id, its beginning, or TASK:SEED; "
            f"`bench show {run} --failures` lists some"
        )
    if len(found) > 1:
        some = ", ".join(
            f"{case[:10]} ({each.task} seed {each.seed} {' '.join(each.perturbations)})"
            for case, (_, each) in found.items()
        )
        raise UserError(f"{name!r} names {len(found)} episodes: {some[:500]}")
    case, (index, result) = next(iter(found.items()))
    actions = _actions(run, case)
    if actions is None:
        raise UserError(
            f"the episode {case} has no trace: an episode that ended in an error leaves none "
            f"({result.error})"
        )
    return RecordedEpisode(
        run=stored.path,
        case=plan.case(index),
        bare=WithoutPerturbations.of(plan).case(index),
        result=result,
        actions=actions,
        reads=tuple(entry.rstrip("?") for entry in stored.reads if entry != "expert"),
        history=stored.description["agent"].get("history", 1),
    )


def _is_called(result: Result, name: str) -> bool:
    names = f"{result.task.rpartition('@')[0]}:{result.seed}", f"{result.task}:{result.seed}"
    return name in names or (len(name) > 3 and result.case.startswith(name))


def _actions(run: str | os.PathLike[str], case: str) -> list[Any] | None:
    where = None
    for trace, part, place in locate_traces(run):
        if trace.case == case:
            where = part, place
    return read_trace(*where).decoded() if where else None


class EpisodeReplay:
    """Plays a recording; iterate over its moments. `same` tells, at the end, whether the digest is the recorded one."""

    def __init__(self, recording: RecordedEpisode, until: int | None = None) -> None:
        self._recording = recording
        self.until = len(recording.actions) if until is None else until
        self._environments = Environments(1, Watch())
        self.same: bool | None = None
        """None: it was not played to its end."""

    def __enter__(self) -> EpisodeReplay:
        self.slot: EnvSlot = self._environments.slot(self._recording.bare, None)
        return self

    def __exit__(self, *_: object) -> None:
        self._environments.close([self.slot])

    def steps(self, views: Sequence[str]) -> Iterator[ReplayedStep]:
        """The reset and every step, with these views as the agent saw them. Raises UserError when the simulator refuses an action."""
        recording = self._recording
        seen = self.slot.reset(recording.bare)
        brief = self.slot.adapter.brief
        pipeline = Pipeline.of(recording.case, brief, recording.history, seen.instruction)
        episode = Episode(None, recording.bare)
        episode.begin(self.slot, seen, (), 1)
        views = [view for view in views if view in brief.observation]
        screen = next(
            (name for name, spec in brief.observation.items() if isinstance(spec, Elements)), None
        )
        elements: tuple[Element, ...] = ()
        yield self._step_at(0, None, elements, seen, pipeline, views)
        for number, action in enumerate(recording.actions[: self.until], 1):
            elements = _read(seen, screen) if screen else ()
            try:
                seen = self.slot.step(action)
            except BadAction as refused:
                raise UserError(
                    f"the simulator refuses the recorded action {number}: {refused}. `bench verify` says more"
                ) from None
            episode.advance(action, seen)
            yield self._step_at(number, action, elements, seen, pipeline, views)
        if self.until >= len(recording.actions):
            self.same = episode.digest() == recording.result.digest

    def _step_at(
        self,
        step: int,
        action: Any,
        elements: tuple[Element, ...],
        seen: TimeStep,
        pipeline: Pipeline | None,
        views: Sequence[str],
    ) -> ReplayedStep:
        if pipeline is not None:
            return ReplayedStep(
                step,
                action,
                elements,
                seen,
                pipeline.say(seen.instruction),
                pipeline.see(views, seen, step, True) or {},
            )
        return ReplayedStep(
            step,
            action,
            elements,
            seen,
            seen.instruction,
            {view: _read(seen, view) for view in views},
        )


def _read(seen: TimeStep, view: str) -> Any:
    value = seen.observation[view]
    return value() if callable(value) else value


def show(
    recording: RecordedEpisode,
    *,
    format: str = "auto",
    step: int | None = None,
    out: Path | None = None,
) -> Shown:
    """Play the episode again and write its video, with `step` the picture there, or return its transcript.

    `format`: `video`, `text`, or `auto`: text where actions are text or a screen's, or where there are no pictures. The text of the result
    is the file's path, or the transcript.
    """
    if step is not None and not 0 <= step <= len(recording.actions):
        raise UserError(f"--step {step}: this episode has the steps 0 to {len(recording.actions)}")
    pictures = draws_frames(recording.case.task)
    if format == "video" and not pictures:
        raise UserError(
            f"{recording.case.task.id} has no pictures: leave --format out, and read the transcript"
        )
    worded = bool(recording.actions) and isinstance(recording.actions[0], (str, UIAction))
    if format == "text" or not pictures or (format == "auto" and worded and step is None):
        with EpisodeReplay(recording, step) as again:
            text = "\n".join(transcript(recording, again, only_last=step is not None))
            return Shown(text, again.same is not False)
    check_video()
    name = stem(recording.case) + (".mp4" if step is None else f"-step{step}.png")
    file = out or recording.run / "videos" / name
    with EpisodeReplay(recording, step) as again:
        content = _filmed(recording, again, still_only=step is not None)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, content)
    except OSError as fault:
        raise UserError(
            f"cannot write {file}: {fault.strerror}. Choose another file with --out"
        ) from None
    return Shown(str(file), again.same is not False)


def _filmed(recording: RecordedEpisode, again: EpisodeReplay, still_only: bool) -> bytes:
    """The video, or the last moment's picture."""
    result = recording.result
    view = _agents_picture(recording, again.slot)
    writer = VideoWriter(recording.case, again.slot.adapter.brief.control_hz)
    last = None
    for moment in again.steps([view] if view else []):
        ends = moment.step == len(recording.actions[: again.until])
        if not (ends or (writer.wants(moment.step) and not still_only)):
            continue
        try:
            frame = moment.observation[view] if view else np.asarray(again.slot.render(), np.uint8)
        except Exception as fault:
            raise UserError(
                f"no picture can be drawn here: {describe(fault)}; `bench doctor` may know why. --format text needs none"
            ) from None
        last = frame, moment.step, moment.instruction
        if not still_only:
            writer.add(*last)
    assert last is not None
    if still_only:
        return still(writer.compose(*last), "PNG")
    clip = writer.finish(_outcome(result), result.success)
    assert clip is not None
    return clip.mp4


def _agents_picture(recording: RecordedEpisode, slot: EnvSlot) -> str | None:
    """Of a perturbed episode, the picture that its agent saw; None: the frame for people is shown."""
    if not recording.case.perturbations:
        return None
    slot.reset(recording.bare)  # some briefs are there only then
    return picture(slot.narrowed(tuple(f"{name}?" for name in recording.reads)))


def _outcome(result: Result) -> str:
    if result.status != "finished":
        return f"{result.status}: {result.error}"
    if result.success is None:
        return f"{result.ended}, score {result.score:g}"
    return "success" if result.success else f"failed: {result.ended}"


def transcript(
    recording: RecordedEpisode, again: EpisodeReplay, only_last: bool = False
) -> Iterator[str]:
    """The episode in words: instruction, every action and what came of it, and how it ended."""
    case, result = recording.case, recording.result
    yield f"{case.task.id}  seed {case.seed}  case {case.id}"
    if case.perturbations:
        yield f"perturbed: {', '.join(map(str, case.perturbations))}"
    views = _texts(recording, again.slot, case)
    instruction = None
    for moment in again.steps(views):
        if only_last and moment.step < len(recording.actions[: again.until]):
            continue
        if moment.instruction != instruction:
            instruction = moment.instruction
            yield f"instruction: {instruction}"
        if moment.step:
            yield f"--- {moment.step}: {in_words(again.slot.adapter.brief.action, moment.action, moment.elements)}"
            told = [f"reward {moment.seen.reward:g}"] if moment.seen.reward else []
            told += ["success"] if moment.seen.success else []
            if told:
                yield f"    {', '.join(told)}"
        for value in moment.observation.values():
            yield from (f"    {text}" for text in str(value)[:MOST_TEXT].strip().splitlines())
    if not only_last:
        yield f"=== {_outcome(result)} after {result.steps} steps; {_metrics(result)}"


def _texts(recording: RecordedEpisode, slot: EnvSlot, case: Case) -> list[str]:
    """The views to print: the texts that the agent read, else the first text on offer."""
    slot.reset(recording.bare)
    texts = [
        name for name, spec in slot.adapter.brief.observation.items() if isinstance(spec, Text)
    ]
    return [name for name in texts if name in recording.reads] or texts[:1]


def in_words(spec: Any, action: Any, elements: Sequence[Element] = ()) -> str:
    """An action as a person would say it; elements of a screen by what they are called."""
    if isinstance(action, UIAction):
        return _ui_words(action, elements)
    if isinstance(spec, Discrete) and spec.names:
        return str(spec.names[action])
    if isinstance(action, np.ndarray):
        return "[" + " ".join(f"{value:.4g}" for value in action.ravel().tolist()) + "]"
    return str(action) or "(an empty text)"


def _ui_words(action: UIAction, elements: Sequence[Element]) -> str:
    said = [action.kind.replace("_", " ")]
    if action.text is not None:
        said.append(repr(action.text))
    if action.direction is not None:
        said.append(action.direction)
    for ref, x, y, word in (
        (action.ref, action.x, action.y, "on"),
        (action.to_ref, action.to_x, action.to_y, "to"),
    ):
        element = _at(elements, ref, x, y)
        place = "" if x is None or y is None else f"({x:g}, {y:g})"
        if element is not None:
            said.append(f"{word} {_called(element)}{f' at {place}' if place else ''}")
        elif place or ref is not None:
            said.append(f"{word} {place or f'element {ref}'}")
    if action.modifier is not None:
        said.append(f"with {action.modifier}")
    return " ".join(said)


def _at(
    elements: Sequence[Element], ref: int | None, x: float | None, y: float | None
) -> Element | None:
    """The element of this ref, or the smallest one at this point; of equal ones the one on top."""
    if ref is not None:
        return next((element for element in elements if element.ref == ref), None)
    if x is None or y is None:
        return None
    under = [
        e for e in reversed(elements) if e.x <= x < e.x + e.width and e.y <= y < e.y + e.height
    ]
    return min(under, key=lambda element: element.width * element.height, default=None)


def _called(element: Element) -> str:
    text = " ".join((element.text or element.value).split())
    return f"{element.tag}{f'#{element.name}' if element.name else ''}{f' {text[:60]!r}' if text else ''}"


def _metrics(result: Result) -> str:
    told = {"score": result.score, **result.metrics}
    return ", ".join(f"{name} {value:.4g}" for name, value in told.items() if value is not None)


def failures(run: str | os.PathLike[str]) -> str:
    """A line for each failed episode: its case, task, seed, perturbations, steps, why it ended, and the last metrics."""
    rows = [
        [
            result.case[:10],
            result.task,
            result.seed,
            " ".join(result.perturbations),
            result.steps,
            result.error or result.ended,
            _metrics(result),
        ]
        for _, result in case_results(Path(run), load_run(run).whole)
        if failed(result)
    ]
    head = ["case", "task", "seed", "perturbed", "steps", "why it ended", "at the end"]
    return (
        str(
            tabulate(
                rows,
                head,
                tablefmt="simple",
                disable_numparse=True,
                maxcolwidths=[None] * 5 + [60, 80],
            )
        )
        if rows
        else "no failures"
    )

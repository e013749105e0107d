"""A recorded episode as a text: its instruction, actions, observations and outcome."""

from __future__ import annotations

from collections.abc import Iterator

from harness.core import Text
from harness.core.grammar import counted
from harness.core.reads import view_of
from harness.core.text import printable
from harness.play.environments import EnvSlot
from harness.verify.descriptions import describe_action, metrics_text, outcome_text
from harness.verify.episode_replay import EpisodeReplay, RecordedEpisode
from harness.verify.said import said_by_step

__all__ = ["transcript"]

MOST_TEXT = 4000
"""Characters of one view in a transcript."""


def transcript(
    recording: RecordedEpisode, again: EpisodeReplay, only_last: bool = False
) -> Iterator[str]:
    """The lines of a transcript: instruction, every action and its effect, and how it ended.

    `only_last`: only the last step that `again` plays. What a simulator or an agent said in several
    lines is indented from the second one on: no line of theirs looks like one of ours.
    """
    for entry in _entries(recording, again, only_last):
        first, *others = entry.splitlines() or [""]
        yield printable(first)
        yield from (f"    {printable(line)}" for line in others)


def _entries(recording: RecordedEpisode, again: EpisodeReplay, only_last: bool) -> Iterator[str]:
    case, result = recording.case, recording.result
    yield f"{case.task.id}  seed {case.seed}  case {case.id}"
    if case.perturbations:
        yield f"perturbed: {', '.join(map(str, case.perturbations))}"
    views = _text_views(recording, again.slot)
    instruction, said = None, said_by_step(recording.said)
    for step in again.steps(views):
        if only_last and step.step < len(recording.actions[: again.until]):
            continue
        if step.instruction != instruction:
            instruction = step.instruction
            yield f"instruction: {instruction}"
        if step.step:
            action_spec = again.slot.adapter.brief.action
            words = describe_action(action_spec, step.action, step.elements)
            yield f"--- {step.step}: {words}"
            effects = [f"reward {step.seen.reward:g}"] if step.seen.reward else []
            effects += ["success"] if step.seen.success else []
            if effects:
                yield f"    {', '.join(effects)}"
        for value in step.observation.values():
            yield from (f"    {text}" for text in str(value)[:MOST_TEXT].strip().splitlines())
        yield from said.get(step.step, ())
    if not only_last:
        steps = counted(result.steps, "step")
        yield f"=== {outcome_text(result)} after {steps}; {metrics_text(result)}"


def _text_views(recording: RecordedEpisode, slot: EnvSlot) -> list[str]:
    """The views to print: the texts that the agent read, else the first text on offer."""
    slot.reset(recording.bare)
    texts = [
        name for name, spec in slot.adapter.brief.observation.items() if isinstance(spec, Text)
    ]
    read = set(map(view_of, recording.reads))
    return [name for name in texts if name in read] or texts[:1]

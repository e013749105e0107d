"""What is kept of an episode: its result and its executed actions."""

from __future__ import annotations

import contextlib

from harness.core import Result
from harness.play.episode import Episode
from harness.play.skill_run import SKILLS
from harness.play.values import SimulatorFault, checked_metrics
from harness.play.wiring_notes import wiring_notes
from harness.records.traces import Trace, encode_actions

__all__ = ["result_of", "trace_of"]


def trace_of(episode: Episode) -> Trace:
    """The executed actions."""
    return Trace(
        case=episode.case.id,
        task=episode.case.task.id,
        seed=episode.case.seed,
        instruction=episode.started_with,
        actions=encode_actions(episode.actions, episode.table()),
        digest=episode.digest(),
        pixels=episode.pixels,
        said=episode.notes.transcript,
    )


def result_of(
    episode: Episode,
    status: str,
    ended: str,
    error: str | None,
    scores: tuple[bool | None, float | None, float | None],
) -> Result:
    """The episode's result; the coordinator fills in `protocol` and the rest of `timing`."""
    metrics = dict[str, float]()
    for name, value in episode.metrics.items():
        with contextlib.suppress(SimulatorFault):  # which the status tells already
            metrics |= checked_metrics({name: value})
    if episode.clipped:
        metrics["clipped_actions"] = float(episode.clipped)
    if episode.draws:
        metrics["redrawn_starts"] = float(episode.draws)
    if episode.expert is not None and episode.expert.asks:
        metrics["expert_steps"] = float(episode.expert.steps)
    if episode.perturbed is not None:
        metrics |= episode.perturbed.metrics()
    views, privileged = episode.views.found(), _privileged(episode)
    told = status != "error" and episode.case.task.success is not None
    wiring = None
    if status == "finished" and episode.actions and episode.perturbed is None:
        spec = episode.brief.action
        wiring = wiring_notes(episode.actions, spec, episode.unread, episode.table())
    return Result(
        case=episode.case.id,
        task=episode.case.task.id,
        seed=episode.case.seed,
        perturbations=tuple(map(str, episode.case.perturbations)),
        status=status,
        success=scores[0],
        score=scores[1],
        normalised=scores[2],
        steps=episode.steps,
        ended=ended,
        metrics=metrics,
        error=None if error is None else error.encode("utf-8", "backslashreplace").decode(),
        digest=episode.digest() if status != "error" else "",
        protocol="",
        timing={
            "simulator_s": round(episode.simulator_s, 6),
            "agent_s": round(episode.agent_s, 6),
            "asked": episode.asked,
            **episode.notes.timing(),
            **({} if wiring is None else {"wiring": wiring}),
            **({"views": views} if views else {}),
            **({"privileged": privileged} if privileged else {}),
            **(
                {"renderer": episode.renderer or ""}
                if episode.asked and episode.may_read_drawn
                else {}
            ),
        },
        start=episode.start if status != "error" else "",
        success_ever=episode.first_success is not None if told else None,
        success_end=episode.solved_now if told else None,
        first_success=episode.first_success if told else None,
    )


def _privileged(episode: Episode) -> list[str]:
    """The privileged views that the agent has read."""
    if not episode.asked:
        return []
    found = set(episode.views_read()).intersection(episode.slot.adapter.privileged_views)
    if (
        episode.skills is not None
        and episode.skills.used
        and episode.slot.adapter.privileged_skills
    ):
        found.add(SKILLS)
    if episode.expert is not None and episode.expert.steps:
        found.add("expert")
    return sorted(found)

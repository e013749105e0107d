"""The outcome of an episode: what the loop reports of a case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.core import Missing, Result
from harness.core.errors import describe
from harness.core.values import BadValue
from harness.play.episode import Episode
from harness.play.episode_result import result_of, trace_of
from harness.play.inference import Hung
from harness.play.values import SimulatorFault
from harness.records.traces import Trace

__all__ = [
    "AGENT", "SHARED", "VALUE", "Outcome", "VideoClip", "fault_place", "outcome_of", "reason_of",
]  # fmt: skip

AGENT, SHARED, VALUE = "agent", "shared", "value"
"""As `Outcome.failed_in`."""


@dataclass(frozen=True)
class VideoClip:
    """A video of an episode and its last frame: the contents of an mp4 and of a JPEG file."""

    mp4: bytes
    poster: bytes


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the loop reports for one case: a result with its trace, or why it cannot run."""

    ticket: Any
    result: Result | None = None
    trace: Trace | None = None
    missing: Missing | None = None
    """Why the task, or its combination with the perturbations, cannot run."""
    clip: VideoClip | None = None
    perturbations_only: bool = False
    """Whether only the perturbations cannot run, and the task itself can."""
    failed_in: str = ""
    """Where the simulator failed: `construction`, `reset`, `step`, `view` or `expert`; VALUE where
    it gave a value that breaks its contract, SHARED where another episode of a shared simulator may
    be to blame; AGENT where who answers for the agent could not be asked. Empty where it may have
    been the worker."""

    @classmethod
    def finished(cls, episode: Episode, ended: str) -> Outcome:
        """The outcome of an episode that came to its end. Raises SimulatorFault without a score."""
        return cls(
            ticket=episode.ticket,
            result=result_of(episode, "finished", ended, None, episode.scored()),
            trace=trace_of(episode),
        )

    @classmethod
    def failed(cls, episode: Episode, status: str, reason: str, failed_in: str = "") -> Outcome:
        """The outcome of an episode that was cut short.

        `agent_error`: the agent failed, which counts against it, and the trace up to there can be
        replayed. `error`: the simulator or the harness failed; neither success nor trace.
        """
        if status == "agent_error":
            success = False if episode.case.task.success is not None else None
            return cls(
                ticket=episode.ticket,
                result=result_of(episode, status, status, reason, (success, None, None)),
                trace=trace_of(episode),
            )
        return cls(
            ticket=episode.ticket,
            result=result_of(episode, status, status, reason, (None, None, None)),
            failed_in=failed_in,
        )


def outcome_of(
    episode: Episode, status: str, reason: str | None, ended: str, where: str = ""
) -> Outcome:
    """The outcome of an episode that is over; it failed if there is a `reason`."""
    if reason is not None:
        return Outcome.failed(episode, status, reason, where)
    try:
        return Outcome.finished(episode, ended)
    except Exception as fault:
        # The adapter's last metrics give no finite score.
        why = str(fault) if isinstance(fault, SimulatorFault) else describe(fault)
        return Outcome.failed(episode, "error", why, VALUE)


def fault_place(where: str, fault: BaseException) -> str:
    """`Outcome.failed_in` of a fault that was raised in `where`."""
    return VALUE if isinstance(fault, BadValue) else where


def reason_of(where: str, fault: BaseException) -> str:
    """What a result says of a fault of the simulator that was raised in `where`."""
    if isinstance(fault, Hung):
        return f"the simulator did not return from {where}"
    # A broken contract is told in words of ours: where they stand in our code helps nobody.
    return f"{where}: {fault if isinstance(fault, BadValue) else describe(fault)}"

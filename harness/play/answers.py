"""What an answer of the agent does to its episode: actions are queued, or the episode ends."""

from __future__ import annotations

from typing import Any, Protocol

from harness.play.drawn_by import note_renderer
from harness.play.environments import EnvSlot
from harness.play.inference import AgentFault, Watch
from harness.play.lanes import Group, Lane
from harness.play.late_answers import LateAnswers
from harness.play.outcome import AGENT
from harness.play.values import Chunk

__all__ = ["Answers"]


class End(Protocol):
    """Ends a lane's episode, as RolloutLoop does."""

    def __call__(
        self, lane: Lane, status: str, reason: str | None, *, failed_in: str = ""
    ) -> None: ...


class Fail(Protocol):
    """Ends all episodes in a slot's environment, as RolloutLoop does."""

    def __call__(
        self, group: Group, slot: EnvSlot, where: str, fault: BaseException | None
    ) -> None: ...


class Answers:
    """Takes the answers to the turns of all lanes."""

    def __init__(self, watch: Watch, late: LateAnswers | None, end: End, fail: Fail) -> None:
        """`late`: what delays answers, where simulated time does not wait for them."""
        self._watch = watch
        self._late = late
        self._end = end
        self._fail = fail

    def take(
        self, group: Group, lane: Lane, answer: Any, share: float, seconds: float | None = None
    ) -> None:
        """Queue what an answer says is to be done.

        `share`: of the `seconds` of the agent's call, for this answer; without them it was alone.
        """
        episode = lane.episode
        assert episode is not None
        episode.agent_s += share
        episode.asked += 1
        # A lazy view is drawn inside the agent's call: its failure is the simulator's, whatever
        # the agent made of it.
        fault = episode.view_fault if episode.lazy else None
        if episode.renderer is None and fault is None:
            fault = note_renderer(episode, self._watch)
        if fault is not None:
            self._fail(group, episode.slot, "view", fault)
        elif type(answer) is tuple and self._late is None and episode.skills is None:
            episode.pending.append(answer)  # a plain action, as most answers are
        elif isinstance(answer, AgentFault):
            self._end(lane, answer.status, answer.reason, failed_in=answer.failed_in)
        else:
            if isinstance(answer, Chunk):
                episode.memory = answer.memory
                if answer.figures or answer.said or answer.confidence is not None:
                    episode.notes.add(answer, first=episode.asked == 1)
                if answer.ask:
                    asked = episode.asks_expert(answer)
                    if asked is None:
                        reason = "it asks the expert: name `ask` in reads, and not `skills`"
                        self._end(lane, "agent_error", reason, failed_in=AGENT)
                        return
                    answer = asked
                if answer.calls:
                    refused = episode.begin_calls(answer.calls)
                    if refused is not None:
                        self._end(lane, "agent_error", refused, failed_in=AGENT)
                        return
            if self._late is not None:
                self._late.take(episode, answer, share if seconds is None else seconds)
            elif isinstance(answer, Chunk):
                episode.pending.extend(answer.moves)
            else:
                episode.pending.append(answer)
            if episode.skills is not None:
                self.go_on(group, lane)

    def go_on(self, group: Group, lane: Lane) -> None:
        """Queue the next action of the skill that the agent called, if nothing is queued."""
        episode = lane.episode
        if episode is None or episode.pending:
            return
        try:
            move = episode.skill_move(self._watch)
        except KeyboardInterrupt:
            raise
        except BaseException as fault:
            self._watch.deadline = 0.0
            self._fail(group, episode.slot, "skill", fault)
            return
        if move is not None:
            episode.pending.append(move)

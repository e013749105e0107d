"""Steps of one episode in one loop, where its lane is the only one and its agent answers here.

RolloutLoop plays any number of lanes in rounds; with a fast simulator and one lane, half of its
time would go into the rounds. An episode is `plain` if nothing but actions and views passes between
the agent and the simulator. What it gives is the same either way
(tests/harness/play/test_straight.py).
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from harness.core import BadAction
from harness.play.endings import EpisodeObserver
from harness.play.episode import Episode
from harness.play.inference import LocalAgent, fault_of
from harness.play.values import AgentFault, checked_timestep, listed, taken

__all__ = ["Stop", "play_on"]

SLICE_S = 0.05
"""Seconds after which the caller may look whether it is to stop."""

clock = time.perf_counter


class Stop(NamedTuple):
    """Why `play_on` returned, for RolloutLoop to go on."""

    answer: Any = None
    """An answer that is more than an action, or none."""
    seconds: float = 0.0
    """How long the agent took for it."""
    queued: AgentFault | None = None
    """The part of a chunk whose turn it is, if it is no action."""
    ended: str = ""
    """How the episode ended."""
    refused: BadAction | None = None
    """By the simulator, of the agent's action."""
    fault: BaseException | None = None
    """Raised by the simulator's step."""


def play_on(episode: Episode, client: LocalAgent, observer: EpisodeObserver | None) -> Stop:
    """Ask the agent and step, again and again, until the episode needs more or SLICE_S is over.

    The episode is `plain`; `observer` is told of every step. Raises KeyboardInterrupt.
    """
    watch, agent, timeout = client.watch, client.agent, client.timeout
    slot, pending, spec = episode.slot, episode.pending, episode.brief.action
    step, patience = slot.step, slot.patience
    watch.cases = episode.tickets
    until = clock() + SLICE_S
    while True:
        if pending:
            move = pending.popleft()
            if type(move) is AgentFault:
                return Stop(queued=move)
            now = clock()
        else:
            turn = episode.plain_turn()
            watch.phase, begun = "agent", clock()
            watch.deadline = begun + timeout
            try:
                answers: Any = agent.act([turn])
                if type(answers) is not list or len(answers) != 1:
                    answers = listed(answers, 1)
                move = taken(answers[0], spec) if type(answers) is list else AgentFault(answers)
            except BaseException as raised:
                move = fault_of(raised, timeout)
            finally:
                watch.deadline = 0.0
            now = clock()
            if type(move) is not tuple or episode.renderer is None:
                return Stop(answer=move, seconds=now - begun)
            episode.agent_s += now - begun
            episode.asked += 1
        action, clipped = move
        if clipped:
            episode.clipped += 1
        watch.phase, begun = "simulator", now
        watch.deadline = begun + patience
        try:
            try:
                told = step(action)
            except BadAction as bad:
                return Stop(refused=bad)
            seen = checked_timestep(told)
            ended = episode.advance(action, seen)
            now = clock()
            episode.simulator_s += now - begun
            if observer is not None:
                observer.step(episode, seen, bool(ended))
        except KeyboardInterrupt:
            raise
        except BaseException as fault:
            return Stop(fault=fault)
        finally:
            watch.deadline = 0.0
        if ended or now > until:
            return Stop(ended=ended)

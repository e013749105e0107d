"""Who plays while frames are recorded: an expert, or a model where a task has none."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable
from typing import Any

from harness.core import Agent, Case, TimeStep, Turn
from harness.core.reads import view_of
from harness.play.episode import agent_key, episode_name

__all__ = ["Driver", "driven_by_expert", "driven_by_model"]

Driver = Callable[[TimeStep, Any], Any]
"""Called at each step of an episode with what was seen and the action that was executed before, or
None at the start. Returns an action; None if it has given up."""


def driven_by_expert(env: Any) -> Driver:
    """The expert of a simulator."""
    return lambda seen, executed: env.expert(executed)


def driven_by_model(agent: Agent, env: Any, case: Case) -> Driver:
    """An agent in one episode of `case`; it sees the views that it reads, as in `bench run`."""
    names = {view_of(view) for view in agent.reads}
    shown = {name: spec for name, spec in env.brief.observation.items() if name in names}
    brief = dataclasses.replace(env.brief, observation=shown)
    key, episode = agent_key(case), episode_name(case.id)
    observations: deque[dict[str, Any]] = deque(maxlen=agent.history)
    actions: list[Any] = []

    def act(seen: TimeStep, executed: Any) -> Any:
        if executed is not None:
            actions.append(executed)
        values = {name: seen.observation[name] for name in shown}
        observations.append(
            {name: value() if callable(value) else value for name, value in values.items()}
        )
        between = actions[len(actions) - len(observations) + 1 :]
        return agent.act(
            [
                Turn(
                    brief=brief,
                    instruction=seen.instruction,
                    observations=tuple(observations),
                    actions=tuple(between),
                    step=len(actions),
                    episode=episode,
                    rng_key=key,
                )
            ]
        )[0]

    return act

"""check_agent: what the harness relies on in an agent, tried on real turns."""

from __future__ import annotations

import dataclasses
import math
import pickle
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.core import Agent, Answer, BadAction, Box, Brief, Case, Missing, SkillCall, Task, Turn
from harness.core.lane import build_adapter
from harness.core.reads import ENTRY, is_optional, view_of
from harness.host.loading import load_adapter
from harness.play.environments import EnvSlot, ViewNotOffered, environment_key
from harness.play.episode import Episode
from harness.play.inference import Watch
from harness.records.registry import load
from harness.testing.checks import ContractError, call, demand, naming
from harness.testing.trajectory import content_digest

__all__ = ["check_agent"]

ROUNDING = 0.01
"""By how much the rounding of a network can change an action, relative to its size or to 1: a
bfloat16 has 8 bits."""


def check_agent(
    agent: str | type[Agent] | Agent,
    tasks: Sequence[Task],
    *,
    args: Mapping[str, Any] | None = None,
    steps: int = 20,
    tolerance: float = 0.0,
) -> None:
    """Play two seeds of every task side by side for `steps` steps; compare what must be equal.

    Every turn is asked twice, in the reverse order and alone, and, where the agent declares them,
    with less history and without the views marked `?`. Then all is played again, in the same and
    in a fresh instance. A task for which `Agent.unfit` gives a reason is left out, as in a run.

    `agent`: `module:Class` or a class, built with `args`; of an instance no second one is built.
    `tolerance`: by how much an element of a continuous action may differ, in the action's unit.
    It is for networks whose sums depend on the size of the batch; the results of such an agent
    depend on it too.

    Raises ContractError, whose message says what is wrong and how to fix it.
    """
    name = (
        agent
        if isinstance(agent, str)
        else (agent if isinstance(agent, type) else type(agent)).__qualname__
    )
    with naming(name):
        form: Any = load(agent) if isinstance(agent, str) else agent
        first: Any = form if isinstance(form, Agent) else _build(form, args)
        demand(
            isinstance(first, Agent),
            f"the entry must name a subclass of harness.core.Agent, got {type(first).__name__}",
        )
        check = _AgentCheck(tasks, steps, tolerance)
        check.declared(first)
        check.leave_out_unfit(type(first), args or {})
        once = check.play(first, "first", all_ways=True)
        check.demand_equal(
            check.play(first, "again"),
            once,
            "the same episodes played again are answered differently: keep nothing but "
            "Answer.memory",
        )
        call("close", first.close)
        if first is not form:
            fresh = _build(form, args)
            check.demand_equal(
                check.play(fresh, "fresh"),
                once,
                "a fresh instance answers differently: randomness must come from turn.rng alone",
            )
            call("close", fresh.close)


@dataclasses.dataclass(frozen=True)
class _Reply:
    """An answer, with its actions coerced as the harness coerces them."""

    turn: Turn
    actions: tuple[Any, ...]
    memory: Any
    calls: tuple[SkillCall, ...] = ()
    """Where there are no actions: those that the adapter's controllers carry out."""


class _CheckedEpisode:
    """One episode, played as the harness plays it."""

    def __init__(self, task: Task, seed: int, agent: Agent, name: str) -> None:
        kind = load_adapter(task.adapter)
        self.slot = EnvSlot(environment_key(task), build_adapter(kind, task))
        self.episode = Episode(None, Case(task, seed))
        self.episode.name = name
        self.ended = ""
        try:
            self.episode.begin(
                self.slot, self.slot.reset(self.episode.case), agent.reads, agent.history
            )
        except ViewNotOffered as error:
            raise ContractError(
                f"{task.id}: {error.missing.reason}; {error.missing.remedy}, or give other tasks"
            ) from error

    def take(self, reply: _Reply) -> None:
        """Execute an answer, all of a chunk."""
        episode = self.episode
        episode.memory = reply.memory
        episode.pending.extend(reply.actions)
        if reply.calls:
            demand(episode.skills is not None, "it calls skills: name `skills` in reads")
            assert episode.skills is not None
            wrong = episode.skills.begin(reply.calls)
            demand(wrong is None, f"it calls what is no skill: {wrong}")
        while not self.ended:
            if episode.skills is not None and not episode.pending:
                move = episode.skill_move(Watch())
                episode.pending.extend([] if move is None else [move[0]])
            if not episode.pending:
                return
            action = episode.pending.popleft()
            self.ended = episode.advance(action, self.slot.step(action))


class _AgentCheck:
    def __init__(self, tasks: Sequence[Task], steps: int, tolerance: float) -> None:
        demand(len(tasks) > 0, "give one task or more to play")
        self.tasks, self.steps, self.tolerance = tasks, steps, tolerance

    def declared(self, agent: Any) -> None:
        """The types and ranges of what the class declares."""
        names = agent.reads
        listed = isinstance(names, tuple) and all(
            isinstance(name, str) and re.fullmatch(ENTRY, name) for name in names
        )
        demand(
            listed,
            f"reads must be a tuple of names of views such as ('image', 'depth?'), got {names!r}",
        )
        whole = (
            isinstance(agent.history, int)
            and not isinstance(agent.history, bool)
            and agent.history >= 1
        )
        demand(whole, f"history must be an int of at least 1, got {agent.history!r}")
        demand(
            isinstance(agent.gpus, (int, float)) and agent.gpus >= 0,
            f"gpus must be a number of at least 0, got {agent.gpus!r}",
        )
        demand(isinstance(agent.served, bool), f"served must be a bool, got {agent.served!r}")

    def leave_out_unfit(self, kind: type[Agent], args: Mapping[str, Any]) -> None:
        """Go on with the tasks that the agent can play; it must be able to play one."""
        if kind.unfit.__func__ is Agent.unfit.__func__:  # type: ignore[attr-defined]
            return
        refused = {task.id: self._unfit(kind, args, task) for task in self.tasks}
        self.tasks = [task for task in self.tasks if refused[task.id] is None]
        reasons = "; ".join(f"{task}: {why.reason}" for task, why in refused.items() if why)
        remedies = "; ".join(dict.fromkeys(why.remedy for why in refused.values() if why))
        demand(
            len(self.tasks) > 0,
            f"unfit: it can play none of these tasks, so that nothing was tried ({reasons}): give "
            f"a task that it can play, or {remedies}",
        )

    def _unfit(self, kind: type[Agent], args: Mapping[str, Any], task: Task) -> Missing | None:
        slot = EnvSlot(environment_key(task), build_adapter(load_adapter(task.adapter), task))
        try:
            if getattr(slot.adapter, "brief", None) is None:  # some describe themselves in `reset`
                slot.reset(Case(task, task.first_seed))
            found = call("unfit", kind.unfit, args, slot.adapter.brief)
        finally:
            slot.adapter.close()
        demand(
            found is None or isinstance(found, Missing),
            f"unfit must return None or a Missing, got {type(found).__name__}",
        )
        return found  # type: ignore[no-any-return]

    def play(self, agent: Agent, name: str, *, all_ways: bool = False) -> list[_Reply]:
        """All replies, tick by tick. `all_ways`: every turn is also asked in other batches."""
        seeded = [(task, task.first_seed + offset) for task in self.tasks for offset in (0, 1)]
        lanes = [
            _CheckedEpisode(task, seed, agent, f"{name} {number}")
            for number, (task, seed) in enumerate(seeded)
        ]
        replies: list[_Reply] = []
        for tick in range(self.steps):
            live = [lane for lane in lanes if not lane.ended and lane.episode.steps < self.steps]
            if not live:
                break
            turns = [lane.episode.turn(Watch()) for lane in live]
            answered = self.ask(agent, turns)
            if all_ways:
                self.ask_in_other_batches(agent, turns, answered, tick)
            for lane, reply in zip(live, answered):
                lane.take(reply)
            replies += answered
        call("end", agent.end, [lane.episode.name for lane in lanes])
        call("end, of an episode that it does not know,", agent.end, ["no such episode"])
        for lane in lanes:
            lane.slot.adapter.close()
        return replies

    def ask_in_other_batches(
        self, agent: Agent, turns: Sequence[Turn], replies: Sequence[_Reply], tick: int
    ) -> None:
        self.demand_equal(
            self.ask(agent, turns),
            replies,
            "asked twice, it answers differently: draw from turn.rng, remember through "
            "Answer.memory",
        )
        if len(turns) > 1:
            alone = [self.ask(agent, [turn])[0] for turn in turns]
            self.demand_equal(
                alone,
                replies,
                "asked alone, it answers differently than in a batch: turns must not influence "
                "each other",
            )
            turned = self.ask(agent, turns[::-1])[::-1]
            self.demand_equal(
                turned,
                replies,
                "asked in the reverse order, it answers differently: turns must not influence each "
                "other",
            )
        if tick > 2:
            return
        if agent.history > 1:
            with naming("with less history than it declares, as a perturbation may give it"):
                self.ask(
                    agent,
                    [
                        dataclasses.replace(turn, observations=turn.observations[-1:], actions=())
                        for turn in turns
                    ],
                )
        if lacking := {view_of(each) for each in agent.reads if is_optional(each)}:
            with naming(f"without the views {sorted(lacking)}, which it marks as dispensable"):
                self.ask(agent, [_without(turn, lacking) for turn in turns])

    def ask(self, agent: Agent, turns: Sequence[Turn]) -> list[_Reply]:
        # New turns, because the generator of a turn that was asked before has been drawn from.
        asked = [dataclasses.replace(turn) for turn in turns]
        before = [_content(turn) for turn in asked]
        answers = call("act", agent.act, asked)
        demand(
            [_content(turn) for turn in asked] == before,
            "act changes its turns (observations, actions or memory): copy before you write",
        )
        try:
            count = len(answers)
        except TypeError as error:
            raise ContractError(
                "act must return a sequence with an answer for every turn, got "
                f"{type(answers).__name__}"
            ) from error
        demand(
            count == len(turns), f"act must answer every turn: {len(turns)} turns, {count} answers"
        )
        return [_reply(turn, answer) for turn, answer in zip(turns, answers)]

    def demand_equal(self, one: Sequence[_Reply], other: Sequence[_Reply], message: str) -> None:
        for mine, theirs in zip(one, other):
            same = len(mine.actions) == len(theirs.actions) and mine.calls == theirs.calls
            equal = same and all(
                self._equal(mine.turn.brief, *pair) for pair in zip(mine.actions, theirs.actions)
            )
            if equal:
                continue
            rounding = self._rounding(mine, theirs)
            raise ContractError(
                f"{message} (at step {mine.turn.step}: {mine.actions or mine.calls} and "
                f"{theirs.actions or theirs.calls})" + (rounding and f". {rounding}")
            )
        demand(
            len(one) == len(other), f"{message} (it was asked {len(one)} and {len(other)} times)"
        )

    def _rounding(self, one: _Reply, other: _Reply) -> str:
        """What to do where continuous actions differ by no more than rounding; else empty."""
        if (
            not one.actions
            or len(one.actions) != len(other.actions)
            or not isinstance(one.turn.brief.action, Box)
        ):
            return ""
        pairs = [
            (np.asarray(a, np.float64), np.asarray(b, np.float64))
            for a, b in zip(one.actions, other.actions)
        ]
        size = max(float(np.abs(a - b).max(initial=0.0)) for a, b in pairs)
        scale = max(1.0, *(float(np.abs(a).max(initial=0.0)) for a, _ in pairs))
        if size > ROUNDING * scale:
            return ""
        allowed = 10.0 ** math.ceil(math.log10(size))
        return (
            f"They differ by {size:.2g} at most: if that is the rounding of a network whose sums "
            f"depend on the size of the batch, allow it with tolerance={allowed:g}; results then "
            "depend on the batch, too"
        )

    def _equal(self, brief: Brief, one: Any, other: Any) -> bool:
        if isinstance(brief.action, Box):
            return bool(
                np.all(np.abs(one.astype(np.float64) - other.astype(np.float64)) <= self.tolerance)
            )
        return bool(np.all(one == other))


def _build(form: Any, args: Mapping[str, Any] | None) -> Any:
    return call("the constructor", lambda: form(**(args or {})))


def _reply(turn: Turn, answer: Any) -> _Reply:
    actions = (
        call("reading Answer.actions", list, answer.actions)
        if isinstance(answer, Answer)
        else [answer]
    )
    if isinstance(answer, Answer) and len(answer.calls):
        demand(not actions, "an Answer of calls and actions: give one of both")
        return _Reply(turn, (), answer.memory, tuple(answer.calls))
    demand(len(actions) > 0, "an Answer without actions: give one or more")
    try:
        taken = tuple(turn.brief.action.coerce(action)[0] for action in actions)
    except BadAction as error:
        raise ContractError(
            f"at step {turn.step} the action does not conform to turn.brief.action: {error}"
        ) from error
    return _Reply(turn, taken, answer.memory if isinstance(answer, Answer) else None)


def _content(turn: Turn) -> tuple[Any, ...]:
    """What an agent must not change, in a form that shows a change in place."""
    seen = [
        [(view, content_digest(value)) for view, value in observation.items()]
        for observation in turn.observations
    ]
    try:
        memory: Any = pickle.dumps(turn.memory)
    except (pickle.PicklingError, AttributeError, TypeError):
        # A memory that cannot be pickled is allowed, and compared by identity.
        memory = id(turn.memory)
    return seen, [content_digest(action) for action in turn.actions], memory


def _without(turn: Turn, views: set[str]) -> Turn:
    kept = {view: spec for view, spec in turn.brief.observation.items() if view not in views}
    shown = tuple(
        {view: value for view, value in observation.items() if view in kept}
        for observation in turn.observations
    )
    return dataclasses.replace(
        turn, brief=dataclasses.replace(turn.brief, observation=kept), observations=shown
    )

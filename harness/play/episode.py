"""One episode while it is played: what the agent sees, and when it ends."""

from __future__ import annotations

import functools
import hashlib
import struct
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from harness.core import BadAction, Case, SkillCall, TimeStep, Turn, stream_key
from harness.core.agent import ALL_VIEWS
from harness.core.nouns import LONGEST_EPISODE
from harness.perturb.pipeline import Pipeline
from harness.play.answer_notes import AnswerNotes
from harness.play.environments import EnvSlot
from harness.play.expert_run import ASKING, ExpertRun
from harness.play.inference import Watch
from harness.play.lazy_views import LazyViews
from harness.play.noted_views import NotedViews
from harness.play.scores import scored
from harness.play.skill_run import SKILLS, SkillRun
from harness.play.start_digest import compared, digest_of_images, is_drawn, start_digest
from harness.play.values import (
    Chunk,
    Move,
    QuickViews,
    SimulatorFault,
    ViewReader,
    checked_state,
)
from harness.records.traces import action_bytes, action_table

__all__ = ["Episode", "SimulatorFault", "episode_name"]

_Said = TypeVar("_Said")
_FLAGS = struct.Struct("<d3b")
_SUCCESS = {None: -1, False: 0, True: 1}


def episode_name(case: str) -> str:
    """The name of a case's episode that agents see: a digest of the case's id."""
    return hashlib.blake2b(f"episode {case}".encode(), digest_size=8).hexdigest()


def agent_key(case: Case) -> int:
    """The key of `Turn.rng` in a case. A repeat draws other numbers, and starts the same way."""
    again = ("repeat", case.repeat) if case.repeat else ()
    return stream_key(case.task.id, case.seed, "agent", *again)


class Episode:
    """The state of one episode between its reset and its result."""

    __slots__ = (
        "actions", "agent_s", "asked", "brief", "case", "clipped", "draws", "executed", "expert",
        "first_success", "hasher", "instruction", "lazy", "memory", "metrics", "name", "notes",
        "pending", "perturbed", "pixels", "plain", "renderer", "returned", "simulator_s", "skills",
        "slot", "solved", "solved_now", "start", "started_with", "steps", "ticket", "tickets",
        "told", "unread", "views", "_digested", "_fields", "_history", "_horizon", "_looked",
        "_names", "_observations", "_quick", "_table", "_touched",
    )  # fmt: skip

    def __init__(self, ticket: Any, case: Case) -> None:
        self.ticket = ticket
        self.tickets = (ticket,)
        self.case = case
        self.name = episode_name(case.id)
        self.hasher = hashlib.blake2b(digest_size=10)
        self.pending: deque[Any] = deque()
        self.actions: list[Any] = []
        """Those that were executed."""
        self.steps = self.asked = self.clipped = self.draws = 0
        self.expert: ExpertRun | None = None
        self._looked = -1
        self._digested = -1, ""
        self._table: tuple[int, np.ndarray | None] = (-1, None)
        self.simulator_s = self.agent_s = 0.0
        self.memory: Any = None
        self.notes = AnswerNotes()
        self.executed: Any = None
        self.solved = self.solved_now = False
        self.first_success: int | None = None
        self.renderer: str | None = None
        """What draws the views that the agent reads, once that is known; empty: nothing beside the
        simulator's packages, or nothing is drawn."""
        self.lazy = False
        """Whether the agent did not name its views, so that each is drawn when it is read."""
        self.start = ""
        self.returned = 0.0
        self._horizon = case.task.max_steps or LONGEST_EPISODE
        self.instruction = self.started_with = self.pixels = ""
        self.metrics: Mapping[str, float] = {}
        self.perturbed: Pipeline | None = None
        """What its perturbations do."""
        self.skills: SkillRun | None = None
        """The calls of an agent that reads `skills`."""
        self.told = False
        """Whether the simulator has said of any step whether it is a success."""
        self.views = ViewReader({})
        """Reads and checks what the simulator shows."""
        self._touched: set[str] | None = set()
        self.unread: set[str] = set()
        """The views that an agent names in `reads` and has not read so far."""

    def begin(self, slot: EnvSlot, first: TimeStep, reads: Sequence[str], history: int) -> None:
        """Take the reset's timestep `first`. `reads` and `history` are the agent's.

        Raises ViewNotOffered if the agent reads a view that is not on offer, and NotApplicable if a
        perturbation has nothing to change here.
        """
        self.slot = slot
        self.solved = self.told = bool(first.success) and self.case.task.success is not None
        self.solved_now, self.first_success = self.solved, 0 if self.solved else None
        self.brief = slot.narrowed(reads)
        self.views = ViewReader(slot.adapter.brief.observation)
        self.perturbed = Pipeline.of(self.case, slot.adapter.brief, history, first.instruction)
        if self.perturbed is not None:
            self.brief, history = self.perturbed.brief(self.brief), self.perturbed.history
        self._names = tuple(self.brief.observation)
        self._quick: QuickViews = ()
        if self.perturbed is None:
            self._quick = self.views.quick(self._names)
        self.renderer = None if self.may_read_drawn else ""
        self.expert = ExpertRun(slot, reads) if ASKING.intersection(reads) else None
        self.skills = SkillRun(slot, self.case.task) if SKILLS in reads else None
        self.lazy = ALL_VIEWS in reads and self.perturbed is None
        special = self.lazy or slot.batch is not None
        special = special or self.expert is not None or self.skills is not None
        self.plain = not special and self.perturbed is None
        # What an agent reads that names its views is known; what another one touches is noted.
        self._touched = set() if ALL_VIEWS in reads else None
        self._history = history
        self._observations: deque[Mapping[str, Any]] = deque(maxlen=history)
        self._fields: dict[str, Any] = {
            "brief": self.brief,
            "actions": (),
            "episode": self.name,
            "expert": None,
            "rng_key": agent_key(self.case),
            "skills": None,
        }
        self.started_with = first.instruction
        self._see(first)
        first_views = self._observations[-1] if self._observations and not self.lazy else {}
        self.pixels = digest_of_images(first_views)
        if self._touched:
            self._touched.clear()  # that was us
        state = checked_state(slot.state())
        self.hasher.update(state)
        if not slot.adapter.nondeterminism:
            read = first_views if self.perturbed is None else {}
            self.start = start_digest(compared(slot.adapter), first, state, read)
        if self._touched is None and self.perturbed is None and self._observations:
            self.unread.update(self._names)
            self._observations[-1] = NotedViews(self._observations[-1], self.unread)

    def _see(self, seen: TimeStep) -> None:
        """Read the views that the next turn will show, each checked against its spec.

        Views are lazy, and drawing one may cost more than the step itself. So inside a chunk of
        actions only the steps that will be in the agent's history are read.
        """
        self.instruction = seen.instruction
        self.metrics = seen.metrics
        looked = len(self.pending) < self._history
        if self.perturbed is not None:
            self.instruction = self.perturbed.say(seen.instruction)
            shown = self.perturbed.see(self._names, self.reader(seen), self.steps, looked)
            if shown is not None:
                self._observations.append(
                    shown
                    if self._touched is None
                    else LazyViews(tuple(shown), shown.__getitem__, self._touched)
                )
                self._looked = self.steps
            return
        if not looked:
            return
        self._looked = self.steps
        if self.lazy:
            self._observations.append(LazyViews(self._names, self.reader(seen), self._touched))
            return
        views = self.views.read_all(seen.observation, self._quick)
        self._observations.append(NotedViews(views, self.unread) if self.unread else views)

    def reader(self, seen: TimeStep) -> Callable[[str], Any]:
        """Reads the views of a timestep, checked."""
        return functools.partial(self.views.read, seen.observation)

    def shown(self, seen: TimeStep, view: str) -> Any:
        """One view as the agent sees it at this step.

        At steps that the agent does not see (inside a chunk of actions, at the end): the
        simulator's view or, in a perturbed episode, the view that the agent saw last.
        """
        if self._looked == self.steps or (self.perturbed is not None and self._observations):
            views = self._observations[-1]
            return views.unnoted(view) if type(views) is NotedViews else views[view]
        return self.reader(seen)(view)

    def turn(self, watch: Watch) -> Turn:
        """The turn that the agent is to answer now."""
        fields, skills = self._fields.copy(), self.skills
        if skills is not None:
            shows = self.expert is not None and self.expert.shows
            fields["skills"] = self._ask(watch, functools.partial(skills.now, shows))
        elif self.expert is not None:
            outward = None if self.perturbed is None else self.perturbed.expert
            now = functools.partial(self.expert.now, self.executed, outward)
            fields["expert"] = self._ask(watch, now)
        if self._history > 1:
            fields["actions"] = tuple(self.actions[1 - self._history :])
        if self.perturbed is not None:
            sent = self.perturbed.sent()
            if sent is not None:
                fields["actions"] = sent
        fields["instruction"] = self.instruction
        fields["observations"] = tuple(self._observations)
        fields["step"] = self.steps
        fields["memory"] = self.memory
        return Turn.of(fields)

    def plain_turn(self) -> Turn:
        """The same of a `plain` episode."""
        fields = self._fields.copy()
        if self._history > 1:
            fields["actions"] = tuple(self.actions[1 - self._history :])
        fields["instruction"] = self.instruction
        fields["observations"] = tuple(self._observations)
        fields["step"] = self.steps
        fields["memory"] = self.memory
        return Turn.of(fields)

    def executes(self, action: Any) -> Any:
        """The action to execute: the agent's, or what the perturbations make of it."""
        if self.lazy:
            views = self._observations[-1]
            assert isinstance(views, LazyViews)
            views.close()
        if self.perturbed is None:
            return action
        action = self.perturbed.act(action, self.steps)
        try:
            self.slot.adapter.brief.action.validate(action)
        except BadAction as bad:
            raise SimulatorFault(f"it made an action that cannot be executed: {bad}") from None
        return action

    def answered(self, action: Any) -> bool:
        """Whether the action to execute is the agent's, and not one that a perturbation made."""
        return self.perturbed is None or self.perturbed.passed(action)

    def draw(self, watch: Watch) -> None:
        """Draw all views that the next turn offers: another process cannot. Raises as they do."""
        if self.lazy:
            watch.guard("simulator", self.slot.patience, self.tickets)
            dict(self._observations[-1])
            watch.deadline = 0.0

    @property
    def view_fault(self) -> BaseException | None:
        """Why a view could not be read that the agent wanted to read, if that happened.

        Only where the views are `lazy`."""
        return getattr(self._observations[-1], "fault", None) if self.lazy else None

    def views_read(self) -> Collection[str]:
        """The views that the agent has read so far, as far as its process can tell."""
        return self._names if self._touched is None else self._touched

    @property
    def may_read_drawn(self) -> bool:
        """Whether any view that the agent may read is drawn by a renderer."""
        return any(map(is_drawn, self._names))

    def asks_expert(self, answer: Chunk) -> Chunk | None:
        """What acts in the place of an answer that asks for it; None: the agent may not ask."""
        if self.expert is None or not self.expert.asks or self.skills is not None:
            return None
        return self.expert.in_place_of(answer)

    def begin_calls(self, calls: Sequence[SkillCall]) -> str | None:
        """Begin the calls of an answer; why they are none, in one line."""
        if self.skills is None:
            return "it calls skills, and does not read `skills`"
        return self.skills.begin(calls)

    def skill_move(self, watch: Watch) -> Move | None:
        """The next action of the skill that the agent called; None: there is none under way."""
        assert self.skills is not None
        return self._ask(watch, functools.partial(self.skills.move, self.executed))

    def _ask(self, watch: Watch, question: Callable[[], _Said]) -> _Said:
        """What the expert or a controller says.

        Its time counts as the agent's, as some plan for seconds.
        """
        watch.guard("simulator", self.slot.patience, self.tickets)
        begun = time.perf_counter()
        try:
            return question()
        finally:
            self.agent_s += time.perf_counter() - begun
            watch.deadline = 0.0

    def advance(self, action: Any, seen: TimeStep) -> str:
        """Take the timestep that followed `action`, as `checked_timestep` gives it.

        Returns how the episode ended (`success`, `terminated`, `truncated` or `horizon`), or an
        empty string while it goes on.
        """
        steps = self.steps = self.steps + 1
        self.executed = action
        self.actions.append(action)
        reward, success, over, cut = seen.reward, seen.success, seen.terminated, seen.truncated
        self.returned += reward
        self.solved_now = success is True
        if success is not None:
            self.told = True
            if success:
                self.solved = True
                if self.first_success is None:
                    self.first_success = steps
        state = self.slot.state()
        if type(state) is not bytes:
            state = checked_state(state)
        self.hasher.update(_FLAGS.pack(reward, over, cut, _SUCCESS[success]) + state)
        ended = ""
        if success and self.case.task.success == "ever":
            ended = "success"
        elif over:
            ended = "terminated"
        elif cut:
            ended = "truncated"
        elif steps >= self._horizon:
            ended = "horizon"
        if ended:
            self.metrics = seen.metrics
            if self.case.task.success == "end":
                self.solved = bool(success)
        elif self.plain and not self.unread:  # `_see`, without what such an episode has not
            self.instruction, self.metrics = seen.instruction, seen.metrics
            if len(self.pending) < self._history:
                self._looked = steps
                self._observations.append(self.views.read_all(seen.observation, self._quick))
        else:
            self._see(seen)
            if self.expert is not None and self.pending and self.skills is None:
                # Inside a chunk of actions its answer is not needed, but an expert that follows
                # the episode must know every executed action.
                self.slot.expert(action)
        return ended

    def scored(self) -> tuple[bool | None, float, float | None]:
        """(success, score, normalised score), as harness.play.scores says it at the end."""
        return scored(
            self.case.task, self.metrics, self.returned, self.solved if self.told else None
        )

    def table(self) -> np.ndarray | None:
        """The `action_table` of the executed actions, made once for three uses."""
        steps, table = self._table
        if steps != self.steps:
            table = action_table(self.actions)
            self._table = self.steps, table
        return table

    def digest(self) -> str:
        """20 hexadecimal digits over all rewards, flags, simulator states and actions so far.

        The actions are included because a state need not reflect all of them.
        """
        steps, digest = self._digested
        if steps != self.steps:  # it is asked for twice at the end
            whole = self.hasher.copy()
            if self.actions:
                whole.update(action_bytes(self.actions, self.table()))
            digest = whole.hexdigest()
            self._digested = self.steps, digest
        return digest

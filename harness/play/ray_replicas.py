"""A served agent on Ray: one instance or several replicas, and how workers ask them.

An agent keeps what an episode has to remember in `Answer.memory`, so any replica can answer any
turn. A request goes to the replica that is expected to answer it first. If that one dies, the
request is sent once more, to another; the dead one is replaced.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import ray

from harness.core import Turn, UserError
from harness.play.inference import AgentFault, Watch
from harness.play.replica_choice import ReplicaChoice
from harness.play.worker_output import Notices

__all__ = ["Replicas", "ServedAgent", "cause", "unwrapped"]

ASKED = 2
"""How often a request is sent before its episodes fail: a turn may be what kills a replica."""
RELAUNCH_S = 600.0
"""How long a worker waits for a replica while all of them are being replaced."""
LOST = "{} replicas of the served agent died while they answered; the last: {}"


class _Request:
    """Turns of one group of lanes that one replica is asked for."""

    __slots__ = ("actor", "answers", "asked", "number", "reference", "sent", "turns")

    def __init__(self, turns: Sequence[Turn]) -> None:
        self.turns = turns
        self.answers: list[Any] | None = None
        self.asked = 0
        self.number = 0
        self.actor: Any = None
        self.reference: Any = None
        self.sent = 0.0


class ServedAgent:
    """A worker's client of the replicas: one message a round for all lanes of a group."""

    elsewhere = True

    def __init__(self, replicas: Sequence[Any], timeout: float, notices: Notices) -> None:
        """`replicas`: the actors. `timeout`: how long a call of the agent may take, in seconds."""
        self.watch = Watch()
        self._notices = notices
        self._actors: list[Any] = list(replicas)
        self._choice = ReplicaChoice(len(replicas))
        self._changed = threading.Condition()
        self._timeout = timeout
        self._footprint: dict[str, int] = {}
        self._answered: dict[str, set[int]] = {}
        """Episode -> the replicas that were asked for a turn of it."""

    def replace(self, number: int, actor: Any) -> None:
        """Ask this actor from now on where replica `number` was asked; called by another thread."""
        with self._changed:
            self._actors[number] = actor
            self._choice.begins(number)
            self._changed.notify_all()

    def submit(self, turns: Sequence[Turn]) -> _Request:
        request = _Request(turns)
        self._send(request)
        return request

    def _send(self, request: _Request) -> None:
        with self._changed:
            if not self._changed.wait_for(self._choice.any_alive, RELAUNCH_S):
                request.answers = _lost(request, f"none came back within {RELAUNCH_S:g} s")
                return
            request.number = self._choice.take()
            request.actor = self._actors[request.number]
        request.asked += 1
        request.sent = time.perf_counter()
        if len(self._actors) > 1:
            for turn in request.turns:
                self._answered.setdefault(turn.episode, set()).add(request.number)
        request.reference = request.actor.infer.remote(request.turns)

    def first(self, requests: Sequence[_Request], wait: bool) -> list[bool]:
        """Which of the requests are answered; with `wait`, once one of them is."""
        while True:
            asked = {each.reference: each for each in requests if each.answers is None}
            if asked:
                block = wait and len(asked) == len(requests)
                self._guard(min(request.sent for request in asked.values()))
                try:
                    done, _ = ray.wait(
                        list(asked),
                        num_returns=1 if block else len(asked),
                        timeout=None if block else 0,
                    )
                    for reference in done:
                        self._take(asked[reference])
                finally:
                    self.watch.deadline = 0.0
            found = [request.answers is not None for request in requests]
            if any(found) or not wait:
                return found

    def collect(self, ticket: _Request) -> tuple[list[Any], float]:
        begun = time.perf_counter()
        while ticket.answers is None:
            self._guard(ticket.sent)
            try:
                self._take(ticket)
            finally:
                self.watch.deadline = 0.0
        return ticket.answers, time.perf_counter() - begun

    def _guard(self, sent: float) -> None:
        # Twice the timeout: the agent may be busy with another batch, which has as long.
        self.watch.phase, self.watch.deadline = "agent", sent + 2 * self._timeout

    def _take(self, request: _Request) -> None:
        """Take the answers to a request, or send it again if its replica is gone."""
        try:
            request.answers, notices, waiting = ray.get(request.reference)
        except ray.exceptions.RayActorError as fault:
            with self._changed:
                if self._actors[request.number] is request.actor:  # it is not replaced yet
                    self._choice.ends(request.number)
            if request.asked < ASKED:
                self._send(request)
            else:
                request.answers = _lost(request, " ".join(str(fault).split())[:200])
            return
        with self._changed:
            took = time.perf_counter() - request.sent
            if self._actors[request.number] is request.actor:
                self._choice.answered(request.number, took, waiting)
        if notices:
            self._notices.add(notices)

    def end(self, episode: str) -> list[Any]:
        with self._changed:
            asked = self._answered.pop(episode, None)
            numbers = range(len(self._actors)) if asked is None else sorted(asked)
            told = [self._actors[number] for number in numbers if self._choice.alive(number)]
        return [actor.end.remote(episode) for actor in told]

    def ended(self, ticket: list[Any], wait: bool) -> AgentFault | bool:
        if ticket and not wait and ray.wait(ticket, num_returns=len(ticket), timeout=0)[1]:
            return False
        found: AgentFault | bool = True
        self._guard(time.perf_counter())
        try:
            for reference in ticket:
                try:
                    told, self._footprint = ray.get(reference)
                except ray.exceptions.RayActorError:
                    continue  # what it kept for the episode is gone with it
                found = told if isinstance(told, AgentFault) else found
        finally:
            self.watch.deadline = 0.0
        return found

    def footprint(self) -> dict[str, int]:
        return self._footprint


def _lost(request: _Request, why: str) -> list[Any]:
    fault = AgentFault(LOST.format(request.asked, why), "error", failed_in="")
    return [fault] * len(request.turns)


class Replicas:
    """The driver's side: starts the replicas, and replaces those that die."""

    def __init__(
        self, launch: Callable[[int], Any], count: int, check: Callable[[], None], look_s: float
    ) -> None:
        """`launch(number)` starts the actor of a replica; `check` raises if Ray itself is gone, and
        is called every `look_s` seconds."""
        self._launch = launch
        self._check = check
        self._look_s = look_s
        self.actors: list[Any] = []
        self._count = count
        self._signs: dict[Any, tuple[int, str]] = {}
        """What Ray answers when a replica is ready, or gone -> (its number, which of the two)."""

    def start(self) -> None:
        """Start all. Raises UserError if the agent cannot be built."""
        self.actors = [self._launch(number) for number in range(self._count)]
        self._signs = {}
        for number, actor in enumerate(self.actors):
            ready = actor.ready.remote()
            while not ray.wait([ready], timeout=self._look_s)[0]:
                self._check()
            unwrapped(ready)
            self._signs[actor.gone.remote()] = number, "gone"

    @property
    def signs(self) -> list[Any]:
        """What to wait for beside the workers' replies."""
        return list(self._signs)

    def seen(self, sign: Any) -> tuple[int, Any] | None:
        """Take note of a sign; (number, actor) if that replica was replaced by this actor.

        Raises UserError if the agent cannot be built any more.
        """
        number, kind = self._signs.pop(sign)
        if kind == "ready":
            with contextlib.suppress(ray.exceptions.RayActorError):  # its other sign says so too
                unwrapped(sign)
            return None
        actor = self.actors[number] = self._launch(number)
        self._signs[actor.ready.remote()] = number, "ready"
        self._signs[actor.gone.remote()] = number, "gone"
        return number, actor

    def kill(self) -> None:
        """End all at once."""
        for actor in self.actors:
            ray.kill(actor, no_restart=True)
        self.actors, self._signs = [], {}


def unwrapped(call: Any) -> Any:
    """The value of a call. Raises an actor's UserError as a UserError instead of Ray's error."""
    try:
        return ray.get(call)
    except ray.exceptions.RayTaskError as fault:
        if isinstance(fault.cause, UserError):
            raise UserError(str(fault.cause)) from None
        raise


def cause(fault: BaseException) -> str:
    """Why an actor is gone, in one line; Ray's own text fills a page."""
    text = " ".join(str(fault).split())
    if "in its constructor" in text or "creation task" in text:
        return text[-400:]
    return "its process ended unexpectedly (a crash in a simulator or the agent, or out of memory)"

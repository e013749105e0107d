"""A served agent on Ray: one instance or several replicas, and how workers ask them.

An agent keeps what an episode has to remember in `Answer.memory`, so any replica can answer any
turn. A request goes to the replica that is expected to answer it first. If that one dies or hangs,
the request is sent once more, to another; the lost one is replaced, and asked again once the new
one is ready.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import ray

from harness.core import Turn, UserError
from harness.play.batching import Unanswered
from harness.play.inference import AgentFault, Watch
from harness.play.ray_links import RayLinks
from harness.play.replica_choice import ReplicaChoice
from harness.play.worker_output import Notices

__all__ = ["Replicas", "ServedAgent", "cause", "unwrapped"]

ASKED = 2
"""How often a request is sent before its episodes fail: a turn may be what kills a replica."""
RELAUNCH_S = 1800.0
"""How long a worker waits for a replica while all of them are being replaced."""
GRACE_S = 5.0
"""A replica that is silent so long after the agent's time is over does not run at all."""
ALIVE_S = 15.0
"""How long a replica may take to say that it runs."""
LOST = "{} replicas of the served agent died while they answered; the last: {}"


class _Request:
    """Turns of one group of lanes that one replica is asked for."""

    __slots__ = (
        "actor",
        "alone",
        "answers",
        "asked",
        "frozen",
        "hung",
        "number",
        "parts",
        "reference",
        "sent",
        "turns",
    )

    def __init__(self, turns: Sequence[Turn], hung: int = 0) -> None:
        self.turns = turns
        self.answers: list[Any] | None = None
        self.parts: list[_Request] = []
        """One for each turn, once two replicas hung over all of them."""
        self.asked = 0  # not counting replicas that hung
        self.hung = hung  # replicas that hung while the agent was asked for these turns
        self.frozen = 0  # replicas that did not run at all
        self.alone = hung > 0
        self.number = 0
        self.actor: Any = None
        self.reference: Any = None
        self.sent = 0.0

    def waiting(self) -> list[_Request]:
        """What is under way for it: itself, or its parts. Gathers the answers of its parts."""
        if self.answers is not None:
            return []
        if not self.parts:
            return [self]
        left = [part for part in self.parts if part.answers is None]
        if not left:
            self.answers = [answer for part in self.parts for answer in part.answers or ()]
        return left


class ServedAgent:
    """A worker's client of the replicas: one message a round for all lanes of a group."""

    elsewhere = True

    def __init__(self, replicas: Sequence[Any | None], timeout: float, notices: Notices) -> None:
        """`replicas`: the actors, None for one that is not ready: `replace` will name it.

        As long as none has ever been ready, who asks waits.

        `timeout`: how long a call of the agent may take, in seconds.
        """
        self.watch = Watch()
        self._notices = notices
        self._actors: list[Any] = list(replicas)
        self._choice = ReplicaChoice(len(replicas))
        for number, actor in enumerate(replicas):
            if actor is None:
                self._choice.ends(number)
        self._several = len(replicas) > 1
        self._begun = any(actor is not None for actor in replicas)
        self._links = RayLinks()
        self._changed = threading.Condition()
        self._timeout = timeout
        self._footprint: dict[str, int] = {}
        self._answered: dict[str, set[int]] = {}
        """Episode -> the replicas that were asked for a turn of it."""

    def replace(self, number: int, actor: Any) -> None:
        """Ask this actor from now on where replica `number` was asked; called by another thread."""
        with self._changed:
            self._actors[number] = actor
            self._begun = True
            self._choice.begins(number)
            self._changed.notify_all()

    def submit(self, turns: Sequence[Turn]) -> _Request:
        request = _Request(turns)
        self._send(request)
        return request

    def _send(self, request: _Request) -> None:
        self.watch.deadline = 0.0  # a replica may take long to be ready again
        with self._changed:
            while not self._begun:
                self._changed.wait()
            if not self._changed.wait_for(self._choice.any_alive, RELAUNCH_S):
                request.answers = _lost(request, f"none came back within {RELAUNCH_S:g} s")
                return
            request.number = self._choice.take()
            request.actor = self._actors[request.number]
        request.asked += 1
        request.sent = time.perf_counter()
        if self._several:
            for turn in request.turns:
                self._answered.setdefault(turn.episode, set()).add(request.number)
        request.reference = self._links.send(
            request.number, request.actor, request.turns, request.alone
        )

    def first(self, requests: Sequence[_Request], wait: bool) -> list[bool]:
        """Which of the requests are answered; with `wait`, once one of them is."""
        while True:
            waiting = [each for request in requests for each in request.waiting()]
            ready = any(request.answers is not None for request in requests)
            self._receive(waiting, wait and not ready)
            found = [not request.waiting() for request in requests]
            if any(found) or not wait:
                return found

    def collect(self, ticket: _Request) -> tuple[list[Any], float]:
        begun = time.perf_counter()
        while waiting := ticket.waiting():
            self._receive(waiting, wait=True)
        assert ticket.answers is not None
        return ticket.answers, time.perf_counter() - begun

    def _receive(self, requests: Sequence[_Request], wait: bool) -> None:
        """Take the replies that are there; with `wait`, once there is one, or one is overdue."""
        asked = {each.reference: each for each in requests}
        if not asked:
            return
        oldest = min(request.sent for request in requests)
        timeout = 0.0 if not wait else None
        if not self._several:
            self._guard(oldest)
        elif wait:
            timeout = max(0.0, oldest + self._limit - time.perf_counter())
        try:
            done = self._links.wait(list(asked), timeout)
            for reference in done:
                self._take(asked[reference])
        finally:
            self.watch.deadline = 0.0
        if self._several:
            for reference in asked.keys() - set(done):
                if time.perf_counter() > asked[reference].sent + self._limit:
                    self._look_at(asked[reference])

    @property
    def _limit(self) -> float:
        # Twice the timeout: the agent may be busy with another batch, which has as long.
        return 2 * self._timeout + GRACE_S

    def _guard(self, sent: float) -> None:
        self.watch.phase, self.watch.deadline = "agent", sent + 2 * self._timeout

    def _look_at(self, request: _Request) -> None:
        """See whether the replica of an overdue request still runs; it says itself if it hangs."""
        if _runs(request.actor):
            request.sent = time.perf_counter()
            return
        request.frozen += 1
        if request.frozen == ASKED:
            # Whose turns it was is not known: the driver plays the cases again, each alone.
            self._guard(time.perf_counter() - 2 * self._timeout)
            threading.Event().wait()
        ray.kill(request.actor, no_restart=True)
        self._ends(request)
        self._send(request)

    def _ends(self, request: _Request) -> None:
        with self._changed:
            if self._actors[request.number] is request.actor:  # it is not replaced yet
                self._choice.ends(request.number)

    def _take(self, request: _Request) -> None:
        """Take the answers to a request, or send it again if its replica is gone or hangs."""
        try:
            answers, notices, waiting = self._links.take(request.reference)
        except ray.exceptions.RayActorError as fault:
            self._ends(request)
            if request.asked < ASKED:
                self._send(request)
            else:
                request.answers = _lost(request, " ".join(str(fault).split())[:200])
            return
        if notices:
            self._notices.add(notices)
        if isinstance(answers, Unanswered):
            self._ends(request)
            request.asked -= 1
            self._ask_another(request, answers)
            return
        request.answers = answers
        with self._changed:
            took = time.perf_counter() - request.sent
            if self._actors[request.number] is request.actor:
                self._choice.answered(request.number, took, waiting)

    def _ask_another(self, request: _Request, why: Unanswered) -> None:
        """The replica of this request hangs.

        If it hangs because of these turns, another one is asked for them alone. If that hangs as
        well, one of them is to blame, and each is asked for by itself, for the last time.
        """
        if why is Unanswered.HANGS:
            request.hung += 1
            request.alone = True
        if request.hung < ASKED:
            self._send(request)
        elif len(request.turns) == 1:
            request.answers = [AgentFault(f"no answer within {self._timeout:g} s")]
        else:
            request.parts = [_Request([turn], hung=1) for turn in request.turns]
            for part in request.parts:
                self._send(part)

    def end(self, episode: str) -> list[Any]:
        self._links.forget(episode)
        with self._changed:
            asked = self._answered.pop(episode, None)
            numbers = range(len(self._actors)) if asked is None else sorted(asked)
            told = [self._actors[number] for number in numbers if self._choice.alive(number)]
        return [(actor, actor.end.remote(episode)) for actor in told]

    def ended(self, ticket: list[Any], wait: bool) -> AgentFault | bool:
        calls = [call for _, call in ticket]
        if calls and not wait and ray.wait(calls, num_returns=len(calls), timeout=0)[1]:
            return False
        found: AgentFault | bool = True
        begun = time.perf_counter()
        if not self._several:
            self._guard(begun)
        try:
            for actor, call in ticket:
                late = self._several and not ray.wait([call], timeout=self._limit)[0]
                if late and not _runs(actor):
                    ray.kill(actor, no_restart=True)
                try:
                    told, self._footprint = ray.get(call)
                except ray.exceptions.RayActorError:
                    continue  # what it kept for the episode is gone with it
                found = told if isinstance(told, AgentFault) else found
        finally:
            self.watch.deadline = 0.0
        return found

    def footprint(self) -> dict[str, int]:
        return self._footprint


def _runs(actor: Any) -> bool:
    """Whether a replica does anything at all, or is known to be gone."""
    return bool(ray.wait([actor.alive.remote()], timeout=ALIVE_S)[0])


def _lost(request: _Request, why: str) -> list[Any]:
    fault = AgentFault(LOST.format(request.asked, why), "error", failed_in="")
    return [fault] * len(request.turns)


class Replicas:
    """The driver's side: starts the replicas, and replaces those that die."""

    def __init__(self, launch: Callable[[int], Any], count: int, check: Callable[[], None]) -> None:
        """`launch(number)` starts the actor of a replica; `check` raises if Ray itself is gone."""
        self._launch = launch
        self._check = check
        self.actors: list[Any] = []
        self.count = count
        self._signs: dict[Any, tuple[int, str]] = {}
        """What Ray answers when a replica is ready, or gone -> (its number, which of the two)."""
        self._loading: set[int] = set()
        self._first: set[int] = set()
        """Those that have never been ready: a fault of theirs is the agent's, and no accident."""

    def start(self) -> None:
        """Start all. `seen` tells when each is ready, and workers need not wait for it."""
        self._signs, self._first = {}, set(range(self.count))
        self.actors = [self._begin(number) for number in range(self.count)]

    def _begin(self, number: int) -> Any:
        actor = self._launch(number)
        self._loading.add(number)
        self._signs[actor.ready.remote()] = number, "ready"
        self._signs[actor.gone.remote()] = number, "gone"
        return actor

    @property
    def signs(self) -> list[Any]:
        """What to wait for beside the workers' replies."""
        return list(self._signs)

    @property
    def ready(self) -> list[Any | None]:
        """The actors; None for one that is not ready."""
        return [
            None if number in self._loading else actor for number, actor in enumerate(self.actors)
        ]

    def seen(self, sign: Any) -> tuple[int, Any | None, str] | None:
        """Take note of a sign.

        Returns (number, its actor, what has become of it) where workers are to ask this actor for a
        replica from now on, (number, None, what has become of it) where it is lost and the new
        actor is not ready yet, and None where there is nothing to do. What has become of it is
        empty where it is ready for the first time. Raises UserError if the agent cannot be built.
        """
        number, kind = self._signs.pop(sign)
        first = number in self._first
        try:
            unwrapped(sign)
        except ray.exceptions.RayActorError as fault:
            self._check()
            if first:
                raise UserError(f"the served agent cannot be built: {cause(fault)}") from None
            if kind == "ready":
                return None  # its other sign says so too
            what = "ended unexpectedly"
        else:
            if kind == "ready":
                self._loading.discard(number)
                self._first.discard(number)
                return number, self.actors[number], "" if first else "is ready again"
            what = "hung"
            ray.kill(self.actors[number], no_restart=True)
        self.actors[number] = self._begin(number)
        return number, None, f"{what} and was started again"

    def kill(self) -> None:
        """End all at once."""
        for actor in self.actors:
            ray.kill(actor, no_restart=True)
        self.actors, self._signs, self._loading = [], {}, set()


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

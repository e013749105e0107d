"""The driver of a parallel run: it keeps workers supplied with cases, and replaces those it loses.

A worker is an actor that runs the rollout loop and plays whole episodes. Driver and worker exchange
messages when the worker runs low on cases, and at least once a second; never one message a step.
The driver owns the queue and the run directory.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import ray

from harness.core import Case, UserError
from harness.play.case_queue import Ticket
from harness.play.closing import CLOSING_S
from harness.play.coordinator import Coordinator, Culprits
from harness.play.environments import environment_key
from harness.play.outcome import Outcome
from harness.play.ray_actors import Place, _Server, _Worker
from harness.play.ray_cluster import Cluster
from harness.play.ray_replicas import Replicas, cause, unwrapped
from harness.play.ray_token import Say
from harness.play.worker import POLL_S, Exchange
from harness.play.worker_handle import WarmWorkers, WorkerHandle
from harness.play.worker_output import MOST_NOTICES, bound_files, tidy
from harness.records.identity import AgentSpec

__all__ = ["Driver", "cpus"]

LOOK_S = 1.0
"""Seconds between two looks at Ray's own processes and at the size of the logs."""
CALM_S = 1.0
"""The longest that an exchange takes while there are cases for all, in seconds. Towards the end of
a run it is POLL_S, so that a worker with nothing to do soon gets what another has not begun."""
LARGE = 50_000
"""Bytes of an agent that travel with each worker's start."""
DYING_S = 0.5
"""When a worker dies, its raylet may be dying with it: that long is waited to learn it."""


def cpus() -> int:
    """The CPUs of all machines that are in the cluster now, at least 1."""
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


class Driver:
    """Keeps every worker supplied with cases, and replaces those that are lost."""

    def __init__(
        self,
        cluster: Cluster,
        coordinator: Coordinator,
        spec: AgentSpec,
        workers: int,
        options: dict[str, Any],
        timeout: float,
        log: Path | None,
        say: Say,
        *,
        replicas: int,
        share: float,
        home: str = "",
        carried: Any = None,
        most: int = 0,
        warm: WarmWorkers | None = None,
    ) -> None:
        """`replicas`: of a served agent; 0: every worker builds its own.

        `share`: the GPUs that the simulators of a worker need. `home` and `carried`: as those of
        Place. `most`: the most workers on a cluster whose machines come and go; 0: `workers`
        remains their number. `warm`: where the workers are those of a pool.
        """
        self._cluster = cluster
        self._coordinator = coordinator
        # Every worker, also a later one, gets a live agent as it was at the start.
        packed: bytes = ray.cloudpickle.dumps(spec)
        # In Ray's store it would travel only once, but if the raylet dies, Ray then looks for it
        # there and ends this process.
        self._spec = ray.put(packed) if len(packed) > LARGE else packed
        self._kind = spec.kind()
        self._options = options
        self._timeout = timeout
        self._replicas = Replicas(self._launch, replicas, self._look_closely)
        self._share = share
        self._place = Place([path or os.getcwd() for path in sys.path], log, home, carried)
        self._log = log
        self._say = say
        self._said: set[str] = set()
        self._next_look = 0.0
        self._answered = False
        self._most = most
        self._warm = warm
        self._fresh = False  # whether a worker that starts must have a new process
        self._named = itertools.count()
        self._handles = [self._handle() for _ in range(workers)]

    def _handle(self) -> WorkerHandle:
        name = f"worker-{next(self._named)}"
        return WorkerHandle(name, self._options["lanes"], self._timeout)

    def play(self) -> None:
        """Play until every case has its outcome."""
        self._start_all()
        while not self._coordinator.finished:
            for handle in self._handles:
                if handle.call is None:
                    self._give(handle)
            waiting = {handle.call: handle for handle in self._handles if handle.call is not None}
            signs = self._replicas.signs
            ready, _ = ray.wait([*waiting, *signs], num_returns=1, timeout=LOOK_S)
            self._look()
            for call in ready:
                if call not in waiting:
                    self._see(call)
                elif waiting[call].call is call:  # a worker whose machine left has none any more
                    self._receive(waiting[call], call)
            for call, handle in waiting.items():
                if handle.call is call and handle.silent(time.monotonic()):
                    self._lose(
                        handle,
                        Culprits.UNKNOWN,
                        "the worker is silent: a simulator or the agent hangs and holds the "
                        "interpreter",
                    )
        # One that has not started would not answer for long, and holds nothing.
        ended = self._end({each.name: each.actor for each in self._handles if each.started})
        for handle in self._handles if self._warm is not None and self._warm.keeps else ():
            if handle.name in ended and not handle.faulty:
                handle.actor = handle.call = None  # it stays in the pool
        actors = self._replicas.ready
        name = "the served agent" if len(actors) == 1 else "replica {} of the served agent"
        self._end({name.format(number): actor for number, actor in enumerate(actors) if actor})

    def _look_closely(self) -> None:
        """Raises Stopped if Ray is gone, or is about to be."""
        self._cluster.check(patience=DYING_S)

    def _see(self, sign: Any) -> None:
        """A replica of the served agent is ready, or gone.

        Raises UserError if it cannot be built.
        """
        replaced = self._replicas.seen(sign)
        if replaced is None:
            return
        number, actor, what = replaced
        if what:
            self._say(f"replica {number} of the served agent {what}")
        if actor is None:
            return
        for handle in self._handles:
            handle.can_ask(time.monotonic())
            if handle.actor is not None:
                handle.actor.replace.remote(number, actor)

    def _end(self, actors: Mapping[str, Any]) -> set[str]:
        """Let actors close what they hold; those that do not answer are killed later.

        Returns the names of the others.
        """
        if not actors:
            return set()
        calls = {actor.close.remote(): name for name, actor in actors.items()}
        done, late = ray.wait(list(calls), num_returns=len(calls), timeout=CLOSING_S)
        for call in done:
            with contextlib.suppress(ray.exceptions.RayError):  # it died, which is as good
                self._pass_on(ray.get(call))
        for call in late:
            self._pass_on(
                [f"{calls[call]} did not close within {CLOSING_S:g} s; the results stand"]
            )
        return {calls[call] for call in done}

    def _start_all(self) -> None:
        self._replicas.start()
        for handle in self._handles:
            self._start(handle)
        self._fresh = True

    def _launch(self, number: int) -> Any:
        """Start the actor of a replica of the served agent."""
        actor: Any = ray.remote(_Server).options(
            num_cpus=0,
            num_gpus=self._kind.gpus,
            # A request blocks a thread until it is answered; each group of lanes has one waiting.
            max_concurrency=2 * len(self._handles) * self._options["groups"] + 5,
            **self._cluster.options,
        )
        name = "agent" if number == 0 else f"agent-{number}"
        several = self._replicas.count > 1
        return actor.remote(name, self._spec, self._place, self._timeout, several)

    def _start(self, handle: WorkerHandle) -> None:
        args = (
            handle.name,
            self._spec,
            self._replicas.ready,
            self._place,
            self._options,
            self._timeout,
        )
        if self._warm is not None:
            made, played = self._warm.worker(*args, fresh=self._fresh)
            handle.replace(made)
            handle.tainted = played
            return
        actor: Any = ray.remote(_Worker).options(
            # Three threads: neither `close` nor `replace` nor `hurry` must wait for an exchange.
            num_cpus=1,
            num_gpus=self._share,
            max_concurrency=3,
            **self._cluster.options,
        )
        handle.replace(actor.remote(*args))

    def _fit(self, cpus: int) -> None:
        """Have as many workers as the machines of the cluster that are there now have room for."""
        wanted = max(1, min(cpus, self._most))
        waiting = [handle for handle in self._handles if not handle.started]
        # One that has not started waits for a machine that left; its cases must not.
        for handle in waiting[: max(0, len(self._handles) - wanted)]:
            for ticket in list(handle.held):
                self._coordinator.give_back(ticket)
            self._kill(handle)
            self._handles.remove(handle)
            self._say(f"{handle.name} ends: its machine has left the cluster")
        while len(self._handles) < wanted and not self._coordinator.drained:
            handle = self._handle()
            self._handles.append(handle)
            self._start(handle)
            self._say(f"{handle.name} begins: a machine has joined the cluster")

    def _kill(self, handle: WorkerHandle) -> None:
        if handle.actor is not None:
            ray.kill(handle.actor, no_restart=True)
        handle.actor = handle.call = None

    def _look(self) -> None:
        """Once a second, whatever happens. Raises Stopped."""
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_S
        self._cluster.check()
        if self._most:
            self._fit(cpus())
        if self._log is not None:
            bound_files(self._log)

    def close(self) -> None:
        """Kill all actors that are left."""
        self._kill_all()
        if self._log is not None:
            bound_files(self._log)
            tidy(self._log)

    def _kill_all(self) -> None:
        for handle in self._handles:
            self._kill(handle)
        self._replicas.kill()

    def _give(self, handle: WorkerHandle) -> None:
        """Give the worker further cases and ask for its outcomes."""
        alone = self._coordinator.alone_next
        if alone:
            # One worker plays the cases that must run alone, and starts afresh for each of them:
            # nothing that an earlier case left behind in the process may decide the outcome.
            if handle is not self._handles[0]:
                return
            if handle.tainted:
                self._kill(handle)
                self._start(handle)
        now = time.monotonic()
        cases: list[tuple[Ticket, Case]] = []
        if not handle.started and not handle.fell:
            # It gets its cases when it has started, for until then others may play them.
            handle.asked(handle.actor.exchange.remote(cases), now)
            return
        share = self._share_of_each
        wanted = min(handle.wanted(now), share)
        while len(handle.held) < wanted:
            taken = self._coordinator.take(handle.keys, handle.lacks)
            if taken is None:
                break
            cases.append(taken)
            handle.give(*taken)
        if handle.hungry(share):
            self._hurry(share)
        if not handle.held:
            return
        handle.tainted = handle.tainted or not alone
        hungry = self._coordinator.drained and any(each.hungry(share) for each in self._handles)
        back = max(0, len(handle.held) - share) if hungry else 0
        wait_s = POLL_S if self._coordinator.drained else CALM_S
        handle.asked(handle.actor.exchange.remote(cases, back, wait_s), now)

    def _hurry(self, share: int) -> None:
        """A worker runs low: hear of those that could give it something sooner than they would say.

        What they give back, they are asked for when they have answered.
        """
        for other in self._handles:
            if other.call is not None and other.spares(share) and not other.hurried:
                other.hurried = True
                other.actor.hurry.remote()

    @property
    def _share_of_each(self) -> int:
        """The most cases that a worker holds, so that towards the end all have something to do."""
        tally = self._coordinator.tally
        return max(1, math.ceil((tally.total - tally.done) / len(self._handles)))

    def _receive(self, handle: WorkerHandle, call: Any) -> None:
        handle.call = None
        # A large reply is in Ray's store: without it, Ray would end this process.
        self._cluster.check()
        try:
            said: Exchange = unwrapped(call)
        except ray.exceptions.RayActorError as fault:
            # All workers die with their raylet; no case is to blame for that.
            self._look_closely()
            self._lose(handle, Culprits.UNKNOWN, f"the worker died: {cause(fault)}")
            return
        except UserError as wrong:
            if not self._answered:  # no agent could be built yet: it is the user's to mend
                raise
            self._lose(handle, Culprits.UNKNOWN, f"the worker cannot start: {wrong}")
            return
        self._answered = True
        handle.answered()
        self._pass_on(said.notices)
        for ticket in said.returned:
            handle.gave_back(ticket)
            self._coordinator.give_back(ticket)
        for outcome in said.outcomes:
            case = handle.settled(outcome.ticket)
            if outcome.missing is not None and self._left_to_others(handle, case, outcome):
                continue
            failed = outcome.result is not None and outcome.result.status == "error"
            handle.tainted, handle.faulty = handle.tainted or failed, handle.faulty or failed
            self._coordinator.settle(outcome, handle.name)
        if said.broken is not None:
            self._lose(handle, Culprits.UNKNOWN, f"the worker's loop ended: {said.broken}")
        elif said.hung is not None:
            self._hung(handle, *said.hung)

    def _left_to_others(self, handle: WorkerHandle, case: Case, outcome: Outcome) -> bool:
        """Whether a task that cannot run on this worker's machine is left to those of others.

        On a cluster of our own all workers are on one machine.
        """
        if self._place.carried is None or outcome.perturbations_only:
            return False
        key = environment_key(case.task, case.backend)
        handle.lacks.add(key)
        if all(key in each.lacks for each in self._handles):
            return False
        assert outcome.missing is not None
        self._pass_on([f"{handle.name} does not play {case.task.id}: {outcome.missing.reason}"])
        self._coordinator.give_back(outcome.ticket)
        return True

    def _pass_on(self, notices: Iterable[str]) -> None:
        """Tell the user what workers have to tell, each text once."""
        for text in notices:
            if text not in self._said and len(self._said) < MOST_NOTICES:
                self._said.add(text)
                self._say(text)

    def _hung(self, handle: WorkerHandle, phase: str, tickets: list[Ticket]) -> None:
        """A call into a simulator or the agent did not return; `tickets` waited for it."""
        # With a single case in its hands, the agent itself is to blame: the case fails and is not
        # tried again. A served agent may also hang because of another worker's turns.
        if (
            phase == "agent"
            and len(tickets) == 1
            and (not self._replicas.actors or sum(len(each.held) for each in self._handles) == 1)
        ):
            failed = Outcome.failed(
                self._coordinator.episode(tickets[0]),
                "agent_error",
                f"no answer within {self._timeout:g} s",
            )
            handle.settled(tickets[0])
            self._coordinator.settle(failed, handle.name)
            self._lose(handle, Culprits.NONE, "the agent hung in another case")
        else:
            self._lose(
                handle,
                tickets or Culprits.UNKNOWN,
                f"the {phase} did not return; its worker was killed",
            )

    def _lose(self, handle: WorkerHandle, culprits: list[Ticket] | Culprits, reason: str) -> None:
        """Replace a worker that is lost, and hand its cases back.

        The fault may lie in a served agent, which all workers share, so the agent is then replaced
        together with all workers.
        """
        lost = self._handles if self._replicas.actors else [handle]
        tickets = [ticket for other in lost for ticket in other.held]
        handle.fell = not handle.started
        for other in lost:
            self._kill(other)
        self._coordinator.lost(tickets, culprits, reason)
        if not self._replicas.actors:
            self._start(handle)
        else:
            self._kill_all()
            self._start_all()

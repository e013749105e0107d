"""Playing in Ray workers, on this machine or a cluster. The only file that imports Ray.

A worker is an actor with the common loop inside; whole episodes are played there, and a message passes every fifth of a second or when it runs
low, never one a step. The driver owns the queue and the run directory. A worker that hangs or dies is replaced, and its cases are played again.
"""

from __future__ import annotations

import math
import os
import socket
import sys
import time
from collections.abc import Sequence
from typing import Any

import ray

from harness.core import Case, Turn, UserError
from harness.host.interpreters import carried
from harness.play.batching import Batcher
from harness.play.case_queue import Ticket
from harness.play.coordinator import Coordinator
from harness.play.environments import environment_key
from harness.play.episode import Outcome, VideoSelection
from harness.play.inference import Watch
from harness.play.worker import EpisodeWorker, Exchange
from harness.records.identity import AgentSpec
from harness.records.registry import load

__all__ = ["play_on_ray"]

AHEAD_S = 0.25
"""A worker is given about so many seconds of work ahead of its lanes."""
MOST_AHEAD = 64
START_S = 1800.0
"""How long a worker may take to come up: an agent may load a large model."""
SILENCE_S = 30.0
"""A worker whose every thread is silent for so long beyond its patience counts as hung."""
THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class _Served:
    """The way from a worker to the served agent: one message a round for all lanes of a group."""

    def __init__(self, server: Any, timeout: float) -> None:
        self.watch = Watch()
        self._server = server
        self._timeout = timeout
        self._ended: list[str] = []

    def submit(self, turns: Sequence[Turn]) -> tuple[Any, int]:
        ended, self._ended = self._ended, []
        return self._server.ask.remote(turns, ended), len(turns)

    def collect(self, ticket: tuple[Any, int]) -> tuple[list[Any], float]:
        reference, _ = ticket
        begun = time.perf_counter()
        # Twice: the batch before ours has as long as ours, and ours may be split.
        self.watch.phase, self.watch.deadline = "agent", time.perf_counter() + 2 * self._timeout
        try:
            answers = ray.get(reference)
        finally:
            self.watch.deadline = 0.0
        return answers, time.perf_counter() - begun

    def end(self, episodes: Sequence[str]) -> None:
        self._ended.extend(episodes)


class _Server:
    """The served agent, as an actor."""

    def __init__(self, spec: AgentSpec, paths: list[str], timeout: float) -> None:
        _extend_path(paths)
        self._batcher = Batcher(spec.build(), timeout)

    def ask(self, turns: Sequence[Turn], ended: Sequence[str]) -> list[Any]:
        return self._batcher.ask(turns, ended)

    def ready(self) -> bool:
        return True


class _Worker:
    """A Player, as an actor."""

    def __init__(
        self,
        spec: AgentSpec,
        server: Any,
        paths: list[str],
        options: dict[str, Any],
        timeout: float,
    ) -> None:
        _extend_path(paths)
        kind = spec.kind()
        client = None if server is None else _Served(server, timeout)
        self._worker_loop = EpisodeWorker(
            spec, client, *kind.declares(spec.args), timeout=timeout, **options
        )

    def exchange(self, cases: Sequence[tuple[Ticket, Case]]) -> Exchange:
        return self._worker_loop.exchange(cases)

    def close(self) -> None:
        self._worker_loop.close()


def _extend_path(paths: list[str]) -> None:
    sys.path.extend(path for path in paths if path not in sys.path)


class _WorkerHandle:
    """The driver's side of one worker."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.actor: Any = None
        self.call: Any = None
        self.asked_at = 0.0
        self.out: list[Ticket] = []
        self.keys: list[str] = []
        self.patience = START_S
        self.begun = 0.0
        self.settled = 0
        self.tainted = False
        """Whether it is unfit for a case that must be played alone on a fresh worker."""


class _Driver:
    def __init__(
        self,
        coordinator: Coordinator,
        spec: AgentSpec,
        workers: int,
        options: dict[str, Any],
        timeout: float,
    ) -> None:
        self._coordinator = coordinator
        # Put once: a live agent goes to every worker as it was when the run began.
        self._spec = ray.put(spec)
        self._kind = spec.kind()
        self._options = options
        self._timeout = timeout
        self._server: Any = None
        self._paths = [path or os.getcwd() for path in sys.path]
        self._handles = [_WorkerHandle(f"worker-{number}") for number in range(workers)]

    def play(self) -> None:
        """Until every case has come to its end."""
        self._start_all()
        while not self._coordinator.finished:
            for hand in self._handles:
                if hand.call is None:
                    self._give(hand)
            waiting = {hand.call: hand for hand in self._handles if hand.call is not None}
            ready, _ = ray.wait(list(waiting), num_returns=1, timeout=1.0)
            for call in ready:
                self._receive(waiting[call], call)
            for call, hand in waiting.items():
                if (
                    hand.call is call
                    and time.monotonic() - hand.asked_at > hand.patience + SILENCE_S
                ):
                    self._lose(
                        hand,
                        [],
                        "the worker is silent: a simulator or the agent hangs and holds the interpreter",
                    )
        # Let environments close themselves; what does not answer is killed.
        ray.wait(
            [hand.actor.close.remote() for hand in self._handles],
            num_returns=len(self._handles),
            timeout=10.0,
        )

    def _start_all(self) -> None:
        if self._kind.served or self._kind.gpus > 0:
            actor: Any = ray.remote(_Server).options(
                num_cpus=0,
                num_gpus=self._kind.gpus,
                max_concurrency=4 * len(self._handles) + 4,
                runtime_env={"env_vars": {**THREADS, **carried()}},
            )
            self._server = actor.remote(self._spec, self._paths, self._timeout)
            _unwrapped(self._server.ready.remote())
        for hand in self._handles:
            self._start(hand)

    def _start(self, hand: _WorkerHandle) -> None:
        actor: Any = ray.remote(_Worker).options(
            num_cpus=1, max_concurrency=2, runtime_env={"env_vars": {**THREADS, **carried()}}
        )
        hand.__init__(hand.name)  # type: ignore[misc]
        hand.actor = actor.remote(
            self._spec, self._server, self._paths, self._options, self._timeout
        )

    def _kill(self, hand: _WorkerHandle) -> None:
        if hand.actor is not None:
            ray.kill(hand.actor, no_restart=True)
        hand.actor = hand.call = None

    def close(self) -> None:
        """Kill what is left."""
        for hand in self._handles:
            self._kill(hand)
        if self._server is not None:
            ray.kill(self._server, no_restart=True)
            self._server = None

    def _give(self, hand: _WorkerHandle) -> None:
        """Top the worker up, and ask for what it has."""
        alone = self._coordinator.alone_next
        if alone:
            if hand is not self._handles[0]:
                return
            if hand.tainted:
                self._kill(hand)
                self._start(hand)
        now = time.monotonic()
        pace = hand.settled / (now - hand.begun) if hand.settled else 0.0
        wanted = self._options["lanes"] + min(MOST_AHEAD, math.ceil(pace * AHEAD_S))
        cases: list[tuple[Ticket, Case]] = []
        while len(hand.out) < wanted:
            taken = self._coordinator.take(hand.keys)
            if taken is None:
                break
            cases.append(taken)
            hand.out.append(taken[0])
            self._remember(hand, taken[1])
        if not hand.out:
            return
        hand.tainted = hand.tainted or not alone
        hand.begun = hand.begun or now
        hand.asked_at = now
        hand.call = hand.actor.exchange.remote(cases)

    def _remember(self, hand: _WorkerHandle, case: Case) -> None:
        """The newest affinity keys of a worker, for which it very likely keeps an environment; and the longest patience that it may need."""
        key = environment_key(case.task)
        hand.keys = [key, *(other for other in hand.keys if other != key)][: self._options["lanes"]]
        hand.patience = max(hand.patience, load(case.task.adapter).patience_s, 2 * self._timeout)

    def _receive(self, hand: _WorkerHandle, call: Any) -> None:
        hand.call = None
        try:
            said: Exchange = _unwrapped(call)
        except ray.exceptions.RayActorError as fault:
            self._lose(hand, [], f"the worker died: {_cause(fault)}")
            return
        if hand.patience == START_S:
            hand.patience = 0.0
            for ticket in hand.out:
                self._remember(hand, self._coordinator.plan.case(ticket.case))
        for outcome in said.outcomes:
            hand.out.remove(outcome.ticket)
            hand.settled += 1
            hand.tainted = hand.tainted or (
                outcome.result is not None and outcome.result.status == "error"
            )
            self._coordinator.settle(outcome, hand.name)
        if said.broken is not None:
            self._lose(hand, [], f"the worker's loop ended: {said.broken}")
        elif said.hung is not None:
            self._hung(hand, *said.hung)

    def _hung(self, hand: _WorkerHandle, phase: str, tickets: list[Ticket]) -> None:
        if (
            phase == "agent"
            and len(tickets) == 1
            and (self._server is None or sum(len(other.out) for other in self._handles) == 1)
        ):
            failed = Outcome.failed(
                self._coordinator.episode(tickets[0]),
                "agent_error",
                f"no answer within {self._timeout:g} s",
            )
            hand.out.remove(tickets[0])
            self._coordinator.settle(failed, hand.name)
            tickets = []
            self._lose(hand, None, "the agent hung in another case")
        else:
            self._lose(hand, tickets, f"the {phase} did not return; its worker was killed")

    def _lose(self, hand: _WorkerHandle, culprits: list[Ticket] | None, reason: str) -> None:
        """Replace a worker; a served agent may be what failed, so it is replaced with all its workers.

        `culprits`: the cases that did it; empty: any of those under way; None: none of them.
        """
        lost = self._handles if self._server is not None else [hand]
        tickets = [ticket for other in lost for ticket in other.out]
        for other in lost:
            self._kill(other)
        self._coordinator.lost(tickets, culprits, reason)
        if self._server is None:
            self._start(hand)
        else:
            self.close()
            self._start_all()


def _unwrapped(call: Any) -> Any:
    """The value of a call. Raises UserError as itself."""
    try:
        return ray.get(call)
    except ray.exceptions.RayTaskError as fault:
        if isinstance(fault.cause, UserError):
            raise UserError(str(fault.cause)) from None
        raise


def _cause(fault: BaseException) -> str:
    """Why an actor is gone, in a line: Ray's own text is a page."""
    text = " ".join(str(fault).split())
    if "in its constructor" in text or "creation task" in text:
        return text[-400:]
    return "its process ended unexpectedly (a crash in a simulator or the agent, or out of memory)"


def _reach(address: str) -> None:
    """Ray itself tries for minutes. Raises UserError when nobody listens at HOST:PORT; other forms of address are left to Ray."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=5.0).close()
    except OSError as fault:
        raise UserError(
            f"no Ray cluster answers at {address}: {fault.strerror or fault}. Start one with `ray start --head`"
        ) from None


def play_on_ray(
    coordinator: Coordinator,
    spec: AgentSpec,
    *,
    workers: int | None,
    lanes: int,
    groups: int,
    agent_timeout: float,
    address: str | None,
    video: VideoSelection | None = None,
) -> None:
    """Play all cases in `workers` Ray workers (None: one a core, or all of a running cluster at `address`).

    Never more than there are CPUs: a worker that waits for one would never answer.
    Raises UserError when the agent cannot be built, what the store raises, and KeyboardInterrupt.
    """
    if address is not None:
        _reach(address)
    started_here = not ray.is_initialized()
    if started_here:
        if address is None:
            os.environ.setdefault("RAY_AUTH_MODE", "disabled")
            count = workers or os.cpu_count() or 1
            # "local": a RAY_ADDRESS in the environment must not turn this into a cluster that nobody asked for.
            ray.init(
                address="local",
                num_cpus=count,
                include_dashboard=False,
                log_to_driver=False,
                logging_level="error",
                configure_logging=True,
            )
        else:
            try:
                ray.init(address=address, log_to_driver=False, logging_level="error")
            except (ConnectionError, ValueError, RuntimeError) as fault:
                raise UserError(
                    f"no Ray cluster answers at {address}: {fault}. Start one with `ray start --head`"
                ) from None
    try:
        there = ray.cluster_resources()
        needed = spec.kind().gpus
        if there.get("GPU", 0) < needed:
            raise UserError(
                f"{spec.name} asks for {needed:g} GPUs, Ray finds {there.get('GPU', 0):g} here; name a cluster with --ray-address"
            )
        count = min(workers or sys.maxsize, max(1, int(there.get("CPU", 1))))
        options = {"lanes": lanes, "groups": groups, "filming": video}
        driver = _Driver(
            coordinator, spec, max(1, min(count, coordinator.plan.total)), options, agent_timeout
        )
        try:
            driver.play()
        finally:
            driver.close()
    finally:
        if started_here:
            ray.shutdown()

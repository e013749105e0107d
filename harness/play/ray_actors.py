"""What plays in Ray's processes: the actors of workers and of a served agent."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray

from harness.core import Case, Turn, UserError
from harness.play.batching import Batcher
from harness.play.case_queue import Ticket
from harness.play.closing import close
from harness.play.inference import AgentFault, Watch
from harness.play.packed_memory import infer_packed
from harness.play.worker import EpisodeWorker, Exchange
from harness.play.worker_output import Notices, keep_output
from harness.records.identity import AgentSpec

__all__ = ["Place", "_Server", "_Worker"]


@dataclass(frozen=True)
class Place:
    """Where an actor finds modules, and where it keeps what is printed in it."""

    paths: list[str]
    """The driver's sys.path."""
    log: Path | None
    """The folder `log` of the run directory."""

    def settle(self, name: str) -> Notices:
        """Make this process that of the actor `name`."""
        # In the driver's order: a name that two places have must mean the same module here.
        sys.path[:] = [*self.paths, *(path for path in sys.path if path not in self.paths)]
        if self.log is not None:
            keep_output(self.log, name)
        return Notices().install()


class _ServedAgent:
    """A worker's client of the served agent: one message a round for all lanes of a group."""

    elsewhere = True

    def __init__(self, server: Any, timeout: float, notices: Notices) -> None:
        self.watch = Watch()
        self._notices = notices
        self._server = server
        self._timeout = timeout
        self._footprint: dict[str, int] = {}

    def submit(self, turns: Sequence[Turn]) -> tuple[Any, int]:
        return self._server.infer.remote(turns), len(turns)

    def collect(self, ticket: tuple[Any, int]) -> tuple[list[Any], float]:
        reference, _ = ticket
        begun = time.perf_counter()
        answers, notices = self._got(reference)
        if notices:
            self._notices.add(notices)
        return answers, time.perf_counter() - begun

    def end(self, episode: str) -> Any:
        return self._server.end.remote(episode)

    def ended(self, ticket: Any, wait: bool) -> AgentFault | bool:
        if not wait and not ray.wait([ticket], timeout=0)[0]:
            return False
        told: AgentFault | bool
        told, self._footprint = self._got(ticket)
        return told

    def footprint(self) -> dict[str, int]:
        return self._footprint

    def _got(self, reference: Any) -> Any:
        # Twice the timeout: the agent may be busy with another batch, which has as long.
        self.watch.phase, self.watch.deadline = "agent", time.perf_counter() + 2 * self._timeout
        try:
            return ray.get(reference)
        finally:
            self.watch.deadline = 0.0


class _Server:
    """The served agent as an actor."""

    def __init__(self, spec: bytes, place: Place, timeout: float) -> None:
        """`spec`: a pickled AgentSpec."""
        self._notices = place.settle("agent")
        self._refused: UserError | None = None
        try:
            self._agent = _unpacked(spec).build()
        except UserError as wrong:  # said by `ready`: Ray makes a page of text of it
            self._refused = wrong
            return
        self._batcher = Batcher(self._agent, timeout)

    def infer(self, turns: Sequence[Turn]) -> tuple[list[Any], list[str]]:
        answers = infer_packed(
            self._batcher.infer, turns, ray.cloudpickle.dumps, ray.cloudpickle.loads
        )
        return answers, self._notices.take()

    def end(self, episode: str) -> tuple[AgentFault | bool, dict[str, int]]:
        """(what it raised, its footprint)."""
        return self._batcher.end(episode), self._batcher.footprint

    def ready(self) -> bool:
        """Raises UserError if the agent cannot be built."""
        if self._refused is not None:
            raise self._refused
        return True

    def close(self) -> list[str]:
        if self._refused is None:
            close(self._agent, Watch())
        return self._notices.take()


class _Worker:
    """An EpisodeWorker as an actor."""

    def __init__(
        self,
        name: str,
        packed: bytes,
        server: Any,
        place: Place,
        options: dict[str, Any],
        timeout: float,
    ) -> None:
        """`packed`: a pickled AgentSpec, unpacked only when what it prints has a place."""
        notices = place.settle(name)
        client = None if server is None else _ServedAgent(server, timeout, notices)
        self._refused: UserError | None = None
        try:
            spec = _unpacked(packed)
            self._worker_loop = EpisodeWorker(
                spec,
                client,
                *spec.kind().declares(spec.args),
                timeout=timeout,
                notices=notices,
                **options,
            )
        except UserError as wrong:  # said by `exchange`: Ray makes a page of text of it
            self._refused = wrong

    def exchange(self, cases: Sequence[tuple[Ticket, Case]]) -> Exchange:
        """Raises UserError if the agent cannot be built."""
        if self._refused is not None:
            raise self._refused
        return self._worker_loop.exchange(cases)

    def close(self) -> list[str]:
        return [] if self._refused is not None else self._worker_loop.close()


def _unpacked(spec: bytes) -> AgentSpec:
    found: AgentSpec = ray.cloudpickle.loads(spec)
    return found

"""What plays in Ray's processes: the actors of workers and of a served agent."""

from __future__ import annotations

import atexit
import contextlib
import functools
import pickle
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray

from harness.core import Case, Turn, UserError
from harness.play.batching import Batcher, Hangs, Unanswered
from harness.play.carried_code import moved
from harness.play.case_queue import Ticket
from harness.play.closing import close
from harness.play.inference import AgentFault, Watch
from harness.play.packed_memory import infer_packed
from harness.play.private_folder import new_name, owned, remove, remove_left
from harness.play.ray_replicas import ServedAgent
from harness.play.turn_codec import TurnDecoder, Unknown
from harness.play.turn_link import Address, Served, TurnListener
from harness.play.worker import POLL_S, EpisodeWorker, Exchange
from harness.play.worker_output import Notices, keep_output
from harness.records.identity import AgentSpec

__all__ = ["Place", "_Server", "_Worker"]

TELLING_S = 1.0
"""Whoever is told that a replica hangs ends it: what it told others must have arrived by then."""


@dataclass(frozen=True)
class Place:
    """Where an actor finds modules, and where it keeps what is printed in it."""

    paths: list[str]
    """The driver's sys.path."""
    log: Path | None
    """The folder `log` of the run directory."""
    home: str = ""
    """Ray's name of the driver's machine."""
    carried: Any = None
    """A reference to the CarriedCode that other machines need; None: nothing travels."""

    def settle(self, name: str) -> tuple[Notices, Mapping[str, str]]:
        """Make this process that of the actor `name`.

        Returns the notices, and argument of the agent -> the path of what it names here, where that
        is not the driver's.
        """
        # In the driver's order: a name that two places have must mean the same module here.
        paths, arguments = self.paths, dict[str, str]()
        if self.carried is not None and ray.get_runtime_context().get_node_id() != self.home:
            modules, arguments = self._unpack()
            paths = [modules, *paths]
        sys.path[:] = [*paths, *(path for path in sys.path if path not in paths)]
        if self.log is not None:
            keep_output(self.log, name)
        return Notices().install(), arguments

    def _unpack(self) -> tuple[str, dict[str, str]]:
        """Write down what travelled, in a folder that goes with this process."""
        place = Path(tempfile.gettempdir())
        remove_left(place)
        folder = place / new_name()
        holding = contextlib.ExitStack()
        holding.enter_context(owned(folder))
        atexit.register(remove, folder)
        _held.append(holding)
        modules, arguments = ray.get(self.carried).unpack(folder / "carried")
        return modules, dict(arguments)


_held: list[contextlib.ExitStack] = []
"""Own the folders of what travelled, as long as this process lives."""


class _Server:
    """The served agent, or one of its replicas, as an actor."""

    def __init__(
        self, name: str, spec: bytes, place: Place, timeout: float, several: bool = False
    ) -> None:
        """`spec`: a pickled AgentSpec. `several`: whether there are other replicas."""
        self._notices, arguments = place.settle(name)
        self._timeout = timeout
        self._refused: UserError | None = None
        try:
            self._agent = moved(_unpacked(spec), arguments).build()
        except UserError as wrong:  # said by `ready`: Ray makes a page of text of it
            self._refused = wrong
            return
        self._batcher = Batcher(self._agent, timeout, gives_up=several)
        self._listener = TurnListener(self.infer, ray.cloudpickle.dumps)
        self._decoders: dict[str, TurnDecoder] = {}
        self._decodes = threading.Lock()

    def listens(self) -> Address | None:
        """Where a worker on this machine can send its turns; None: nowhere."""
        return None if self._refused is not None else self._listener.address

    def answer(
        self, sender: str, head: bytes, columns: Sequence[Sequence[Any]], alone: bool
    ) -> Served | None:
        """What `infer` returns for turns that a TurnEncoder of `sender` packed.

        None: a number is unknown here, so the sender must say again what it stands for.
        """
        with self._decodes:
            decoder = self._decoders.setdefault(sender, TurnDecoder())
            try:
                turns = decoder.unpack(pickle.loads(head), columns.__getitem__)
            except Unknown:
                return None
        return self.infer(turns, alone)

    def infer(
        self, turns: Sequence[Turn], alone: bool = False
    ) -> tuple[list[Any] | Unanswered, list[str], int]:
        """(the answers, what there is to tell, how many other requests wait).

        `alone`: the turns are not to be in a batch with those of others.
        """
        answers: list[Any] | Unanswered
        try:
            answers = infer_packed(
                functools.partial(self._batcher.infer, alone=alone),
                turns,
                ray.cloudpickle.dumps,
                ray.cloudpickle.loads,
            )
        except Hangs as hangs:
            answers = hangs.why
        return answers, self._notices.take(), self._batcher.waiting

    def gone(self) -> None:
        """Returns once the agent hangs; whoever called it also learns when this process is gone."""
        if self._refused is not None:
            threading.Event().wait()
        self._batcher.wait_for_hang()
        time.sleep(TELLING_S)

    def alive(self) -> None:
        """Returns at once, unless nothing runs in this process."""

    def end(self, episode: str) -> tuple[AgentFault | bool, dict[str, int]]:
        """(what it raised, its footprint)."""
        try:
            told = self._batcher.end(episode)
        except Hangs as hangs:
            # Where it was not asked, what it kept for the episode goes with this process.
            hung = hangs.why is Unanswered.HANGS
            late = f"end: it did not return within {self._timeout:g} s"
            told = AgentFault(late) if hung else True
        return told, self._batcher.footprint

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
        replicas: Sequence[Any | None],
        place: Place,
        options: dict[str, Any],
        timeout: float,
    ) -> None:
        """`packed`: a pickled AgentSpec, unpacked only when what it prints has a place.

        `replicas`: the actors of a served agent, None for one that is not ready; empty: the worker
        builds its own agent.
        """
        notices, arguments = place.settle(name)
        client = ServedAgent(replicas, timeout, notices) if replicas else None
        self._client = client
        self._refused: UserError | None = None
        try:
            spec = moved(_unpacked(packed), arguments)
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

    def exchange(
        self, cases: Sequence[tuple[Ticket, Case]], back: int = 0, wait_s: float = POLL_S
    ) -> Exchange:
        """Raises UserError if the agent cannot be built."""
        if self._refused is not None:
            raise self._refused
        return self._worker_loop.exchange(cases, back, wait_s)

    def hurry(self) -> None:
        """Let the exchange under way return now."""
        if self._refused is None:
            self._worker_loop.hurry()

    def replace(self, number: int, actor: Any) -> None:
        """A replica of the served agent was replaced by this actor."""
        if self._client is not None:
            self._client.replace(number, actor)

    def close(self) -> list[str]:
        return [] if self._refused is not None else self._worker_loop.close()


def _unpacked(spec: bytes) -> AgentSpec:
    found: AgentSpec = ray.cloudpickle.loads(spec)
    return found

"""A Ray with warm workers that stays between runs: its own process, and how a run plays on it.

Why it is safe: decision 053. A run that finds the pool in other surroundings, or in use, starts its
own Ray as always. A worker is warm only for the same agent, options and code; otherwise it is
replaced, so that no module is imported in two versions and no code of one agent meets another's.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import ray

from harness.core import UserError
from harness.core.grammar import counted
from harness.play import pool_files
from harness.play.pool_files import PoolRecord, Surroundings
from harness.play.ray_cluster import Cluster, joined_with, started
from harness.play.ray_pool_worker import BUSY, NEW, OTHER, WARM, PooledWorker
from harness.play.ray_token import Say
from harness.records.identity import UNNAMED, AgentSpec
from harness.records.plan import Plan

__all__ = ["WarmWorkers", "hold", "pooled", "stop"]

NAMESPACE = "bench"
LOOK_S = 1.0
ANSWER_S = 5.0
ENDING_S = 60.0


def hold(workers: int, idle_s: float, ready: Callable[[PoolRecord], None], say: Say) -> None:
    """Be the pool, until it is told to end or nobody used it for `idle_s` seconds.

    `ready` is called when runs may use it. Raises UserError if there is one already, or if Ray
    cannot be started.
    """
    surroundings = Surroundings.here()
    with pool_files.held(pool_files.ALIVE) as ours:
        if not ours:
            raise UserError("there is a pool already: `bench pool status` describes it")
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, _ended)
        token = secrets.token_hex(32)
        os.environ["RAY_AUTH_TOKEN"] = token
        os.environ.pop("RAY_AUTH_TOKEN_PATH", None)
        with contextlib.suppress(_Ended), started(workers, say, namespace=NAMESPACE) as cluster:
            address = str(ray.get_runtime_context().gcs_address)
            record = PoolRecord(
                os.getpid(), address, token, workers, time.time(), idle_s, surroundings
            )
            try:
                for _ in range(workers):
                    _made(0.0)
                pool_files.write(record)
                ready(record)
                _wait(cluster, idle_s)
            finally:
                (pool_files.folder() / pool_files.RECORD).unlink(missing_ok=True)


class _Ended(BaseException):
    pass


def _ended(number: int, frame: FrameType | None) -> None:
    raise _Ended


def _wait(cluster: Cluster, idle_s: float) -> None:
    """Return when nobody used the pool for that long. Raises Stopped if its Ray dies."""
    used, until = False, time.monotonic() + idle_s
    while time.monotonic() < until:
        time.sleep(LOOK_S)
        cluster.check()
        if pool_files.in_use():
            used, until = True, time.monotonic() + idle_s
        elif used:
            used = False
            # A run that was killed left its workers in the middle of a case. The lock is taken for
            # such alone: whoever comes meanwhile would be told that a run plays.
            if not _waiting("", {}, patient=True)[BUSY]:
                continue
            with pool_files.held(pool_files.USED) as ours:
                if ours:
                    for actor in _waiting("", {})[BUSY]:
                        ray.kill(actor, no_restart=True)


def _made(share: float) -> Any:
    """A new worker, which stays until it is killed. `share`: of a GPU."""
    made: Any = ray.remote(PooledWorker).options(
        name=secrets.token_hex(8),
        lifetime="detached",
        num_cpus=1,
        num_gpus=share,
        # One more than a worker of one run: `begin` must not wait for `exchange`.
        max_concurrency=4,
    )
    return made.remote()


def _waiting(key: str, code: Mapping[str, str], patient: bool = False) -> dict[str, list[Any]]:
    """State -> the workers of the pool in that state; those that do not answer are killed.

    `patient`: they are counted as busy instead.
    """
    asked: dict[Any, Any] = {}
    for name in ray.util.list_named_actors():
        with contextlib.suppress(ValueError):  # it died just now
            actor = ray.get_actor(name)
            asked[actor.state.remote(key, code)] = actor
    found: dict[str, list[Any]] = {NEW: [], WARM: [], OTHER: [], BUSY: []}
    if asked:
        answered, _ = ray.wait(list(asked), num_returns=len(asked), timeout=ANSWER_S)
        for call in answered:
            with contextlib.suppress(ray.exceptions.RayError):
                found[ray.get(call)].append(asked.pop(call))
    if patient:
        found[BUSY] += asked.values()
        return found
    for actor in asked.values():
        ray.kill(actor, no_restart=True)
    return found


def stop() -> PoolRecord | None:
    """End the pool; None if there is none. Raises UserError while a run uses it."""
    record = pool_files.read()
    if record is None:
        return None
    if pool_files.in_use():
        raise UserError("a run plays on the pool: wait until it has ended, or interrupt it")
    with contextlib.suppress(ProcessLookupError):
        os.kill(record.pid, signal.SIGTERM)
    until = time.monotonic() + ENDING_S
    while pool_files.read() is not None:
        if time.monotonic() > until:
            raise UserError(f"the pool does not end: `kill -9 {record.pid}` ends it")
        time.sleep(0.05)
    while _runs(record.pid) and time.monotonic() < until:  # its record goes a moment before it does
        time.sleep(0.02)
    return record


def _runs(pid: int) -> bool:
    """Whether there is such a process that has not ended yet."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@contextlib.contextmanager
def pooled(workers: int | None, say: Say) -> Iterator[Cluster | None]:
    """This user's pool as the cluster of a run; None if there is none that it may use.

    `workers`: as many as the run asks for; None: it takes what is there.
    """
    record = _found(workers, say)
    if record is None:
        yield None
        return
    with pool_files.held(pool_files.USED) as ours:
        if not ours:
            say("the pool is in use by another run: this one starts a Ray of its own")
            yield None
            return
        with joined_with(record.address, record.token, NAMESPACE) as cluster:
            yield cluster


def _found(workers: int | None, say: Say) -> PoolRecord | None:
    record = pool_files.read()
    if record is None:
        return None
    why = record.surroundings.difference(Surroundings.here())
    if why is None and workers is not None and workers > record.workers:
        why = f"it has {counted(record.workers, 'worker')}"
    if why is not None:
        say(
            f"the pool is not used: {why}. `bench pool stop` and `bench pool start` make one for "
            "this run"
        )
        return None
    return record


class WarmWorkers:
    """The workers of the pool, for one run."""

    def __init__(
        self,
        spec: AgentSpec,
        plan: Plan,
        options: Mapping[str, Any],
        share: float,
        paths: Sequence[str],
        say: Say,
    ) -> None:
        """Finds those that are warm for this run, and ends all others.

        `options` of the workers' loops, `share` of a GPU for each, `paths` of modules.
        """
        print_ = spec.fingerprint()
        said = [print_, spec.entry, dict(spec.args), repr(sorted(options.items())), share, [*paths]]
        key = hashlib.blake2b(json.dumps(said, default=repr).encode(), digest_size=8).hexdigest()
        kind = spec.kind()
        self.keeps = print_ != UNNAMED and not kind.served and kind.gpus == 0
        """Whether the workers of this run may stay for another one. A live agent has no identity;
        the client of a served one belongs to its replicas, which end with the run."""
        self._key = key if self.keeps else secrets.token_hex(8)
        code: dict[str, str] = {}
        for item in plan.items:
            for name, version in item.packages.items():
                code[f"{item.task.adapter} {name}"] = version
        self._code = code
        self._share = share
        found = _waiting(self._key, code)
        self._warm, self._new = found[WARM], found[NEW]
        ended = [*found[OTHER], *found[BUSY]]
        if share > 0:  # they were made without
            ended, self._new = [*ended, *self._new], []
        for actor in ended:
            ray.kill(actor, no_restart=True)
        if self._warm:
            say(f"playing on the pool, {counted(len(self._warm), 'worker')} of it warm")
        elif found[OTHER]:
            say("playing on the pool; its workers start afresh: they were warm for something else")
        else:
            say("playing on the pool")

    def worker(self, *args: Any, fresh: bool) -> tuple[Any, bool]:
        """(an actor that begins to play, whether it has played before); `args` of _Worker.

        `fresh`: a process in which nothing has happened yet.
        """
        warm = bool(self._warm) and not fresh
        kept = self._warm if warm else self._new
        actor = kept.pop() if kept else _made(self._share)
        actor.begin.remote(self._key, self._code, *args)
        return actor, warm

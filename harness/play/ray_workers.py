"""Plays cases in Ray workers, on this machine or on a cluster."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import ray

from harness.play.carried_code import carry
from harness.play.coordinator import Coordinator
from harness.play.endings import ObserverMaker
from harness.play.placement import LANES_OF_A_GROUP, groups_of, placement
from harness.play.pool_files import folder as pool_folder
from harness.play.ray_cluster import Cluster, joined, reach, started
from harness.play.ray_driver import Driver, cpus
from harness.play.ray_token import Say
from harness.play.watchdog import Interrupts
from harness.records.identity import AgentSpec

__all__ = ["play_on_ray"]


def play_on_ray(
    coordinator: Coordinator,
    spec: AgentSpec,
    *,
    workers: int | None,
    lanes: int | None,
    groups: int,
    agent_timeout: float,
    address: str | None,
    replicas: int | None = 1,
    observed: ObserverMaker | None = None,
    log: Path | None = None,
    say: Say = lambda _: None,
) -> None:
    """Play all cases in Ray workers.

    `workers`: their number; None: one for each core, or for each CPU of the cluster at `address`.
    There are never more than CPUs: a worker that waits for a CPU would never answer. On a cluster
    at `address`, machines may come and go meanwhile.
    `lanes` of each worker; None: eight for each of its `groups`, of which there are more where a
    served agent has several `replicas`; None of these: as many as the GPUs of the cluster hold.
    `log`: the folder `log` of the run directory, for what is printed in workers; None: it is lost.

    Raises UserError if the agent cannot be built, Stopped if Ray dies, StorageFull, and
    KeyboardInterrupt.
    """
    tally = coordinator.tally
    with (
        _ray(workers, tally.total - tally.done, address, say) as (cluster, pool),
        cluster.watched(),
    ):
        supply = ray.cluster_resources()
        placed = placement(supply.get("GPU", 0.0), spec, coordinator.plan, replicas)
        most = max(1, min(workers or sys.maxsize, placed.workers, coordinator.plan.total))
        count = min(most, cpus())
        groups = groups_of(placed.replicas, count, groups)
        settings = {
            "lanes": lanes or groups * LANES_OF_A_GROUP,
            "groups": groups,
            "observed": observed,
            "clock": coordinator.plan.clock,
        }
        warm = None
        if pool:
            from harness.play.ray_pool import WarmWorkers

            warm = WarmWorkers(spec, coordinator.plan, settings, placed.share, sys.path, say)
        driver = Driver(
            cluster,
            coordinator,
            spec,
            count,
            settings,
            agent_timeout,
            None if log is None else log.absolute(),
            say,
            replicas=placed.replicas,
            share=placed.share,
            home=ray.get_runtime_context().get_node_id(),
            carried=None if address is None else ray.put(carry(spec, coordinator.plan, say)),
            most=0 if address is None else most,
            warm=warm,
        )
        try:
            with Interrupts(coordinator):
                driver.play()
        finally:
            driver.close()


@contextlib.contextmanager
def _ray(
    workers: int | None, cases: int, address: str | None, say: Say
) -> Iterator[tuple[Cluster, bool]]:
    """(the cluster of a run that has so many cases to play, whether it is this user's pool)."""
    if ray.is_initialized() or address is not None:
        if ray.is_initialized() and address is not None:
            reach(address)
        with joined(None if ray.is_initialized() else address, say) as cluster:
            yield cluster, False
        return
    if pool_folder().is_dir():
        from harness.play.ray_pool import pooled

        with pooled(workers, say) as pool:
            if pool is not None:
                yield pool, True
                return
    # Ray starts a process for each, also for those that would have no case.
    with started(max(1, min(workers or os.cpu_count() or 1, cases)), say) as own:
        yield own, False

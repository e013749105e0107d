"""What a hundred lines of plain Ray do: an actor a lane, an episode a call.

The next free actor takes the next episode. W4 adds one policy actor, called once a step. It answers
one observation at a time (variant `plain`), or gathers what has arrived while it was busy, up to 32
(variant `batched`), as Ray Serve's batching would. The cluster asks for a token, as ours does.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time

os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))

import ray
from contract import order, report
from ray.util import ActorPool
from workloads import SERVER_BATCH, Outcome, Policy, Simulator, Workload, accelerator, accelerator_s


@ray.remote(num_cpus=0)
class PlainServer:
    def infer(self, observation):
        accelerator(1)


@ray.remote(num_cpus=0, max_concurrency=1000)
class BatchedServer:
    def __init__(self):
        self.waiting = []
        self.arrived = asyncio.Event()
        self.loop = None

    async def infer(self, observation):
        self.loop = self.loop or asyncio.ensure_future(self.serve())
        future = asyncio.get_running_loop().create_future()
        self.waiting.append(future)
        self.arrived.set()
        await future

    async def serve(self):
        while True:
            await self.arrived.wait()
            batch, self.waiting = self.waiting[:SERVER_BATCH], self.waiting[SERVER_BATCH:]
            if not self.waiting:
                self.arrived.clear()
            await asyncio.sleep(accelerator_s(len(batch)))
            for future in batch:
                future.set_result(None)


@ray.remote(num_cpus=0)
class Worker:
    def __init__(self, workload: Workload, indices: list[int], server):
        self.simulator, self.policy, self.server = (
            Simulator(workload, indices),
            Policy(workload),
            server,
        )

    def ready(self):
        return True

    def play(self, index: int) -> Outcome:
        self.policy.start(index)
        observation, done = self.simulator.reset(index), False
        while not done:
            if self.server is not None:
                ray.get(self.server.infer.remote(observation))
            observation, done = self.simulator.step(self.policy.act(observation))
        return Outcome(index, self.simulator.steps, self.simulator.score)


def main() -> None:
    given = order()
    ray.init(num_cpus=os.cpu_count(), include_dashboard=False, log_to_driver=False)
    indices = list(range(given.episodes))
    server = None
    if given.workload.served:
        server = (BatchedServer if given.variant == "batched" else PlainServer).remote()
    workers = [Worker.remote(given.workload, indices, server) for _ in range(given.lanes)]
    ray.get([worker.ready.remote() for worker in workers])
    start = time.monotonic()
    outcomes = list(
        ActorPool(workers).map_unordered(lambda worker, index: worker.play.remote(index), indices)
    )
    run_s = time.monotonic() - start
    ray.shutdown()
    report(outcomes, run_s)


if __name__ == "__main__":
    main()

"""vla-eval (written against 0.6.0, runs on 0.8.0 too), without docker.

One lane is its Python API, `vla_eval.evaluate(server, config)`. More lanes are its documented
sharding: one model server, and a process `vla-eval run --no-docker --shard-id i --num-shards n` for
each lane, then merge or export. Observations travel as PNG, its default; variant `raw` calls its
`set_image_format("raw")`. W4 batches on the server, up to the number of shards. Recording stays on,
its default: results of shards come from there.

The shards wait for one another before their first reset, so that `run_s` holds no start-up of a
late shard.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import vla_eval
from contract import order, report
from vla_eval.benchmarks.base import StepBenchmark, StepResult
from vla_eval.model_servers.predict import PredictModelServer
from vla_eval.protocol.numpy_codec import set_image_format
from workloads import SERVER_BATCH, WORKLOADS, Outcome, Policy, Simulator, accelerator

CLI = [sys.executable, "-c", "from vla_eval.cli.main import main; main()"]


class FixedBenchmark(StepBenchmark):
    """The episodes of a workload: one vla-eval task for each of its tasks."""

    def __init__(
        self, workload: str, folder: str, per_task: int, shards: int, variant: str = ""
    ) -> None:
        super().__init__()
        self.workload = WORKLOADS[workload]
        self._folder = Path(folder)
        self._shards = shards
        self._waiting = True
        self._episode = (0, 0.0)
        if variant == "raw":
            set_image_format("raw")
        self._simulator = Simulator(
            self.workload,
            [
                t * self.workload.per_task + e
                for t in range(len(self.workload.tasks))
                for e in range(per_task)
            ],
        )

    def get_tasks(self) -> list[dict[str, Any]]:
        return [
            {"name": task, "first": i * self.workload.per_task}
            for i, task in enumerate(self.workload.tasks)
        ]

    def get_metadata(self) -> dict[str, Any]:
        return {"max_steps": 1_000_000}

    def get_action_spec(self) -> dict[str, Any]:
        return {}

    def get_observation_spec(self) -> dict[str, Any]:
        return {}

    def reset(self, task: dict[str, Any]) -> Any:
        if self._waiting:
            self._wait_for_all()
        self._episode = (task["first"] + task["episode_idx"], time.monotonic())
        return self._simulator.reset(self._episode[0])

    def step(self, action: dict[str, Any]) -> StepResult:
        chosen = action["actions"]
        observation, done = self._simulator.step(
            int(chosen[0]) if self.workload.actions else chosen
        )
        return StepResult(observation, 0.0, done, {})

    def make_obs(self, raw_obs: Any, task: dict[str, Any]) -> dict[str, Any]:
        return {"images": {"view": raw_obs}} if self.workload.actions else {"state": raw_obs}

    def get_step_result(self, step_result: StepResult) -> dict[str, Any]:
        index, start = self._episode
        row = [index, self._simulator.steps, self._simulator.score, start, time.monotonic()]
        with open(self._folder / f"outcomes-{os.getpid()}", "a") as file:
            file.write(json.dumps(row) + "\n")
        return {"success": self._simulator.score > 0}

    def _wait_for_all(self) -> None:
        self._waiting = False
        (self._folder / f"ready-{os.getpid()}").touch()
        while len(list(self._folder.glob("ready-*"))) < self._shards:
            time.sleep(0.01)


class FixedServer(PredictModelServer):
    """The workload's policy behind vla-eval's model server, one random stream a session."""

    def __init__(self, workload: str, lanes: int) -> None:
        self.workload = WORKLOADS[workload]
        super().__init__(max_batch_size=min(lanes, SERVER_BATCH) if self.workload.served else 1)
        self._policies: dict[str, Policy] = {}

    def get_action_spec(self) -> dict[str, Any]:
        return {}

    def get_observation_spec(self) -> dict[str, Any]:
        return {}

    async def on_episode_start(self, config: dict[str, Any], ctx: Any) -> None:
        await super().on_episode_start(config, ctx)
        policy = self._policies.setdefault(ctx.session_id, Policy(self.workload))
        policy.start(config["task"]["first"] + config["task"]["episode_idx"])

    def predict_batch(
        self, obs_batch: list[dict[str, Any]], ctx_batch: list[Any]
    ) -> list[dict[str, Any]]:
        if self.workload.served:
            accelerator(len(obs_batch))
        return [
            {"actions": np.atleast_1d(self._policies[ctx.session_id].act(obs.get("state")))}
            for obs, ctx in zip(obs_batch, ctx_batch, strict=True)
        ]


def run_shards(config: dict[str, Any], server: FixedServer, lanes: int, folder: Path) -> None:
    with vla_eval.serve_background(server) as handle:
        (folder / "config.yaml").write_text(json.dumps(config))
        children = [
            subprocess.Popen(
                [
                    *CLI,
                    "run",
                    "-c",
                    "config.yaml",
                    "--no-docker",
                    "--server-url",
                    handle.url,
                    "--eval-id",
                    "measured",
                    "--shard-id",
                    str(i),
                    "--num-shards",
                    str(lanes),
                ],
                cwd=folder,
                stdout=sys.stderr,
            )
            for i in range(lanes)
        ]
        if codes := [c for c in (child.wait() for child in children) if c]:
            raise RuntimeError(f"shards exited with {codes}")
    if vla_eval.__version__.startswith("0.6."):
        from vla_eval.results.merge import merge_eval as collect
    else:
        from vla_eval.results.export import export_eval as collect
    collect(folder / "results", "measured")


def main() -> None:
    given = order()
    folder = Path.cwd()
    per_task = given.episodes // len(given.workload.tasks)
    entry = {
        "benchmark": "vla_eval_shards:FixedBenchmark",
        "episodes_per_task": per_task,
        "params": {
            "workload": given.workload.name, "folder": str(folder), "per_task": per_task,
            "shards": given.lanes, "variant": given.variant,
        },
    }  # fmt: skip
    config = {
        "server": {"timeout": 300.0},
        "output_dir": str(folder / "results"),
        "benchmarks": [entry],
    }
    server = FixedServer(given.workload.name, given.lanes)
    if given.lanes == 1:
        vla_eval.evaluate(server, config)
    else:
        run_shards(config, server, given.lanes, folder)
    rows = [
        json.loads(line)
        for file in folder.glob("outcomes-*")
        for line in file.read_text().splitlines()
    ]
    report([Outcome(*row[:3]) for row in rows], max(r[4] for r in rows) - min(r[3] for r in rows))


if __name__ == "__main__":
    main()

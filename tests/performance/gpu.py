"""ManiSkill on a GPU with an agent on the same GPU: `python tests/performance/gpu.py`.

Plays one task in many lanes: the bare simulator with random actions, the bare agent on a batch that
lies on the device, both in turns as a loop of twenty lines would (the bound), and bench, which adds
episodes, checks, digests and traces. Prints lane steps per second, and bench as a ratio to each.

On a machine without a GPU: `--lanes 1 --device cpu --steps 20` tries the code.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).parents[2]))

from adapters.maniskill import ManiSkillBatchedAdapter, simulation
from harness.core import Agent, Case, Task, Turn, batch_of
from harness.play.inference import LocalAgent, Watch
from harness.play.outcome import Outcome
from harness.play.rollout import RolloutLoop
from suites.maniskill import task_of


class Network(Agent):
    """Three layers of 1,024 units from the state to an action."""

    def __init__(self, view: str, device: str) -> None:
        self.view = view
        self.device = device
        self.model: Any = None

    def act(self, turns: Sequence[Turn]) -> Any:
        import torch

        batch = torch.as_tensor(batch_of(turns, self.view), device=self.device)
        return self.forward(batch, len(np.asarray(turns[0].brief.action.noop())))

    def forward(self, batch: Any, outputs: int) -> Any:
        import torch

        if self.model is None:
            torch.manual_seed(0)
            sizes = [batch.shape[1], 1024, 1024, 1024, outputs]
            layers: list[Any] = []
            for before, after in itertools.pairwise(sizes):
                layers += [torch.nn.Linear(before, after), torch.nn.Tanh()]
            self.model = torch.nn.Sequential(*layers).to(self.device)
        with torch.no_grad():
            return self.model(batch)


class Source:
    """Cases without end."""

    def __init__(self, task: Task) -> None:
        self.task, self.seed = task, 0

    def take(self, held: Sequence[str]) -> tuple[int, Case]:
        self.seed += 1
        return self.seed, Case(self.task, self.seed)


def rate(step: Callable[[], None], lanes: int, steps: int, settle: Callable[[], None]) -> float:
    """Lane steps per second, after a tenth that does not count."""
    for _ in range(max(2, steps // 10)):
        step()
    settle()
    begun = time.perf_counter()
    for _ in range(steps):
        step()
    settle()
    return steps * lanes / (time.perf_counter() - begun)


def bare(task: Task, lanes: int, steps: int, agent: Network, settle: Any) -> tuple[float, ...]:
    """The rates of the simulator, of the agent, and of both in turns."""
    import torch

    params = task.params
    backends = params["sim_backend"], params["render_backend"]
    environment, _ = simulation.make(task, lanes, *backends)
    seen, _ = environment.reset(seed=list(range(lanes)))
    size = environment.action_space.shape[-1]
    state = {"seen": seen}

    def simulate() -> None:
        actions = torch.rand((lanes, size), device=environment.device) * 2 - 1
        state["seen"] = environment.step(actions)[0]

    def infer() -> None:
        agent.forward(state["seen"], size)

    def both() -> None:
        state["seen"] = environment.step(agent.forward(state["seen"], size))[0]

    found = tuple(rate(each, lanes, steps, settle) for each in (simulate, infer, both))
    environment.close()
    return found


def ours(task: Task, lanes: int, steps: int, agent: Network, settle: Any) -> float:
    """The rate of bench; episodes do not end meanwhile."""
    failed: list[Outcome] = []
    watch, source = Watch(), Source(task)
    loop = RolloutLoop(
        LocalAgent(agent, watch, 600.0),
        (agent.view,),
        1,
        lanes=lanes,
        groups=1,
        watch=watch,
        report=failed.append,
    )
    found = rate(lambda: loop.turn(source), lanes, steps, settle)
    loop.close()
    if failed:
        raise SystemExit(f"an episode ended early: {failed[0]}")
    return found


def main() -> None:
    import torch

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--task", default="PickCube")
    parser.add_argument("--lanes", type=int, default=1024)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--device", default="cuda")
    given = parser.parse_args()
    on_gpu = given.device != "cpu"
    backends = ("physx_cuda", "gpu") if on_gpu else ("physx_cpu", "cpu")
    params = {"lanes": given.lanes, "sim_backend": backends[0], "render_backend": backends[1]}
    made = task_of(given.task, "do it", 50, family="maniskill-gpu")
    task = dataclasses.replace(
        made,
        params={**made.params, **params},
        adapter="adapters.maniskill:ManiSkillBatchedAdapter",
        max_steps=10 * given.steps + 100,
        success="once",
    )
    if (lack := ManiSkillBatchedAdapter.missing(task)) is not None:
        raise SystemExit(f"{lack.reason}: {lack.remedy}")
    settle = torch.cuda.synchronize if on_gpu else lambda: None
    options = given.lanes, given.steps
    simulator, model, both = bare(task, *options, Network("", given.device), settle)
    rows: list[tuple[str, float]] = [
        ("bare simulator", simulator),
        ("bare agent", model),
        ("both in turns", both),
    ]
    for view in ("gpu/state", "state"):
        agent = Network(view, given.device)
        rows.append((f"bench, reads {view}", ours(task, *options, agent, settle)))
    table = [
        [name, f"{found:.0f}", f"{found / simulator:.3f}", f"{found / both:.3f}"]
        for name, found in rows
    ]
    heads = ["", "lane steps/s", "to the simulator", "to both in turns"]
    print(f"{given.task}, {given.lanes} lanes, {given.device}\n")
    print(tabulate(table, heads, tablefmt="github"))


if __name__ == "__main__":
    main()

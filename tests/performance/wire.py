"""What the wire costs per step: an agent in process, behind `bench serve`, and behind others.

Run: python tests/performance/wire.py [--seconds 2] [--rounds 3] [--openpi FILE] [--vla-eval PYTHON]

An agent that answers ten resting actions of seven numbers is asked with a picture of 224 x 224 and
eight numbers, one turn after the other and 16 at a time. Figures are medians over alternating
rounds of the processor time of client and server together; since the two take turns, this is the
wall time of an idle machine but for waking them. FILE is websocket_policy_server.py of
openpi's repository, PYTHON an interpreter with vla-eval.
"""

from __future__ import annotations

import argparse
import socket
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).parents[1]))

from harness.core import Agent, Answer, Box, Brief, Turn
from harness.play.inference import Watch, call_agent
from harness.policies.openpi import OpenPI
from harness.policies.vla_eval import VlaEval

HERE = Path(__file__).parent
CHUNK = list(np.zeros((10, 7), np.float32))
BRIEF = Brief(
    {"image": Box((224, 224, 3), "uint8", 0, 255), "state": Box((8,))},
    Box((7,), "float32", -1.0, 1.0),
    "an arm",
    "none",
)
MANY = 16


class Still(Agent):
    """Rests, ten actions at a time."""

    reads = ("image", "state")

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        return [Answer(CHUNK) for _ in turns]


def turns(count: int) -> list[Turn]:
    rng = np.random.default_rng(0)
    return [
        Turn(
            brief=BRIEF,
            instruction="go",
            observations=(
                {
                    "image": rng.integers(0, 255, (224, 224, 3), "uint8"),
                    "state": np.zeros(8, np.float32),
                },
            ),
            actions=(),
            step=0,
            episode=f"e{number}",
        )
        for number in range(count)
    ]


class Spent:
    """Processor time of this process, and of a server."""

    def __init__(self, server: int | None) -> None:
        self._server = None if server is None else psutil.Process(server)
        self._begun = self._now()

    def _now(self) -> float:
        there = 0.0 if self._server is None else sum(self._server.cpu_times()[:2])
        return time.process_time() + there

    def per(self, count: int) -> float:
        """Microseconds for each of so many."""
        return 1e6 * (self._now() - self._begun) / count


def asked(agent: Agent, count: int, seconds: float, server: int | None) -> float:
    """Microseconds per turn; `server`: its process."""
    batch, watch = turns(count), Watch()
    call_agent(agent, batch, watch, 60.0)
    spent, until, done = Spent(server), time.perf_counter() + seconds, 0
    while time.perf_counter() < until:
        answers = call_agent(agent, batch, watch, 60.0)
        assert all(hasattr(answer, "moves") for answer in answers), answers[0]
        done += count
    took = spent.per(done)
    for turn in batch:
        agent.end([turn.episode])
    return took


def their_client(port: int, seconds: float, server: int) -> float:
    """Microseconds per turn with openpi's own client."""
    from openpi_client.websocket_client_policy import WebsocketClientPolicy

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client = WebsocketClientPolicy("127.0.0.1", port)
    seen = {**turns(1)[0].observation, "prompt": "go"}
    client.infer(seen)
    spent, until, done = Spent(server), time.perf_counter() + seconds, 0
    while time.perf_counter() < until:
        client.infer(seen)
        done += 1
    return spent.per(done)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--openpi", metavar="FILE")
    parser.add_argument("--vla-eval", metavar="PYTHON")
    options = parser.parse_args()
    seconds = options.seconds
    started: list[subprocess.Popen[bytes]] = []

    def start(*command: object) -> int:
        started.append(subprocess.Popen([str(each) for each in command], cwd=HERE))
        return started[-1].pid

    bench, openpi, vla = free_port(), free_port(), free_port()
    serve = Path(sys.executable).parent / "bench"
    ours = start(serve, "serve", "--agent", "wire:Still", "--port", bench, "--action-size", 7)
    rows: dict[str, Callable[[], list[float]]] = {}
    try:
        here, served = Still(), OpenPI(f"ws://127.0.0.1:{bench}")
        # bench plays and serves in a child of the process that was started, if it has one.
        served_by = next((each.pid for each in psutil.Process(ours).children()), ours)

        def both(agent: Agent, server: int | None) -> list[float]:
            return [asked(agent, count, seconds, server) for count in (1, MANY)]

        rows["in process"] = lambda: both(here, None)
        rows["bench, bench serve"] = lambda: both(served, served_by)
        rows["openpi's client, bench serve"] = lambda: [their_client(bench, seconds, served_by)]
        if options.openpi:
            file = Path(options.openpi).absolute()
            pi = start(sys.executable, HERE / "wire_servers.py", "openpi", file, openpi)
            theirs = OpenPI(f"ws://127.0.0.1:{openpi}")
            rows["bench, openpi's server"] = lambda: both(theirs, pi)
            rows["openpi's client, openpi's server"] = lambda: [their_client(openpi, seconds, pi)]
        if options.vla_eval:
            other = start(options.vla_eval, HERE / "wire_servers.py", "vla-eval", vla)
            model = VlaEval(f"ws://127.0.0.1:{vla}")
            rows["bench, vla-eval's server"] = lambda: both(model, other)

            def own() -> list[float]:
                command = [options.vla_eval, HERE / "wire_servers.py", "vla-eval-client"]
                command += [f"ws://127.0.0.1:{vla}", str(seconds), str(other)]
                said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
                found.setdefault("vla-eval's client with PNG, vla-eval's server", []).append(
                    [float(said.split()[1])]
                )
                return [float(said.split()[0])]

            rows["vla-eval's client with raw pictures, vla-eval's server"] = own
        found: dict[str, list[list[float]]] = {}
        for _ in range(options.rounds):
            for name, measure in rows.items():
                found.setdefault(name, []).append(measure())
    finally:
        for process in started:
            process.terminate()
    table = [
        [name, *(round(statistics.median(each)) for each in zip(*figures))]
        for name, figures in found.items()
    ]
    heads = ["client and server", "us a turn, one at a time", f"us a turn, {MANY} at a time"]
    print(tabulate(table, heads, tablefmt="github"))


if __name__ == "__main__":
    main()

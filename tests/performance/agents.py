"""What an agent in another interpreter costs: `python tests/performance/agents.py`.

A null agent is asked one turn at a time, and sixteen at once, through a child of this Python.
Printed are the best and the median of 300 calls, in microseconds a turn: the best says what the way
costs on an idle machine.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from harness.core import Box, Brief, Discrete, Turn
from harness.host.agents import HostedAgentSpec

VIEWS = {
    "state, 39 numbers": np.zeros(39, np.float32),
    "image, 224 x 224 px": np.zeros((224, 224, 3), np.uint8),
}


def main() -> None:
    agent = HostedAgentSpec("noop", "baselines.simple:Noop", {}, sys.executable).build()
    for name, view in VIEWS.items():
        brief = Brief({"view": Box(view.shape, str(view.dtype))}, Discrete(2), "", "")
        turns = [Turn(brief, "", ({"view": view},), (), 0, "one") for _ in range(16)]
        for count in (1, 16):
            times = []
            for _ in range(300):
                begun = time.perf_counter()
                agent.act(turns[:count])
                times.append((time.perf_counter() - begun) / count * 1e6)
            print(f"{name}, {count} at once: {min(times):.0f}, median {np.median(times):.0f}")
    agent.close()


if __name__ == "__main__":
    main()

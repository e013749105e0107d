"""What the process of a system is told, and the line that it prints: its whole contract."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass

from workloads import WORKLOADS, Outcome, Workload, digest


@dataclass(frozen=True)
class Order:
    workload: Workload
    episodes: int
    lanes: int
    variant: str


def order() -> Order:
    """Read the command line of a runner: WORKLOAD --episodes N --lanes N --variant NAME."""
    parser = argparse.ArgumentParser()
    parser.add_argument("workload", choices=sorted(WORKLOADS))
    parser.add_argument("--episodes", type=int, default=0, help="0: all of the workload")
    parser.add_argument("--lanes", type=int, default=1, help="environments, processes or shards")
    parser.add_argument("--variant", default="", help="what else the runner can be told")
    given = parser.parse_args()
    workload = WORKLOADS[given.workload]
    return Order(
        workload,
        given.episodes or workload.episodes,
        given.lanes,
        given.variant,
    )


def report(outcomes: Sequence[Outcome], run_s: float, identity: bool = True) -> None:
    """Print the last line.

    `run_s` runs from the first reset of the first episode to the end of the last one. `identity` is
    False where it is not known which episode was played; there is no digest then.
    """
    print(flush=True)
    print(
        json.dumps(
            {
                "episodes": len(outcomes),
                "steps": sum(o.steps for o in outcomes),
                "score": sum(o.score for o in outcomes),
                "digest": digest(outcomes) if identity else None,
                "run_s": run_s,
            }
        ),
        flush=True,
    )

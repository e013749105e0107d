"""What a Ray that we start consists of: no processes but those that play, and warm workers.

Ray starts a worker process for each CPU at once, but gives an actor with environment variables of
its own another process, made afterwards. So the variables stand in the environment of the whole
cluster, and the processes that are there are those that play. Elsewhere each actor carries them.
Independent of Ray.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

from harness.host.interpreters import carried

__all__ = ["carried_by_actors", "inherited", "nothing_more", "variables"]

THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
NOT_NEEDED = ("start_monitor", "start_log_monitor", "start_api_server")
"""Starters of Ray's autoscaler, of what copies logs to the driver, and of its web page and usage
statistics: all three are switched off or have nothing to do here, and cost a second."""


def variables() -> dict[str, str]:
    """The environment variables of every process that plays."""
    return {**THREADS, **carried()}


def carried_by_actors() -> dict[str, Any]:
    """The option of actors whose cluster was started without our variables."""
    return {"runtime_env": {"env_vars": variables()}}


@contextlib.contextmanager
def inherited(values: Mapping[str, str]) -> Iterator[None]:
    """What is started while the block runs has these variables; this process has them as long."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def nothing_more(node: Any) -> Iterator[None]:
    """A Ray that starts while the block runs starts none of the processes that are not needed.

    `node`: the class in Ray that starts them. A version of Ray that names these starters
    differently starts them all.
    """
    before = {name: getattr(node, name) for name in NOT_NEEDED if hasattr(node, name)}
    for name in before:
        setattr(node, name, lambda *_, **__: None)
    try:
        yield
    finally:
        for name, starter in before.items():
            setattr(node, name, starter)

"""What a Ray that we start consists of: no processes but those that play, and warm workers.

Ray starts a worker process for each CPU at once, but gives an actor with environment variables of
its own another process, made afterwards. So the variables stand in the environment of the whole
cluster, and the processes that are there are those that play. Elsewhere each actor carries them.
Independent of Ray: its modules are handed in.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.host.interpreters import carried
from harness.play.ray_stand_in import shared_door

__all__ = ["carried_by_actors", "inherited", "nothing_more", "variables", "without_agents"]

THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
NOT_NEEDED = ("start_monitor", "start_log_monitor", "start_api_server")
"""Starters of Ray's autoscaler, of what copies logs to the driver, and of its web page and usage
statistics: all three are switched off or have nothing to do here, and cost a second."""
TRIED = "2.60."
"""The versions of Ray whose raylet is known to do without its agents begin with this."""
PORTS = (
    "METRICS_AGENT_PORT_NAME", "METRICS_EXPORT_PORT_NAME", "DASHBOARD_AGENT_LISTEN_PORT_NAME",
)  # fmt: skip
ASKED = "RUNTIME_ENV_AGENT_PORT_NAME"
NO_PORT = -1
"""What an agent of Ray's says of a door that it does not open."""


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


@contextlib.contextmanager
def without_agents(ray: Any) -> Iterator[None]:
    """A raylet that starts while the block runs has no agents until somebody asks one.

    One collects figures for Ray's web page, which is switched off; the other makes environments for
    actors that ask for one, and those of a cluster of ours inherit theirs. Both together cost two
    seconds at the start, and a second of a core while the first episodes are played. The raylet
    insists on two processes and on where they listen: ray_stand_in.py. The second becomes the agent
    when it is asked, for an agent of a user's may use Ray for itself.

    A version of Ray that was not tried starts its agents.
    """
    services, raylet = ray._private.services, ray._raylet
    real = getattr(services, "start_ray_process", None)
    known = all(hasattr(raylet, name) for name in ("persist_port", *PORTS, ASKED))
    tried = sys.platform == "linux" and str(ray.__version__).startswith(TRIED)
    if real is None or not known or not tried:
        yield
        return

    def start(command: Sequence[str], kind: str, **options: Any) -> Any:
        if kind == "raylet":
            command = _with_stand_ins(command, raylet, reserved)
        return real(command, kind, **options)

    with contextlib.ExitStack() as reserved:
        services.start_ray_process = start
        try:
            yield
        finally:
            services.start_ray_process = real


def _with_stand_ins(
    command: Sequence[str], raylet: Any, reserved: contextlib.ExitStack
) -> list[str]:
    """The command of a raylet, with stand-ins in the place of its agents.

    `reserved` keeps the port of the one that listens until the raylet has started it.
    """
    told = dict(each.removeprefix("--").split("=", 1) for each in command if "=" in each)
    wanted = ("dashboard_agent_command", "runtime_env_agent_command", "session_dir", "node_id")
    if not all(name in told for name in (*wanted, "node_ip_address")):
        return list(command)
    session, node = told["session_dir"], told["node_id"]
    for name in PORTS:
        raylet.persist_port(session, node, getattr(raylet, name), NO_PORT)
    script = str(Path(__file__).with_name("ray_stand_in.py"))
    # The session's folder marks what belongs to this cluster.
    stand_in = [sys.executable, "-I", "-S", script, session]
    address = told["node_ip_address"]
    # Where the raylet finds the port at once, it does not look again after a second.
    port = reserved.enter_context(shared_door(address)).getsockname()[1]
    raylet.persist_port(session, node, getattr(raylet, ASKED), port)
    asked = subprocess.list2cmdline([*stand_in, address, str(port)])
    instead = {
        "dashboard_agent_command": subprocess.list2cmdline(stand_in),
        "runtime_env_agent_command": f"{asked} {told['runtime_env_agent_command']}",
    }
    replaced = {f"--{name}": f"--{name}={value}" for name, value in instead.items()}
    return [replaced.get(each.partition("=")[0], each) for each in command]

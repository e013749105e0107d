"""A Ray cluster that a run starts, and a stranger on the network who tries to get in."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

pytest.importorskip("grpc")

VICTIM, STRANGER = "10.213.77.2", "10.213.77.1"
HOUSE = """
import contextlib, os, sys
how = sys.argv[1]
if how == "open":
    os.environ["RAY_AUTH_MODE"] = "disabled"
import ray
import harness.play.ray_cluster as ray_cluster
if how != "as it is":
    ray_cluster._on_loopback = contextlib.nullcontext
if how == "open":
    ray_cluster.for_a_new_cluster = lambda say: {}
    ray_cluster.token_mode = lambda: True
with ray_cluster.started(1, print):
    class Actor:
        def ready(self): return True
    actor = ray.remote(Actor).remote()
    assert ray.get(actor.ready.remote())
    print(ray._private.worker._global_node.gcs_address, flush=True)
    sys.stdin.read()
"""


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture(scope="module")
def net() -> Iterator[str]:
    """A network namespace whose only neighbour is this machine."""
    name, here, there = f"bench{os.getpid()}", f"bs{os.getpid()}", f"bv{os.getpid()}"
    try:
        ip("netns", "add", name)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("network namespaces need root and iproute2")
    try:
        ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", name)
        ip("addr", "add", f"{STRANGER}/30", "dev", here)
        ip("link", "set", here, "up")
        for words in (
            ("addr", "add", f"{VICTIM}/30", "dev", there),
            ("link", "set", there, "up"),
            ("link", "set", "lo", "up"),
            ("route", "add", "default", "via", STRANGER),
        ):
            ip("-n", name, *words)
        yield name
    except subprocess.CalledProcessError as fault:
        pytest.skip(f"no network of its own here: {fault.stderr.decode().strip()}")
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False)
        subprocess.run(["ip", "link", "del", here], check=False, capture_output=True)


class House:
    """The victim's cluster in its namespace."""

    def __init__(self, net: str, how: str, folder: Path) -> None:
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", net, sys.executable, "-c", HOUSE, how],
            cwd=folder,
            env=without_tokens() | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.head = self.process.stdout.readline().strip().rpartition(":")[2]
        assert self.head, "the cluster did not start"
        # `ip netns exec` becomes the program; /proc/PID/net is that of its namespace.
        self.doors = listening(self.process.pid)

    def close(self) -> None:
        self.process.communicate("", timeout=60)


def listening(pid: int) -> dict[int, str]:
    """port -> address, of every TCP socket that listens in the network of this process."""
    found = {}
    for family, file in ((socket.AF_INET, "tcp"), (socket.AF_INET6, "tcp6")):
        for line in Path(f"/proc/{pid}/net/{file}").read_text().splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            if state == "0A":
                address, port = local.split(":")
                words = [bytes.fromhex(address[k : k + 8])[::-1] for k in range(0, len(address), 8)]
                found[int(port, 16)] = socket.inet_ntop(family, b"".join(words))
    return found


def without_tokens() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}


def attack(*words: object, token: str | None = None) -> Any:
    """What a stranger gets, who has no token, or `token`."""
    credentials = {"RAY_AUTH_MODE": "disabled"}
    if token is not None:
        credentials = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}
    said = subprocess.run(
        [sys.executable, ROOT / "tests" / "rayattack.py", *map(str, words)],
        env=without_tokens() | credentials | {"RAY_NUM_REDIS_GET_RETRIES": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        timeout=120,
    )
    return json.loads(said.stdout.splitlines()[-1])


@pytest.mark.slow
def test_nothing_is_reachable_from_another_machine(net: str, tmp_path: Path) -> None:
    house = House(net, "as it is", tmp_path)
    try:
        assert set(house.doors.values()) <= {"127.0.0.1", "::ffff:127.0.0.1"}
        assert len(house.doors) >= 4
        assert 8265 not in house.doors, "no dashboard, which takes jobs"
        for port in house.doors:
            with pytest.raises(OSError):
                socket.create_connection((VICTIM, port), timeout=5).close()
    finally:
        house.close()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["guarded", "open"])
def test_where_it_is_reachable_a_token_is_asked_for(net: str, tmp_path: Path, how: str) -> None:
    """The same stranger gets in where no token is asked for: the attack is one."""
    house = House(net, how, tmp_path)
    head = f"{VICTIM}:{house.head}"
    made = tmp_path / "made"
    try:
        assert not set(house.doors.values()) <= {"127.0.0.1", "::ffff:127.0.0.1"}
        if how == "open":
            assert attack("kv", head) == {"got": "was here"}
            attack("init", head, made)
            assert made.exists()
            return
        for token in (None, "0" * 64):
            assert attack("kv", head, token=token).keys() == {"fault"}
            assert attack("init", head, made, token=token).keys() == {"fault"}
        assert not made.exists()
        # Whoever knocks at the door of Ray's stand-in is not answered, and meets the agent then.
        until = time.monotonic() + 60
        while "got" not in (told := attack("calls", VICTIM, *house.doors)):
            assert time.monotonic() < until, told
        answers = told["got"]
        assert len(answers) == len(house.doors) >= 5
        for port, codes in answers.items():
            assert set(codes) in (
                {"UNAUTHENTICATED", "UNIMPLEMENTED"},
                {"401"},
            ), f"port {port} answers {codes}"
        assert sum(codes.get("UNAUTHENTICATED", 0) for codes in answers.values()) > 100
    finally:
        house.close()

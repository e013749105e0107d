"""The files of docs/cluster: what a reader copies to run on SLURM, Kubernetes or over ssh.

There is no SLURM, no Kubernetes and no sshd here: `srun`, `scontrol` and `ssh` are stand-ins that
run a command in the network namespace of the machine that they are told. Everything else is real.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT
from netmachines import ENTER, Network, NoNetwork

FOLDER = ROOT / "docs" / "cluster"
SCRIPTS = Path(sysconfig.get_path("scripts"))
WORDS = ["--agent", "uniform", "--suite", "babyai", "--tasks", "babyai/GoToObj"]
NODES = 3
STRANGER = 3
SRUN = """#!/bin/sh
while [ "${1#--}" != "$1" ]; do
  case $1 in --nodelist=*) node=${1#*=} ;; esac
  shift
done
echo "$node $*" >> LOG
. PLACE/$node
exec ip netns exec "$space" sh -c "$enter" "$folder" PLACE/hosts "$@"
"""
SSH = """#!/bin/sh
node=$1
shift
echo "$node $*" >> LOG
. PLACE/$node
exec env -i PATH="$PATH" HOME="$HOME" PYTHONPATH="$PYTHONPATH" \\
  ip netns exec "$space" sh -c "$enter" "$folder" PLACE/hosts sh -c "$*"
"""


def test_the_kubernetes_file_asks_for_a_token_and_runs_bench() -> None:
    volume, job = yaml.safe_load_all((FOLDER / "kuberay.yaml").read_text())
    assert (volume["kind"], job["apiVersion"], job["kind"]) == (
        "PersistentVolumeClaim",
        "ray.io/v1",
        "RayJob",
    )
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["authOptions"] == {"mode": "token", "secretName": "bench-token"}
    assert tuple(map(int, cluster["rayVersion"].split("."))) >= (2, 52, 0), (
        "older ones ask for none"
    )
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    pods = [group["template"]["spec"]["containers"] for group in groups]
    assert len({container["image"] for pod in pods for container in pod}) == 1
    bench, run, *options = shlex.split(job["spec"]["entrypoint"])
    assert (bench, run) == ("bench", "run")
    assert options[options.index("--ray-address") + 1] == "auto"
    mounted = pods[0][0]["volumeMounts"][0]["mountPath"]
    assert options[options.index("--out") + 1].startswith(f"{mounted}/")
    (mount,) = cluster["headGroupSpec"]["template"]["spec"]["volumes"]
    assert mount["persistentVolumeClaim"]["claimName"] == volume["metadata"]["name"]
    told = subprocess.run(
        [sys.executable, "-m", "bench", "run", "--help"], cwd=ROOT, capture_output=True, text=True
    ).stdout
    assert all(word in told for word in options if word.startswith("--"))


@pytest.mark.parametrize("name", ["slurm.sh", "ssh.sh"])
def test_a_script_is_well_formed_and_keeps_the_token_off_command_lines(name: str) -> None:
    script = FOLDER / name
    assert os.access(script, os.X_OK)
    assert not subprocess.run(["bash", "-n", script], capture_output=True).stderr
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", "--severity=warning", script], check=True)
    assert "RAY_AUTH_MODE=token" in script.read_text()


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Network]:
    """Three nodes, and a machine of somebody else."""
    try:
        with Network(NODES + 1, tmp_path / "n", subnet=80) as found:
            for number, name in enumerate(found.names):
                words = {
                    "space": found.space(number),
                    "folder": str(found.folder / str(number)),
                    "enter": ENTER,
                }
                lines = [f"{key}={shlex.quote(text)}\n" for key, text in words.items()]
                (found.folder / name).write_text("".join(lines))
            yield found
    except NoNetwork as why:
        pytest.skip(f"network namespaces need root and iproute2: {why}")


def stand_ins(net: Network, place: Path) -> Path:
    """A folder of commands; writes down what `srun` and `ssh` are told."""
    folder = place / "bin"
    folder.mkdir()
    nodes = "\\n".join(net.names[:NODES])
    for name, text in {
        "srun": SRUN,
        "ssh": SSH,
        "scontrol": f"#!/bin/sh\nprintf '{nodes}\\n'\n",
    }.items():
        told = text.replace("LOG", str(place / "told")).replace("PLACE", str(net.folder))
        (folder / name).write_text(told)
        (folder / name).chmod(0o755)
    return folder


def listening(pid: int) -> list[int]:
    """The ports of TCP sockets that listen on more than loopback in the network of a process."""
    found = set()
    for file in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{file}").read_text().splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            address, port = local.split(":")
            if state == "0A" and address not in (LOOPBACK, MAPPED):
                found.add(int(port, 16))
    return sorted(found)


LOOPBACK = "0100007F"
MAPPED = "0000000000000000FFFF00000100007F"


def attack(net: Network, *words: object, token: str | None = None) -> Any:
    """What somebody on another machine gets, without a token or with `token`."""
    clean = {name: text for name, text in os.environ.items() if not name.startswith("RAY_")}
    mode = {"RAY_AUTH_MODE": "disabled"}
    if token is not None:
        mode = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}
    said = net.start(
        STRANGER,
        [sys.executable, str(ROOT / "tests" / "rayattack.py"), *map(str, words)],
        env=clean | mode | {"RAY_NUM_REDIS_GET_RETRIES": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ).communicate(timeout=180)[0]
    return json.loads(said.splitlines()[-1])


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["slurm.sh", "ssh.sh"])
def test_a_script_runs_on_all_nodes_and_lets_nobody_else_in(
    net: Network, tmp_path: Path, name: str
) -> None:
    """Heavy for its minutes: three nodes of Ray start, and each of their ports is tried."""
    pytest.importorskip("grpc")
    home = tmp_path / "home"
    home.mkdir()
    clean = {each: text for each, text in os.environ.items() if not each.startswith("RAY_")}
    environment = clean | {
        "PATH": f"{stand_ins(net, tmp_path)}:{SCRIPTS}:{os.environ['PATH']}",
        "HOME": str(home),
        "PYTHONPATH": str(ROOT),
        "SLURM_JOB_ID": "123",
        "SLURM_JOB_NODELIST": "node[0-2]",
        "SLURM_CPUS_PER_TASK": "1",
        "NODES": "node1 node2",
        "HEAD_IP": "" if name == "slurm.sh" else net.addresses[0],
        "CPUS": "1",
    }
    with (tmp_path / "said").open("w") as said:
        running = net.start(
            0,
            ["bash", str(FOLDER / name), *WORDS, "--episodes", "2000", "--out", "run"],
            env=environment,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
        try:
            lines = tmp_path / "run" / "episodes.jsonl"
            played = {"worker-0", "worker-1", "worker-2"}
            until = time.monotonic() + 240
            while not all(lines.exists() and f'"{each}"' in lines.read_text() for each in played):
                assert running.poll() is None, (tmp_path / "said").read_text()
                assert time.monotonic() < until, (tmp_path / "said").read_text()
                time.sleep(0.5)
            the_doors_are_shut(net, tmp_path, name)
        finally:
            running.terminate()
            running.wait(timeout=120)
    until = time.monotonic() + 30
    while left := [each for number in range(NODES) for each in net.processes(number)]:
        assert time.monotonic() < until, f"left: {left}"
        time.sleep(0.5)
    assert not list(home.glob(".bench-token-*")), "the token goes with the run"


def the_doors_are_shut(net: Network, place: Path, name: str) -> None:
    """While the run goes on: every port of every node refuses who has no token."""
    head = next(each for each in net.processes(0) if "gcs_server" in each.name())
    variables = head.environ()
    token = variables.get("RAY_AUTH_TOKEN", "")
    if name == "slurm.sh":
        file = Path(variables["RAY_AUTH_TOKEN_PATH"])
        assert file.stat().st_mode & 0o777 == 0o600
        token = file.read_text()
    assert len(token) == 64
    assert token not in (place / "told").read_text()
    for number in range(NODES):
        for process in net.processes(number):
            assert token not in " ".join(process.cmdline())
    port = next(each for each in (20123, 6379) if each in listening(head.pid))
    address = f"{net.addresses[0]}:{port}"
    made = place / "made"
    for wrong in (None, "0" * 64):
        assert attack(net, "kv", address, token=wrong).keys() == {"fault"}
    assert attack(net, "init", address, made).keys() == {"fault"}
    assert not made.exists()
    assert attack(net, "kv", address, token=token) == {"got": "was here"}
    refused = 0
    for number in range(NODES):
        raylet = next(each for each in net.processes(number) if "raylet" in each.name())
        doors = listening(raylet.pid)
        assert len(doors) >= 4
        answers = attack(net, "calls", net.addresses[number], *doors)["got"]
        for door, codes in answers.items():
            # What has closed since then answers nothing at all.
            shut = {"UNAUTHENTICATED", "UNIMPLEMENTED"}, {"401"}, set[str]()
            if not codes:
                with pytest.raises(OSError):
                    socket.create_connection((net.addresses[number], int(door)), 5).close()
            assert set(codes) in shut, f"node {number}, port {door} answers {codes}"
            refused += codes.get("UNAUTHENTICATED", 0) + codes.get("401", 0)
    assert refused > 100

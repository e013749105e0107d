"""Several machines on this one: a network namespace each, joined by a bridge. Linux, root.

A machine has an address and a network interface of its own, and a folder of its own in which Ray
keeps its files. It shares the processors and all other files with its neighbours. Killing one ends
every process in it at once; unplugging one leaves them running with nobody to talk to.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

__all__ = ["Network", "NoNetwork"]

SUBNET = "10.213.{}"
ENTER = 'mount --bind "$0" /tmp/ray && mount --bind "$1" /etc/hosts && shift && exec "$@"'
"""Run in a mount namespace of its own: $0 the machine's folder, $1 the names of all machines."""
RAY = "import sys; from ray.scripts.scripts import main; sys.argv[0] = 'ray'; main()"


class NoNetwork(Exception):
    """Network namespaces cannot be made here."""


def _ip(*words: str) -> None:
    try:
        subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
    except OSError as fault:
        raise NoNetwork(str(fault)) from None
    except subprocess.CalledProcessError as fault:
        raise NoNetwork(f"ip {shlex.join(words)}: {fault.stderr.strip()}") from None


class Network:
    """Machines 0, 1, ... in one network, without anything outside of it but this machine."""

    def __init__(self, count: int, folder: Path, subnet: int = 0) -> None:
        """`folder`: for what the machines keep; a short path. `subnet`: 0 to 255."""
        self.folder = folder
        # No name may have more than 15 characters.
        self._mark = f"{os.getpid() % 1000000}x{subnet}"
        self._bridge = f"nb{self._mark}"
        self.names = [f"node{number}" for number in range(count)]
        net = SUBNET.format(subnet)
        self.gateway = f"{net}.254"
        self.addresses = [f"{net}.{number + 1}" for number in range(count)]
        self.hosts = folder / "hosts"
        self._spaces = [f"nm{self._mark}-{number}" for number in range(count)]

    def space(self, number: int) -> str:
        """The name of a machine's network namespace."""
        return self._spaces[number]

    def __enter__(self) -> Network:
        """Raises NoNetwork."""
        self.folder.mkdir(parents=True, exist_ok=True)
        Path("/tmp/ray").mkdir(exist_ok=True)
        names = [f"{a} {name}" for a, name in zip(self.addresses, self.names)]
        self.hosts.write_text("\n".join(["127.0.0.1 localhost", *names, ""]))
        try:
            _ip("link", "add", self._bridge, "type", "bridge")
            _ip("addr", "add", f"{self.gateway}/24", "dev", self._bridge)
            _ip("link", "set", self._bridge, "up")
            for number in range(len(self.names)):
                self._attach(number)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _attach(self, number: int) -> None:
        name, here = self._spaces[number], f"nv{self._mark}-{number}"
        (self.folder / str(number)).mkdir(exist_ok=True)
        _ip("netns", "add", name)
        _ip("link", "add", here, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("link", "set", here, "master", self._bridge, "up")
        _ip("-n", name, "addr", "add", f"{self.addresses[number]}/24", "dev", "eth0")
        for words in (("link", "set", "eth0", "up"), ("link", "set", "lo", "up")):
            _ip("-n", name, *words)
        _ip("-n", name, "route", "add", "default", "via", self.gateway)

    def __exit__(self, *_: object) -> None:
        for number, name in enumerate(self._spaces):
            self.kill(number)
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
        subprocess.run(["ip", "link", "del", self._bridge], check=False, capture_output=True)

    def inside(self, number: int, words: Sequence[str]) -> list[str]:
        """The command that runs `words` on this machine."""
        enter = ["ip", "netns", "exec", self._spaces[number], "sh", "-c", ENTER]
        return [*enter, str(self.folder / str(number)), str(self.hosts), *words]

    def start(self, number: int, words: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
        """Run a command on this machine in the background; `options` are those of Popen."""
        return subprocess.Popen(self.inside(number, words), **options)

    def ray(self, number: int, *, head: int = 0, cpus: int = 1, env: Mapping[str, str]) -> None:
        """Start Ray on this machine: the head, or a node of the head's cluster.

        Raises AssertionError with what Ray said if it does not start.
        """
        role = (
            ["--head", "--port=6379", "--include-dashboard=false"]
            if number == head
            else [f"--address={self.addresses[head]}:6379"]
        )
        words = [sys.executable, "-c", RAY, "start", *role, f"--num-cpus={cpus}"]
        words += [f"--node-ip-address={self.addresses[number]}", "--disable-usage-stats"]
        words += [f"--object-store-memory={100_000_000}"]
        said = self.folder / f"ray-{number}.txt"
        with said.open("w") as out:
            code = self.start(
                number, words, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            ).wait(timeout=180)
        assert code == 0, said.read_text()[-2000:]

    def processes(self, number: int) -> list[psutil.Process]:
        """What runs on this machine."""
        listed = subprocess.run(
            ["ip", "netns", "pids", self._spaces[number]], capture_output=True, text=True
        )
        found = []
        for pid in listed.stdout.split():
            with contextlib.suppress(psutil.NoSuchProcess):
                found.append(psutil.Process(int(pid)))
        return found

    def kill(self, number: int) -> None:
        """End everything on this machine at once, as if its power failed."""
        until = time.monotonic() + 20
        while found := self.processes(number):
            for process in found:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(signal.SIGKILL)
            if time.monotonic() > until:
                raise NoNetwork(f"processes on machine {number} do not end: {found}")
            time.sleep(0.05)

    def plug(self, number: int, how: str) -> None:
        """`down`: pull the machine's network cable out; `up`: put it back."""
        _ip("link", "set", f"nv{self._mark}-{number}", how)

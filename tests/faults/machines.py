"""Random faults over a run on several machines: nothing is lost, and no result changes.

    python tests/faults/machines.py --schedules 30 --episodes 300 --seed 0
    python tests/faults/machines.py --large

Plays BabyAI episodes over four machines, which are network namespaces of this one: the first holds
Ray's head and the driver, the others are nodes of its cluster. While they play, faults of a random
schedule strike: a machine is lost, one joins late, a worker is killed or stopped, the driver is
killed and the same command is given again. In the end the results must equal those of a run in one
process that nothing disturbs, in every field but `timing`, and no worker may be left. `--large`
plays one fixed schedule: 20,000 episodes, two machines lost, one that joins late, the driver killed
once. Needs root. Prints a table; exits 1 at the first difference.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import itertools
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from tabulate import tabulate

from harness.core import Result
from harness.records.stored_run import load_run

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))
from netmachines import Network  # noqa: E402

BENCH = Path(sysconfig.get_path("scripts")) / "bench"
MACHINES = 4
TASKS = "babyai/GoToObj,babyai/GoToDoor,babyai/OpenDoorColor,babyai/PickupLoc"
WORDS = ("run", "--agent", "uniform", "--suite", "babyai", "--agent-timeout", "20")
COMMANDS = 6
"""How often the same command may be needed; each schedule kills the driver at most twice."""
QUIET_S = 600.0
"""A run that writes no result for so long hangs: longer than any limit in docs/cluster.md."""
LEFT_S = 60.0


class Wrong(Exception):
    """What should have held did not."""


@dataclass(frozen=True)
class Fault:
    """What strikes once so many results are written."""

    after: int
    kind: str
    machine: int = 0
    seconds: float = 0.0
    """How long a stopped worker stays so; 0: for ever."""

    def __str__(self) -> str:
        where = f" {self.machine}" if self.kind in ("lose", "join", "unplug") else ""
        lasting = (
            "" if self.kind != "stop" else f" {self.seconds:.0f} s" if self.seconds else " ever"
        )
        return f"{self.kind}{where}{lasting} at {self.after}"


def schedule(rng: random.Random, episodes: int) -> list[Fault]:
    """Two to five faults; machine 0, where the head is, always stays."""
    faults: list[Fault] = []
    others = list(range(1, MACHINES))
    rng.shuffle(others)
    for kind in rng.choices(
        ("lose", "join", "unplug", "driver", "worker", "stop"), k=rng.randint(2, 5)
    ):
        after = rng.randrange(episodes * 9 // 10)
        if kind in ("lose", "join", "unplug"):
            if not others:
                continue
            faults.append(Fault(after, kind, others.pop()))
        elif kind == "stop":
            faults.append(Fault(after, kind, seconds=rng.choice((0.0, *[rng.uniform(1, 30)] * 4))))
        elif sum(fault.kind == "driver" for fault in faults) < 2:
            faults.append(Fault(after, kind))
    return sorted(faults, key=lambda fault: fault.after)


def large(episodes: int) -> list[Fault]:
    """Two machines lost, one that joins late, the driver killed once."""
    tenth = episodes // 10
    return [
        Fault(tenth, "lose", 1),
        Fault(3 * tenth, "join", 3),
        Fault(5 * tenth, "driver"),
        Fault(7 * tenth, "lose", 2),
    ]


def results_of(path: Path) -> list[Result]:
    """The results that count, without times, by case."""
    bare = (dataclasses.replace(each, timing={}) for each in load_run(path).results())
    return sorted(bare, key=lambda each: each.case)


class Cluster:
    """Ray on the machines of a network, and a driver on the first of them."""

    def __init__(self, net: Network, place: Path, words: Sequence[str], rng: random.Random) -> None:
        self.net, self.place, self._rng = net, place, rng
        self.words = words
        self.up: set[int] = set()
        path = place / "token"
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
        clean = {name: text for name, text in os.environ.items() if not name.startswith("RAY_")}
        self.env = {**clean, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(path)}
        self._stopped: list[tuple[float, psutil.Process]] = []

    def begin(self, machines: set[int]) -> None:
        """Have Ray on exactly these machines."""
        for number in range(MACHINES):
            if number not in machines and number in self.up:
                self.lose(number)
            elif number in machines and number not in self.up:
                self.net.kill(number)
                self.join(number)

    def join(self, number: int) -> None:
        self.net.ray(number, env=self.env)
        self.up.add(number)

    def lose(self, number: int) -> None:
        self.net.kill(number)
        self.up.discard(number)

    def unplug(self, number: int) -> None:
        """Its workers go on, and nobody hears of it; until Ray gives it up."""
        self.net.plug(number, "down")

    def replug(self) -> None:
        """Forget machines that were unplugged, and plug them in."""
        for number in range(1, MACHINES):
            self.net.plug(number, "up")

    def driver(self, out: Path) -> subprocess.Popen[Any]:
        said = self.place / "said.txt"
        with said.open("a") as file:
            running: subprocess.Popen[Any] = self.net.start(
                0,
                [
                    str(BENCH),
                    *self.words,
                    "--ray-address",
                    self.net.addresses[0] + ":6379",
                    "--out",
                    str(out),
                ],
                env=self.env,
                cwd=self.place,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        return running

    def workers(self) -> list[psutil.Process]:
        """The workers of the run, on all machines that are up."""
        found = []
        for number in self.up:
            for process in self.net.processes(number):
                with contextlib.suppress(psutil.NoSuchProcess):
                    words = process.cmdline()
                    if words and words[0].startswith("ray::_Worker"):
                        found.append(process)
        return sorted(found, key=lambda process: process.pid)

    def strike(self, fault: Fault, running: subprocess.Popen[Any]) -> bool:
        """Let a fault happen; False if there was nobody whom it could strike."""
        if fault.kind == "driver":
            _kill_tree(running)
        elif fault.kind in ("worker", "stop"):
            workers = [each for each in self.workers() if _running(each)]
            if not workers:
                return False
            victim = self._rng.choice(workers)
            victim.send_signal(signal.SIGKILL if fault.kind == "worker" else signal.SIGSTOP)
            if fault.seconds:
                self._stopped.append((time.monotonic() + fault.seconds, victim))
        else:
            getattr(self, fault.kind)(fault.machine)
        return True

    def wake(self, everybody: bool = False) -> None:
        """Let stopped workers go on whose time is over."""
        for until, process in list(self._stopped):
            if everybody or time.monotonic() > until:
                self._stopped.remove((until, process))
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(signal.SIGCONT)

    def check_nothing_left(self) -> None:
        """Wait until no worker is left, at most LEFT_S. Raises Wrong."""
        until = time.monotonic() + LEFT_S
        while left := self.workers():
            if time.monotonic() > until:
                raise Wrong(f"workers left: {left}")
            time.sleep(0.2)


def _running(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.status() not in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE))
    return False


def _kill_tree(running: subprocess.Popen[Any]) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        for process in (*psutil.Process(running.pid).children(recursive=True), running):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
    running.wait()


def lines_of(path: Path) -> int:
    """How many results are written."""
    lines = path / "episodes.jsonl"
    return lines.read_bytes().count(b"\n") if lines.exists() else 0


def play(cluster: Cluster, faults: Sequence[Fault], out: Path) -> tuple[Counter[str], int]:
    """One run under a schedule: (what struck, the number of commands). Raises Wrong."""
    late = {fault.machine for fault in faults if fault.kind == "join"}
    cluster.begin(set(range(MACHINES)) - late)
    ahead, struck = list(faults), Counter[str]()
    for commands in itertools.count(1):
        if commands > COMMANDS:
            raise Wrong(f"{COMMANDS} commands did not end the run")
        running = cluster.driver(out)
        written, since = lines_of(out), time.monotonic()
        while running.poll() is None:
            time.sleep(0.1)
            cluster.wake()
            now = lines_of(out)
            if now != written:
                written, since = now, time.monotonic()
            if time.monotonic() - since > QUIET_S:
                _kill_tree(running)
                raise Wrong(f"no result for {QUIET_S:g} s, {written} are written")
            if ahead and written >= ahead[0].after and cluster.strike(ahead[0], running):
                struck[ahead.pop(0).kind] += 1
        print(f"{time.strftime('%X')} exit code {running.returncode}", file=sys.stderr, flush=True)
        if running.returncode == 0:
            return struck, commands
        if running.returncode not in (4, -signal.SIGKILL):
            raise Wrong(f"exit code {running.returncode}")
    raise AssertionError("the loop above ends by itself")


def check(cluster: Cluster, faults: Sequence[Fault], out: Path, truth: list[Result]) -> list[Any]:
    """Play under a schedule and compare; returns a row of the table. Raises Wrong."""
    begun = time.monotonic()
    try:
        struck, commands = play(cluster, faults, out)
    finally:
        cluster.wake(everybody=True)
        unplugged = {fault.machine for fault in faults if fault.kind == "unplug"}
        for number in unplugged:
            cluster.lose(number)
        cluster.replug()
    results = results_of(out)
    if results != truth:
        different = sum(one != two for one, two in zip(results, truth))
        raise Wrong(f"other results: {len(results)} of {len(truth)}, {different} different")
    cluster.check_nothing_left()
    seconds = time.monotonic() - begun
    return ["; ".join(map(str, faults)), struck.total(), commands, f"{seconds:.0f}", "equal"]


@contextlib.contextmanager
def cluster_of(words: Sequence[str], rng: random.Random, subnet: int) -> Iterator[Cluster]:
    """Machines as long as the block runs; the files stay."""
    place = Path(tempfile.mkdtemp(prefix="m", dir="/tmp"))
    with Network(MACHINES, place / "n", subnet) as net:
        yield Cluster(net, place, words, rng)


def main(arguments: Sequence[str] | None = None) -> int:
    """Play all schedules. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=30)
    parser.add_argument("--episodes", type=int, default=300)
    parser.add_argument("--tasks", default=TASKS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="the schedule to begin with")
    parser.add_argument("--subnet", type=int, default=77, help="of 10.213")
    parser.add_argument("--large", action="store_true")
    asked = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the machines are taken down
    tasks = asked.tasks.split(",")
    each = (20_000 if asked.large else asked.episodes) // len(tasks)
    words = [*WORDS, "--tasks", asked.tasks, "--episodes", str(each)]
    total = each * len(tasks)
    rows = []
    with cluster_of(words, random.Random(asked.seed), asked.subnet) as cluster:
        alone = cluster.place / "alone"
        begun = time.monotonic()
        subprocess.run(
            [str(BENCH), *words, "--workers", "0", "--out", str(alone)],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        truth = results_of(alone)
        print(f"undisturbed: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
        for number in range(1) if asked.large else range(asked.first, asked.schedules):
            rng = random.Random(f"{asked.seed} {number}")
            faults = large(total) if asked.large else schedule(rng, total)
            print(f"{number}: {'; '.join(map(str, faults))}", file=sys.stderr, flush=True)
            out = cluster.place / f"run-{number}"
            try:
                rows.append([number, *check(cluster, faults, out, truth)])
            except Wrong as wrong:
                print(f"schedule {number}, seed {asked.seed}: {wrong}; see {cluster.place}")
                return 1
            print(f"  {rows[-1][2:]}", file=sys.stderr, flush=True)
            shutil.rmtree(out)
        shutil.rmtree(cluster.place)
    print(tabulate(rows, ["schedule", "faults", "struck", "commands", "s", "results"]))
    print(f"{len(rows)} schedules of {total} episodes: equal results, no worker left")
    return 0


if __name__ == "__main__":
    sys.exit(main())

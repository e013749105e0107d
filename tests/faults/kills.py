"""Random kills and stops over a run's processes: nothing is lost, blended or left behind.

    python tests/faults/kills.py --kills 300 --seed 0

Plays runs while processes of them get signals at random moments: the command, the process that
plays, workers, Ray's own processes, browsers and hosted interpreters. After each signal the same
command goes on. At the end of each run its results must equal those of an undisturbed one and
`bench verify --sample all` must pass. After each command no process, no shared memory and no
temporary file of it may be left. Prints a table; exits 1 at the first difference.
"""

from __future__ import annotations

import argparse
import dataclasses
import fcntl
import os
import random
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

import psutil
from tabulate import tabulate

from harness.core import Result
from harness.play.private_folder import FOLDER, LOCK, SHORT
from harness.records.stored_run import load_run

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))
from barepython import make_bare  # noqa: E402

BENCH = Path(sysconfig.get_path("scripts")) / "bench"
MARK = "BENCH_KILLS"
GONE_S = 10.0
TOYS = ("--agent", "uniform", "--suite", "toysuite:SLOW", "--episodes", "6")
BROWSER = ("--agent", "uniform", "--suite", "miniwob", "--tasks", "miniwob/click-[bt]*")


@dataclass(frozen=True)
class Scene:
    """A kind of run, and what its victims are called."""

    name: str
    words: tuple[str, ...]
    kinds: tuple[str, ...]
    hosted: bool = False


SCENES = (
    Scene("one process", (*TOYS, "--workers", "0"), ("command", "player")),
    Scene("two workers", (*TOYS, "--workers", "2"), ("command", "player", "worker", "ray")),
    Scene(
        "browser",
        (*BROWSER, "--episodes", "4", "--workers", "0"),
        ("command", "player", "browser"),
    ),
    Scene("hosted", (*TOYS, "--workers", "0"), ("command", "player", "hosted"), hosted=True),
)
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


class Wrong(Exception):
    """What should have held did not."""


def results_of(path: Path) -> list[Result]:
    """The results that count, without times, by case."""
    bare = (dataclasses.replace(each, timing={}) for each in load_run(path).results())
    return sorted(bare, key=lambda each: each.case)


class Place:
    """A folder with its own temporary folder, in which commands run."""

    def __init__(self, scene: Scene, python: str) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="k", dir="/tmp"))
        (self.path / "tmp").mkdir()
        self.scene = scene
        self.mark = self.path.name
        self.python = python
        self._memory = set(os.listdir("/dev/shm"))
        self._begun = time.time()

    def start(self, *words: str) -> subprocess.Popen[str]:
        """A command of bench, in the background."""
        hosted = ("--interpreter", f"toys:ToyAdapter={self.python}") if self.scene.hosted else ()
        environment = {
            **os.environ,
            MARK: self.mark,
            "TMPDIR": str(self.path / "tmp"),
            "PYTHONPATH": str(TESTS),
        }
        options = hosted if words[0] == "run" else ()
        with (self.path / "said").open("a") as said:
            return subprocess.Popen(
                [str(BENCH), *words, *options],
                cwd=self.path,
                env=environment,
                stdout=said,
                stderr=said,
                stdin=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            )

    def processes(self) -> Iterator[psutil.Process]:
        """Every living process of the commands of this place."""
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == self.mark and process.status() != "zombie":
                    yield process
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue

    def left(self) -> str:
        """What is left of the last command, in words; empty if nothing is."""
        found = [f"process {p.pid} {' '.join(p.cmdline())[:80]}" for p in self.processes()]
        found += [f"file {name}" for name in os.listdir(self.path / "tmp")]
        # Where the path of a socket would be too long here.
        found += [
            f"file {lock.parent}" for lock in SHORT.glob(f"{FOLDER}*/{LOCK}") if self._of_us(lock)
        ]
        found += [f"memory {name}" for name in set(os.listdir("/dev/shm")) - self._memory]
        return "; ".join(found)

    def _of_us(self, lock: Path) -> bool:
        """Whether a folder was made since, by somebody who lives no more."""
        try:
            if lock.stat().st_mtime < self._begun:
                return False
            with lock.open("r+") as held:
                fcntl.lockf(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
        except OSError:
            return False

    def check_nothing_left(self) -> None:
        """Wait until nothing is left, at most GONE_S. Raises Wrong."""
        until = time.monotonic() + GONE_S
        while self.left():
            if time.monotonic() > until:
                raise Wrong(f"left behind: {self.left()}")
            time.sleep(0.1)


def kind_of(process: psutil.Process, command: int, player: int | None) -> str:
    """What a process is."""
    words = " ".join(process.cmdline())
    if process.pid == command:
        return "command"
    if process.pid == player:
        return "player"
    if "ray::" in words:
        return "worker"
    if "child.py" in words:
        return "hosted"
    if "chrom" in words:
        return "browser"
    return "ray" if "ray" in words else "other"


def strike(place: Place, running: subprocess.Popen[str], rng: random.Random) -> str | None:
    """Send one signal to one process; returns whom and what."""
    try:
        children = psutil.Process(running.pid).children()
    except psutil.NoSuchProcess:
        return None
    player = children[0].pid if children else None
    victims: dict[str, list[psutil.Process]] = {}
    for process in place.processes():
        try:
            victims.setdefault(kind_of(process, running.pid, player), []).append(process)
        except psutil.NoSuchProcess:
            continue
    kinds = [kind for kind in place.scene.kinds if kind in victims]
    if not kinds:
        return None
    kind = rng.choice(kinds)
    victim = rng.choice(victims[kind])
    number = rng.choice(SIGNALS)
    try:
        victim.send_signal(number)
    except psutil.NoSuchProcess:
        return None
    return f"{kind} {number.name}"


def play(
    scene: Scene, rng: random.Random, python: str, truth: list[Result], most: int
) -> Counter[str]:
    """One run, disturbed until it ends or `most` signals were sent."""
    place = Place(scene, python)
    struck: Counter[str] = Counter()
    words = ("run", *scene.words, "--out", "run")
    lines = place.path / "run" / "episodes.jsonl"
    size, patience = 0, 1.0
    for _ in range(200):
        # A command that was struck before it had played anything gives the next one more time.
        before, size = size, lines.stat().st_size if lines.exists() else 0
        patience = 1.0 if size > before else min(patience + 0.5, 4.0)
        running = place.start(*words)
        while running.poll() is None:
            if struck.total() >= most:
                break
            time.sleep(rng.uniform(0.2, 4.0 * patience))
            if running.poll() is None and (done := strike(place, running, rng)):
                struck[done] += 1
                print(f"{time.strftime('%X')} {scene.name}: {done}", file=sys.stderr, flush=True)
        code = running.wait(timeout=600)
        print(f"{time.strftime('%X')} exit code {code}", file=sys.stderr, flush=True)
        place.check_nothing_left()
        if code == 0:
            break
        # 2: killed while it was loading. -SIGINT and -SIGTERM: Python had not started yet.
        if code not in (2, 4, 130, -signal.SIGKILL, -signal.SIGINT, -signal.SIGTERM):
            raise Wrong(f"exit code {code}")
    else:
        raise Wrong("200 commands did not end the run")
    if results_of(place.path / "run") != truth:
        raise Wrong("other results")
    verify = place.start("verify", "run", "--sample", "all", "--trust")
    if verify.wait(timeout=600) != 0:
        raise Wrong(f"verify ended with {verify.returncode}")
    place.check_nothing_left()
    shutil.rmtree(place.path)
    return struck


def undisturbed(scene: Scene, python: str) -> list[Result]:
    """The results of a run that nothing disturbs."""
    place = Place(scene, python)
    code = place.start("run", *scene.words, "--out", "run").wait(timeout=600)
    if code != 0:
        raise Wrong(f"undisturbed, {scene.name} ended with {code}: {place.path}/said")
    place.check_nothing_left()
    found = results_of(place.path / "run")
    shutil.rmtree(place.path)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Strike until enough signals were sent. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scenes", default=",".join(scene.name for scene in SCENES))
    asked = parser.parse_args(arguments)
    rng = random.Random(asked.seed)
    scenes = [scene for scene in SCENES if scene.name in asked.scenes.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        python = make_bare(Path(folder) / "bare")
        truths = {scene.name: undisturbed(scene, python) for scene in scenes}
        struck: dict[str, Counter[str]] = {scene.name: Counter() for scene in scenes}
        runs: Counter[str] = Counter()
        while (sent := sum(each.total() for each in struck.values())) < asked.kills:
            scene = min(scenes, key=lambda each: struck[each.name].total())
            try:
                struck[scene.name] += play(
                    scene, rng, python, truths[scene.name], asked.kills - sent
                )
            except Wrong as wrong:
                print(f"{scene.name}, seed {asked.seed}, after {sent} signals: {wrong}")
                return 1
            runs[scene.name] += 1
            print(f"{sent} signals", file=sys.stderr, flush=True)
    rows = [
        [name, runs[name], what, count]
        for name, each in struck.items()
        for what, count in sorted(each.items())
    ]
    print(tabulate(rows, ["run", "runs", "signal", "sent"]))
    total = sum(each.total() for each in struck.values())
    print(f"{total} signals: equal results, verified, nothing left behind")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""An adapter in another interpreter: the same results as here, and whatever goes wrong over there
is one episode's fault."""

from __future__ import annotations

import dataclasses
import gc
import os
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import toys
from conftest import ROOT, Run, bench_process, wait_for_lines
from processes import children_with, command_of
from toys import toy_task

from harness.core import BadAction, Case, TimeStep
from harness.host.client import Client, HostFault
from harness.host.hosted import Hosted, end_probes
from harness.host.loading import load_adapter
from harness.host.wire import PROTOCOL
from harness.testing import check_adapter
from suites import babyai

TOY = "toys:ToyAdapter"
SPEAK = (
    "import json, socket, sys, time; told = json.loads(sys.argv[-1]); "
    "wire = socket.socket(fileno=told['socket']); "
)
OTHERS = {
    "garbage": SPEAK + "wire.sendall(b'HTTP/1.1 400 Bad Request'); time.sleep(60)",
    "silent": "import time; time.sleep(60)",
    "another version": "import msgpack; " + SPEAK + "said = msgpack.packb(['bench-host', 99, {}]); "
    "wire.sendall(len(said).to_bytes(4, 'little') + said); time.sleep(60)",
    "exits": "import sys; print('no licence found'); sys.exit(3)",
}
WORDS = {
    "garbage": "does not speak the protocol between interpreters: it says b'HTTP",
    "silent": "did not answer in time",
    "another version": (
        f"speaks version 99 of the protocol between interpreters, this side version {PROTOCOL}"
    ),
    "exits": "ended with exit code 3; it last printed: no licence found",
}


def impostor(folder: Path, script: str, turns: str = "1") -> str:
    """This Python, but it runs `script` at the starts numbered in `turns` ("*": at all)."""
    program = folder / "python"
    program.write_text(
        "#!/bin/sh\n"
        f"n=$(($(cat {folder}/starts 2>/dev/null || echo 0) + 1))\n"
        f"echo $n > {folder}/starts\n"
        f"case $n in {turns})\n"
        f'exec {sys.executable} -c "$(cat {folder}/script)" "$@" ;; esac\n'
        f'exec {sys.executable} "$@"\n'
    )
    (folder / "script").write_text(script)
    program.chmod(0o755)
    return str(program)


def children() -> list[psutil.Process]:
    return children_with("child.py")


def descriptors() -> int:
    gc.collect()  # not those that earlier tests left behind
    return len(os.listdir("/proc/self/fd"))


# The same as here


@pytest.mark.parametrize("agent", ["toysuite:Looker", "baselines.simple:Oracle"])
def test_the_same_results_as_in_this_process(
    play_toys: Callable[..., Run], apart: Callable[..., None], agent: str
) -> None:
    """Digests and protocols included; Looker's actions hang on all that it sees."""
    level = next(task for task in babyai.SUITES[0].tasks if task.name == "babyai/GoToRedBall")
    tasks = [toys.TASKS[1], toys.TASKS[2], dataclasses.replace(level, max_steps=20)]
    here = play_toys(agent, tasks, 3, out="here", lanes=2)
    apart(sys.executable, "toys", "minigrid")
    there = play_toys(agent, tasks, 3, out="there", lanes=2)
    assert {line["status"] for line in here.results} == {"finished"}
    assert there.results == here.results
    assert not children()


@pytest.mark.slow
@pytest.mark.usefixtures("ray_here")
def test_the_same_results_in_workers(
    play_toys: Callable[..., Run], apart: Callable[..., None]
) -> None:
    here = play_toys("ImageAgent", out="here")
    apart(sys.executable)
    there = play_toys("ImageAgent", out="there", workers=1, lanes=2)
    assert there.results == here.results


@pytest.mark.parametrize("adapter", [TOY, "toys:BatchedToy"])
def test_contract(apart: Callable[..., None], adapter: str) -> None:
    apart(sys.executable)
    task = toy_task(adapter=adapter)
    assert issubclass(load_adapter(adapter), Hosted)
    check_adapter(task)
    end_probes()
    assert not children()


def test_views_are_fetched_when_they_are_read(apart: Callable[..., None]) -> None:
    apart(sys.executable)
    asked: list[tuple[Any, ...]] = []
    adapter = load_adapter(TOY)(toy_task())
    call = adapter._there.client.call
    adapter._there.client.call = lambda *request: asked.append(request) or call(*request)
    try:
        seen: TimeStep = adapter.reset(Case(toy_task(), 0))
        seen = adapter.step(1)
        assert [request[0] for request in asked] == ["reset", "step"], (
            "one message a step, its state included"
        )
        assert isinstance(seen.observation["state"], np.ndarray)
        image = seen.observation["image"]()
        assert asked[-1] == ("view", 0, "image")
        assert image.shape == (16, 16, 3)
        assert image.sum() == 2 * 255
        with pytest.raises(BadAction, match="does not exist"):
            adapter.step(99)
        assert adapter.step(2).metrics, "a refused action ends nothing"
    finally:
        adapter.close()


def test_what_is_installed_here_is_not_found_there(
    bare: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, apart: Callable[..., None]
) -> None:
    (tmp_path / "told.py").write_text(
        "import importlib.util, sys\nfrom toys import ToyAdapter\n\n\n"
        "class Told(ToyAdapter):\n"
        "    packages = ('numpy', 'scipy')\n\n"
        "    @classmethod\n    def missing(cls, task=None):\n        return None\n\n"
        "    @classmethod\n    def versions(cls):\n"
        "        return {**super().versions(), 'browser': 'there'}\n\n"
        "    def reset(self, case):\n"
        "        names = 'scipy', 'typer', 'ray', 'suites', 'bench'\n"
        "        there = [name for name in names if importlib.util.find_spec(name)]\n"
        "        raise RuntimeError(f'{there} {sys.path}')\n"
    )
    (tmp_path / "toys.py").symlink_to(ROOT / "tests" / "toys.py")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    apart(bare, "told:Told")
    kind = load_adapter("told:Told")
    assert (kind.versions()["scipy"], kind.versions()["browser"]) == ("-", "there")
    adapter = kind(toy_task(adapter="told:Told"))
    try:
        with pytest.raises(HostFault) as told:
            adapter.reset(Case(toy_task(), 0))
    finally:
        adapter.close()
    text = str(told.value)
    assert text.startswith("RuntimeError: [] "), text
    assert sysconfig.get_path("purelib") not in text


def test_the_adapters_and_what_they_import_know_numpy_alone(bare: str) -> None:
    script = (
        "import importlib, sys; sys.path.insert(0, sys.argv[1])\n"
        "from adapters import ADAPTERS\n"
        "for entry in ADAPTERS.values():\n"
        "    module, _, name = entry.partition(':')\n"
        "    getattr(importlib.import_module(module), name).missing()\n"
    )
    subprocess.run([bare, "-I", "-c", script, str(ROOT)], check=True, timeout=60)


# What goes wrong


@pytest.mark.parametrize("how", OTHERS)
def test_one_that_does_not_do_its_part(tmp_path: Path, how: str) -> None:
    before = descriptors()
    with pytest.raises(HostFault) as fault:
        Client(impostor(tmp_path, OTHERS[how], "*"), TOY, 1.0)
    assert WORDS[how] in str(fault.value)
    assert not children()
    assert descriptors() <= before, "sockets, or the shared memory, which has no name"


@pytest.mark.parametrize("how", OTHERS)
def test_its_fault_costs_an_attempt(
    tmp_path: Path, play_toys: Callable[..., Run], apart: Callable[..., None], how: str
) -> None:
    task = toy_task()
    undisturbed = play_toys("GoodAgent", [task], 3, out="here")
    apart(
        impostor(tmp_path, OTHERS[how], "2")
    )  # the first start is the question whether the task can run here
    disturbed = play_toys("GoodAgent", [task], 3, out="there")
    assert disturbed.results == undisturbed.results
    assert int((tmp_path / "starts").read_text()) == 3
    apart(impostor(tmp_path, OTHERS[how], "*"))
    (tmp_path / "starts").write_text("1")
    broken = play_toys("GoodAgent", [task], 1, out="broken")
    assert WORDS[how] in broken.summary.not_run[0].reason
    assert not children()


@pytest.mark.parametrize(
    ("fault", "words", "adapter"),
    [
        ("segfault", "was killed by SIGSEGV", TOY),
        ("segfault", "was killed by SIGSEGV", "toys:BatchedToy"),
        ("hang", "did not answer in time", TOY),
        ("raise_on_step", "RuntimeError: the simulator broke", TOY),
    ],
)
def test_a_simulator_that_fails_there(
    tmp_path: Path,
    play_toys: Callable[..., Run],
    apart: Callable[..., None],
    fault: str,
    words: str,
    adapter: str,
) -> None:
    """Even a segfault, and even with --workers 0."""
    apart(sys.executable)
    good = toy_task(adapter=adapter)
    bad = toy_task("bad", adapter=adapter, fault=fault, fault_seeds=[1])
    once = toy_task(
        "once", adapter=adapter, fault=fault, fault_seeds=[1], fault_once=str(tmp_path / "struck")
    )
    run = play_toys("GoodAgent", [good, bad, once], 2)
    ends = {
        (line["task"].partition("@")[0], line["seed"]): (line["status"], line["error"])
        for line in run.results
    }
    status, error = ends.pop(("toys/bad", 1))
    assert status == "error"
    assert words in error
    assert set(ends.values()) == {("finished", None)}
    assert not children()


def test_killed_in_mid_episode(apart: Callable[..., None]) -> None:
    apart(sys.executable)
    before = descriptors()
    task = toy_task()
    adapter = load_adapter(TOY)(task)
    adapter.reset(Case(task, 0))
    (child,) = children()
    child.send_signal(signal.SIGKILL)
    with pytest.raises(HostFault, match="was killed by SIGKILL"):
        adapter.step(0)
    with pytest.raises(HostFault, match="has ended already"):
        adapter.step(0)
    adapter.close()
    assert not children()
    assert descriptors() <= before, "sockets, or the shared memory, which has no name"


def test_what_it_prints_does_not_reach_the_table(
    tmp_path: Path,
    play_toys: Callable[..., Run],
    capfd: pytest.CaptureFixture[str],
    apart: Callable[..., None],
) -> None:
    noise = (
        "import os, sys; print('noise ' * 50000, flush=True); "
        "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    )
    here = play_toys("GoodAgent", [toy_task()], 2, out="here")
    apart(impostor(tmp_path, noise, "*"))
    assert play_toys("GoodAgent", [toy_task()], 2, out="there").results == here.results
    assert "noise" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("fault", ["", "hang"])
def test_it_ends_with_a_killed_worker(tmp_path: Path, fault: str) -> None:
    """Whether it waits for us or its simulator is at work."""
    suite = tmp_path / "slow.toml"
    suite.write_text(
        'name = "slow"\nepisodes = 2\n[[task]]\nid = "toys/slow@1"\ndomain = "navigation"\n'
        f'adapter = "{TOY}"\nmax_steps = 400\n'
        f'params = {{ slow_s = 0.02, fault = "{fault}", fault_seeds = [1] }}\n'
    )
    words = (
        "run",
        "--agent",
        "uniform",
        "--suite",
        suite,
        "--workers",
        0,
        "--out",
        "run",
        "--interpreter",
        f"{TOY}={sys.executable}",
    )
    with bench_process(*words, cwd=tmp_path) as process:
        if fault:
            wait_for_lines(tmp_path / "run", 1, process)
            time.sleep(0.3)
        found: list[psutil.Process] = []
        until = time.monotonic() + 60
        while (
            not (found and (tmp_path / "run" / "episodes.jsonl").exists())
            and time.monotonic() < until
        ):
            family = psutil.Process(process.pid).children(recursive=True)
            found = [child for child in family if "child.py" in " ".join(command_of(child))]
            time.sleep(0.05)
        assert found
        process.kill()
        process.communicate(timeout=30)
    assert not psutil.wait_procs(found, timeout=5)[1], "a child outlives its worker"


@pytest.mark.parametrize("how", ["closed", "killed", "kills itself"])
def test_a_childs_temporary_files_go_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    client = Client(sys.executable, "meddlers:Litters", 20.0)
    client.call("make", "meddlers:Litters", toy_task(), 1)
    client.call("reset", {0: Case(toy_task(), 0)})
    assert len(list(tmp_path.rglob("litter-*"))) == 1
    if how == "kills itself":
        assert client._process is not None
        client._process.kill()
        with pytest.raises(HostFault):
            client.call("step", {0: 0})
    elif how == "killed":
        client.kill()
    else:
        client.close()
    assert list(tmp_path.iterdir()) == []

"""Helpers for tests that play runs."""

from __future__ import annotations

import kernels_of_data  # noqa: F401  before numpy is loaded

# isort: split

import functools
import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import toys
import typer.main
from traced import traced

from harness.cli.names import know_families
from harness.core import Suite, Task
from harness.host.interpreters import VARIABLE
from harness.play.planning import make_plan
from harness.play.progress import Tally
from harness.play.runner import RunOptions, RunSummary, play
from harness.records.identity import AgentSpec
from harness.records.plan import Plan

# A shell that starts the tests in the background makes them ignore Ctrl-C, nohup a closed terminal,
# and their children would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

know_families()  # as the command line does: bench.toml names families
# Half of a short command's time would go into building all commands anew.
typer.main.get_command = functools.cache(typer.main.get_command)
# And a tenth of all tests' into looking for garbage among what thousands of modules hold.
gc.set_threshold(10_000, 10, 10)

ROOT = Path(__file__).resolve().parent.parent
# What the tests print must not depend on the interpreters that this checkout has.
os.environ["BENCH_TOML"] = str(ROOT / "tests" / "data" / "no_interpreters.toml")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests marked heavy, unless `-m` speaks of them: see `make test-heavy`."""
    if "heavy" in config.option.markexpr:
        return
    heavy = [item for item in items if item.get_closest_marker("heavy") is not None]
    config.hook.pytest_deselected(items=heavy)
    items[:] = [item for item in items if item not in heavy]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Iterator[None]:
    """Under coverage: see traced.py."""
    with traced():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    """As above."""
    with traced():
        return (yield)


@pytest.fixture(autouse=True, scope="module")
def _one_thread(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let torch use one thread in the tests of models: small ones are no faster with more.

    Agents set that number for their whole process.
    """
    if request.path.parent.name != "baselines":
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Demonstrations that GEA can learn from."""
    from gearig import make_data

    return make_data(tmp_path_factory.mktemp("demos") / "d")


@pytest.fixture(scope="module")
def nano(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """GEA, hardly trained on them."""
    from gearig import make_nano

    return make_nano(data, tmp_path_factory.mktemp("nano") / "m")


class Notes:
    """A Progress that keeps what it was told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def update(self, tally: Tally) -> None:
        self.tally = tally

    def say(self, text: str) -> None:
        self.said.append(text)

    def close(self, tally: Tally) -> None:
        self.tally = tally


class Run:
    """A run that was played: its directory, summary and messages."""

    def __init__(self, path: Path, summary: RunSummary, notes: Notes) -> None:
        self.path, self.summary, self.notes = path, summary, notes

    @property
    def results(self) -> list[dict[str, Any]]:
        """See results_of."""
        return results_of(self.path)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The lines of episodes.jsonl as they stand there; a torn last line is left out."""
    file = path / "episodes.jsonl"
    lines = file.read_bytes().splitlines(keepends=True) if file.exists() else []
    return [json.loads(line) for line in lines if line.endswith(b"\n")]


def results_of(path: Path) -> list[dict[str, Any]]:
    """The last line of every case, without times, sorted."""
    last = {line["case"]: line for line in read_lines(path)}
    for line in last.values():
        del line["timing"]
    return sorted(
        last.values(), key=lambda line: (line["task"], line["seed"], line["perturbations"])
    )


def plan_of(
    agent: str, tasks: Sequence[Task], episodes: int, seed: int = 0, **args: Any
) -> tuple[AgentSpec, Plan]:
    """The spec and the plan of toys."""
    module = "toys" if hasattr(toys, agent) else "toyfaults"
    spec = AgentSpec(agent, agent if ":" in agent else f"{module}:{agent}", args)
    suite = Suite("toys", "toys", tuple(tasks), episodes)
    return spec, make_plan([(suite, task) for task in suite.tasks], spec, episodes=None, seed=seed)


@pytest.fixture
def play_toys(tmp_path: Path) -> Callable[..., Run]:
    """Play toys: play_toys("GoodAgent", tasks, episodes, out="name", args={...}, workers=2)."""

    def go(
        agent: str = "GoodAgent",
        tasks: Sequence[Task] = toys.SUITE_TASKS,
        episodes: int = 4,
        *,
        out: str = "run",
        seed: int = 0,
        args: dict[str, Any] | None = None,
        **options: Any,
    ) -> Run:
        spec, plan = plan_of(agent, tasks, episodes, seed, **(args or {}))
        notes = Notes()
        summary = play(spec, ["toys"], plan, tmp_path / out, RunOptions(**options), notes)
        return Run(tmp_path / out, summary, notes)

    return go


@pytest.fixture(scope="session")
def ray_here() -> Iterator[None]:
    """One Ray for all tests that use it: starting it costs seconds."""
    from harness.play.ray_cluster import started

    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    with started(4, print, runtime_env={"env_vars": {"PYTHONPATH": paths}}):
        yield


class Said(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def bench_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Said]]:
    """The command line in this process, in an empty folder: bench_here("run", "--agent", ...).

    It saves the second that a process takes to start. What plays is not supervised.
    """
    import bench

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    # --interpreter sets a variable of this process; set once here, it is as before after the test.
    configured = os.environ.get(VARIABLE)
    monkeypatch.setenv(VARIABLE, configured or "")
    if configured is None:
        monkeypatch.delenv(VARIABLE)
    before = set(sys.modules)

    def go(*args: object) -> Said:
        importlib.invalidate_caches()
        monkeypatch.setattr(sys, "argv", ["bench", *map(str, args)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            bench.main(supervise=False)
        out, err = capfd.readouterr()
        assert isinstance(ended.value.code, int)
        return Said(ended.value.code, out, err)

    yield go
    # A file of one test must not be found by the next.
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", None)):
            del sys.modules[name]


def bench_process(
    *args: object, cwd: Path, first: str = "", under: Sequence[str] = (), **options: Any
) -> subprocess.Popen[str]:
    """The console script in its own process and session.

    `under` is a command that runs it; `first` goes ahead of the toys on PYTHONPATH.
    """
    script = Path(sysconfig.get_path("scripts")) / "bench"
    paths = os.pathsep.join(filter(None, [first, str(ROOT / "tests")]))
    environment = {**os.environ, "PYTHONPATH": paths}
    words = [*under, str(script), *map(str, args)]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen(
        words, cwd=cwd, env=environment, text=True, start_new_session=True, **options
    )


def bench_there(*args: object, cwd: Path, **options: Any) -> Said:
    """As bench_process, to its end."""
    with bench_process(*args, cwd=cwd, **options) as process:
        out, err = process.communicate(timeout=120)
    return Said(process.returncode, out, err)


def wait_for_lines(path: Path, count: int, process: subprocess.Popen[str]) -> None:
    """Wait until the run in `path` has `count` episodes; fail when its process ends first."""
    file = path / "episodes.jsonl"
    until = time.monotonic() + 90
    while not file.exists() or file.read_bytes().count(b"\n") < count:
        assert process.poll() is None, f"the run ended too early: {process.communicate()}"
        assert time.monotonic() < until, "the run is too slow"
        time.sleep(0.01)


SLOW_RUN = ("run", "--agent", "uniform", "--suite", "toysuite:SLOW", "--episodes", 4)
"""A command that takes some seconds: 12 cases, most of them as long as the horizon."""


@pytest.fixture(scope="session")
def slow_results(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The results of SLOW_RUN when nobody interrupts it."""
    folder = tmp_path_factory.mktemp("undisturbed")
    said = bench_there(*SLOW_RUN, "--workers", 0, "--out", "run", cwd=folder)
    assert said.code == 0, said.err
    results = results_of(folder / "run")
    assert len(results) == 12
    return results


def planned(path: Path) -> dict[str, Any]:
    """run.json."""
    found: dict[str, Any] = json.loads((path / "run.json").read_text())
    return found


def refused(said: Said, words: str) -> None:
    """Exit 2, one message, nothing else, and no run left behind."""
    assert said.code == 2, said
    assert words in said.err
    assert "Traceback" not in said.err
    assert said.out == ""
    assert len(said.err.strip().splitlines()) <= 4
    assert not Path("runs").exists()

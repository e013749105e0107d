"""MiniWoB++'s browser: nothing is left of it, however it or its worker ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from miniwobepisodes import TASKS, play_expert, start

from adapters.miniwob import MiniWobAdapter
from adapters.miniwob.browser import BrowserError
from harness.core import Case, TimeStep, UIAction, UserError
from suites.miniwob import SUITES

if (missing := MiniWobAdapter.missing()) is not None:
    pytest.skip(f"{missing.reason}: {missing.remedy}", allow_module_level=True)

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """The folder for all files of a test's browsers, which identifies their processes."""
    tmp_path_factory.getbasetemp()  # made first, or it would lie in the folder
    # Chromium's socket needs a short path.
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp") as path:
        monkeypatch.setenv("TMPDIR", path)
        monkeypatch.setattr(tempfile, "tempdir", path)
        yield Path(path)


def browsers(folder: Path) -> dict[int, str]:
    """The processes with a browser profile in this folder: process id -> command line."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (
                    (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                )
            except OSError:
                continue
            if f"{folder}/bench-chromium-" in command:
                found[int(entry.name)] = command
    return found


def main_process(folder: Path) -> int:
    return next(pid for pid, command in browsers(folder).items() if "--type=" not in command)


def wait_until_gone(folder: Path, seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    while browsers(folder) or list(folder.iterdir()):
        assert time.monotonic() < until, f"left: {browsers(folder)}, {list(folder.iterdir())}"
        time.sleep(0.05)


def test_a_missing_browser_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINIWOB_CHROME_BINARY", "/nowhere/chromium")
    told = MiniWobAdapter.missing(TASKS["click-test"])
    assert told is not None
    assert "apt-get install chromium" in told.remedy
    with pytest.raises(UserError, match="no Chromium"):
        MiniWobAdapter(TASKS["click-test"]).reset(Case(TASKS["click-test"], 0))


def test_closing_leaves_nothing(folder: Path) -> None:
    adapter = MiniWobAdapter(TASKS["click-test"])
    start(adapter, "click-test")
    assert len(browsers(folder)) >= 3
    adapter.close()
    assert browsers(folder) == {}
    assert list(folder.iterdir()) == []


def test_a_browser_that_is_killed_is_an_error_at_once(folder: Path) -> None:
    adapter = MiniWobAdapter(TASKS["click-test"])
    timestep = start(adapter, "click-test")
    os.kill(main_process(folder), signal.SIGKILL)
    begun = time.monotonic()
    with pytest.raises(BrowserError, match="the browser ended"):
        adapter.step(UIAction("wait"))
    with pytest.raises(BrowserError):
        timestep.observation["image"]()
    with pytest.raises(BrowserError):
        start(adapter, "click-test")
    assert time.monotonic() - begun < 5
    adapter.close()
    wait_until_gone(folder)


WORKER = """
import sys, time
from adapters.miniwob import MiniWobAdapter
from harness.core import Case
from suites.miniwob import SUITES
task = next(task for task in SUITES[0].tasks if task.params["name"] == "stock-market")
adapter = MiniWobAdapter(task)
adapter.reset(Case(task, 0))
print("ready", flush=True)
{then}
"""


@pytest.mark.parametrize(
    "then", ["time.sleep(60)", "adapter._page.ask('(() => { for (;;); })()')"], ids=["idle", "hung"]
)
def test_a_worker_that_is_killed_leaves_nothing(folder: Path, then: str) -> None:
    command = [sys.executable, "-c", WORKER.replace("{then}", then)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}
    ) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"ready\n"
        assert len(browsers(folder)) >= 3
        worker.kill()
    wait_until_gone(folder)


def test_when_the_keeper_is_killed_the_browser_ends(folder: Path) -> None:
    adapter = MiniWobAdapter(TASKS["click-test"])
    start(adapter, "click-test")
    assert adapter._browser is not None
    adapter._browser._keeper.kill()
    adapter.close()
    wait_until_gone(folder)


def test_a_killed_browser_costs_a_retry_of_its_episode(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the harness: the browser dies in the third episode; all episodes still succeed."""
    from conftest import Notes, read_lines

    from harness.play.planning import make_plan
    from harness.play.runner import RunOptions, play
    from harness.records.identity import AgentSpec

    steps = 0
    whole = MiniWobAdapter.step

    def step(adapter: MiniWobAdapter, action: Any) -> TimeStep:
        nonlocal steps
        steps += 1
        if steps == 5:
            os.kill(main_process(folder), signal.SIGKILL)
        return whole(adapter, action)

    monkeypatch.setattr(MiniWobAdapter, "step", step)
    agent = AgentSpec("oracle", "baselines.simple:Oracle", {})
    plan = make_plan([(SUITES[0], TASKS["enter-text"])], agent, episodes=4, seed=0)
    notes = Notes()
    summary = play(agent, ["miniwob"], plan, tmp_path / "run", RunOptions(workers=0), notes)
    assert summary.missing == 0
    assert [line["success"] for line in read_lines(tmp_path / "run")] == [True] * 4
    assert len([text for text in notes.said if "attempt" in text]) == 1
    assert steps == 4 * 2 + 1, "one episode, broken at its first step, was played again"
    wait_until_gone(folder)


@pytest.mark.slow
def test_many_episodes_need_no_more_memory_or_files(folder: Path) -> None:
    """The browser's resident memory and this process's open files, after 40 and 120 episodes."""
    adapter = MiniWobAdapter(TASKS["click-test"])
    sizes, descriptors = [], []
    for seed in range(120):
        name = ("enter-text", "click-checkboxes", "choose-list", "email-inbox-delete")[seed % 4]
        timestep, _ = play_expert(adapter, Case(TASKS[name], seed))
        assert timestep.success
        if seed in (39, 119):
            pages = [
                int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in browsers(folder)
            ]
            sizes.append(sum(pages) * os.sysconf("SC_PAGE_SIZE"))
            descriptors.append(len(os.listdir("/proc/self/fd")))
    adapter.close()
    assert sizes[1] < 1.2 * sizes[0], sizes
    assert descriptors[0] == descriptors[1]
    wait_until_gone(folder)

"""MiniWoB++ against real Chromium."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.miniwob import MiniWobAdapter
from adapters.miniwob.browser import BrowserError
from adapters.miniwob.experts import EXPERTS
from harness.core import BadAction, Case, Element, TimeStep, UIAction, UserError
from harness.testing import check_adapter
from suites.miniwob import SUITES

if (missing := MiniWobAdapter.missing()) is not None:
    pytest.skip(f"{missing.reason}: {missing.remedy}", allow_module_level=True)

ROOT = Path(__file__).parents[2]
TASKS = {task.params["name"]: task for task in SUITES[0].tasks}


@pytest.fixture(scope="module")
def adapter() -> Iterator[MiniWobAdapter]:
    adapter = MiniWobAdapter(TASKS["click-test"])
    yield adapter
    adapter.close()


@pytest.fixture
def folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """Where the browsers of a test put all they write, so that they can be told from others."""
    tmp_path_factory.getbasetemp()  # it would lie in the folder else
    with tempfile.TemporaryDirectory(
        prefix="t-", dir="/tmp"
    ) as path:  # Chromium's socket does not bear a long path
        monkeypatch.setenv("TMPDIR", path)
        yield Path(path)


def browsers(folder: Path) -> dict[int, str]:
    """The processes that were started with a profile in this folder: process id -> command."""
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


def start(adapter: MiniWobAdapter, name: str, seed: int = 0) -> TimeStep:
    return adapter.reset(Case(TASKS[name], seed))


def dom(timestep: TimeStep) -> tuple[Element, ...]:
    return timestep.observation["dom"]()


def one(timestep: TimeStep, **wanted: str) -> Element:
    """The element with these fields."""
    return next(
        e for e in dom(timestep) if all(getattr(e, name) == value for name, value in wanted.items())
    )


def coached(adapter: MiniWobAdapter, case: Case) -> tuple[TimeStep, list[UIAction]]:
    timestep, executed = adapter.reset(case), []
    for _ in range(case.task.max_steps or 0):
        wanted = adapter.expert(executed[-1] if executed else None)
        if wanted is None:
            break
        timestep = adapter.step(wanted)
        executed.append(wanted)
        if timestep.terminated:
            break
    return timestep, executed


def test_the_suite_is_the_packages_list() -> None:
    import gymnasium
    import miniwob

    gymnasium.register_envs(miniwob)
    ids = {
        name.removeprefix("miniwob/").rpartition("-v")[0]
        for name in gymnasium.registry
        if name.startswith("miniwob/")
    }
    assert set(TASKS) == ids
    assert len(TASKS) == 128
    assert set(EXPERTS) <= set(TASKS)
    assert len(EXPERTS) >= 100
    assert all(MiniWobAdapter.has_expert(task) == (name in EXPERTS) for name, task in TASKS.items())


def test_contract() -> None:
    check_adapter(TASKS["click-checkboxes"], steps=8, others=[TASKS["copy-paste"]])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["stock-market", "use-autocomplete"])
def test_contract_where_the_page_moves(name: str) -> None:
    check_adapter(TASKS[name], steps=10, another_process=False)


@pytest.mark.slow
def test_every_page_opens_and_conforms(adapter: MiniWobAdapter) -> None:
    for name in TASKS:
        timestep = start(adapter, name)
        assert timestep.instruction, name
        for view, spec in adapter.brief.observation.items():
            assert spec.problem(timestep.observation[view]()) is None, name
        assert len(np.unique(timestep.observation["image"]())) > 2, name
        assert not adapter.step(UIAction("wait")).terminated, name


def test_a_page_is_the_same_for_its_seed_alone(adapter: MiniWobAdapter) -> None:
    """Pages that the package itself marks as not deterministic."""
    for name in ("click-pie", "choose-date", "phone-book", "book-flight"):
        seen = []
        for seed in (3, 4, 3):
            timestep = start(adapter, name, seed)
            timestep = adapter.step(UIAction("click", x=80, y=130))
            seen.append(
                (
                    timestep.instruction,
                    adapter.state(),
                    timestep.observation["image"]().tobytes(),
                    dom(timestep),
                )
            )
        assert seen[0] == seen[2] != seen[1], name


def test_reward_is_raw_and_no_clock_ends_the_episode(adapter: MiniWobAdapter) -> None:
    """The page's limit is 10 s; 20 s of its own time pass here, and the reward has not decayed."""
    timestep = start(adapter, "click-test")
    for _ in range(80):
        timestep = adapter.step(UIAction("wait"))
        assert (timestep.reward, timestep.terminated, timestep.success) == (0.0, False, False)
    timestep = adapter.step(UIAction("click", ref=one(timestep, tag="button").ref))
    assert (timestep.reward, timestep.terminated, timestep.success) == (1.0, True, True)


def test_a_wrong_answer_is_no_success(adapter: MiniWobAdapter) -> None:
    timestep = start(adapter, "enter-text")
    timestep = adapter.step(UIAction("click", ref=one(timestep, tag="button").ref))
    assert (timestep.reward, timestep.terminated, timestep.success) == (-1.0, True, False)


def test_the_pages_clock_stands_between_steps(adapter: MiniWobAdapter) -> None:
    """The price changes every 0.1 s of the page's time, and a step is 0.25 s."""
    timestep = start(adapter, "stock-market")
    assert one(timestep, name="stock-symbol").text
    state, image = adapter.state(), timestep.observation["image"]()
    time.sleep(0.5)
    assert adapter._page.ask("bench.report()")["state"] == int.from_bytes(state, "little")
    np.testing.assert_array_equal(timestep.observation["image"](), image)
    prices = adapter._page.ask("document.querySelectorAll('.plot-point').length")
    adapter.step(UIAction("wait"))
    adapter.step(UIAction("wait"))
    assert adapter._page.ask("document.querySelectorAll('.plot-point').length") == prices + 5


def test_points_and_refs_are_two_ways_to_the_same(adapter: MiniWobAdapter) -> None:
    box = one(start(adapter, "click-checkboxes"), tag="input_checkbox")
    for action in (
        UIAction("click", ref=box.ref),
        UIAction("click", x=box.center[0], y=box.center[1]),
    ):
        timestep = start(adapter, "click-checkboxes")
        timestep = adapter.step(action)
        assert one(timestep, tag="input_checkbox").flags == ("focused", "checked")


def test_mouse_keyboard_and_clipboard(adapter: MiniWobAdapter) -> None:
    timestep = start(adapter, "copy-paste")
    source, target = one(timestep, tag="textarea"), one(timestep, tag="input_text")
    adapter.step(UIAction("key", ref=source.ref, text="Control+A"))
    adapter.step(UIAction("key", text="Control+C"))
    timestep = adapter.step(UIAction("key", ref=target.ref, text="Control+V"))
    assert one(timestep, tag="input_text").value == source.value != ""
    adapter.step(UIAction("double_click", x=target.x + 20, y=target.center[1]))
    word = adapter._page.ask("getSelection().toString()")
    assert word in source.value.split(" ")
    timestep = adapter.step(UIAction("type", text="é{'x'}"))
    assert one(timestep, tag="input_text").value == source.value.replace(word, "é{'x'}")
    timestep = start(adapter, "enter-text")
    timestep = adapter.step(
        UIAction("key", ref=one(timestep, tag="input_text").ref, text="Control+V")
    )
    assert one(timestep, tag="input_text").value == "", "the clipboard is empty in the next episode"


def test_scroll_drag_and_lists(adapter: MiniWobAdapter) -> None:
    timestep = start(adapter, "scroll-text-2")
    before = adapter._page.ask("document.querySelector('#text-area').scrollTop")
    adapter.step(UIAction("scroll", direction="down", x=80, y=100, amount=30))
    assert adapter._page.ask("document.querySelector('#text-area').scrollTop") == before + 30
    timestep = start(adapter, "drag-box")
    small = one(timestep, name="draggableSmall")
    timestep = adapter.step(
        UIAction("drag", ref=small.ref, to_x=small.center[0] - 7, to_y=small.center[1] + 9)
    )
    assert one(timestep, name="draggableSmall").x == small.x - 7
    timestep = start(adapter, "choose-list")
    choices = one(timestep, tag="select").text.split("\n")
    timestep = adapter.step(UIAction("type", ref=one(timestep, tag="select").ref, text=choices[-1]))
    assert one(timestep, tag="select").value == choices[-1]


def test_a_button_held_is_let_go_before_the_next_episode(adapter: MiniWobAdapter) -> None:
    small = one(start(adapter, "drag-box"), name="draggableSmall")
    adapter.step(UIAction("mouse_down", x=small.center[0], y=small.center[1]))
    timestep = start(adapter, "drag-box")
    adapter.step(UIAction("hover", x=small.center[0], y=small.center[1]))
    timestep = adapter.step(UIAction("hover", x=10, y=190))
    assert one(timestep, name="draggableSmall") == small


def test_refs_that_are_nowhere_do_nothing_and_are_counted(adapter: MiniWobAdapter) -> None:
    timestep = start(adapter, "click-test")
    image = timestep.observation["image"]()
    timestep = adapter.step(UIAction("click", ref=9999))
    timestep = adapter.step(UIAction("type", ref=9999, text="a"))
    assert timestep.metrics == {"unknown_refs": 2.0}
    np.testing.assert_array_equal(timestep.observation["image"](), image)
    assert start(adapter, "click-test").metrics == {}
    with pytest.raises(BadAction):
        adapter.step({"kind": "navigate_back"})


def test_nothing_leads_away_from_the_page(adapter: MiniWobAdapter) -> None:
    start(adapter, "click-test")
    adapter._page.ask(
        "document.querySelector('#area').insertAdjacentHTML('beforeend', '<form><a id=out href=click-link.html>out</a><button id=go>go</button></form>')"
    )
    for css in ("#out", "#go"):
        adapter.step(
            UIAction("click", ref=adapter._page.ask(f"bench.ref(document.querySelector('{css}'))"))
        )
    time.sleep(0.3)
    assert adapter._page.ask("location.pathname + location.search").endswith("click-test.html")


def test_flights_have_a_screen_of_their_own(adapter: MiniWobAdapter) -> None:
    timestep = start(adapter, "flight.Alaska")
    assert timestep.observation["image"]().shape == (667, 375, 3)
    field = next(e for e in dom(timestep) if e.tag == "input_text")
    timestep = adapter.step(UIAction("type", ref=field.ref, text="Boston"))
    assert one(timestep, ref=field.ref).value == "Boston"
    assert start(adapter, "click-test").observation["image"]().shape == (210, 160, 3)


@pytest.mark.parametrize(
    "name",
    [
        "login-user-popup",
        "click-menu",
        "choose-date-easy",
        "drag-sort-numbers",
        "email-inbox-forward",
        "book-flight-nodelay",
    ],
)
def test_expert_solves(adapter: MiniWobAdapter, name: str) -> None:
    timestep, _ = coached(adapter, Case(TASKS[name], 1))
    assert timestep.success


@pytest.mark.slow
def test_every_expert_solves(adapter: MiniWobAdapter) -> None:
    failed = [
        name for name in sorted(EXPERTS) if not coached(adapter, Case(TASKS[name], 0))[0].success
    ]
    assert failed == []


def test_an_expert_that_knows_no_way_gives_up(adapter: MiniWobAdapter) -> None:
    start(adapter, "click-menu")
    adapter._page.ask("document.querySelector('#area').remove()")
    assert adapter.expert(None) is None
    assert adapter.step(UIAction("wait")).metrics == {"expert_gave_up": 1.0}
    assert adapter.expert(None) is None
    start(adapter, "tic-tac-toe")
    with pytest.raises(UserError, match="no script plays"):
        adapter.expert(None)


def test_unknown_pages_and_params_are_named() -> None:
    for params, words in (({"name": "click-nothing"}, "no page"), ({"mode": "exam"}, "mode")):
        task = dataclasses.replace(
            TASKS["click-test"], params={**TASKS["click-test"].params, **params}
        )
        with pytest.raises(UserError, match=words):
            MiniWobAdapter(task)


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


def test_a_keeper_that_is_killed_leaves_no_process(folder: Path) -> None:
    adapter = MiniWobAdapter(TASKS["click-test"])
    start(adapter, "click-test")
    assert adapter._browser is not None
    adapter._browser._keeper.kill()
    adapter.close()
    until = time.monotonic() + 10
    while browsers(folder):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_killed_browser_costs_a_retry_of_its_episode(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the harness: the browser dies in the third episode; all end as they do without."""
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
def test_many_episodes_do_not_grow(folder: Path) -> None:
    """Resident memory of all the browser's processes, and our own descriptors, after 40 and after 200 episodes."""
    adapter = MiniWobAdapter(TASKS["click-test"])
    sizes, descriptors = [], []
    for seed in range(200):
        name = ("enter-text", "click-checkboxes", "choose-list", "email-inbox-delete")[seed % 4]
        timestep, _ = coached(adapter, Case(TASKS[name], seed))
        assert timestep.success
        if seed in (39, 199):
            pages = [
                int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in browsers(folder)
            ]
            sizes.append(sum(pages) * os.sysconf("SC_PAGE_SIZE"))
            descriptors.append(len(os.listdir("/proc/self/fd")))
    adapter.close()
    assert sizes[1] < 1.3 * sizes[0], sizes
    assert descriptors[0] == descriptors[1]
    wait_until_gone(folder)

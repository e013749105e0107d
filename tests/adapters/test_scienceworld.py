"""The ScienceWorld adapter on the real simulator, a Java process."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from adapters.scienceworld import ScienceWorldAdapter, spread
from harness.core import Case, Task, TimeStep, UserError
from harness.testing import check_adapter
from suites.scienceworld import SUITES

TASKS = {task.params["name"]: task for task in SUITES[0].tasks}
QUICK = (
    "find-non-living-thing",
    "lifespan-longest-lived-then-shortest-lived",
    "power-component",
    "chemistry-mix-paint-secondary-color",
)
PLAY = """
import sys
from adapters.scienceworld import ScienceWorldAdapter
from suites.scienceworld import SUITES
adapter = ScienceWorldAdapter(SUITES[0].tasks[0])
print(adapter._java.process.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def adapter() -> Any:
    made = ScienceWorldAdapter(TASKS["boil"])
    yield made
    made.close()


def play_expert(
    adapter: ScienceWorldAdapter, case: Case, wait_at: int = -1
) -> tuple[TimeStep, list[Any]]:
    timestep, done = adapter.reset(case), list[Any]()
    while (
        not timestep.terminated
        and (wanted := adapter.expert(done[-1] if done else None)) is not None
    ):
        done.append("look around" if len(done) == wait_at else wanted)
        timestep = adapter.step(done[-1])
    return timestep, done


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_contract() -> None:
    check_adapter(TASKS["lifespan-shortest-lived"], steps=8)


@pytest.mark.heavy
def test_contract_where_things_move_and_are_alike() -> None:
    """find-animal starts in the art studio, among cups of paint that no name tells apart."""
    check_adapter(TASKS["find-animal"], steps=12, others=[TASKS["melt"]], another_process=False)


def test_suites() -> None:
    free, limited = SUITES
    assert len(TASKS) == len(free.tasks) == len(limited.tasks) == 30
    assert (free.in_all, limited.in_all) == (True, False)
    assert {task.params["move_limit"] for task in limited.tasks} == {100}


def test_the_suites_have_the_packages_tasks(adapter: ScienceWorldAdapter) -> None:
    assert sorted(adapter._names) == sorted(TASKS)


@pytest.mark.parametrize("name", QUICK)
def test_expert_solves(adapter: ScienceWorldAdapter, name: str) -> None:
    last, done = play_expert(adapter, Case(TASKS[name], 1))
    assert (last.success, last.terminated, last.metrics["score"]) == (True, True, 100.0)
    assert len(done) <= 40


def test_the_expert_insists_on_a_command_that_was_not_executed(
    adapter: ScienceWorldAdapter,
) -> None:
    last, done = play_expert(adapter, Case(TASKS["find-non-living-thing"], 0), wait_at=2)
    assert last.success
    assert "look around" in done


def test_an_expert_asked_late_continues_from_there(adapter: ScienceWorldAdapter) -> None:
    case = Case(TASKS["find-non-living-thing"], 2)
    adapter.reset(case)
    adapter.step("inventory")
    before = adapter.step("look around").observation["text"]()
    assert adapter.expert("look around") is not None
    assert adapter._text == before
    assert play_expert(adapter, case)[0].success


def test_a_wrong_focus_ends_the_episode_without_points(adapter: ScienceWorldAdapter) -> None:
    adapter.reset(Case(TASKS["boil"], 0))
    last = adapter.step("focus on agent")
    assert (last.terminated, last.success, last.reward, last.metrics["score"]) == (
        True,
        False,
        -100.0,
        0.0,
    )


def test_move_limit_truncates(adapter: ScienceWorldAdapter) -> None:
    task = SUITES[1].tasks[0]
    timestep, steps = adapter.reset(Case(task, 0)), 0
    while not timestep.truncated:
        assert timestep.metrics["moves"] <= 100.0
        timestep, steps = adapter.step("wait"), steps + 1
    assert timestep.metrics["moves"] > 100.0
    assert not timestep.terminated
    assert steps <= 11


def test_listing_admissible_commands_changes_nothing(adapter: ScienceWorldAdapter) -> None:
    """To list them, the package draws names from the random stream that moves the animals."""
    case, seen = Case(TASKS["find-animal"], 0), []
    for reads in (False, True):
        timestep = adapter.reset(case)
        for command in (
            "open door to hallway",
            "go to hallway",
            "open door to greenhouse",
            "go to greenhouse",
            "wait",
            "look around",
        ):
            listed = timestep.observation["admissible"]() if reads else ()
            assert len(set(listed)) == len(listed)
            timestep = adapter.step(command)
            seen.append((reads, timestep.observation["text"]()))
    assert [text for reads, text in seen if reads] == [text for reads, text in seen if not reads]


def test_identical_objects_share_a_name(adapter: ScienceWorldAdapter) -> None:
    timestep = adapter.reset(Case(TASKS["find-animal"], 0))
    listed = timestep.observation["admissible"]()
    assert timestep.observation["admissible"]() == listed
    assert "focus on red paint" in listed
    plain = {
        command
        for command in adapter._server.getValidActionObjectCombinations()
        if " paint" not in command
    }
    assert plain <= set(listed)


def test_an_ambiguous_request_is_answered_by_a_number(adapter: ScienceWorldAdapter) -> None:
    adapter.reset(Case(TASKS["find-animal"], 0))
    asked = adapter.step("look at cup").observation
    assert asked["text"]().startswith("Ambiguous request")
    assert asked["admissible"]() == ("0", "1", "2")
    answered = adapter.step("1").observation
    assert "blue paint" in answered["text"]()
    assert "look around" in answered["admissible"]()


def test_an_unknown_command_takes_no_time(adapter: ScienceWorldAdapter) -> None:
    adapter.reset(Case(TASKS["boil"], 0))
    for count, command in enumerate(("dance", "", "\u2603\n"), 1):
        assert adapter.step(command).metrics == {
            "score": 0.0,
            "moves": 0.0,
            "invalid_actions": float(count),
        }


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 9, 135])
def test_spread_takes_each_place_once(n: int) -> None:
    assert sorted(spread(seed, n) for seed in range(n)) == list(range(n))
    assert [spread(seed + n, n) for seed in range(n)] == [spread(seed, n) for seed in range(n)]


@pytest.mark.parametrize("params", [{"name": "bake"}, {"name": "boil", "split": "all"}])
def test_a_wrong_param_is_answered_with_the_right_ones(
    adapter: ScienceWorldAdapter, params: dict[str, str]
) -> None:
    with pytest.raises(UserError, match=r"boil|train"):
        adapter.reset(
            Case(
                Task(
                    "test/none@1", "planning", "adapters.scienceworld:ScienceWorldAdapter", params
                ),
                0,
            )
        )


def test_missing_java_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    absent = ScienceWorldAdapter.missing(TASKS["boil"])
    assert absent is not None
    assert "apt-get install" in absent.remedy


def test_java_ends_with_the_adapter_and_with_its_process() -> None:
    made = ScienceWorldAdapter(TASKS["boil"])
    assert running(made._java.process.pid)
    made.close()
    assert not running(made._java.process.pid)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [sys.executable, "-c", PLAY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as worker:
        assert worker.stdout is not None
        java = json.loads(worker.stdout.readline())
        assert running(java)
        worker.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while running(java) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not running(java)


def test_java_writes_only_where_temporary_files_belong(adapter: ScienceWorldAdapter) -> None:
    """It looks for TMPDIR nowhere itself, and a killed process would leave its figures in /tmp."""
    system = adapter._java.jvm.java.lang.System
    assert system.getProperty("java.io.tmpdir") == tempfile.gettempdir()
    pid = adapter._java.process.pid
    assert not list(Path("/tmp").glob(f"hsperfdata_*/{pid}"))


def test_an_interrupt_that_the_bridge_swallows_ends_the_run(
    adapter: ScienceWorldAdapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a callback that frees a Java object, where Python drops whatever is raised."""
    from conftest import Notes

    from harness.play.planning import make_plan
    from harness.play.runner import RunOptions, play
    from harness.records.identity import AgentSpec

    spec = AgentSpec("noop", "baselines.simple:Noop", {})
    plan = make_plan([(SUITES[0], TASKS["boil"])], spec, episodes=1, seed=0)
    step = ScienceWorldAdapter.step

    def interrupted(self: ScienceWorldAdapter, action: Any) -> TimeStep:
        with contextlib.suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
        return step(self, action)

    monkeypatch.setattr(ScienceWorldAdapter, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        play(spec, [], plan, tmp_path / "run", RunOptions(), Notes())
    assert (tmp_path / "run" / "episodes.jsonl").read_bytes() == b""

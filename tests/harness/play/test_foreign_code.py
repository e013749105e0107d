"""Foreign code does what it likes to its process: no result is lost, and no run hangs."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import toys
from conftest import Run, read_lines

Play = Callable[..., Run]

WAYS = [
    pytest.param({"workers": 0, "lanes": 3}, id="here"),
    pytest.param({"workers": 2, "lanes": 3}, id="workers"),
]
TASKS = [toys.toy_task()]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("how", ["empties", "extends", "reorders", "keeps", "asked again"])
def test_the_list_of_turns_is_the_agents_own(
    play_toys: Play, ray_here: None, how: str, way: dict[str, int]
) -> None:
    run = play_toys("meddlers:TakesTurns", tasks=TASKS, args={"how": how}, **way)
    assert [line["success"] for line in run.results] == [True] * 4


@pytest.mark.parametrize("agent", ["meddlers:TakesTurns", "meddlers:AnswersForever"])
def test_an_agent_that_spoils_every_batch_fails_every_case(play_toys: Play, agent: str) -> None:
    args = {"how": "empties, then raises"} if agent.endswith("Turns") else {}
    run = play_toys(agent, tasks=TASKS, args=args, lanes=3)
    assert [line["status"] for line in run.results] == ["agent_error"] * 4


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has long to close."""
    monkeypatch.setattr("harness.play.closing.CLOSING_S", 0.6)


@pytest.mark.parametrize("how", ["raises", "hangs"])
def test_an_agent_that_does_not_close_costs_nothing(
    play_toys: Play, impatient: None, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    run = play_toys("meddlers:Closes", tasks=TASKS, args={"how": how}, lanes=2)
    assert run.summary.missing == 0
    assert run.summary.stopped is None
    (said,) = caplog.messages
    assert said.startswith("Closes.close")
    assert said.endswith("the results stand")
    assert ("did not return within 0.6 s" if how == "hangs" else "SystemExit: no thanks") in said


@pytest.mark.parametrize("how", ["raises", "hangs"])
def test_a_simulator_that_does_not_close_costs_nothing(
    play_toys: Play, impatient: None, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    task = toys.toy_task("closes", adapter="meddlers:ClosesToy", how=how)
    run = play_toys(tasks=[task], lanes=2)
    assert run.summary.missing == 0
    assert run.summary.stopped is None
    assert len(caplog.messages) == 2  # one for each lane
    assert all("ClosesToy.close" in said for said in caplog.messages)


@pytest.mark.parametrize("agent", ["Closes", "ServedCloses"])
@pytest.mark.parametrize("how", ["raises", "hangs"])
def test_what_does_not_close_in_a_worker_costs_nothing(
    play_toys: Play, ray_here: None, agent: str, how: str
) -> None:
    task = toys.toy_task("closes", adapter="meddlers:ClosesToy", how=how)
    run = play_toys(f"meddlers:{agent}", tasks=[task], args={"how": how}, workers=2)
    assert run.summary.missing == 0
    assert run.summary.stopped is None
    assert all(line["success"] for line in run.results)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("how", ["swallows", "replaces"])
def test_an_interrupt_ends_the_run_whoever_swallows_it(
    play_toys: Play, how: str, number: int
) -> None:
    before = signal.signal(number, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            play_toys("meddlers:Swallows", tasks=TASKS, args={"how": how, "number": int(number)})
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, before)


def test_an_interrupted_episode_is_no_result(play_toys: Play, tmp_path: Path) -> None:
    """The agent answers nonsense once, and goes on to the end of that episode."""
    with pytest.raises(KeyboardInterrupt):
        play_toys("meddlers:Swallows", tasks=[toys.toy_task(max_steps=3)], episodes=1)
    assert read_lines(tmp_path / "run") == []


def test_a_hang_is_noticed_whoever_has_the_alarm(play_toys: Play) -> None:
    tasks = [toys.toy_task(), toys.toy_task("bad", marker="hang", marker_seeds=[2])]
    run = play_toys("meddlers:TakesTheClock", tasks=tasks, agent_timeout=1.0, lanes=2)
    wrong = [line for line in run.results if line["status"] != "finished"]
    assert [(line["seed"], line["error"]) for line in wrong] == [(2, "no answer within 1 s")]

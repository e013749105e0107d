"""A task whose simulator fails before anything was played is a row; a later failure is an error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import toys
from conftest import Run
from starts import start_task

from harness.core import Case, Result
from harness.play.coordinator import Coordinator
from harness.play.failures import BROKEN_AFTER, CASES_THAT_DECIDE
from harness.play.outcome import Outcome
from harness.play.reset_check import ResetCheck
from harness.play.summary import RunSummary, count_run
from harness.records.stored_run import load_run

Play = Callable[..., Run]
HERE = {"workers": 0, "lanes": 1}
WORKERS = {"workers": 2, "lanes": 2}
WAYS = pytest.mark.parametrize("way", [HERE, WORKERS], ids=["here", "workers"])


def bad(**params: Any) -> Any:
    return start_task("FailsAtStart", "bad", **params)


@WAYS
@pytest.mark.parametrize("how", ["", "exit"])
@pytest.mark.parametrize("where", ["construction", "reset", "step"])
def test_a_simulator_that_fails_at_its_start_is_a_row(
    play_toys: Play, ray_here: None, where: str, how: str, way: dict[str, int]
) -> None:
    run = play_toys(tasks=[toys.toy_task(), bad(where=where, how=how)], episodes=6, **way)
    [row] = run.summary.not_run
    assert row.task == "toys/bad@1"
    assert ("SystemExit: 3" if how else "RuntimeError: no window") in row.reason
    assert "starts.py:" in row.reason
    assert row.remedy
    assert "\n" not in row.remedy
    assert (run.summary.planned, run.summary.missing) == (6, 0)
    assert [line["task"] for line in run.results] == ["toys/goal@1"] * 6


@pytest.fixture
def resets_unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is counted are attempts at cases, not what is tried before them."""
    monkeypatch.setattr(ResetCheck, "made", lambda *_: None)


def test_nothing_else_asked_for_ends_with_the_reason_and_the_remedy(play_toys: Play) -> None:
    run = play_toys(tasks=[bad(where="reset", how="ask")], **HERE)
    assert run.summary.planned == 0
    text = run.summary.as_text()
    assert "toys/bad@1 cannot run here" in text
    assert "it asks on stdin" in text
    assert "same command" not in text


@pytest.mark.parametrize("where", ["reset", "step"])
@pytest.mark.parametrize("bad_seeds", [[0], [0, 1], [3], [5]])
@pytest.mark.parametrize("shuffle", [None, 1, 2])
def test_a_seed_that_fails_is_an_error_whatever_the_order(
    play_toys: Play, where: str, bad_seeds: list[int], shuffle: int | None
) -> None:
    run = play_toys(tasks=[bad(where=where, bad_seeds=bad_seeds)], episodes=6, shuffle=shuffle)
    assert not run.summary.not_run
    assert (run.summary.planned, run.summary.missing) == (6, len(bad_seeds))
    wrong = sorted(line["seed"] for line in run.results if line["status"] == "error")
    assert wrong == bad_seeds


def test_the_same_failure_later_is_an_error(play_toys: Play) -> None:
    run = play_toys(tasks=[bad(where="later")], episodes=4)
    assert not run.summary.not_run
    assert (run.summary.planned, run.summary.missing, run.summary.always) == (4, 4, 4)


@pytest.mark.usefixtures("resets_unchecked")
def test_few_attempts_are_spent_on_it(play_toys: Play) -> None:
    from starts import FailsAtStart

    for where, attempts in (("construction", 2), ("reset", 2 * CASES_THAT_DECIDE)):
        FailsAtStart.made = 0
        play_toys(tasks=[bad(where=where)], episodes=50, out=where)
        assert FailsAtStart.made == attempts


def test_what_cannot_run_is_not_counted_as_errors_too(play_toys: Play) -> None:
    run = play_toys(tasks=[toys.toy_task(), bad(where="reset")], episodes=6)
    assert not [text for text in run.notes.said if "more)" in text]
    assert len([text for text in run.notes.said if "cannot run here" in text]) == 1


def test_one_episode_is_enough(play_toys: Play) -> None:
    run = play_toys(tasks=[bad(where="step")], episodes=1)
    assert [row.task for row in run.summary.not_run] == ["toys/bad@1"]
    assert run.results == []


@pytest.mark.usefixtures("resets_unchecked")
def test_a_failure_that_never_looks_the_same_ends_all_the_same(play_toys: Play) -> None:
    from starts import FailsAtStart

    FailsAtStart.made = 0
    run = play_toys(tasks=[bad(where="reset", counts=True)], episodes=50)
    assert [row.task for row in run.summary.not_run] == ["toys/bad@1"]
    assert FailsAtStart.made == BROKEN_AFTER


def test_a_value_that_breaks_the_contract_is_an_error_also_at_first(play_toys: Play) -> None:
    run = play_toys(tasks=[toys.toy_task("bad", fault="nan_reward")], episodes=4)
    assert not run.summary.not_run
    assert run.summary.missing == 4


def test_a_view_that_cannot_be_drawn_is_an_error_also_at_first(play_toys: Play) -> None:
    for number, agent in enumerate(("ImageAgent", "GoodAgent")):
        run = play_toys(agent, [start_task("CannotDraw")], 3, out=f"run{number}")
        assert not run.summary.not_run
        assert run.summary.missing == (3 if agent == "ImageAgent" else 0)


def test_a_task_that_has_a_score_is_never_a_row(play_toys: Play) -> None:
    first = play_toys(tasks=[bad(where="reset", bad_seeds=[1, 2, 3])], episodes=4)
    assert first.summary.missing == 3
    again = play_toys(tasks=[bad(where="reset", bad_seeds=[1, 2, 3])], episodes=4)
    assert not again.summary.not_run
    assert again.summary.missing == 3


@pytest.mark.parametrize("where", ["construction", "reset", "step"])
@pytest.mark.parametrize("episodes", [1, 4, 30])
@pytest.mark.parametrize("lanes", [1, 4])
def test_a_shared_simulator_that_fails_at_its_start_is_a_row(
    play_toys: Play, where: str, episodes: int, lanes: int
) -> None:
    tasks = [start_task("ManyFailAtStart", "bad", where=where)]
    run = play_toys(tasks=tasks, episodes=episodes, lanes=lanes)
    assert [row.task for row in run.summary.not_run] == ["toys/bad@1"]
    assert run.summary.planned == 0


@pytest.mark.parametrize("lanes", [1, 4])
def test_a_neighbour_of_a_seed_that_fails_is_scored(play_toys: Play, lanes: int) -> None:
    for where in ("reset", "step"):
        tasks = [start_task("ManyFailAtStart", "bad", where=where, bad_seeds=[1])]
        run = play_toys(tasks=tasks, episodes=6, lanes=lanes, out=where)
        assert not run.summary.not_run
        assert (run.summary.planned, run.summary.missing) == (6, 1)


def test_a_failed_construction_ends_no_neighbours_episode(play_toys: Play) -> None:
    tasks = [toys.toy_task("batch", adapter="toys:BatchedToy"), bad(where="construction")]
    run = play_toys(tasks=tasks, episodes=6, lanes=3, shuffle=5)
    assert [line["status"] for line in run.results] == ["finished"] * 6
    assert not [text for text in run.notes.said if "shared simulator" in text]


def test_the_count_on_disk_is_the_summary_that_play_returns(play_toys: Play) -> None:
    run = play_toys(
        tasks=[
            toys.toy_task(),
            bad(where="later", bad_seeds=[2]),
            toys.toy_task("no", fault="missing"),
        ]
    )
    assert count_run(run.path) == run.summary
    assert RunSummary.from_json(run.summary.to_json()) == run.summary
    assert run.summary.failures == 1


class _Sink:
    """Keeps statuses; nothing is done before."""

    def __init__(self) -> None:
        self.counts = {"finished": 0, "agent_error": 0, "successes": 0}
        self.kept: list[Result] = []

    def done(self, index: Any) -> bool:
        return False

    def append(self, result: Result, trace: Any, now: float) -> None:
        self.kept.append(result)


def test_a_lost_worker_says_nothing_of_the_task(tmp_path: Path) -> None:
    from conftest import Notes, plan_of

    _, plan = plan_of("GoodAgent", [toys.toy_task()], 3)
    sink = _Sink()
    coordinator = Coordinator(plan, sink, Notes())
    while (taken := coordinator.take([])) is not None or not coordinator.finished:
        if taken is not None:
            coordinator.lost([taken[0]], [taken[0]], "the worker died")
    assert not coordinator.not_run
    assert [result.status for result in sink.kept] == ["error"] * 3
    assert {result.timing["attempt"] for result in sink.kept} == {3}


def test_a_deterministic_failure_is_not_tried_a_third_time(play_toys: Play) -> None:
    run = play_toys(
        tasks=[toys.toy_task(), toys.toy_task("bad", fault="raise_on_step")], episodes=3
    )
    wrong = [each for each in load_run(run.path).results() if each.status == "error"]
    assert {(each.timing["attempt"], each.timing["fails_always"]) for each in wrong} == {(2, True)}
    assert "they fail the same way each time" in run.summary.as_text()


def test_what_may_pass_is_tried_three_times(play_toys: Play) -> None:
    run = play_toys(tasks=[bad(where="later", counts=True, bad_seeds=[1])], episodes=3)
    [wrong] = [each for each in load_run(run.path).results() if each.status == "error"]
    assert wrong.timing["attempt"] == 3
    assert "fails_always" not in wrong.timing
    assert "the same command plays it again" in run.summary.as_text()


def test_an_outcome_without_a_place_is_never_certain() -> None:
    from harness.play.case_queue import Ticket
    from harness.play.episode import Episode
    from harness.play.failures import Failures
    from harness.records.plan import CaseIndex

    failures, ticket = Failures(), Ticket(CaseIndex(0, 0, 0))
    episode = Episode(ticket, Case(toys.toy_task(), 0))
    for _ in range(3):
        assert not failures.add(ticket, Outcome.failed(episode, "error", "the worker died"))

"""An episode that is solved at its start is drawn again, or counts as that."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable
from typing import Any

import pytest
import toys
from conftest import Run
from starts import start_task

from harness.core import Case, Task, stream
from harness.play.starts import MOST_DRAWS
from harness.records.stored_run import load_run
from harness.verify.episode_replay import EpisodeReplay, find_episode
from leaderboards.render import render
from leaderboards.report import load_report

Play = Callable[..., Run]
WAYS = pytest.mark.parametrize(
    "way", [{"workers": 0}, {"workers": 2, "lanes": 2}], ids=["here", "workers"]
)


def results(run: Run) -> dict[int, Any]:
    return {each.seed: each for each in load_run(run.path).results()}


def test_the_draws_are_one_stream() -> None:
    task = toys.toy_task()
    for seed in range(5):
        values = stream(task.id, seed, "simulator").integers(2**31, size=4).tolist()
        assert [Case(task, seed, (), draw).simulator_seed for draw in range(4)] == values
        assert Case(task, seed).simulator_seed == int(
            Case(task, seed).rng("simulator").integers(2**31)
        )
        starts = [Case(task, seed, (), draw).rng("start").random() for draw in range(4)]
        assert len(set(starts)) == 4
        assert len({Case(task, seed, (), draw).id for draw in range(4)}) == 1


@WAYS
def test_a_solved_start_is_drawn_again(play_toys: Play, ray_here: None, way: Any) -> None:
    run = play_toys(tasks=[start_task("SolvedAtStart", solved=3, solved_seeds=[1])], **way)
    found = results(run)
    assert [found[seed].status for seed in range(4)] == ["finished"] * 4
    assert found[1].metrics["redrawn_starts"] == 3
    assert found[1].steps > 0
    assert all("redrawn_starts" not in found[seed].metrics for seed in (0, 2, 3))
    text = render(load_report(run.path), "text")
    assert "1 episode began with another draw of the start" in text


@WAYS
def test_after_ten_draws_it_counts(play_toys: Play, ray_here: None, way: Any) -> None:
    tasks = [start_task("SolvedAtStart", solved=MOST_DRAWS + 1, solved_seeds=[1])]
    run = play_toys(tasks=tasks, **way)
    solved = results(run)[1]
    assert (solved.status, solved.ended, solved.success) == ("finished", "solved_at_start", True)
    assert (solved.steps, solved.metrics["redrawn_starts"]) == (0, MOST_DRAWS)
    assert run.summary.planned == 4
    assert run.summary.missing == 0
    last = play_toys(
        tasks=[start_task("SolvedAtStart", solved=MOST_DRAWS, solved_seeds=[1])], out="last", **way
    )
    assert results(last)[1].steps > 0


@pytest.mark.parametrize("success", ["ever", "once", "end"])
@pytest.mark.parametrize("score", ["return", "success", "distance"])
def test_a_prescribed_start_counts_as_it_is(play_toys: Play, success: str, score: str) -> None:
    task = start_task(
        "PrescribedStart", solved=1, solved_seeds=[1, 2], success=success, score=score
    )
    run = play_toys(tasks=[task], episodes=5)
    found = results(run)
    for seed in (1, 2):
        assert (found[seed].ended, found[seed].success) == ("solved_at_start", True)
        assert found[seed].score == {"return": 0.0, "success": 1.0, "distance": 0.0}[score]
        assert "redrawn_starts" not in found[seed].metrics
    report = load_report(run.path)
    assert report.overall.n == 5
    assert report.overall.ended["solved_at_start"] == 2
    for format in ("text", "markdown"):
        words = " ".join(render(report, format).split())
        assert "2 of 5 episodes were solved at their start" in words


def test_a_task_without_success_cannot_be_solved_at_its_start(play_toys: Play) -> None:
    task = start_task("SolvedAtStart", solved=99, solved_seeds=[0, 1], success=None, max_steps=5)
    found = results(play_toys(tasks=[task], episodes=2))
    assert [found[seed].steps for seed in (0, 1)] == [5, 5]


def test_over_and_not_solved_is_the_simulators_error(play_toys: Play) -> None:
    run = play_toys(tasks=[toys.toy_task(), start_task("OverAtStart")], episodes=2)
    wrong = [each for each in load_run(run.path).results() if each.status == "error"]
    assert len(wrong) == 2
    assert all("over at reset" in (each.error or "") for each in wrong)


@pytest.mark.parametrize("kind", ["SolvedAtStart", "PrescribedStart"])
def test_a_replay_finds_the_same_draw(play_toys: Play, kind: str) -> None:
    task = start_task(kind, solved=2, solved_seeds=[1])
    run = play_toys(tasks=[task], episodes=2)
    for seed in (0, 1):
        with EpisodeReplay(find_episode(run.path, f"{task.id}:{seed}")) as again:
            assert len(list(again.steps(["state"]))) == 1 + results(run)[seed].steps
        assert again.as_recorded is True


def test_the_agent_is_not_asked_and_not_told(play_toys: Play, tmp_path: Any) -> None:
    counts = tmp_path / "counts"
    task = start_task("PrescribedStart", solved=1, solved_seeds=[0, 1])
    run = play_toys("Served", [task], 2, args={"counts": str(counts)}, workers=0)
    assert run.summary.missing == 0
    assert not counts.exists()


def test_every_family_of_ours_prescribes_its_starts_but_gymnasiums() -> None:
    import adapters
    from harness.core import Adapter, BatchedAdapter
    from harness.records.registry import load

    kinds = {name: load(entry) for name, entry in adapters.ADAPTERS.items()}
    assert {name for name, kind in kinds.items() if kind.redraws} == {"gym"}
    assert Adapter.redraws
    assert BatchedAdapter.redraws


def test_a_draw_travels_to_another_interpreter() -> None:
    pytest.importorskip("msgpack")
    from socket import socketpair

    from harness.host.wire import Memory, Wire

    case = Case(Task("a/b@1", "games", "a:B"), 3, (), 7)
    with tempfile.TemporaryFile() as file, contextlib.ExitStack() as opened:
        memory = Memory(file.fileno())
        sockets = [opened.enter_context(each) for each in socketpair()]
        ends = [Wire(each, memory, writes=False) for each in sockets]
        ends[0].send({0: case})
        assert ends[1].receive() == {0: case}


def test_videos_of_solved_starts_are_no_obstacle(play_toys: Play) -> None:
    pytest.importorskip("av")
    task = start_task("PrescribedStart", solved=1, solved_seeds=[0])
    run = play_toys("ImageAgent", [task], 2, video="all")
    assert run.summary.missing == 0
    assert results(run)[0].ended == "solved_at_start"

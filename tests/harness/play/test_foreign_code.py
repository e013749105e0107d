"""Foreign code does what it likes to its process: no result is lost, and no run hangs."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import toys
from conftest import Notes, Run, Said, plan_of, planned, read_lines, refused

from harness.play.runner import RunOptions, play
from harness.records.run_directory import RunDirectory
from harness.records.stored_run import load_run
from leaderboards.render import render
from leaderboards.report import load_report

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
    play_toys: Play, ray_here: None, monkeypatch: pytest.MonkeyPatch, agent: str, how: str
) -> None:
    monkeypatch.setattr("harness.play.ray_driver.CLOSING_S", 1.0 if how == "hangs" else 10.0)
    task = toys.toy_task("closes", adapter="meddlers:ClosesToy", how=how)
    run = play_toys(f"meddlers:{agent}", tasks=[task], args={"how": how}, workers=2)
    assert run.summary.missing == 0
    assert run.summary.stopped is None
    assert all(line["success"] for line in run.results)
    told = [said for said in run.notes.said if said.endswith("the results stand")]
    if how == "hangs":
        assert "worker-0 did not close within 1 s; the results stand" in told
    else:
        assert [said.partition(".")[0] for said in sorted(told)] == sorted([agent, "ClosesToy"])


@pytest.mark.parametrize("way", WAYS[1:])
def test_whoever_reads_what_is_typed_gets_the_end_of_it(
    play_toys: Play, ray_here: None, way: dict[str, int]
) -> None:
    task = toys.toy_task("reads", adapter="meddlers:Litters")
    assert all(line["success"] for line in play_toys(tasks=[task], **way).results)


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


def test_a_relative_run_directory_stays_where_it_was_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    for number, agent in enumerate(["meddlers:Moves", "GoodAgent"]):
        monkeypatch.chdir(tmp_path)
        args = {"where": str(tmp_path / "elsewhere")} if number == 0 else {}
        tasks = [toys.toy_task("moves", adapter="meddlers:MovesToy"), *TASKS]
        spec, plan = plan_of(agent, tasks, 3, **args)
        options = RunOptions(video="all")
        summary = play(spec, ["toys"], plan, Path("runs") / str(number), options, Notes())
        assert summary.path == Path("runs") / str(number)
        assert Path.cwd() == tmp_path
        assert len(read_lines(summary.path)) == 6
        assert len(list((summary.path / "videos").glob("*.mp4"))) == 6
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_the_default_directory_is_made_where_the_command_began(
    bench_here: Callable[..., Said], tmp_path: Path
) -> None:
    (tmp_path / "mover.py").write_text(
        "import os\nimport toys\nos.chdir('/')\nclass Agent(toys.GoodAgent):\n    pass\n"
    )
    said = bench_here("run", "--agent", "mover:Agent", "--suite", "toysuite:SHORT", "--workers", 0)
    assert said.code == 0
    (run,) = (tmp_path / "runs").iterdir()
    assert f"run directory: runs/{run.name}" in said.err


@pytest.mark.parametrize("victim", ["episodes.jsonl", "part-0000.msgpack"])
@pytest.mark.parametrize("fill", [True, False])
def test_nothing_is_written_into_another_file(
    play_toys: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, victim: str, fill: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    args = {"victim": victim, "fill": fill}
    run = play_toys("meddlers:ClosesFiles", tasks=TASKS, args=args)
    assert run.summary.stopped is not None
    assert f"foreign code has closed its file {victim}" in run.summary.stopped
    assert (run.summary.missing, len(run.results)) == (3, 1)
    if fill:
        assert (tmp_path / "mine.txt").read_bytes() == b""
    again = play_toys("meddlers:ClosesFiles", tasks=TASKS, args=args)
    assert len(again.results) > 1, "the same command goes on"


@pytest.mark.parametrize("how", ["removes", "renames", "replaces"])
@pytest.mark.parametrize("after", [2, 4])
def test_a_run_directory_that_goes_away_is_told(
    play_toys: Play, tmp_path: Path, how: str, after: int
) -> None:
    args = {"run": str(tmp_path / "run"), "how": how, "after": after}
    run = play_toys("meddlers:Removes", tasks=TASKS, args=args)
    assert run.summary.stopped is not None
    assert "was removed or renamed while the run wrote to it" in run.summary.stopped
    assert run.summary.missing == run.summary.planned == 4


def test_a_helper_that_outlives_the_run_does_not_lock_it(play_toys: Play, tmp_path: Path) -> None:
    args = {"note": str(tmp_path / "helper")}
    run = play_toys("meddlers:ForksHelper", tasks=TASKS, args=args, episodes=2)
    helper = int((tmp_path / "helper").read_text())
    try:
        assert run.summary.missing == 0
        RunDirectory(run.path, planned(run.path), load_run(run.path).whole).close(finished=True)
    finally:
        os.kill(helper, signal.SIGKILL)
        os.waitpid(helper, 0)


def test_a_command_whose_run_directory_goes_away_ends_with_4(
    bench_here: Callable[..., Said], tmp_path: Path
) -> None:
    words = ("--agent-arg", "run=mine", "--agent-arg", "how=removes", "--out", "mine")
    play = ("run", "--agent", "meddlers:Removes", "--suite", "toysuite:SHORT", "--workers", 0)
    said = bench_here(*play, *words)
    assert (said.code, said.out) == (4, "")
    (told,) = [line for line in said.err.splitlines() if line.startswith("bench:")]
    assert "the run directory mine was removed or renamed" in told


@pytest.mark.parametrize("out", ["x" * 300, "file/run", "file", "x/" + "y" * 300], ids=range(4))
@pytest.mark.parametrize("resume", [[], ["--resume"]])
def test_a_place_that_cannot_be_is_refused(
    bench_here: Callable[..., Said], tmp_path: Path, out: str, resume: list[str]
) -> None:
    (tmp_path / "file").write_text("")
    play = ("run", "--agent", "noop", "--suite", "toysuite:SHORT", "--workers", 0)
    said = bench_here(*play, "--out", out, *resume)
    refused(said, "--resume" if resume else "Choose another place with --out")


def test_a_folder_that_cannot_be_written_to_is_refused(
    bench_here: Callable[..., Said], tmp_path: Path
) -> None:
    play = ("run", "--agent", "noop", "--suite", "toysuite:SHORT", "--workers", 0)
    refused(bench_here(*play, "--out", "/proc/run"), "cannot write to /proc/run")


def test_a_line_break_in_a_path_is_no_harm(bench_here: Callable[..., Said], tmp_path: Path) -> None:
    play = ("run", "--agent", "noop", "--suite", "toysuite:SHORT", "--workers", 0)
    assert bench_here(*play, "--out", "a\nb").code == 0
    assert (tmp_path / "a\nb" / "run.json").exists()


@pytest.mark.parametrize("way", WAYS[:1])
def test_an_episode_without_end_is_cut(
    play_toys: Play, monkeypatch: pytest.MonkeyPatch, way: dict[str, int]
) -> None:
    monkeypatch.setattr("harness.play.episode.LONGEST_EPISODE", 30)
    tasks = [toys.toy_task("survive", success=None, max_steps=None), *TASKS]
    run = play_toys("RandomAgent", tasks=tasks, episodes=2, **way)
    cut = [line for line in run.results if line["task"] == "toys/survive@1"]
    assert [(line["ended"], line["steps"]) for line in cut] == [("horizon", 30)] * 2
    report = load_report(run.path)
    assert report.endless == 2
    assert "2 episodes of a task without a horizon did not end" in render(report, "text")

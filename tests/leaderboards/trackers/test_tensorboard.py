"""A run that is logged to TensorBoard, read back from its event files; and trackers that fail."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Said, results_of
from reports import item, run_of, successes, write_report_run
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import bench
from leaderboards.report import load_report
from leaderboards.trackers.destination import Destination
from leaderboards.trackers.figures import figures_of
from leaderboards.trackers.reporter import Reporter, reason
from leaderboards.trackers.reporters import Reporters

Bench = Callable[..., Said]
PLAY = ("run", "--agent", "toys:GoodAgent", "--suite", "toysuite:SHORT", "--workers", 0)


def events(folder: Path) -> EventAccumulator:
    found = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
    found.Reload()
    return found


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    found = events(folder)
    return {
        tag: [(each.step, each.value) for each in found.Scalars(tag)]
        for tag in found.Tags()["scalars"]
    }


def test_a_run_is_logged_and_goes_on(bench_here: Bench) -> None:
    said = bench_here(*PLAY, "--out", "run", "--log", "tensorboard")
    assert said.code == 0
    here = Path("run").absolute()
    assert f"logged to tensorboard: `tensorboard --logdir {here}/tensorboard` shows it" in said.err
    last = {name: told[-1] for name, told in scalars(here / "tensorboard").items()}
    wanted = {**figures_of(load_report(here)), "episodes": 6.0}
    assert last.keys() >= wanted.keys()
    assert {last[name][0] for name in wanted} == {6}
    assert {name: last[name][1] for name in wanted} == pytest.approx(wanted, rel=1e-6)
    texts = events(here / "tensorboard")
    assert set(texts.Tags()["tensors"]) == {"parameters", "summary"}
    (parameters,) = texts.Tensors("parameters")
    assert b"| agent | toys:GoodAgent |" in parameters.tensor_proto.string_val[0]
    # The same command plays nothing, and logs the same run again.
    again = bench_here(*PLAY, "--out", "run", "--log", "tensorboard")
    assert (again.code, again.out) == (0, said.out)
    assert scalars(here / "tensorboard")["overall/success_rate"][-1] == (6, 1.0)


def test_what_is_logged_while_a_run_goes_on(tmp_path: Path) -> None:
    reach = item("toy/reach@1")
    lines = [json.dumps(each) + "\n" for each in successes(reach, 3)]
    run = write_report_run(tmp_path / "run", run_of(reach) | {"finished": None}, [])
    said: list[str] = []
    reporter = Reporter(Destination("tensorboard", str(tmp_path / "all")), run, said.append)
    reporter.look()
    assert not (run / "trackers").exists(), "nothing begins before there is a result"
    for number in range(4):
        with (run / "episodes.jsonl").open("a") as file:
            file.write(lines[number])
        reporter.look()
        reporter.look()
    assert reporter.end()
    told = scalars(tmp_path / "all" / "run")["task/toy/reach@1/success_rate"]
    assert [(step, round(value, 3)) for step, value in told] == [
        (1, 1.0), (2, 1.0), (3, 1.0), (4, 0.75), (4, 0.75),
    ]  # fmt: skip
    assert len(said) == 1


def test_a_tracker_that_fails_changes_no_result(bench_here: Bench) -> None:
    plain = bench_here(*PLAY, "--out", "plain")
    Path("file").write_text("no folder")
    said = bench_here(*PLAY, "--out", "run", "--log", "tensorboard:file")
    told = [line for line in said.err.splitlines() if "tensorboard" in line]
    assert len(told) == 1
    assert told[0].startswith("tensorboard: not logged: NotADirectoryError: ")
    assert told[0].endswith("; no result depends on it, and the same command logs it later")
    assert said.code == plain.code == 0
    assert [each["digest"] for each in results_of(Path("run"))] == [
        each["digest"] for each in results_of(Path("plain"))
    ]


def test_nothing_is_written_through_a_link(bench_here: Bench) -> None:
    bench_here(*PLAY, "--out", "run")
    Path("elsewhere").mkdir()
    for name in ("tensorboard", "trackers"):
        (Path("run") / name).symlink_to(Path("elsewhere").absolute())
        said = bench_here(*PLAY, "--out", "run", "--log", "tensorboard")
        assert f"{name} is a symbolic link, not a directory" in said.err
        assert said.code == 0
        assert list(Path("elsewhere").iterdir()) == []
        (Path("run") / name).unlink()


def test_a_process_that_dies_or_hangs_is_told(tmp_path: Path) -> None:
    run = write_report_run(tmp_path / "run", run_of(item()), successes(item(), 1))
    for number, seconds, told in (
        (signal.SIGKILL, 60.0, "tensorboard: not logged: the process that logs ended (-9)"),
        (signal.SIGSTOP, 0.1, "tensorboard: not logged: it took longer than 0 s"),
    ):
        said: list[str] = []
        reporters = Reporters([Destination("tensorboard")], said.append)
        (process,) = (each for _, each in reporters._processes)
        process.send_signal(number)
        reporters.opened(run)
        reporters.end(seconds)
        assert len(said) == 1
        assert said[0].startswith(told)
        assert process.poll() is not None


def test_ctrl_c_ends_the_wait(tmp_path: Path) -> None:
    said: list[str] = []
    reporters = Reporters([Destination("tensorboard")], said.append)
    (process,) = (each for _, each in reporters._processes)
    process.send_signal(signal.SIGSTOP)
    signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        with pytest.raises(KeyboardInterrupt):
            reporters.end(60.0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
    assert said == ["tensorboard: not logged: interrupted; the same command logs it later"]
    assert process.poll() is not None


def test_python_logs_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = bench.evaluate(
        "toys:GoodAgent", "toysuite:SHORT", workers=0, out="run", log="tensorboard"
    )
    assert scalars(tmp_path / "run" / "tensorboard")["overall/success_rate"][-1][1] == (
        found.success_rate
    )
    with pytest.raises(bench.UserError, match="there is no tracker 'x'"):
        bench.evaluate("toys:GoodAgent", "toysuite:SHORT", workers=0, log=["x"])


def test_a_reason_is_one_line_without_a_password() -> None:
    fault = ValueError("cannot reach\nhttps://me:secret@host/path " + "x" * 1000)
    told = reason(fault)
    assert told.startswith("ValueError: cannot reach https://***@host/path x")
    assert len(told) <= 300

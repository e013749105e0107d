"""Simulated time that does not wait for the agent: which action acts when."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toys
from conftest import Said, plan_of
from toytimes import HZ

from harness.core import Box, Field, UserError
from harness.play.clock_options import control_clock
from harness.play.late_answers import held_action
from harness.play.progress import SilentProgress
from harness.play.runner import RunOptions, play
from harness.records.control_clock import ControlClock
from harness.records.plan import Plan
from harness.records.plan_differences import differences
from harness.records.results import read_results
from harness.records.stored_run import load_run
from harness.records.traces import read_traces
from leaderboards.render import render
from leaderboards.report import load_report

TASK = toys.toy_task("survive", success=None, max_steps=12, control_hz=HZ)
UNTIMED = toys.toy_task("untimed", success=None, max_steps=12)


def executed(
    tmp_path: Path, clock: ControlClock | None, task: Any = TASK, **args: int
) -> tuple[list[int], Any]:
    spec, plan = plan_of("toytimes:Counting", [task], 1, **args)
    out = tmp_path / "run"
    play(
        spec, ["toys"], dataclasses.replace(plan, clock=clock), out, RunOptions(), SilentProgress()
    )
    (trace,), (result,) = list(read_traces(out)), list(read_results(out))
    assert result.status == "finished"
    return [int(action) for action in trace.decoded()], result.timing.get("clock")


@pytest.mark.parametrize(
    ("latency", "args", "actions", "waited"),
    [
        # The period is 100 ms.
        (0.0, {}, [1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4], 0),
        (0.099, {}, [1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4], 0),
        (0.1, {}, [0, 1, 0, 2, 0, 3, 0, 4, 0, 1, 0, 2], 6),
        (0.25, {}, [0, 0, 1, 0, 0, 2, 0, 0, 3, 0, 0, 4], 8),
        (0.1, {"chunk": 3}, [0, 1, 2, 3, 0, 4, 1, 2, 0, 3, 4, 1], 3),
        # The rest of a chunk acts while the next one is awaited, and then the body stands still.
        (0.1, {"chunk": 2, "rest": 2}, [0, 1, 2, 3, 3, 4, 1, 1, 2, 3, 3, 4], 4),
        (0.3, {"chunk": 2, "rest": 2}, [0, 0, 0, 1, 2, 3, 4, 0, 3, 4, 1, 2], 8),
        (9.0, {}, [0] * 12, 12),
    ],
)
def test_an_answer_acts_as_many_steps_later_as_periods_have_passed(
    tmp_path: Path, latency: float, args: dict[str, int], actions: list[int], waited: int
) -> None:
    found, told = executed(tmp_path, ControlClock(None, (latency,)), **args)
    assert found == actions
    assert told["waited_steps"] == waited
    assert "latencies" not in told


def test_without_a_clock_the_simulator_waits(tmp_path: Path) -> None:
    found, told = executed(tmp_path, None, chunk=2, rest=2)
    assert found == [1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4]
    assert told is None


def test_a_task_without_a_control_rate_is_played_turn_by_turn(tmp_path: Path) -> None:
    assert executed(tmp_path, ControlClock(None, (5.0,)), UNTIMED)[0][:3] == [1, 2, 3]


def test_a_rate_that_is_given_stands_in_place_of_the_bodys(tmp_path: Path) -> None:
    assert executed(tmp_path, ControlClock(20.0, (0.1,)))[0][:4] == [0, 0, 1, 0]


def test_a_measured_latency_is_kept_and_can_be_played_again(tmp_path: Path) -> None:
    spec, plan = plan_of("toytimes:Slow", [TASK], 1)
    clock = ControlClock()
    play(spec, ["toys"], dataclasses.replace(plan, clock=clock), tmp_path / "a", RunOptions(),
         SilentProgress())  # fmt: skip
    (result,) = read_results(tmp_path / "a")
    told = result.timing["clock"]
    assert told["late"] == told["answers"] > 0
    assert told["waited_steps"] >= told["late"]
    assert len(told["latencies"]) == told["answers"]
    assert min(told["latencies"]) >= 1.2 / HZ
    again = control_clock(None, str(tmp_path / "a"))
    assert again is not None
    assert list(again.latencies) == told["latencies"]
    page = render(load_report(tmp_path / "a"), "text")
    assert "latency was measured on this machine" in page
    assert "LATENCY" in page


@pytest.mark.parametrize("way", [{"lanes": 4}, {"shuffle": 3}, {"workers": 2, "lanes": 2}], ids=str)
def test_recorded_latencies_are_inside_the_rule_of_invariance(
    tmp_path: Path, ray_here: None, way: dict[str, Any]
) -> None:
    spec, plan = plan_of("ChunkAgent", [dataclasses.replace(t, control_hz=HZ) for t in toys.TASKS],
                         6)  # fmt: skip
    plan = dataclasses.replace(plan, clock=ControlClock(None, (0.05, 0.12, 0.31)))
    lines = []
    for name, options in (("a", {}), ("b", way)):
        play(spec, ["toys"], plan, tmp_path / name, RunOptions(**options), SilentProgress())
        results = [dataclasses.asdict(each) for each in read_results(tmp_path / name)]
        for each in results:
            each["timing"] = each["timing"]["clock"]
        lines.append(sorted(results, key=lambda each: each["case"]))
    assert lines[0] == lines[1]
    assert any(each["timing"]["late"] for each in lines[0])


def test_the_clock_is_part_of_the_plan() -> None:
    _, plan = plan_of("GoodAgent", [TASK], 1)
    clock = ControlClock(20.0, (0.08,))
    timed = dataclasses.replace(plan, clock=clock)
    assert timed.hash != plan.hash
    assert Plan.from_json(json.loads(json.dumps(timed.to_json()))) == timed
    assert list(differences(timed, plan)) == [
        "control clock: 20 Hz, latency 80 ms instead of simulated time that waits for the agent"
    ]


def test_a_directory_of_another_clock_is_refused(bench_here: Callable[..., Said]) -> None:
    command = ["run", "--agent", "noop", "--suite", "smoke", "--tasks", "pointmaze/*"]
    command += ["--episodes", "1", "--workers", "0", "--out", "r"]
    assert bench_here(*command, "--latency", "400ms").code == 0
    # What waited is in the trace: it is not waited for again.
    assert bench_here("verify", "r").code == 0
    said = bench_here(*command)
    assert said.code == 2
    assert "control clock" in said.err


def test_the_report_says_that_time_did_not_wait(tmp_path: Path) -> None:
    executed(tmp_path, ControlClock(None, (0.25,)))
    report = load_report(tmp_path / "run")
    overall = report.latency[-1]
    assert (overall.domain, overall.answers, overall.late, overall.steps) == (None, 4, 4, 12)
    assert overall.waited_steps == 8
    assert (overall.p50, overall.p95) == (0.25, 0.25)
    page = json.loads(render(report, "json"))
    assert page["run"]["clock"] == {"rate": None, "latencies": [0.25]}
    assert page["latency"][-1]["waited_steps"] == 8
    assert "latency 250 ms" in render(report, "markdown")


@pytest.mark.parametrize(
    ("rate", "latency", "words"),
    [
        ("fast", None, "write real"),
        ("0", None, "not above 0"),
        (None, "nowhere.txt", "there is no such file"),
        (None, "-80ms", "there is no such file"),
        (None, "9000s", "not from 0 to 3600"),
        (None, "words.txt", "line 2 is 'eighty'"),
        (None, "empty.txt", "it holds no latency"),
    ],
)
def test_wrong_options_name_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate: str, latency: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("words.txt").write_text("80\neighty\n")
    Path("empty.txt").write_text("\n")
    with pytest.raises(UserError, match=words.replace("(", r"\(")):
        control_clock(rate, latency)


def test_latencies_of_a_file_are_milliseconds(tmp_path: Path) -> None:
    (tmp_path / "ms.txt").write_text("80\n\n120.5\n")
    clock = control_clock("25Hz", str(tmp_path / "ms.txt"))
    assert clock == ControlClock(25.0, (0.08, 0.1205))
    assert control_clock("real", None) == ControlClock()
    assert control_clock(None, None) is None


def test_hostile_timing_is_left_out(tmp_path: Path) -> None:
    executed(tmp_path, ControlClock())
    file = tmp_path / "run" / "episodes.jsonl"
    line = json.loads(file.read_text())
    for told in ("x", {"answers": -1}, {"answers": 1e400}, {"answers": 1, "late": True}):
        line["timing"]["clock"] = told
        file.write_text(json.dumps(line) + "\n")
        assert load_report(tmp_path / "run").latency == ()
    line["timing"]["clock"] = {"answers": 1, "late": 0, "waited_steps": 0,
                               "latencies": ["a", None, -1, 1e300, 0.05]}  # fmt: skip
    file.write_text(json.dumps(line) + "\n")
    assert load_report(tmp_path / "run").latency[-1].p50 == pytest.approx(0.05, rel=0.02)


def test_without_a_layout_a_waiting_body_does_what_does_nothing() -> None:
    spec = Box((2,), "float32", -1.0, 1.0, neutral=(0.5, 0.0))
    np.testing.assert_array_equal(held_action(spec, np.ones(2, np.float32)), [0.5, 0.0])


def test_a_waiting_body_keeps_its_targets_and_stops_what_moves() -> None:
    layout = (
        Field("joint_position", 2, "absolute", unit="rad"),
        Field("eef_position", 2, "delta", "world", "m"),
        Field("gripper", 1, "command", sign="positive closes"),
    )
    spec = Box((5,), "float32", -1.0, 1.0, layout=layout)
    last = np.array([0.3, -0.2, 0.5, 0.5, 1.0], np.float32)
    np.testing.assert_allclose(held_action(spec, last), [0.3, -0.2, 0.0, 0.0, 1.0])
    np.testing.assert_allclose(held_action(spec, None), np.zeros(5))


def test_a_gate_plays_by_the_clock_of_its_base(bench_here: Callable[..., Said]) -> None:
    common = ["--workers", "0"]
    few = ["--suite", "smoke", "--tasks", "pointmaze/*", "--episodes", "2"]
    late, waits = ["--latency", "400ms"], []
    for name, clock in (("late", late), ("waits", waits)):
        said = bench_here("run", "--agent", "noop", *few, *common, *clock, "--out", name)
        assert said.code == 0, said.err
    gate = ["gate", "--agent", "noop", *common, "--margin", "0.9"]
    same = bench_here(*gate, "--base", "late", *late, "--control-rate", "real", "--out", "same")
    assert same.code in (0, 3), same.err
    assert load_run("same").plan.clock == load_run("late").plan.clock == ControlClock(None, (0.4,))
    for base, clock, words in (
        (
            "late",
            ["--latency", "80ms"],
            "latency 80 ms; a gate plays by the clock of its base late",
        ),
        ("late", ["--control-rate", "real"], "latency as measured; a gate plays by the clock"),
        ("waits", late, "its base waits (simulated time waits for the agent): leave them out, or"),
    ):
        said = bench_here(*gate, "--base", base, *clock, "--out", "other")
        assert said.code == 2
        assert words in said.err
        assert len(said.err.splitlines()) == 1
    assert not Path("other").exists()

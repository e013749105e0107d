"""What a tracker is told while a run goes on is what the report says of the same lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from reports import game, item, line, run_of, scores, successes, write_report_run

from harness.core import UserError
from harness.records.stored_run import load_run
from leaderboards.report import load_report
from leaderboards.trackers.figures import figures_of
from leaderboards.trackers.following import Following
from leaderboards.trackers.parameters import MOST_TEXT, parameters_of

REACH, PONG = item("toy/reach@1"), game("atari/Pong@1")
LINES = [*successes(REACH, 3), *scores(PONG, 10.0, 20.0, 30.0, 20.0)]


def append(run: Path, text: str) -> None:
    with (run / "episodes.jsonl").open("a") as file:
        file.write(text)


def test_each_look_has_the_reports_figures(tmp_path: Path) -> None:
    run = write_report_run(tmp_path / "run", run_of(REACH, PONG), [])
    following = Following(run)
    for number, each in enumerate(LINES, 1):
        append(run, json.dumps(each) + "\n")
        assert not following.look()
        assert following.episodes == number
        told = following.figures()
        report = figures_of(load_report(run))
        assert told.pop("episodes") == number
        assert told.pop("errors") == 0
        changed = {name for name in told if name.startswith("task/")}
        assert {name.split("/n")[0] for name in changed if name.endswith("/n")} == {
            f"task/{each['task']}"
        }, "only the task that changed"
        assert told == {
            name: value
            for name, value in report.items()
            if name in changed or name.startswith(("overall/", "domain/"))
        }
    assert report["overall/success_rate"] == 0.75
    assert report["overall/success_rate_low"] < 0.75 < report["overall/success_rate_high"]
    assert report["task/atari/Pong@1/score_mean"] == 20.0
    assert report["domain/games/normalised"] == 0.5
    assert "task/atari/Pong@1/success_rate" not in report


def test_a_torn_line_waits_and_an_error_that_is_played_again_counts_once(tmp_path: Path) -> None:
    run = write_report_run(tmp_path / "run", run_of(REACH), [line(REACH, 0, "error")])
    following = Following(run)
    whole = json.dumps(line(REACH, 0, success=True)) + "\n"
    append(run, whole[:40])
    following.look()
    assert following.figures() == {
        "episodes": 0,
        "errors": 1,
        **{f"overall/{name}": 0 for name in ("n", "tasks", "errors", "agent_errors")},
        **{f"overall/{name}": 0 for name in ("simulator_s", "agent_s")},
    }
    append(run, whole[40:] + whole)
    following.look()
    told = following.figures()
    assert (told["episodes"], told["errors"], told["overall/success_rate"]) == (1, 0, 1.0)
    append(run, "{}\n")
    with pytest.raises(UserError, match="is no result: it lacks the field 'case'"):
        following.look()


def test_parameters_say_who_played_what(tmp_path: Path) -> None:
    agent = {"args": {"temperature": 0.5, "model": {"name": "m" * 1000}}}
    run = load_run(write_report_run(tmp_path / "run", run_of(REACH, PONG, **agent), []))
    found = parameters_of(run)
    assert found["agent"] == "walker"
    assert found["agent.args.temperature"] == 0.5
    assert len(str(found["agent.args.model.name"])) == MOST_TEXT
    assert (found["seed"], found["tasks"], found["cases"]) == (3, 2, 8)
    assert found["plan"] == run.description["plan"]["hash"]
    assert (found["bench"], found["package.toysim"], found["machine.cores"]) == ("0.1.0", "1.2", 2)

"""What agents that look at nothing reach stands beside each rate, or is said not to be measured."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from reports import game, item, report_of, run_of, scores, successes, write_report_run

from leaderboards import floors, measure_floors
from leaderboards.render import render
from leaderboards.report import load_report

PROTOCOL = "0123456789ab"


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of floors in place of the one that comes with bench."""
    monkeypatch.setattr(floors, "DATA", tmp_path)
    monkeypatch.setattr(measure_floors, "DATA", tmp_path)
    floors._data.cache_clear()
    yield tmp_path
    floors._data.cache_clear()


def write(folder: Path, **tasks: object) -> None:
    (folder / "toy.json").write_text(
        json.dumps({"schema": 1, "tasks": {f"toy/{k}@1": v for k, v in tasks.items()}})
    )


def rate(value: float) -> dict[str, object]:
    return {"n": 20, "success_rate": value, "score": None}


def test_the_highest_floor_stands_beside_the_rate(shipped: Path):
    write(
        shipped,
        reach={"protocol": PROTOCOL, "noop": rate(0.25), "uniform": rate(0.0)},
        far={"protocol": "another", "noop": rate(0.0), "uniform": rate(0.75)},
    )
    reach, far, new = item(), item("toy/far@1"), item("toy/new@1")
    report = report_of(
        run_of(reach, far, new), [*successes(reach, 4), *successes(far, 4), *successes(new, 1)]
    )
    assert [[each.agent for each in row.floors] for row in report.tasks] == [
        ["noop", "uniform"],
        ["noop", "uniform"],
        [],
    ]
    assert report.overall.floor is None  # unknown in one of its tasks
    text = words(render(report, "text", full=True))
    assert "100.0 51.0 to 100.0 25.0 noop" in text
    assert "100.0 51.0 to 100.0 75.0~ uniform" in text
    assert "25.0 4.6 to 69.9 not measured" in text
    assert "the best of noop, uniform, which look at nothing, in 20 episodes" in text
    assert "~: measured under other versions" in text


def test_a_mean_has_the_floor_of_one_agent_over_all_of_its_tasks(shipped: Path):
    write(
        shipped,
        reach={"protocol": PROTOCOL, "noop": rate(0.5), "uniform": rate(0.0)},
        far={"protocol": PROTOCOL, "noop": rate(0.25), "uniform": rate(0.5)},
    )
    reach, far = item(), item("toy/far@1")
    report = report_of(run_of(reach, far), [*successes(reach, 4), *successes(far, 4)])
    assert report.overall.floor == floors.Floor(agent="noop", n=40, success_rate=0.375, score=None)
    assert json.loads(render(report, "json"))["overall"]["floor"]["success_rate"] == 0.375


def test_a_floor_that_nobody_measured_is_said_to_be_so(shipped: Path):
    reach = item()
    report = report_of(run_of(reach), successes(reach, 4))
    assert report.tasks[0].floors == ()
    assert "Floor not measured" in render(report, "text", full=True)
    assert "floor" not in render(report, "json")


def test_the_floor_of_a_score_is_a_score(shipped: Path):
    pong = game("toy/pong@1", normaliser=None)
    (shipped / "toy.json").write_text(
        json.dumps(
            {
                "tasks": {
                    "toy/pong@1": {
                        "protocol": PROTOCOL,
                        "noop": {"n": 5, "success_rate": None, "score": -21.0},
                        "uniform": {"n": 5, "success_rate": None, "score": -20.5},
                    }
                }
            }
        )
    )
    assert "-20.50 uniform" in render(
        report_of(run_of(pong), scores(pong, 1, 2, 3, 4)), "text", full=True
    )


def test_a_run_of_ones_own_is_a_floor(tmp_path: Path):
    """As for an environment in which doing nothing succeeds."""
    reach = item("own/still@1")
    mine = write_report_run(tmp_path / "mine", run_of(reach), successes(reach, 3))
    null = write_report_run(tmp_path / "null", run_of(reach, name="noop"), successes(reach, 4))
    report = load_report(mine, floors=[null])
    assert report.tasks[0].floors == (
        floors.Floor(agent="noop", n=4, success_rate=1.0, score=None),
    )
    assert "100.0 noop" in render(report, "text", full=True)


def test_a_floor_of_other_versions_is_marked_and_of_another_task_left_out(tmp_path: Path):
    """Such as a browser or fonts, which are among the versions that the protocol holds."""
    reach = item("own/still@1")
    older = dataclasses.replace(reach, protocol="ba9876543210", packages={"toysim": "1.1"})
    longer = dataclasses.replace(older, task=dataclasses.replace(older.task, max_steps=7))
    mine = write_report_run(tmp_path / "mine", run_of(reach), successes(reach, 3))
    for name, played, marked in (("old", older, True), ("other", longer, False)):
        null = write_report_run(tmp_path / name, run_of(played, name="noop"), successes(played, 4))
        report = load_report(mine, floors=[null])
        assert [each.other_versions for each in report.tasks[0].floors] == [True] * marked
        page = words(render(report, "text", full=True))
        assert ("100.0~ noop" in page) == ("~: measured under other versions" in page) == marked


EGL, OTHER = ["egl, Mesa, llvmpipe"], ["egl, NVIDIA Corporation, NVIDIA A100"]


@pytest.mark.parametrize(
    ("ours", "theirs", "marked"),
    [(EGL, EGL, False), (EGL, OTHER, True), (EGL, [], False), ([], OTHER, False)],
)
def test_a_floor_that_another_renderer_drew_is_marked(
    tmp_path: Path, ours: list[str], theirs: list[str], marked: bool
):
    """Both agents read drawn views; the floors that come with bench read none."""
    reach = item("own/still@1")

    def run(name: str, renderers: list[str], solved: int) -> Path:
        lines = successes(reach, solved)
        for line in lines:
            line["timing"] |= {"renderer": renderers[0]} if renderers else {}
        return write_report_run(tmp_path / name, run_of(reach, name=name), lines)

    report = load_report(run("mine", ours, 3), floors=[run("looker", theirs, 4)])
    (floor,) = report.tasks[0].floors
    assert (floor.renderers, floor.other_renderer) == (tuple(theirs), marked)
    page = words(render(report, "text", full=True))
    assert ("100.0~ looker" in page) == ("~: measured with another renderer" in page) == marked
    assert ("the agent read were drawn by: egl, Mesa, llvmpipe" in page) == bool(ours)
    row = json.loads(render(report, "json"))["tasks"][0]
    assert row.get("renderers", []) == ours
    assert report.overall.floor is not None
    assert report.overall.floor.other_renderer == marked


def test_a_shipped_floor_may_name_its_renderer(shipped: Path):
    write(
        shipped,
        reach={"protocol": PROTOCOL, "noop": rate(0.25), "uniform": rate(0.5) | {"renderers": EGL}},
    )
    reach = item()
    lines = successes(reach, 4)
    for line in lines:
        line["timing"]["renderer"] = OTHER[0]
    (row,) = report_of(run_of(reach), lines).tasks
    assert [each.other_renderer for each in row.floors] == [False, True]


def test_the_header_counts_the_tasks_of_each_renderer():
    reach, far, none = item(), item("toy/far@1"), item("toy/none@1")
    lines = [*successes(reach, 4), *successes(far, 4), *successes(none, 4)]
    for line in lines:
        if line["task"] != none.task.id:
            line["timing"]["renderer"] = EGL[0] if line["task"] == far.task.id else OTHER[0]
    page = words(render(report_of(run_of(reach, far, none), lines), "text", full=True))
    assert f"drawn by: {OTHER[0]} (1 task); {EGL[0]} (1 task)" in page


def test_measured_floors_are_written_by_task_and_protocol(shipped: Path):
    write(shipped, far={"protocol": PROTOCOL, "noop": rate(0.5)})
    measure_floors._write("noop", {"toy/reach@1": {"protocol": PROTOCOL, "noop": rate(0.25)}})
    measure_floors._write("uniform", {"toy/reach@1": {"protocol": PROTOCOL, "uniform": rate(0.0)}})
    measure_floors._write("uniform", {"toy/far@1": {"protocol": "new", "uniform": rate(0.75)}})
    reach, far = (floors.shipped_floors(f"toy/{name}@1", PROTOCOL) for name in ("reach", "far"))
    assert [(each.agent, each.success_rate) for each in reach] == [("noop", 0.25), ("uniform", 0.0)]
    # What was measured under the old protocol is gone.
    assert [(each.agent, each.other_versions) for each in far] == [("uniform", True)]


def test_the_floors_that_come_with_bench_are_complete():
    assert list(floors.DATA.glob("*.json"))
    for file in floors.DATA.glob("*.json"):
        for task, found in json.loads(file.read_text())["tasks"].items():
            assert task.partition("/")[0] == file.stem
            assert {"noop", "uniform"} <= set(found), task
            for floor in floors.shipped_floors(task, found["protocol"]):
                assert floor.n >= 1  # how many stands beside each
                assert floor.value is not None

"""Privileged views: who read one says so, in header, row and JSON, by domain, and beside others."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
import reports
import toys
from conftest import Notes

from adapters import ADAPTERS
from harness.compare.pairs import read_scored_run
from harness.core import Reference, Suite, Task, Turn
from harness.perturb.parse import parse_conditions
from harness.play.planning import make_plan
from harness.play.runner import RunOptions, play
from harness.records.live_agent import live
from harness.records.registry import load
from leaderboards.compare import compare_runs
from leaderboards.published import render_published
from leaderboards.render import render
from leaderboards.report import load_report
from leaderboards.schema import Report


class SecretToy(toys.ToyAdapter):
    """The toy whose state tells the goal's place, which no picture has to."""

    privileged_views: ClassVar[tuple[str, ...]] = ("state",)


FIGURES = tuple(
    Reference(label, 0.5, "success_rate", "here", "", True, "paper", "Toys", 1, "", "", told)
    for label, told in (("pictures", False), ("planner", True))
)
SECRET = dataclasses.replace(
    toys.toy_task("secret", adapter=f"{__name__}:SecretToy"), references=FIGURES
)
PLAIN = dataclasses.replace(toys.toy_task("plain", domain="games"), references=FIGURES)


def still(turns: Sequence[Turn]) -> list[Any]:
    return [turn.brief.action.noop() for turn in turns]


def seeing(*views: str, step: int = 0) -> Any:
    """A function that touches these views at one step."""

    def act(turns: Sequence[Turn]) -> list[Any]:
        for turn in turns:
            if turn.step == step:
                [turn.observation[view] for view in views]
        return still(turns)

    return act


def played(
    path: Path,
    agent: Any,
    reads: tuple[str, ...],
    tasks: Sequence[Task] = (SECRET, PLAIN),
    perturb: str = "",
) -> Path:
    spec = live(agent, reads, 1, f"{path.parent.name}-{path.name}")
    suite = Suite("toys", "toys", tuple(tasks), 2)
    conditions = parse_conditions(perturb, ()) if perturb else ()
    chosen = [(suite, task) for task in tasks]
    plan = make_plan(chosen, spec, episodes=2, seed=0, perturb=conditions)
    play(spec, ["toys"], plan, path, RunOptions(workers=0), Notes())
    return path


def views_read(run: Path) -> dict[str, list[list[str]]]:
    found: dict[str, list[list[str]]] = {}
    for line in map(json.loads, (run / "episodes.jsonl").read_text().splitlines()):
        found.setdefault(line["task"], []).append(line["timing"].get("privileged", []))
    return found


@pytest.mark.parametrize(
    ("agent", "reads", "told"),
    [
        (still, ("state",), ["state"]),
        (still, ("image",), []),
        (still, (), []),
        (still, ("*",), []),
        (seeing("image"), ("*",), []),
        (seeing("state"), ("*",), ["state"]),
        (seeing("state", step=7), ("*",), ["state"]),
    ],
    ids=["declared", "pictures", "nothing", "untouched", "image", "touched", "touched-late"],
)
def test_a_line_says_which_privileged_views_were_read(
    tmp_path: Path, agent: Any, reads: tuple[str, ...], told: list[str]
) -> None:
    run = played(tmp_path / "run", agent, reads)
    assert views_read(run) == {"toys/secret@1": [told, told], "toys/plain@1": [[], []]}


def test_of_a_perturbed_episode_only_what_was_touched_counts(tmp_path: Path) -> None:
    for name, agent, told in (("a", seeing("image"), []), ("b", seeing("state"), ["state"])):
        run = played(tmp_path / name, agent, ("*",), [SECRET], "action_random:1")
        assert views_read(run) == {"toys/secret@1": [told] * 4}


@pytest.fixture(scope="module")
def privileged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return played(tmp_path_factory.mktemp("p") / "run", seeing("state", step=3), ("*",))


@pytest.fixture(scope="module")
def sighted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return played(tmp_path_factory.mktemp("s") / "run", seeing("image"), ("*",))


def test_header_row_and_json_say_it_by_domain(privileged: Path, sighted: Path) -> None:
    report = load_report(privileged)
    for format in ("text", "markdown", "latex"):
        page = " ".join(render(report, format, full=True).split())
        assert "sensor of its body: state in navigation; not in games" in page
        assert page.count("privileged: reads state") == 3, "the task, its domain and overall"
        assert "sensor of its body" not in render(load_report(sighted), format, full=True)
    short = render(report, "text")
    assert "\nprivileged: read state, in navigation\n" in short
    assert "\n(a) privileged: reads state\n" in short
    signed = [line.split() for line in short.splitlines() if line.endswith(" a")]
    assert [line[0] for line in signed] == ["toys/secret@1", "navigation", "overall"]
    assert "privileged: " not in render(load_report(sighted), "text")
    told = json.loads(render(report, "json"))
    assert {row["task"]: row.get("privileged") for row in told["tasks"]} == {
        "toys/secret@1": ["state"],
        "toys/plain@1": None,
    }
    by_domain = {row["domain"]: row["privileged"] for row in told["domains"] if "privileged" in row}
    assert by_domain == {"navigation": ["state"]}
    assert told["overall"]["privileged"] == ["state"]
    rows = list(csv.DictReader(io.StringIO(render(report, "csv"))))
    assert [row["privileged"] for row in rows] == ['["state"]', ""]
    assert '"privileged": ["' not in render(load_report(sighted), "json")


def marks(report: Report) -> dict[str, tuple[bool, bool]]:
    """Task -> whether the figure of pictures, and that of the planner, is across the line."""
    lines = [line for line in render(report, "markdown").splitlines() if "pictures 50" in line]
    return {line.split()[1]: ("pictures 50.0‡" in line, "planner 50.0†‡" in line) for line in lines}


def test_published_figures_across_the_line_are_marked(privileged: Path, sighted: Path) -> None:
    assert marks(load_report(privileged)) == {
        "toys/secret@1": (True, False),
        "toys/plain@1": (False, True),
    }
    assert marks(load_report(sighted)) == {
        "toys/secret@1": (False, True),
        "toys/plain@1": (False, True),
    }
    page = render_published(load_report(privileged), "paper", "text")
    assert "one is privileged and the other is not" in " ".join(page.split())
    (row,) = json.loads(render_published(load_report(privileged), "paper", "json"))["against"][
        "rows"
    ]
    assert (row["privileged"], row["privileged_figures"]) == (["state"], ["planner"])


def test_who_sees_the_expert_is_across_the_line_too() -> None:
    item = reports.item("toy/a@1", references=FIGURES)
    run = reports.run_of(item, reads=["expert"], privileged=True)
    report = reports.report_of(run, reports.successes(item, 2))
    assert marks(report) == {"toy/a@1": (True, False)}


def test_a_comparison_across_the_line_says_so(privileged: Path, sighted: Path) -> None:
    runs = [read_scored_run(path, name) for path, name in ((privileged, "p"), (sighted, "s"))]
    said = compare_runs(*runs, 0.05, 0.05).notes
    assert any(
        "p read privileged views (state in navigation), s did not" in note for note in said
    ), said
    back = compare_runs(*reversed(runs), 0.05, 0.05).notes
    assert any("p read privileged views" in note for note in back)
    again = played(privileged.parent / "again", seeing("state"), ("*",))
    alike = compare_runs(runs[0], read_scored_run(again, "q"), 0.05, 0.05).notes
    assert not any("privileged" in note for note in alike)


def test_a_comparison_of_robustness_says_so_too(tmp_path: Path, bench_here: Any) -> None:
    for name, agent in (("base", seeing("state")), ("new", seeing("image"))):
        played(tmp_path / name, agent, ("*",), [SECRET], "action_random:1")
    said = bench_here("compare", tmp_path / "base", tmp_path / "new", "--robustness")
    assert said.code == 0
    assert "read privileged views (state in navigation)" in " ".join(said.out.split())


def test_a_gate_across_the_line_says_so(tmp_path: Path, bench_here: Any) -> None:
    base = played(tmp_path / "base", seeing("image"), ("*",), [SECRET])
    options = ("--workers", 0, "--trust", "--out", "new", "--format", "json")
    said = bench_here("gate", "--agent", "toys:GoodAgent", "--base", base, *options)
    (note,) = json.loads(said.out)["notes"]
    assert "read privileged views (state in navigation)" in note


def test_a_floor_across_the_line_is_marked(privileged: Path, sighted: Path) -> None:
    def floors(run: Path, floor: Path) -> list[str]:
        page = render(load_report(run, floors=[floor]), "markdown")
        lines = [line for line in page.splitlines() if line.startswith("| toys/")]
        return ["‡" if "0.0‡ " in line else "" for line in lines]

    assert floors(privileged, sighted) == ["‡", ""], "the second task has no privileged view"
    assert floors(sighted, privileged) == ["‡", ""]
    assert floors(sighted, sighted) == floors(privileged, privileged) == ["", ""]
    report = load_report(sighted, floors=[privileged])
    told = json.loads(render(report, "json"))
    assert [row["floors"][0].get("privileged") for row in told["tasks"]] == [True, None]
    assert "one is privileged and the other is not" in " ".join(render(report, "text").split())


def test_results_of_schema_1_do_not_tell() -> None:
    item = reports.item()
    run = reports.run_of(item, reads=["state"])
    run["schema"] = 1
    said = render(reports.report_of(run, reports.successes(item, 2)), "text")
    assert "was not recorded: results of schema 1" in said


def test_what_a_stranger_writes_is_left_out_where_it_is_malformed() -> None:
    item = reports.item()
    for told in ("state", {"state": 1}, [1, None], 5):
        line = reports.line(item, 0, success=True)
        line["timing"]["privileged"] = told
        report = reports.report_of(reports.run_of(item), [line])
        assert report.tasks[0].privileged == ()


@pytest.mark.parametrize("family", ADAPTERS)
def test_our_adapters_declare_the_views_that_they_call_state(family: str) -> None:
    declared = load(ADAPTERS[family]).privileged_views
    with_state = {
        "atari", "metaworld", "maniskill", "grasp-tail", "simpler", "pointmaze", "antmaze",
        "fetch", "hand-touch", "miniworld", "vizdoom", "vizdoom-audio", "habitat", "calvin",
        "libero", "pusht", "aloha", "crafter",
    }  # fmt: skip
    assert ("state" in declared) == (family in with_state)
    assert not any(name.startswith(("image", "depth", "text", "proprio")) for name in declared)

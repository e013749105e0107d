"""`bench report --against`: our figures beside published ones."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import pytest
import toys
from conftest import Notes, plan_of

from harness.core import Normaliser, Reference, Suite, Task, UserError
from harness.play.planning import make_plan
from harness.play.runner import RunOptions, play
from harness.records.catalogue import find_suites
from leaderboards.published import published_rows, render_published
from leaderboards.render import render
from leaderboards.report import load_report
from leaderboards.schema import Report
from suites import SUITES
from suites.gea_paper import ROWS

PAPER = "a paper, table 1"


def figures(row: str, same: bool = True, **values: float) -> tuple[Reference, ...]:
    rule = "" if same else "in the dark"
    return tuple(
        Reference(label.replace("_", " "), value, "success_rate", PAPER, rule, same, "paper", row)
        for label, value in values.items()
    )


def task(id: str, references: tuple[Reference, ...], **params: Any) -> Task:
    return dataclasses.replace(
        toys.toy_task(**params),
        id=id,
        references=references,
        rule=f"rule of {id.partition('/')[0]}",
    )


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Two benchmarks, one of them by two rules, and one that cannot run; solved by the expert."""
    grid = figures("Grid", ours=0.9, base=0.4)
    own = Reference("other", 0.5, "success_rate", "elsewhere", "another rule")
    tasks = [
        task("grid/a@1", (*grid, own)),
        task("grid/b@1", (*grid, dataclasses.replace(own, value=0.3))),
        task("dark/a@1", figures("Grid", False, ours=0.9, base=0.4)),
        task("gone/x@1", figures("Gone", ours=0.7), fault="missing"),
    ]
    spec, plan = plan_of("baselines.simple:Oracle", tasks, 3)
    path = tmp_path_factory.mktemp("against") / "run"
    play(spec, ["toys"], plan, path, RunOptions(workers=0), Notes())
    return load_report(path)


def test_a_row_for_each_benchmark_and_rule(report: Report) -> None:
    rows = {row.family: row for row in published_rows(report, "paper")}
    assert [*rows] == ["grid", "dark", "gone"]
    assert {row.benchmark for row in rows.values()} == {"Grid", "Gone"}
    grid, dark, gone = rows.values()
    assert (grid.tasks, grid.tasks_with_result, grid.n, grid.measure) == (2, 2, 6, "success_rate")
    assert grid.ours is not None
    assert grid.ours.value == 1.0
    assert grid.ours.low is not None
    assert grid.ours.low < 0.8
    assert grid.published == {"ours": 0.9, "base": 0.4}
    assert (grid.same_rule, dark.same_rule, dark.our_rule, dark.their_rule) == (
        True,
        False,
        "rule of dark",
        "in the dark",
    )
    assert (gone.tasks, gone.tasks_with_result, gone.ours, gone.published) == (
        1,
        0,
        None,
        {},
    )
    assert gone.row_tasks == {"ours": 1}, "a mean is printed where all of its tasks ran"
    assert gone.not_run == (("there is no chalk to draw the square", "buy chalk", 1),)


def test_a_label_does_as_well_as_a_table(report: Report) -> None:
    (row,) = published_rows(report, "OTHER")
    assert row.benchmark == row.family == "grid"
    assert row.published == {"other": pytest.approx(0.4)}, "the mean of the tasks' own figures"


def test_an_unknown_name_is_said_with_what_there_is(report: Report) -> None:
    with pytest.raises(UserError, match=r"--against papre: .*did you mean paper\?"):
        published_rows(report, "papre")
    with pytest.raises(UserError, match="there are base, other, ours, paper"):
        published_rows(report, "zzz")
    bare = dataclasses.replace(
        report,
        tasks=tuple(dataclasses.replace(row, reference=()) for row in report.tasks),
        not_run=(),
    )
    with pytest.raises(UserError, match="no published figures"):
        published_rows(bare, "paper")


def test_all_formats_say_the_same(report: Report) -> None:
    text, markdown, latex = (
        render_published(report, "paper", format) for format in ("text", "markdown", "latex")
    )
    for page in (text, markdown, latex):
        assert "90.0*" in page.replace("\\", "")
        assert "buy chalk" in page
        assert "in the dark" in page
    found = json.loads(render_published(report, "paper", "json"))
    assert found["against"]["name"] == "paper"
    assert [row["family"] for row in found["against"]["rows"]] == ["grid", "dark", "gone"]
    assert "references" not in found["not_run"][0]
    rows = list(csv.DictReader(io.StringIO(render_published(report, "paper", "csv"))))
    assert json.loads(rows[0]["published"]) == {"ours": 0.9, "base": 0.4}
    with pytest.raises(UserError, match="not as html"):
        render_published(report, "paper", "html")


def test_a_median_stands_beside_a_mean_of_scores(tmp_path: Path) -> None:
    """Three games of which one would carry the mean."""
    scale = Normaliser(0.0, 20.0, "nothing", "all", "here")
    figure = (Reference("ours", 0.5, "normalised", PAPER, "", True, "paper", "Games"),)
    tasks = [
        dataclasses.replace(
            toys.toy_task("survive", success=None, max_steps=20, normaliser=each),
            id=f"games/{name}@1",
            references=figure,
            rule="points",
        )
        for name, each in (
            ("a", scale),
            ("b", scale),
            ("c", dataclasses.replace(scale, low=-0.1, high=0.1)),
        )
    ]
    spec, plan = plan_of("baselines.simple:Uniform", tasks, 2)
    play(spec, ["toys"], plan, tmp_path / "run", RunOptions(workers=0), Notes())
    report = load_report(tmp_path / "run")
    (row,) = published_rows(report, "paper")
    scores = sorted(each.normalised or 0.0 for each in report.tasks)
    assert len(scores) == 3
    assert (row.measure, row.median) == ("normalised", scores[1])
    assert row.ours is not None
    assert row.ours.value == pytest.approx(sum(scores) / 3)
    assert row.ours.low is None
    assert f"{100 * scores[1]:.1f}" in render_published(report, "paper", "text", full=True)


def test_a_mean_stands_beside_all_of_its_tasks_only(tmp_path: Path) -> None:
    """Two tasks, each with its own figure, of a benchmark of three; then of one of two."""

    def report_of(over: int) -> Report:
        mean = Reference("ours", 0.7, "success_rate", PAPER, "", True, "paper", "Grid", over)
        tasks = [
            task(f"grid/{name}@1", (dataclasses.replace(mean, value=own, tasks=1), mean))
            for name, own in (("a", 0.8), ("b", 0.6))
        ]
        spec, plan = plan_of("baselines.simple:Oracle", tasks, 2)
        path = tmp_path / str(over)
        play(spec, ["toys"], plan, path, RunOptions(workers=0), Notes())
        return load_report(path)

    part, whole = report_of(3), report_of(2)
    (row,) = published_rows(part, "paper")
    assert (row.published, row.row_tasks, row.same_rule) == ({}, {"ours": 3}, False)
    (row,) = published_rows(whole, "paper")
    assert (row.published, row.row_tasks, row.same_rule) == ({"ours": 0.7}, {}, True)
    against = render_published(part, "paper", "text", full=True)
    assert "2 of 3" in against
    assert "the published mean is over 3" in against
    assert "70.0" not in against
    for page, mean in (
        (against, False),
        (render_published(whole, "paper", "text", full=True), True),
    ):
        assert ("70.0" in page) == mean
        lines = page.partition("TASK BY TASK")[2].splitlines()
        cells = {line.split()[0]: line.split()[-1] for line in lines if line.startswith("grid/")}
        assert cells == {"grid/a@1": "80.0‡", "grid/b@1": "60.0‡"}, "the oracle is privileged"
    for report, value, tasks in ((part, "-", "2 of 3"), (whole, "70.0", "2")):
        table = render(report, "text", full=True).partition("PUBLISHED FIGURES")[2]
        (line,) = (each for each in table.splitlines() if "Grid: ours" in each and tasks in each)
        assert value in line
        assert ("the same, over more tasks" in table) == (report is part)


def test_each_figure_has_its_own_rule(tmp_path: Path) -> None:
    """One by our rule, one by another; and a task that cannot run, whose figure is no mean."""
    ours = Reference("ours", 0.7, "success_rate", PAPER, "as here", True, "paper", "Grid", 1)
    other = dataclasses.replace(ours, label="other", rule="in the dark", same_rule=False)
    gone = dataclasses.replace(ours, row="Gone", value=0.3)
    tasks = [task("grid/a@1", (ours, other)), task("gone/x@1", (gone,), fault="missing")]
    spec, plan = plan_of("baselines.simple:Uniform", tasks, 2)
    play(spec, ["toys"], plan, tmp_path / "run", RunOptions(workers=0), Notes())
    report = load_report(tmp_path / "run")
    grid, lost = published_rows(report, "paper")
    assert (grid.same_rule, grid.other_rules) == (False, ("other",))
    assert (lost.tasks_with_result, lost.published, lost.row_tasks) == (0, {"ours": 0.3}, {})
    page = " ".join(render_published(report, "paper", "markdown").split())
    assert "| 70.0 | 70.0\\* |" in page
    assert "the same (ours): as here; another (other): in the dark" in page


def test_figures_of_agents_that_are_set_apart_are_marked(tmp_path: Path) -> None:
    figure = Reference("RL", 0.5, "success_rate", PAPER, "", True, "paper", "Grid", 1)
    told = dataclasses.replace(figure, agent="reads the state", privileged=True)
    spec, plan = plan_of("baselines.simple:Oracle", [task("grid/a@1", (told,))], 2)
    play(spec, ["toys"], plan, tmp_path / "run", RunOptions(workers=0), Notes())
    report = load_report(tmp_path / "run")
    for page in (
        render_published(report, "paper", "text", full=True),
        render(report, "text", full=True),
    ):
        assert "50.0†" in page or "50†" in page
        assert "privileged: reads the state" in page
    (row,) = json.loads(render_published(report, "paper", "json"))["against"]["rows"]
    assert row["agents"] == {"RL": "privileged: reads the state"}


def test_figures_of_parts_have_a_table_of_their_own(tmp_path: Path) -> None:
    whole = Reference("ours", 0.5, "success_rate", PAPER, "", True, "paper", "Grid", 1)
    parts = [dataclasses.replace(whole, part=name, value=v) for name, v in (("x", 0.4), ("y", 0.6))]
    spec, plan = plan_of("baselines.simple:Uniform", [task("grid/a@1", (whole, *parts))], 2)
    play(spec, ["toys"], plan, tmp_path / "run", RunOptions(workers=0), Notes())
    report = load_report(tmp_path / "run")
    table = render(report, "markdown").partition("published figures of parts")[2]
    rows = [[cell.strip() for cell in line.split("|")[-3:-1]] for line in table.splitlines()[4:6]]
    assert rows == [["x", "40.0"], ["y", "60.0"]]
    (row,) = published_rows(report, "paper")
    assert row.published == {"ours": 0.5}


def test_a_suite_may_count_by_task() -> None:
    spec, _ = plan_of("baselines.simple:Uniform", [], 1)
    tasks = (toys.toy_task("a"), toys.toy_task("b"))
    suite = Suite("mixed", "mixed", tasks, 3, counts={"toys/b@1": 7})
    chosen = [(suite, each) for each in tasks]
    assert [item.episodes for item in make_plan(chosen, spec, episodes=None, seed=0).items] == [
        3,
        7,
    ]
    assert [item.episodes for item in make_plan(chosen, spec, episodes=2, seed=0).items] == [2, 2]


def test_the_papers_table_has_every_row() -> None:
    """Each benchmark of arXiv 2412.08442, table 2.

    Where the rule is the paper's, so are the numbers of tasks and of episodes.
    """
    suite = find_suites("gea", SUITES)[0]
    rows: dict[tuple[str, str], list[Task]] = {}
    for each in suite.tasks:
        rows.setdefault(
            (next(r.row for r in each.references if r.table == "gea"), each.id.partition("/")[0]),
            [],
        ).append(each)
    counted = {name: (len(tasks), suite.episodes_of(tasks[0])) for name, tasks in rows.items()}
    assert counted == {
        ("Meta-World", "metaworld"): (45, 50),
        ("CALVIN ABC to D", "calvin-first"): (1, 1000),
        ("CALVIN ABC to D", "calvin"): (1, 1000),
        ("ManiSkill", "maniskill"): (5, 100),
        ("Habitat Pick", "habitat-rearrange"): (1, 500),
        ("Habitat Place", "habitat-rearrange"): (1, 500),
        ("Habitat Pick", "habitat"): (1, 500),
        ("Habitat Place", "habitat"): (1, 500),
        ("Habitat Nav", "habitat"): (1, 500),
        ("Procgen", "procgen"): (16, 50),
        ("Atari", "atari"): (44, 10),
        ("Atari", "atari-sticky"): (44, 10),
        ("BabyAI", "babyai"): (17, 100),
        ("AndroidControl", "androidcontrol-gea"): (1, 500),
        ("AndroidControl", "androidcontrol"): (1, 500),
        ("LangR", "langr"): (9, 100),
    }
    gea = {
        r.row: r.value
        for each in suite.tasks
        for r in each.references
        if (r.table, r.label) == ("gea", "GEA") and r.tasks == ROWS[r.row].tasks and not r.part
    }
    assert gea == {
        "Meta-World": 0.947,
        "CALVIN ABC to D": 0.9,
        "ManiSkill": 0.136,
        "Habitat Pick": 0.825,
        "Habitat Place": 0.935,
        "Habitat Nav": 0.625,
        "Procgen": 0.44,
        "Atari": 0.327,
        "BabyAI": 0.911,
        "AndroidControl": 0.573,
        "LangR": 0.5,
    }

"""The formats of a report: text, Markdown, LaTeX, CSV and JSON, and the summary of a run."""

from __future__ import annotations

import csv
import dataclasses
import io
import json

import pytest
import toys
from reports import game, item, line, report_of, run_of, scores, successes

from harness.core import DOMAINS, Reference, UserError
from harness.records.plan import NotRun
from leaderboards.render import FORMATS, render
from leaderboards.report import load_report, summary
from leaderboards.schema import Report, report_to_json
from leaderboards.tables import FULL_WIDTH


@pytest.fixture
def mixed() -> Report:
    """All that a report can hold: several suites, rules and references, missing cases, tasks that
    cannot run."""
    figures = (
        Reference("GEA", 91.1, "success %", "arXiv 2412.08442", "another camera"),
        Reference("Bot", 99.0, "success %", "the authors", "", True),
    )
    long = "opens every door of the largest maze with_two_keys & 100 % of the boxes"
    tasks = [
        item(f"toy/task{k}@1", episodes=5, rule="return > 0" if k else long, references=figures)
        for k in range(70)
    ]
    own = [
        game(
            f"atari/game_{k}@1",
            references=(Reference("DQN", 7.5 * k, "mean score", "Mnih 2015", "", True),),
            rule="points",
        )
        for k in range(3)
    ]
    rows = [
        NotRun(
            f"ui/click{k}@1",
            "ui",
            "miniwob",
            "there is no browser",
            "apt install chromium chromium-driver",
        )
        for k in range(57)
    ]
    lines = [x for k, t in enumerate(tasks) if k != 69 for x in successes(t, k % 6)]
    lines += [x for k, t in enumerate(own) for x in scores(t, 12, 20, 28, 30 + k)]
    lines[0] |= {"status": "error", "success": None, "score": None}
    lines[6] |= {"status": "agent_error", "success": False, "score": None, "ended": "agent_error"}
    return report_of(
        run_of(*tasks, *own, not_run=rows, args={"noise": 0.1}) | {"finished": None}, lines
    )


def test_the_full_text_shows_every_task(mixed: Report):
    text = render(mixed, "text", full=True)
    assert max(map(len, text.splitlines())) <= FULL_WIDTH
    words = " ".join(text.split())
    for row in mixed.tasks:
        assert row.task in text
    for said in (
        "walker (my.agents:Walker noise=0.1): reads image, state",
        "suites toy, atari, miniwob; seed 3; bench 0.1.0; toysim 1.2",
        "not finished",
        "means of the rates of these tasks, each weighing the same",
        "partial: 1 error",
        "1 agent error",
        "57 tasks miniwob ui there is no browser apt install chromium chromium-driver",
    ):
        assert said in words
    assert text.count("91.1") == 1  # a figure of the suite, not of each of its 70 tasks
    assert "Other rules: (1) another camera" in words
    assert "another: 1" in words
    games = [line.split() for line in text.splitlines() if line.startswith("atari/game_")]
    assert [line[line.index("DQN") + 1] for line in games] == ["0", "7.5", "15"]
    assert words.count("no interval of the score: needs 100 episodes") == 3
    assert [
        line.split()[0]
        for line in text.splitlines()
        if line.split()[:1] and line.split()[0] in DOMAINS
    ] == ["games", "planning"]  # no row without data
    header, _, _ = text.partition("\n\n")
    assert max(map(len, header.splitlines())) <= 96


def test_a_privileged_agent_is_called_so():
    reach = item()
    text = render(
        report_of(run_of(reach, reads=["expert"], privileged=True), successes(reach, 4)), "text"
    )
    assert text.startswith("walker (my.agents:Walker): privileged: sees the expert\n")


def test_the_full_text_never_breaks_a_name():
    long = item("toy/" + "a" * 90 + "@1", rule="r" * 200)
    report = report_of(run_of(long), [line(long, 0, "agent_error")])
    assert f"\n{long.task.id} " in render(report, "text", full=True)


def test_json_is_the_documented_schema(mixed: Report):
    found = json.loads(render(mixed, "json"))
    assert found == report_to_json(mixed)
    assert list(found) == [
        "schema",
        "run",
        "overall",
        "domains",
        "suites",
        "tasks",
        "perturbations",
        "not_run",
        "endless",
    ]
    assert found["schema"] == 1
    documented = [
        "task",
        "domain",
        "suite",
        "rule",
        "planned",
        "n",
        "successes",
        "agent_errors",
        "errors",
        "partial",
        "success_rate",
        "ci_low",
        "ci_high",
    ]
    documented += ["rate_if_missing_fail", "score_mean", "normalised", "steps_mean", "reference"]
    assert set(documented) <= set(found["tasks"][0])
    assert found["tasks"][0]["reference"][0] == {
        "label": "GEA",
        "value": 91.1,
        "metric": "success %",
        "source": "arXiv 2412.08442",
        "rule": "another camera",
        "same_rule": False,
        "table": "",
        "row": "",
    }
    assert [row["domain"] for row in found["domains"]] == list(DOMAINS)
    assert len(found["not_run"]) == 57
    assert set(found["not_run"][0]) == {
        "task",
        "domain",
        "suite",
        "reason",
        "remedy",
        "perturbation",
    }
    assert found["run"]["packages"] == {"toysim": "1.2"}


def test_csv_holds_every_task(mixed: Report):
    rows = list(csv.DictReader(io.StringIO(render(mixed, "csv"))))
    assert [row["task"] for row in rows] == [row.task for row in mixed.tasks]
    assert float(rows[2]["success_rate"]) == 0.4
    assert rows[69]["success_rate"] == ""
    assert json.loads(rows[0]["reference"])[0]["label"] == "GEA"


def test_markdown_and_latex_are_escaped():
    odd = item("toy/a|b_<i>@1", rule="50 % & more_ {x} $y ~ \\ #1 ^2")
    report = report_of(run_of(odd), successes(odd, 1))
    markdown, latex = render(report, "markdown"), render(report, "latex")
    assert "toy/a\\|b\\_&lt;i&gt;`@`1" in markdown
    table = [line for line in markdown.splitlines() if line.startswith("| toy/")]
    assert len(table) == 1
    assert "50 \\% \\& more\\_ \\{x\\} \\$y" in latex
    assert "toy/a|b\\_\\ensuremath{<}i\\ensuremath{>}@1" in latex
    assert "50 % &" not in latex


def test_long_latex_tables_break_over_pages(mixed: Report):
    latex = render(mixed, "latex")
    assert latex.count("\\begin{longtable}") == latex.count("\\end{longtable}") == 1
    assert latex.count("\\begin{tabular}") == latex.count("\\end{tabular}") >= 4


def test_text_from_a_file_does_not_steer_the_terminal():
    odd = item("toy/\x1b[2Ja@1", rule="one\ntwo\x07")
    report = report_of(run_of(odd, name="x\x1b]0;y\x07"), successes(odd, 1))
    for name in ("text", "markdown", "latex"):
        assert not {"\x1b", "\x07"} & set(render(report, name))


def test_an_empty_run_renders():
    rows = [NotRun("ui/click@1", "ui", "miniwob", "no browser", "install one")]
    report = report_of(run_of(not_run=rows), [])
    for name in FORMATS:
        assert render(report, name)
    assert "ui/click@1" in render(report, "text")
    assert "0 of 0 episodes" in summary(report)


def test_an_unknown_format_is_refused(mixed: Report):
    with pytest.raises(UserError, match="choose text, markdown"):
        render(mixed, "pdf")


def test_summary(mixed: Report):
    total = mixed.overall
    rates = [f"{100 * rate:.1f}" for rate in dataclasses.astuple(total.interval)]
    assert summary(mixed).splitlines() == [
        "walker: 356 of 362 episodes scored, 72 of 73 tasks",
        f"{total.successes} of 344 succeeded; "
        f"mean of the rates of 69 tasks {rates[0]} % [{rates[1]}, {rates[2]}]",
        f"mean of task rates and normalised scores {total.normalised:.3f}",
        f"{total.ended['horizon']} of 356 hit the horizon",
        "1 ended in an error of the agent: it counts as a failure",
        "partial: 1 error, 5 not played",
        "57 tasks cannot run here: the report names the remedies",
    ]


def test_the_report_of_a_run_that_was_really_played(play_toys):
    run = play_toys(episodes=3, workers=0)
    report = load_report(run.path)
    assert report.overall.n == report.overall.planned == len(run.results)
    assert report.overall.successes == sum(bool(result["success"]) for result in run.results)
    assert [row.task for row in report.tasks] == list(
        dict.fromkeys(task.id for task in toys.SUITE_TASKS)
    )
    for name in FORMATS:
        assert render(report, name)

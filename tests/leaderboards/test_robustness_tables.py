"""The figures of perturbed runs as tables and as curves."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from perturbedruns import GAMES, NOISE, PLAN, SCORES, WINS, described, fill, report_lines, row
from reports import report_of

from harness.core import UserError
from harness.records.plan import NotRun, Plan
from leaderboards.curves import draw_curves, figure_of
from leaderboards.data_formats import json_page
from leaderboards.render import FORMATS, render
from leaderboards.robustness import robustness
from leaderboards.robustness_tables import robustness_tables
from leaderboards.schema import report_to_json


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_has_them(format: str) -> None:
    run, episodes = report_lines()
    text = render(report_of(run, episodes), format)
    assert text
    if format == "json":
        rows = json.loads(text)["perturbations"]
        assert {
            "perturbation",
            "severity",
            "task",
            "domain",
            "suite",
            "rule",
            "planned",
            "n",
            "successes",
            "agent_errors",
            "errors",
        } <= set(rows[0])
        assert {
            "partial",
            "success_rate",
            "ci_low",
            "ci_high",
            "rate_if_missing_fail",
            "difference",
            "difference_low",
            "reference",
        } <= set(rows[0])
        assert [r["perturbation"] for r in json.loads(text)["not_run"]] == ["hue:1"]
    else:
        plain = text.replace("\\_", "_")
        assert "action_noise" in plain
        assert "action_noise:1+action_delay" in plain


def test_the_json_is_written_row_by_row() -> None:
    report = report_of(*report_lines())
    assert render(report, "json") == json_page(report_to_json(report))


def test_the_text_says_what_matters() -> None:
    run, episodes = report_lines()
    text = render(report_of(run, episodes), "text", full=True)
    assert "recovered: 60.0" in text
    assert "interaction " in text
    assert "there is no picture here" in text
    clean = next(line for line in text.splitlines() if line.startswith("toy/reach@1"))
    assert " 100.0 " in clean  # the table of tasks is of unperturbed cases


def test_every_domain_of_the_run_is_told_of() -> None:
    absent = (
        NotRun(
            "toy/doom@1", "games", "toy", "this task has no expert", "play it with another agent"
        ),
        NotRun("toy/press@1", "ui", "toy", "this task has no expert", "play it with another agent"),
        NotRun("toy/type@1", "ui", "toy", "this task has no expert", "play it with another agent"),
    )
    run, episodes = described(
        Plan(GAMES.items, perturbations=GAMES.perturbations, not_run=absent), SCORES
    )
    for format in FORMATS:
        assert render(report_of(run, episodes), format)
    (cell,) = {
        line["scores"]
        for line in csv.DictReader(io.StringIO(render(report_of(run, episodes), "csv")))
        if (line["perturbation"], line["severity"], line["domain"], line["task"])
        == ("action_noise", "4", "games", "")
    }
    assert json.loads(cell)["mean"] == pytest.approx(0.05)
    text = render(report_of(run, episodes), "text", full=True)
    tables = {part.partition("\n")[0]: " ".join(part.split()) for part in text.split("\n\n")}
    assert {
        "ROBUSTNESS",
        "ROBUSTNESS OF NORMALISED SCORES",
        "ROBUSTNESS OF SCORES",
    } <= tables.keys()
    rates = tables["ROBUSTNESS"]
    assert "action_noise 4 manipulation 4 100.0 25.0" in rates
    columns = {
        column.name: column.cells
        for column in robustness_tables(report_of(run, episodes))[0].columns
    }
    assert dict(zip(columns[""][-2:], columns["notes"][-2:])) == {
        "games": "1 task: this task has no expert; 3 tasks: no success here, a score: see below",
        "ui": "2 tasks: this task has no expert",
    }
    scores = tables["ROBUSTNESS OF NORMALISED SCORES"]
    assert "action_noise 4 games 2 8 0.775 0.050" in scores
    assert "manipulation" not in scores
    assert "overall 1, 4 100.0 46.9" in tables["SUCCESS RATE OVER ALL SEVERITIES"]
    assert "games 1, 4 0.775 0.403" in tables["NORMALISED SCORE OVER ALL SEVERITIES"]
    alone, few = described(Plan(GAMES.items[:3], perturbations=GAMES.perturbations), SCORES)
    assert "\nROBUSTNESS\n" not in render(report_of(alone, few), "text", full=True), (
        "there are no rates"
    )


def test_success_and_score_never_share_an_axis() -> None:
    pytest.importorskip("matplotlib")
    figure = figure_of(robustness(fill(GAMES, SCORES)), "mine")
    rates, scores = figure.axes
    assert (rates.get_title(), scores.get_title()) == ("manipulation", "games: score")
    assert rates.get_ylabel() == "success rate, %"
    assert (
        scores.get_ylabel() == "normalised score\n0: random or standing still, 1: human or the best"
    )
    assert [list(axes.containers[0].lines[0].get_ydata()) for axes in (rates, scores)] == [
        pytest.approx([100, 50, 25]),
        pytest.approx([0.775, 0.575, 0.05]),
    ]
    (bars,) = rates.containers[0].lines[2]
    found = row(robustness(fill(GAMES, SCORES)), "action_noise", 1, "manipulation").interval
    assert found is not None
    low, high = found.low, found.high
    assert low is not None
    assert high is not None
    assert bars.get_segments()[1][:, 1] == pytest.approx([100 * low, 100 * high])
    assert scores.get_ylim()[0] <= 0
    assert scores.get_ylim()[1] < 1.5
    high = figure_of(
        robustness(fill(GAMES, {**SCORES, ("pong", 1): [90.0, 91, 89, 90]})), "mine"
    ).axes[1]
    assert high.get_ylim()[1] > 4.8, "nothing is cut off"
    with pytest.raises(UserError, match="no curve"):
        figure_of(robustness(fill(Plan((GAMES.items[2],), perturbations=(NOISE,)), SCORES)), "mine")


@pytest.mark.parametrize("name", ["curves.png", "curves.svg"])
def test_curves_are_drawn(tmp_path: Path, name: str) -> None:
    pytest.importorskip("matplotlib")
    draw_curves(robustness(fill(PLAN, WINS)), tmp_path / name, "mine")
    content = (tmp_path / name).read_bytes()
    assert content.startswith(b"\x89PNG" if name.endswith("png") else b"<?xml")
    assert len(content) > 5000
    draw_curves(robustness(fill(PLAN, WINS)), tmp_path / f"again-{name}", "mine")
    with pytest.raises(UserError, match="ending in"):
        draw_curves((), tmp_path / "curves.txt", "mine")
    with pytest.raises(UserError, match="no curve"):
        draw_curves((), tmp_path / name, "mine")

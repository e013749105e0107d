"""A report on a terminal: it fits, what one looks for is last, and no figure loses its truth."""

from __future__ import annotations

import dataclasses
import re

import pytest
from reports import game, item, line, report_of, run_of, scores, successes

from harness.core import Reference
from harness.records.plan import NotRun, PlanItem
from leaderboards.floors import Floor
from leaderboards.render import render
from leaderboards.schema import Report
from leaderboards.short_report import MOST_TASKS, WORST
from leaderboards.troubles import MOST_LINES

SUITES = {
    "babyai": (17, "navigation"),
    "minigrid": (12, "navigation"),
    "metaworld": (50, "manipulation"),
    "maniskill-planner": (28, "manipulation"),
    "miniworld": (23, "navigation"),
    "miniwob": (128, "ui"),
    "scienceworld": (5, "planning"),
    "alfworld-synthetic": (6, "planning"),
    "pddl": (47, "planning"),
    "vizdoom": (10, "games"),
}
"""Suite -> its tasks and their domain; with 29 games the shape of `make run`."""
NOTHING_IS_HERE = "git clone --recursive https://example.org/it; pip install " + "package " * 30
FIGURE = Reference("GEA", 91.1, "success_rate", "arXiv 2412.08442", "another camera")


def large() -> Report:
    """One episode of each of 355 tasks in 12 suites, and 64 tasks that cannot run."""
    items: list[PlanItem] = []
    for suite, (count, domain) in SUITES.items():
        items += [
            item(f"{suite}/task-number-{k}@1", suite, domain, episodes=1, references=(FIGURE,))
            for k in range(count)
        ]
    games = [game(f"atari/game_{k}@1", episodes=1) for k in range(13)]
    games += [
        dataclasses.replace(game(f"procgen/game_{k}@1", episodes=1), suite="procgen")
        for k in range(16)
    ]
    absent = [
        NotRun(f"{suite}/{k}@1", domain, suite, f"the package {suite}-sim is not installed", remedy)
        for suite, domain, count, remedy in (
            ("habitat", "navigation", 3, "conda env create -f environment.yml"),
            ("calvin", "manipulation", 1, NOTHING_IS_HERE),
            ("libero", "manipulation", 40, NOTHING_IS_HERE + "more"),
            ("langr", "planning", 10, NOTHING_IS_HERE),
            ("androidcontrol", "ui", 10, NOTHING_IS_HERE),
        )
        for k in range(count)
    ]
    lines = [line(each, 0, success=k % 3 == 0) for k, each in enumerate(items)]
    lines += [line(each, 0, score=float(10 + k)) for k, each in enumerate(games)]
    found = report_of(run_of(*items, *games, not_run=absent), lines)
    return dataclasses.replace(found, tasks=tuple(map(with_floor, found.tasks)))


def with_floor(row):  # type: ignore[no-untyped-def]
    number = int(re.findall(r"\d+", row.task)[0])
    floor = Floor(agent="uniform", n=20, success_rate=min(number, 100) / 100, score=None)
    return row if row.successes is None else dataclasses.replace(row, floors=(floor,))


@pytest.fixture(scope="module")
def report() -> Report:
    return large()


def section(text: str, title: str) -> list[str]:
    """The lines of a part of a page, below its title."""
    (found,) = [part for part in text.split("\n\n") if part.startswith(f"{title}\n")]
    return found.splitlines()[1:]


def test_a_large_run_fits_a_screen(report: Report) -> None:
    lines = render(report, "text").splitlines()
    assert len(report.tasks) > 350
    assert len(lines) <= 60
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("width", [80, 100, 140, 200])
def test_no_row_is_wider_than_the_terminal(report: Report, width: int) -> None:
    assert max(map(len, render(report, "text", width=width).splitlines())) <= width


def test_domains_and_overall_stand_above_what_is_wrong_and_that_is_last(report: Report) -> None:
    *_, means, wrong = render(report, "text").split("\n\n")
    assert means.startswith("DOMAINS AND OVERALL\n")
    assert means.splitlines()[-1].startswith("overall ")
    assert wrong.startswith("WHAT IS WRONG, AND WHAT TO DO\n")
    assert len(wrong.splitlines()) <= MOST_LINES + 1
    assert "64 tasks cannot run here: bench report RUN --full" in wrong
    for count, suite in ((3, "habitat"), (40, "libero"), (10, "langr"), (10, "androidcontrol")):
        assert f"  {count} of {suite}: the package {suite}-sim is not installed; " in wrong


def test_a_folded_report_names_the_suites_and_the_worst_tasks(report: Report) -> None:
    text = render(report, "text")
    rows = {row.split()[0]: row.split() for row in section(text, "SUITES")[2:]}
    assert set(rows) == {*SUITES, "atari", "procgen"}
    assert rows["metaworld"][1:5] == ["34.0", "22.4", "to", "47.8"] or "to" in rows["metaworld"]
    worst = " ".join(section(text, "NOTES"))
    # Among the tasks that failed, those whose floor is the highest.
    assert "least above their floors, success %: miniwob/task-number-" in worst
    assert "(n 1, floor 100.0)" in worst
    assert f"all {len(report.tasks)} tasks" in worst


def test_full_prints_every_task_remedy_and_figure(report: Report) -> None:
    words = " ".join(render(report, "text", full=True).split())
    for row in report.tasks:
        assert row.task in words
    assert "git clone --recursive" in words
    assert "arXiv 2412.08442" in words
    *_, means, wrong = render(report, "text", full=True).split("\n\n")
    assert means.startswith("SUITES, DOMAINS AND OVERALL\n")
    assert "64 tasks cannot run here: see above" in wrong


def test_files_stay_complete(report: Report) -> None:
    markdown = render(report, "markdown")
    for row in report.tasks:
        assert row.task in markdown
    assert NOTHING_IS_HERE.strip()[:50].replace("://", "\\://") in markdown
    assert markdown == render(report, "markdown", full=True, width=60)


def test_a_single_large_suite_shows_its_worst_tasks_in_order() -> None:
    items = [item(f"toy/task{k}@1", episodes=4) for k in range(MOST_TASKS + 10)]
    lines = [x for k, each in enumerate(items) for x in successes(each, k % 5)]
    text = render(report_of(run_of(*items), lines), "text")
    rows = [row for row in section(text, "TOY: WORST TASKS") if row.startswith("toy/")]
    assert len(rows) == WORST
    rates = [float(row.split()[1]) for row in rows]
    assert rates == sorted(rates)
    assert f"{WORST} of {len(items)} tasks with a success" in text


def test_few_tasks_are_all_shown_with_scores_apart() -> None:
    reach, pong = item(episodes=3), game("atari/pong@1")
    lines = [*successes(reach, 1), *scores(pong, 12, 20, 28, 30)]
    text = render(report_of(run_of(reach, dataclasses.replace(pong, suite="toy")), lines), "text")
    assert any(row.startswith("toy/reach@1 ") for row in section(text, "TOY"))
    (row,) = [row for row in section(text, "TOY: SCORES") if row.startswith("atari/pong@1 ")]
    assert "22.50" in row.split()
    assert "success %" not in section(text, "TOY: SCORES")[1]


def test_every_sign_has_its_line() -> None:
    part, whole = item(episodes=5), item("toy/other@1", episodes=2)
    lines = successes(part, 2)
    lines[0] |= {"status": "error", "success": None, "score": None}
    lines[1] |= {"status": "agent_error", "success": False, "score": None, "ended": "agent_error"}
    text = render(report_of(run_of(part, whole), [*lines[:3], *successes(whole, 2)]), "text")
    notes = section(text, "NOTES")
    told = {found[1] for each in notes if (found := re.match(r"\(([a-z])\) ", each))}
    signed = {
        sign
        for row in text.splitlines()
        if row.startswith(("toy/", "overall"))
        for sign in re.findall(r" ([a-z])(?= [a-z]|$)", row)
    }
    assert signed == told
    (partial,) = [each for each in notes if ") partial: " in each]
    assert "toy/reach@1 1 error, 2 not played, at worst " in " ".join(notes)
    (row,) = [row for row in text.splitlines() if row.startswith("toy/reach@1 ")]
    assert "2 of 5" in row
    assert partial[1] in row.split()


def test_what_is_wrong_has_a_count_and_a_command() -> None:
    reach, other = item(episodes=5), item("toy/other@1", episodes=5)
    lines = [line(reach, k, "error", error="RuntimeError: no GPU") for k in range(3)]
    lines += [line(other, 0, "agent_error", error="KeyError: 'image'")]
    wrong = section(
        render(report_of(run_of(reach, other), lines), "text"), "WHAT IS WRONG, AND WHAT TO DO"
    )
    assert wrong[0] == "4 episodes ended in errors: bench show RUN --failures"
    assert wrong[1].startswith("  3 error: RuntimeError: no GPU; first: toy/reach@1 seed ")
    assert "1 agent_error: KeyError: 'image'" in " ".join(wrong)
    assert wrong[-1] == "6 episodes were not played: the same `bench run` goes on"


def test_many_troubles_take_ten_lines_and_the_rest_is_counted() -> None:
    items = [item(f"toy/t{k}@1", episodes=1) for k in range(25)]
    lines = [line(each, 0, "error", error=f"{'x' * k}Error: odd") for k, each in enumerate(items)]
    absent = [
        NotRun(f"ui/c{k}@1", "ui", "miniwob", f"reason {k} {'long ' * 30}", "do it")
        for k in range(12)
    ]
    text = render(report_of(run_of(*items, not_run=absent), lines), "text")
    wrong = section(text, "WHAT IS WRONG, AND WHAT TO DO")
    assert len(wrong) <= MOST_LINES
    assert wrong[0] == "25 episodes ended in errors: bench show RUN --failures"
    assert "12 tasks cannot run here: bench report RUN --full" in wrong
    shown = [row for row in wrong if row.startswith("  ")]
    left = [int(row.split()[0]) for row in shown if row.endswith(" more")]
    assert sum(left) + len(shown) - len(left) == 25 + 12


def test_one_domain_has_one_row() -> None:
    reach = item(episodes=3)
    text = render(report_of(run_of(reach), successes(reach, 1)), "text")
    rows = section(text, "OVERALL: PLANNING")
    assert [row.split()[0] for row in rows[2:]] == ["overall"]


def test_a_good_run_has_nothing_wrong() -> None:
    reach = item(episodes=3)
    text = render(report_of(run_of(reach), successes(reach, 1)), "text")
    assert "WHAT IS WRONG" not in text
    assert text.splitlines()[-1].startswith("overall ")


def test_long_names_are_broken_and_whole() -> None:
    long = item("libero/" + "put_the_mug_on_the_plate_" * 4 + "@1", episodes=3)
    text = render(report_of(run_of(long), successes(long, 1)), "text")
    assert max(map(len, text.splitlines())) <= 80
    column = [row.split("  ")[0].strip() for row in section(text, "TOY") if row.strip()]
    assert long.task.id in "".join(column)

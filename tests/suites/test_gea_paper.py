"""The figures of the GEA paper: each task carries its own, and they fit the printed means."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from adapters.calvin import chains
from harness.core import Reference, Suite, Task
from harness.records.catalogue import find_suites
from suites import SUITES
from suites.gea_paper import ROWS, Row
from suites.procgen import RANGES

ROOT = Path(__file__).parents[2]
FAMILY = {
    "Meta-World": "metaworld",
    "CALVIN ABC to D": "calvin-first",
    "ManiSkill": "maniskill",
    "Habitat Pick": "habitat-rearrange",
    "Habitat Place": "habitat-rearrange",
    "Habitat Nav": "habitat",
    "Procgen": "procgen",
    "Atari": "atari",
    "BabyAI": "babyai",
    "AndroidControl": "androidcontrol-gea",
    "LangR": "langr",
}
ROWS_WITH_TASKS = [row for row in ROWS.values() if row.by_task]

each_row = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)


def tasks_of(row: Row) -> list[Task]:
    found = [
        task
        for task in gea().tasks
        if task.id.startswith(f"{FAMILY[row.name]}/") and of_row(task, row)
    ]
    assert len(found) == row.tasks
    return found


def gea() -> Suite:
    return find_suites("gea", SUITES)[0]


def of_row(task: Task, row: Row) -> list[Reference]:
    return [each for each in task.references if each.row == row.name]


def test_every_row_is_played() -> None:
    assert FAMILY.keys() == ROWS.keys()
    assert sum(row.tasks for row in ROWS_WITH_TASKS) == 45 + 5 + 16 + 44 + 17 + 9


@each_row
def test_each_task_carries_its_own_figure_and_the_means_of_its_row(row: Row) -> None:
    printed = {"GEA": row.gea, **{quoted.label: quoted.percent for quoted in row.others}}
    own = {}
    for task in tasks_of(row):
        figures = [each for each in of_row(task, row) if not each.part]
        means = [each for each in figures if each.source.endswith("table 2")]
        assert {each.tasks for each in means} == {row.tasks}
        found = {each.label: 100 * each.value for each in means}
        assert found == {label: pytest.approx(value) for label, value in printed.items()}
        for each in figures:
            if each not in means:
                assert (each.label, each.tasks) == ("GEA", 1)
                own[task.name.partition("/")[2].removesuffix("-v3")] = 100 * each.value
        assert "gea" in task.tags
    assert own == {name: pytest.approx(value) for name, value in row.by_task.items()}


@pytest.mark.parametrize("row", ROWS_WITH_TASKS, ids=[row.name for row in ROWS_WITH_TASKS])
def test_the_tasks_average_to_the_printed_mean(row: Row) -> None:
    mean = sum(row.by_task.values()) / len(row.by_task)
    # The 44 printed games average 33.3, where the text has 32.7.
    assert mean == pytest.approx(33.3 if row.name == "Atari" else row.gea, abs=0.05)


def test_calvins_figures_are_of_the_first_of_five() -> None:
    """Each is k/n, for the n chains that begin with that instruction: 900 of 1,000 together."""
    row = ROWS["CALVIN ABC to D"]
    begin = Counter(chain.tasks[0] for chain in chains.chains())
    assert begin.keys() == row.by_part.keys()
    done = {part: round(row.by_part[part] * n / 100) for part, n in begin.items()}
    for part, n in begin.items():
        assert round(100 * done[part] / n, 1) == row.by_part[part], part
    assert (sum(done.values()), sum(begin.values())) == (900, 1000)
    (task,) = tasks_of(row)
    parts = {each.part: each.value for each in task.references if each.part}
    assert parts == {part: pytest.approx(value / 100) for part, value in row.by_part.items()}
    (whole,) = (each for each in task.references if each.label == "GEA" and not each.part)
    assert (whole.value, whole.tasks, whole.same_rule) == (0.9, 1, True)


def test_calvins_instructions_carry_their_figures() -> None:
    row = ROWS["CALVIN ABC to D"]
    tasks = find_suites("calvin-instructions", SUITES)[0].tasks
    figures = {task.name.partition("/")[2]: task.references for task in tasks}
    assert list(figures) == list(row.by_part)
    for name, (figure,) in figures.items():
        assert (figure.label, figure.tasks, figure.part) == ("GEA", 1, "")
        assert figure.same_rule
        assert figure.value == pytest.approx(row.by_part[name] / 100)


def test_procgens_figures_do_not_fit_our_scale() -> None:
    """In 50 episodes a game that pays 0 or 10 scores a multiple of 2 %, if its minimum is 0."""
    binary = [game for game, (_, high) in RANGES.items() if high == 10.0]
    row = ROWS["Procgen"]
    assert len(binary) == 6
    assert all(row.by_task[game] % 2 == 0 for game in binary)
    ours = [RANGES[game][0] + row.by_task[game] / 100 * (10 - RANGES[game][0]) for game in binary]
    assert any(abs(5 * value - round(5 * value)) > 0.01 for value in ours)
    task = next(each for each in tasks_of(row) if each.name == "procgen/starpilot")
    assert "not printed" in task.references[0].rule
    assert "PPO expert by Cobbe's reported scores" in task.references[0].rule


def test_atari_is_by_another_rule() -> None:
    for family in ("atari", "atari-sticky"):
        figures = [
            each
            for task in gea().tasks
            if task.name.startswith(f"{family}/")
            for each in task.references
        ]
        assert figures
        assert not any(each.same_rule for each in figures)
    assert {each.label: each.value for each in figures if each.tasks == 44} == {
        "GEA": 0.327,
        "GEA-Base": 0.403,
        "Gato (generalist)": 0.31,
        "Multi-Game DT (specialist)": 0.85,
    }


def test_agents_that_saw_more_say_so() -> None:
    told = {
        (each.row, each.label): (each.agent, each.privileged)
        for task in gea().tasks
        for each in task.references
        if each.agent or each.privileged
    }
    depth = ("reads depth; one policy a task", False)
    state = ("reads a geometric goal, egomotion or the state", True)
    assert told == {
        ("Meta-World", "Gato (generalist)"): ("reads proprioception", False),
        ("CALVIN ABC to D", "3D Diffuser Actor (specialist)"): ("reads depth", False),
        ("ManiSkill", "IL (specialist)"): depth,
        ("ManiSkill", "DAPG + PPO (specialist)"): depth,
        ("Habitat Pick", "RL + state (specialist)"): state,
        ("Habitat Place", "RL + state (specialist)"): state,
        ("Habitat Nav", "RL + state (specialist)"): state,
    }


def test_habitats_skills_by_name_are_shown_by_another_rule() -> None:
    tasks = find_suites("habitat-skills", SUITES)[0].tasks
    assert [task.name for task in tasks] == ["habitat/pick", "habitat/place", "habitat/nav"]
    for task, value in zip(tasks, (0.825, 0.935, 0.625)):
        figures = {each.label: each for each in task.references}
        assert figures["GEA"].value == value
        assert not any(each.same_rule for each in task.references)
        assert all("flats, objects and starts of our own" in each.rule for each in task.references)
        assert task in gea().tasks
        assert gea().counts[task.id] == 500


def test_objectnav_is_no_row_of_the_paper() -> None:
    assert not any(task.name.startswith("habitat-objectnav/") for task in gea().tasks)
    (task,) = find_suites("habitat-objectnav", SUITES)[0].tasks
    assert not task.references


@pytest.mark.parametrize("suite", SUITES)
def test_every_figure_says_of_how_many_tasks_it_is(suite: str) -> None:
    tasks = find_suites(suite, SUITES)[0].tasks
    for task in tasks:
        for each in task.references:
            assert each.tasks is not None, f"{task.id}: {each.label}"
            assert each.tasks <= len(tasks) or not each.table


def test_nothing_is_called_unknown_that_the_paper_prints() -> None:
    pages = [ROOT / "docs/protocols.md", ROOT / "docs/gea.md", *ROOT.glob("suites/*.py")]
    pages += [*ROOT.glob("docs/families/*.md"), *ROOT.glob("docs/reproductions/*.md")]
    gone = ("not named", "not at hand", "not in print", "list was available", "list unknown")
    gone += ("could read", "no published list", "does not name", "names neither")
    said = {
        (page.name, words)
        for page in pages
        for words in gone
        if words in " ".join(page.read_text().split())
    }
    assert not said

"""The board as data: who is ranked, who stands apart and why, and what the ranks claim."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from boardentries import play_entry, small

from harness.cli.names import suites_named
from harness.compare.pairs import pair_up, read_scored_run
from harness.compare.verdict import compare_pairs
from harness.core import Suite, Task
from harness.records.plan import CaseIndex, NotRun, PlanItem
from leaderboards.board.entries import UNVERIFIED, read_all
from leaderboards.board.grey_rows import floor_rows, published_rows_of
from leaderboards.board.model import Board, Row, board_of
from leaderboards.board.outcomes import TaskOutcomes
from leaderboards.board.ranking import _compare, _Field, rank_agents
from leaderboards.submissions.verdict import NOT_HERE, REFUSED

BABYAI = small(suites_named("babyai")[0])
ATARI = small(suites_named("atari")[0])
MIXED = small(suites_named("vizdoom")[0], 10)
OURS = {each.name: each for each in (BABYAI, ATARI, MIXED)}


@pytest.fixture
def entries(tmp_path: Path) -> Path:
    (tmp_path / "entries").mkdir()
    return tmp_path / "entries"


def board(entries: Path, suites: dict[str, Suite] = OURS) -> Board:
    return board_of(*read_all([entries], suites), suites)


def rows(entries: Path, suite: str = "babyai") -> dict[str, Row]:
    found = next(each for each in board(entries).suites if each.suite.name == suite)
    return {row.entry.name: row for row in found.rows}


def below(share: float) -> Callable[[Task, CaseIndex], bool]:
    """Succeeds in the first episodes of a task."""
    return lambda task, index: index.episode < share * 20


def test_agents_that_the_data_cannot_tell_apart_share_ranks(entries: Path) -> None:
    for name, share in (("good", 0.9), ("as good", 0.85), ("bad", 0.1)):
        play_entry(entries, name, [BABYAI], below(share), episodes=20)
    found = rows(entries)
    standings = {name: row.standing for name, row in found.items()}
    ranks = {name: (s.rank_low, s.rank_high) for name, s in standings.items() if s}
    assert ranks == {"good": (1, 2), "as good": (1, 2), "bad": (3, 3)}
    assert {name: s.letters for name, s in standings.items() if s} == {
        "good": "a", "as good": "a", "bad": "b",
    }  # fmt: skip
    assert found["good"].figure is not None
    assert found["good"].figure.value == pytest.approx(0.9)


def test_a_rank_claims_no_more_than_its_data(entries: Path) -> None:
    """With two episodes a task nothing is told apart, whatever the rates look like."""
    for name, share in (("lucky", 1.0), ("unlucky", 0.05)):
        play_entry(entries, name, [small(BABYAI, 1)], below(share), episodes=2)
    only = {"babyai": small(BABYAI, 1)}
    found = board(entries, only).suites[0].ranked
    assert [(r.standing.rank_low, r.standing.rank_high) for r in found if r.standing] == [
        (1, 2), (1, 2),
    ]  # fmt: skip


def test_agents_that_started_otherwise_are_not_told_apart(entries: Path) -> None:
    play_entry(entries, "here", [BABYAI], lambda *_: True, episodes=20)
    play_entry(
        entries, "there", [BABYAI], lambda *_: False, episodes=20, start=lambda i: f"f{i.episode}"
    )
    found = rows(entries)
    for row in found.values():
        assert row.standing is not None
        assert (row.standing.rank_low, row.standing.rank_high) == (1, 2)
        assert row.standing.untested == 1


def test_different_renderers_make_no_pairs_only_where_both_agents_look(entries: Path) -> None:
    for name, win, renderer in (("one", True, "GPU a"), ("two", False, "GPU b")):
        play_entry(entries, name, [BABYAI], lambda *_, win=win: win, episodes=20, renderer=renderer)
    play_entry(entries, "blind", [BABYAI], lambda *_: False, episodes=20, renderer="", reads=[])
    found = rows(entries)
    standings = {name: row.standing for name, row in found.items()}
    assert standings["one"] is not None
    assert standings["blind"] is not None
    assert (standings["one"].untested, standings["one"].ahead) == (1, 1)
    assert (standings["blind"].untested, standings["blind"].behind) == (0, 1)


APART: dict[str, tuple[dict[str, Any], str]] = {
    "unverified": ({"verdict": None}, "nobody has checked it"),
    "could not be checked": ({"verdict": NOT_HERE, "reasons": ("no GPU",)}, "no GPU"),
    "privileged": ({"privileged": True, "reads": ["expert"]}, "was shown"),
    "partial": ({"tasks": lambda task: task.id != BABYAI.tasks[0].id}, "1 of 3 tasks"),
    "another protocol": ({"packages": {"toysim": "1.3"}}, "toysim 1.3 instead of 1.2"),
}


@pytest.mark.parametrize("apart", APART)
def test_what_is_not_like_the_others_stands_apart(entries: Path, apart: str) -> None:
    for name in ("one", "two"):
        play_entry(entries, name, [BABYAI], below(0.5))
    fields, why = APART[apart]
    play_entry(entries, "odd", [BABYAI], below(1.0), **fields)
    found = rows(entries)
    assert found["odd"].apart == apart
    assert why in found["odd"].why
    assert found["odd"].standing is None
    assert found["one"].standing is not None
    assert found["one"].standing.rank_high == 2


def test_a_privileged_view_is_found_in_the_lines_too(entries: Path) -> None:
    play_entry(entries, "odd", [BABYAI], below(1.0), privileged_views=["goal"])
    assert rows(entries)["odd"].apart == "privileged"


def test_a_refused_entry_shows_no_figure(entries: Path) -> None:
    play_entry(
        entries, "forged", [BABYAI], below(1.0), verdict=REFUSED, reasons=("success is false",)
    )
    row = rows(entries)["forged"]
    assert (row.apart, row.figure, row.part) == ("refused", None, None)
    assert "success is false" in row.why


def test_a_verdict_on_another_entry_json_counts_for_nothing(entries: Path) -> None:
    path = play_entry(entries, "edited", [BABYAI], below(1.0))
    file = path / "entry.json"
    file.write_text(file.read_text().replace("one agent, no choice", "the best of ten"))
    assert rows(entries)["edited"].entry.state == UNVERIFIED


def test_a_changed_task_is_foreign_and_never_the_protocol_that_counts(entries: Path) -> None:
    for name in ("one", "two"):
        play_entry(
            entries, name, [BABYAI], below(1.0),
            change=lambda task: dataclasses.replace(task, max_steps=5000),
        )  # fmt: skip
    play_entry(entries, "ours", [BABYAI], below(0.5))
    found = rows(entries)
    assert found["ours"].standing is not None
    assert found["one"].apart == "another protocol"
    assert "another task than that of today's suite" in found["one"].why


def test_a_task_that_an_agent_does_not_fit_is_missing(entries: Path) -> None:
    first = BABYAI.tasks[0]
    play_entry(
        entries, "narrow", [BABYAI], below(1.0),
        tasks=lambda task: task != first,
        not_run=[NotRun(first.id, first.domain, "babyai", "the agent does not fit", "none")],
    )  # fmt: skip
    row = rows(entries)["narrow"]
    assert (row.apart, row.missing) == ("partial", 1)


def test_two_agents_of_one_name_are_told_apart_by_their_fingerprints(tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder, mark in zip(folders, "ab"):
        folder.mkdir()
        play_entry(folder, "same", [BABYAI], below(1.0), fingerprint=mark * 16)
    found = board_of(*read_all(folders, OURS), OURS)
    assert sorted(found.titles.values()) == ["same (aaaaaa)", "same (bbbbbb)"]
    assert len({entry.id for entry in found.entries}) == 2


def test_scores_are_ranked_by_their_paired_differences(entries: Path) -> None:
    for name, add in (("high", 9000.0), ("low", 0.0)):
        play_entry(
            entries, name, [ATARI],
            lambda task, index, add=add: add + 1000.0 * index.episode + index.item, episodes=10,
        )  # fmt: skip
    found = rows(entries, "atari")
    assert found["high"].standing is not None
    assert found["high"].measure == "normalised"
    assert found["high"].figure is not None
    assert (found["high"].standing.rank_low, found["high"].standing.rank_high) == (1, 1)


@pytest.mark.parametrize("suite", [BABYAI, ATARI, MIXED], ids=lambda each: each.name)
@pytest.mark.parametrize("own_starts", [False, True])
def test_every_pair_is_tested_as_bench_compare_tests_it(
    tmp_path: Path, entries: Path, suite: Suite, own_starts: bool
) -> None:
    rng = np.random.default_rng(7)

    def outcome(task: Task, index: CaseIndex) -> bool | float | None:
        drawn = float(rng.random())
        if drawn > 0.9:
            return None
        return drawn < 0.5 if task.success is not None else 3000 * drawn - 300

    for number, episodes in enumerate((7, 9, 7)):
        starts = (
            (lambda i: f"{i.episode % 5 or rng.random()}")
            if own_starts
            else (lambda i: str(i.episode))
        )
        play_entry(entries, f"agent {number}", [suite], outcome, episodes=episodes, start=starts)
    runs = [read_scored_run(each) for each in sorted(tmp_path.glob(".run*"))]
    found, _ = read_all([entries], OURS)
    tasks = list(suite.tasks)
    field = _Field(tasks, [each.parts[0].outcomes for each in found])
    for one in range(2):
        for other in range(one + 1, 3):
            overall = compare_pairs(pair_up(runs[one], runs[other]), 0.05, 0.05).overall
            assert overall is not None
            difference, p, tested = _compare(field, one, np.array([other]))
            assert tested.all()
            assert difference[0] == pytest.approx(overall.difference.value, abs=1e-12)
            assert p[0] == pytest.approx(overall.p, abs=1e-9)


def test_equal_agents_are_rarely_told_apart() -> None:
    """Of 200 suites with eight equal agents, false ranks in 5 % at most (up to chance)."""
    from leaderboards.board.outcomes import TaskOutcomes

    rng = np.random.default_rng(3)
    tasks = [dataclasses.replace(each, params={}) for each in BABYAI.tasks]

    def outcomes(task: Task, rate: float) -> TaskOutcomes:
        return TaskOutcomes(
            item=PlanItem("babyai", task, 12, "", {}, "", own_streams=True),
            conditions=((),),
            values=(rng.random((1, 12)) < rate).astype(float),
            starts=np.ones((1, 12), np.uint32),
            renderers=np.zeros((1, 12), np.int16),
            drawn_by=("",),
        )

    wrong = 0
    for _ in range(100):
        rates = rng.random(len(tasks))
        agents = [{t.id: outcomes(t, r) for t, r in zip(tasks, rates)} for _ in range(8)]
        wrong += any(each.ahead for each in rank_agents(tasks, agents))
    assert wrong <= 10, "as many or fewer in 99 % of cases, if it is 5 %"


def test_one_agent_has_the_only_rank_and_none_has_none() -> None:
    assert rank_agents(list(BABYAI.tasks), []) == []


def test_floors_and_published_figures_have_their_source() -> None:
    whole = suites_named("babyai")[0]
    floors = {row.label: row for row in floor_rows(whole)}
    assert set(floors) == {"floor: noop", "floor: uniform", "floor: blind"}
    assert floors["floor: uniform"].command == "bench run --agent uniform --suite babyai"
    published = {row.label: row for row in published_rows_of(whole)}
    assert published["BabyAI: GEA"].value == pytest.approx(0.911)
    assert all(row.source and row.rule for row in published.values())


def test_a_mean_over_other_tasks_says_so() -> None:
    """Of a part of a suite the paper's mean is of another number of tasks."""
    published = {row.label: row for row in published_rows_of(BABYAI)}
    assert "over 17 tasks" in published["BabyAI: GEA"].rule


def test_what_is_no_entry_is_named_with_its_reason(entries: Path) -> None:
    (entries / "empty").mkdir()
    play_entry(entries, "fine", [BABYAI], below(0.5))
    (entries / "link").symlink_to(entries / "fine-babyai")
    found = board(entries)
    assert [each.reason for each in found.unreadable if "link" in each.path] == [
        "it is a link, which is not followed"
    ]
    assert len(found.unreadable) == 2
    assert len(found.entries) == 1

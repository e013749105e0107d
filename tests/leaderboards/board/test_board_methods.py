"""Methods on the board: entries that its builder names as the trainings of one method."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from boardentries import play_entry, small

from harness.cli.names import suites_named
from harness.core import Task, UserError
from harness.records.plan import CaseIndex
from leaderboards.board.build import build_site
from leaderboards.board.entries import read_all
from leaderboards.board.methods import methods_of_suite
from leaderboards.board.model import board_of

SUITES = {"babyai": small(suites_named("babyai")[0], 1)}


def trained(seed: int, skill: float) -> Callable[[Task, CaseIndex], bool]:
    rng = np.random.default_rng(seed)
    return lambda task, index: bool(rng.random() < skill)


@pytest.fixture
def entries(tmp_path: Path) -> Path:
    """Three trainings of each of two methods, and an entry of neither."""
    folder = tmp_path / "entries"
    folder.mkdir()
    for name, skill in (("good", 0.95), ("bad", 0.1), ("other", 0.5)):
        for k in range(1 if name == "other" else 3):
            play_entry(
                folder, f"{name} {k}", [*SUITES.values()], trained(k, skill), episodes=20
            )  # fmt: skip
    return folder


METHODS = {
    name: [f"{name}-{k}-babyai" for k in range(3)] for name in ("good", "bad")
} | {"lone": ["other-0-babyai"]}  # fmt: skip


def test_a_suite_has_a_table_of_methods(entries: Path, tmp_path: Path) -> None:
    board = board_of(*read_all([entries], SUITES), SUITES)
    found = methods_of_suite(board.suites[0], METHODS)
    assert found is not None
    assert (found.cases, found.left_out) == (20, ("lone",))
    good, bad = found.rows
    assert (good.rank_low, good.rank_high, bad.rank_low, bad.rank_high) == (1, 1, 2, 2)
    assert good.rate is not None
    assert good.rate.low is not None
    assert good.rate.low > 0.6
    assert methods_of_suite(board.suites[0], {}) is None
    build_site([entries], tmp_path / "site", SUITES, methods=METHODS)
    document = json.loads((tmp_path / "site" / "data" / "board.json").read_text())
    told = document["suites"][0]["methods"]
    assert [(row["method"], len(row["entries"])) for row in told["rows"]] == [
        (row.method, 3) for row in found.rows
    ]
    assert [row["value"] for row in told["rows"]] == [
        None if row.rate is None else row.rate.value for row in found.rows
    ]
    page = (tmp_path / "site" / "suites" / "babyai.html").read_text()
    assert "good-0-babyai, good-1-babyai, good-2-babyai" in page
    assert "Every row is one checkpoint" in page


def test_what_is_no_training_on_the_board_is_refused(entries: Path, tmp_path: Path) -> None:
    for methods, words in (
        ({"good": ["nothing"]}, "the board has no entry nothing"),
        ({"a": METHODS["good"], "b": METHODS["good"][:1]}, "one training, not two"),
    ):
        with pytest.raises(UserError, match=words):
            build_site([entries], tmp_path / "site", SUITES, methods=methods)
    assert not (tmp_path / "site").exists()

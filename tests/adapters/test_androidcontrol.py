from __future__ import annotations

import dataclasses
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import androidrecords
import numpy as np
import pytest
from androidrecords import BUTTON, EPISODES, SIZE, screenshot

from adapters.androidcontrol import AndroidControlAdapter
from adapters.androidcontrol.data import Steps, prepare
from adapters.androidcontrol.records import (
    BadRecord,
    elements,
    episode_of,
    framed,
    read_record,
    read_records,
)
from adapters.androidcontrol.rules import recorded, right
from harness.core import BadAction, Case, Task, UIAction, UserError
from harness.testing import check_adapter

STEPS = {(7, k) for k in range(4)} | {(9, 0), (9, 1), (9, 3), (9, 4)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("androidcontrol")
    androidrecords.write(where)
    told = prepare(where, where)
    assert told.startswith("2 test episodes, 8 steps")
    assert "1 recorded steps that no action stands for were left out" in told
    return where


def task(folder: Path, split: str = "test", level: str = "high", rule: str = "box") -> Task:
    return Task(
        id=f"androidcontrol/{split}-{level}-{rule}@1",
        domain="ui",
        adapter="adapters.androidcontrol:AndroidControlAdapter",
        params={"split": split, "level": level, "rule": rule, "data": str(folder)},
        max_steps=1,
        score="success",
    )


def test_the_contract(folder: Path) -> None:
    check_adapter(task(folder), others=[task(folder, "idd", "low", "grid")])


def test_records_equal_those_of_another_writer() -> None:
    data = b"what another wrote" * 9
    assert framed(data) == androidrecords.record(data)
    assert androidrecords.crc32c(b"123456789") == 0xE3069283, "the check value of CRC-32C"
    assert list(read_records(io.BytesIO(framed(b"a") + framed(b"")))) == [b"a", b""]
    assert read_record(io.BytesIO(b"")) is None


@pytest.mark.parametrize("at", [0, 9, 12, 20])
def test_a_damaged_record_is_refused(at: int) -> None:
    whole = bytearray(framed(b"some bytes of data"))
    with pytest.raises(BadRecord):
        read_record(io.BytesIO(whole[: at or 3]))
    whole[at] ^= 1
    with pytest.raises(BadRecord):
        read_record(io.BytesIO(whole))


def test_an_episode_is_read_field_by_field() -> None:
    episode = episode_of(androidrecords.example(androidrecords.messages(), 7))
    assert (episode.id, episode.goal) == (7, EPISODES[7][0])
    assert len(episode.screenshots) == len(episode.forests) == len(episode.sizes) == 5
    assert episode.instructions[3] == "step 3 of 7"
    assert [recorded(episode, k) for k in range(4)] == [
        UIAction("open_app", text="Clock"),
        UIAction("click", x=25.0, y=35.0),
        UIAction("type", text="6 AM"),
        UIAction("scroll", direction="down"),
    ]
    with pytest.raises(BadAction, match="no action that we know"):
        recorded(dataclasses.replace(episode, actions=('{"action_type": "fly"}',) * 4), 0)


@pytest.mark.parametrize("damage", [b"\xff" * 12, b"\x0a\x7f", b"\x0b", b"\x08\x01", b""])
def test_a_damaged_episode_is_refused(damage: bytes) -> None:
    with pytest.raises(BadRecord):
        episode_of(damage)


def test_visible_elements_follow_their_parents() -> None:
    found = elements(androidrecords.forest(androidrecords.messages()))
    assert [(element.ref, element.parent, element.tag) for element in found] == [
        (1, 0, "Frame"),
        (2, 1, "Button"),  # its panel is hidden, so its parent is the frame
        (3, 1, "Field"),
        (4, 1, "Icon"),
        (5, 0, "Wallpaper"),
    ]
    button, field, icon = found[1:4]
    assert (button.x, button.y, button.x + button.width, button.y + button.height) == tuple(
        map(float, BUTTON)
    )
    assert (field.x, field.value, field.flags, icon.flags) == (
        -5.0,
        "6 AM",
        ("editable",),
        ("disabled",),
    )
    assert elements(b"") == ()


CLICK = UIAction("click", x=25.0, y=35.0)


@pytest.mark.parametrize(
    ("action", "true", "grid", "box"),
    [
        (CLICK, CLICK, True, True),
        (UIAction("click", x=39.0, y=49.0), CLICK, False, True),  # far, but the same button
        (UIAction("click", x=25.0, y=29.0), CLICK, True, False),  # near, but not the button
        (UIAction("click", x=31.1, y=35.0), CLICK, True, True),  # 5 blocks of 1.2 px
        (UIAction("click", x=31.3, y=35.0), CLICK, False, True),  # 6 blocks
        (UIAction("long_press", x=25.0, y=35.0), CLICK, False, False),
        (UIAction("scroll", direction="up"), UIAction("scroll", direction="up"), True, True),
        (UIAction("scroll", direction="up"), UIAction("scroll", direction="down"), False, False),
        (UIAction("type", text=" 6 am"), UIAction("type", text="6 AM"), True, True),
        (UIAction("type", text="at 6 AM sharp"), UIAction("type", text="6 AM"), True, False),
        (UIAction("type", text="6"), UIAction("type", text="6 AM"), True, False),
        (UIAction("type", text="7"), UIAction("type", text="6 AM"), False, False),
        (
            UIAction("type", text=" "),
            UIAction("type", text="6 AM"),
            False,
            False,
        ),  # contained in all texts
        (UIAction("type", text=""), UIAction("type", text="6 AM"), False, False),
        (UIAction("type", text="6"), UIAction("type", text=""), False, False),
        (UIAction("open_app", text="clock"), UIAction("open_app", text="Clock"), True, True),
        (UIAction("wait"), UIAction("wait"), True, True),
        (UIAction("navigate_home"), UIAction("navigate_back"), False, False),
    ],
)
def test_the_two_rules(action: UIAction, true: UIAction, grid: bool, box: bool) -> None:
    seen = elements(androidrecords.forest(androidrecords.messages()))
    assert right(action, true, SIZE, seen, "grid") is grid
    assert right(action, true, SIZE, seen, "box") is box


def test_where_no_element_lies_the_grid_decides() -> None:
    assert right(UIAction("click", x=28.0, y=35.0), CLICK, SIZE, (), "box")
    assert not right(UIAction("click", x=45.0, y=35.0), CLICK, SIZE, (), "box")


def test_a_case_is_one_step_with_the_history_before_it(folder: Path) -> None:
    asked = task(folder)
    adapter = AndroidControlAdapter(asked)
    met = {}
    for seed in range(8):
        first = adapter.reset(Case(asked, seed))
        number, step = int(first.metrics["episode"]), int(first.metrics["episode_step"])
        views: Any = {name: view() for name, view in first.observation.items()}
        met[number, step] = seed
        assert first.instruction == EPISODES[number][0]
        assert (views["image"] == screenshot(number, step)).all()
        for ago in (1, 2):
            before = (
                screenshot(number, step - ago) if step >= ago else np.zeros_like(views["image"])
            )
            assert (views[f"image_before_{ago}"] == before).all()
        assert len(views["text_history"].splitlines()) == step
        last = adapter.step(adapter.expert(None))
        assert (last.success, last.terminated, last.reward) == (True, True, 1.0)
        assert last.metrics == {**first.metrics, "same_kind": 1.0}
        assert last.metrics["split_steps"] == 8.0
    assert met.keys() == STEPS, "all steps, each once"
    seed = met[9, 4]
    history = adapter.reset(Case(asked, seed)).observation["text_history"]()
    assert history.splitlines()[1:3] == [
        '{"kind":"navigate_back"}',
        '{"action_type": "input_text", "text": ""}',
    ]
    again = adapter.reset(Case(asked, seed + 8))
    assert (again.metrics["episode"], again.metrics["episode_step"]) == (9.0, 4.0), (
        "wraps around after the last"
    )


@pytest.mark.parametrize("rule", ["box", "grid"])
def test_answers_that_look_at_nothing_are_right_where_that_was_recorded_only(
    folder: Path, rule: str
) -> None:
    """By GEA's rule the goal as the name of an app is right too, as it contains that name."""
    asked = task(folder, rule=rule)
    adapter = AndroidControlAdapter(asked)
    for seed in range(8):
        goal = adapter.reset(Case(asked, seed)).instruction
        meant = adapter.expert(None)
        for answer in (
            UIAction("wait"),
            UIAction("navigate_back"),
            UIAction("scroll", direction="down"),
            UIAction("click", x=0.0, y=0.0),
            UIAction("open_app", text=goal),
        ):
            adapter.reset(Case(asked, seed))
            step = adapter.step(answer)
            same = (answer.kind, answer.direction) == (meant.kind, meant.direction)
            contained = rule == "grid" and str(meant.text).lower() in str(answer.text)
            expected = same and answer.kind != "click" and (not answer.text or contained)
            assert step.success == expected, answer
            assert step.reward == float(step.success)


def test_low_level_instructions_and_the_splits(folder: Path) -> None:
    for split, numbers in (("idd", {7}), ("app-unseen", {9}), ("task-unseen", {7, 9})):
        asked = task(folder, split, "low")
        adapter = AndroidControlAdapter(asked)
        firsts = [adapter.reset(Case(asked, seed)) for seed in range(8)]
        assert {int(first.metrics["episode"]) for first in firsts} == numbers
        assert firsts[0].instruction == "step {episode_step:.0f} of {episode:.0f}".format(
            **firsts[0].metrics
        )
    asked = task(folder, "category-unseen")
    missing = AndroidControlAdapter.missing(asked)
    assert missing is not None
    assert "category-unseen is not among the data" in missing.reason
    with pytest.raises(UserError, match="category-unseen"):
        AndroidControlAdapter(asked).reset(Case(asked, 0))


def test_an_action_on_an_element_is_at_its_centre(folder: Path) -> None:
    asked = task(folder)
    adapter = AndroidControlAdapter(asked)
    order = Steps.of(folder).orders["test"]
    seed = order.index((7, 1))
    for ref, success, unknown in ((2, True, None), (3, False, None), (99, False, 1.0)):
        adapter.reset(Case(asked, seed))
        last = adapter.step({"kind": "click", "ref": ref})
        assert (last.success, last.metrics.get("unknown_refs")) == (success, unknown)
    adapter.reset(Case(asked, seed))
    with pytest.raises(BadAction, match="not empty"):
        adapter.step({"kind": "type", "text": ""})


def test_a_missing_dataset_is_named_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = task(tmp_path)
    missing = AndroidControlAdapter.missing(asked)
    assert missing is not None
    assert "download" in missing.remedy
    androidrecords.write(tmp_path)
    missing = AndroidControlAdapter.missing(asked)
    assert missing is not None
    assert missing.remedy == f"run python -m adapters.androidcontrol {tmp_path}"
    done = subprocess.run(
        [sys.executable, "-m", "adapters.androidcontrol", str(tmp_path), str(tmp_path / "small")],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("2 test episodes, 8 steps")
    monkeypatch.setenv("ANDROIDCONTROL_DATA", str(tmp_path / "small"))
    elsewhere = dataclasses.replace(
        asked, params={name: value for name, value in asked.params.items() if name != "data"}
    )
    assert AndroidControlAdapter.missing(elsewhere) is None
    assert AndroidControlAdapter.missing() is None


def test_damaged_and_foreign_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="splits"):
        prepare(tmp_path, tmp_path)
    androidrecords.write(tmp_path)
    shard = tmp_path / "android_control-00000-of-00002"
    shard.write_bytes(shard.read_bytes()[:-40])
    with pytest.raises(UserError, match="is damaged"):
        prepare(tmp_path, tmp_path)
    (tmp_path / "bench-test.json").write_text("[]")
    with pytest.raises(UserError, match="cannot be read"):
        Steps.of(tmp_path)
    missing = AndroidControlAdapter.missing(task(tmp_path))
    assert missing is not None
    assert missing.remedy == f"run python -m adapters.androidcontrol {tmp_path}"
    with pytest.raises(UserError, match="the param rule is one of grid, box"):
        AndroidControlAdapter(task(tmp_path)).reset(Case(task(tmp_path, rule="near"), 0))
    assert os.listdir(tmp_path)

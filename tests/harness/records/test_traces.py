"""Traces: the executed actions come back as they were, whatever tears or damages their files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toys
from conftest import plan_of
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core import UI, Box, Discrete, MultiDiscrete, Text, UserError
from harness.records.plan import CaseIndex
from harness.records.traces import (
    Trace,
    TraceWriter,
    action_bytes,
    action_table,
    encode_actions,
    read_traces,
)

SPEC, PLAN = plan_of("GoodAgent", toys.TASKS[:2], 3)
few = settings(max_examples=60, deadline=None)


def trace(item: int, episode: int, actions: list[Any]) -> Trace:
    case = PLAN.case(CaseIndex(item, 0, episode))
    return Trace(
        case=case.id,
        task=case.task.id,
        seed=case.seed,
        instruction="go to 1 2",
        actions=encode_actions(actions),
        digest="00ff",
    )


def same(one: list[Any], other: list[Any]) -> bool:
    return len(one) == len(other) and all(
        type(a) is type(b) and np.array_equal(a, b) for a, b in zip(one, other)
    )


@few
@given(data=st.data(), count=st.integers(0, 40), seed=st.integers(0, 1000))
def test_actions_of_every_spec_come_back(data: st.DataObject, count: int, seed: int) -> None:
    spec = data.draw(
        st.sampled_from(
            [
                Discrete(1),
                Discrete(5),
                Discrete(300),
                Discrete(70_000),
                Box((4,), low=-1.0, high=1.0),
                Box((2, 3), "float64"),
                Box((2,), "int16", -5, 300),
                Box((1,), "uint8", 0, 255),
                MultiDiscrete((2,)),
                MultiDiscrete((3, 5, 400)),
                Text(choices=("", "ü \x00 \u2028", "open the door")),
                UI(64, 48, ("wait", "click", "type"), texts=("ü", "two words")),
            ]
        )
    )
    rng = np.random.default_rng(seed)
    actions = [spec.coerce(spec.sample(rng))[0] for _ in range(count)]
    decoded = Trace(
        case="c", task="t", seed=0, instruction="", actions=encode_actions(actions), digest=""
    ).decoded()
    assert same(decoded, actions)
    assert [type(spec.validate(action)) for action in decoded] == [
        type(action) for action in actions
    ], "they can be played again"
    table = action_table(actions)
    assert encode_actions(actions, table) == encode_actions(actions)
    assert action_bytes(actions, table) == action_bytes(actions)


def test_actions_of_one_number_without_an_axis_come_back() -> None:
    actions = [np.asarray(0.5, np.float32), np.asarray(-0.25, np.float32)]
    assert same(
        Trace(
            case="c", task="t", seed=0, instruction="", actions=encode_actions(actions), digest=""
        ).decoded(),
        actions,
    )


def test_each_opening_writes_a_part_of_its_own(tmp_path: Path) -> None:
    for part in range(3):
        writer = TraceWriter(tmp_path / "traces")
        (tmp_path / "traces").mkdir(exist_ok=True)
        for number in range(2):
            writer.append(trace(part % 2, number, [part, number]))
        writer.close()
    TraceWriter(tmp_path / "traces").close()
    assert sorted(path.name for path in (tmp_path / "traces").iterdir()) == [
        f"part-000{part}.msgpack" for part in range(3)
    ]
    assert [each.decoded() for each in read_traces(tmp_path)] == [
        [part, number] for part in range(3) for number in range(2)
    ]


def test_a_run_without_traces_has_none(tmp_path: Path) -> None:
    assert list(read_traces(tmp_path)) == []


def test_every_offset_at_which_a_part_can_tear(tmp_path: Path) -> None:
    (tmp_path / "traces").mkdir()
    writer, ends = TraceWriter(tmp_path / "traces"), []
    part = tmp_path / "traces" / "part-0000.msgpack"
    stored = [
        trace(0, 0, [1, 2, 3]),
        trace(0, 1, [np.ones(2, np.float32)]),
        trace(1, 0, ["look", "go"]),
    ]
    for each in stored:
        writer.append(each)
        ends.append(part.stat().st_size)
    writer.close()
    content = part.read_bytes()
    later = TraceWriter(tmp_path / "traces")
    later.append(trace(1, 1, [4]))
    later.close()
    for offset in range(len(content) + 1):
        part.write_bytes(content[:offset])
        found = list(read_traces(tmp_path))
        kept = sum(end <= offset for end in ends)
        assert [each.case for each in found] == [
            *(each.case for each in stored[:kept]),
            PLAN.case(CaseIndex(1, 0, 1)).id,
        ], "the next part is read"


@pytest.mark.parametrize(
    "garbage", [b"\xc1\xc1\xc1", b"\x05", b"\x80", b"\x81\xa1a\x01", b"\x93\x01\x02\x03", b"\xc0"]
)
def test_a_damaged_part_is_named(tmp_path: Path, garbage: bytes) -> None:
    (tmp_path / "traces").mkdir()
    writer = TraceWriter(tmp_path / "traces")
    for episode in range(2):
        writer.append(trace(0, episode, [1, 2]))
    writer.close()
    part = tmp_path / "traces" / "part-0000.msgpack"
    part.write_bytes(part.read_bytes() + garbage)
    with pytest.raises(UserError, match=r"part-0000\.msgpack"):
        list(read_traces(tmp_path))


@pytest.mark.parametrize("dtype", ["O", "U4", "M8[s]", "V8"])
def test_objects_are_never_unpacked(dtype: str) -> None:
    with pytest.raises(UserError, match="which no action has"):
        Trace(
            case="c",
            task="t",
            seed=0,
            instruction="",
            actions={"dtype": dtype, "shape": [1], "data": b""},
            digest="",
        ).decoded()


GOOD = encode_actions([np.ones(2, np.float32)])


@pytest.mark.parametrize(
    "actions",
    [
        {**GOOD, "data": b"garbage"},
        {**GOOD, "shape": [7]},
        {**GOOD, "shape": "x"},
        {**GOOD, "dtype": "odd"},
        {"dtype": "<f4"},
        {},
        None,
    ],
    ids=["data", "shape", "kind of shape", "dtype", "half", "empty", "none"],
)
def test_damaged_actions_are_named(actions: Any) -> None:
    with pytest.raises(UserError, match="the trace of c"):
        Trace(case="c", task="t", seed=0, instruction="", actions=actions, digest="").decoded()

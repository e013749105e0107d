"""The run directory and its traces: whatever tears or damages a file, nothing is lost in silence and nothing is believed that is not whole."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toys
from conftest import plan_of, read_lines
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core import UI, Box, Discrete, MultiDiscrete, Result, Text, UserError
from harness.records.identity import AgentSpec
from harness.records.plan import NotRun, Plan
from harness.records.run_directory import RunDirectory
from harness.records.run_file import read_run
from harness.records.traces import Trace, TraceWriter, encode_actions, read_traces

SPEC, PLAN = plan_of("GoodAgent", toys.TASKS[:2], 3)
CASES = [(item, number) for item in range(2) for number in range(3)]
few = settings(max_examples=60, deadline=None)


def describe(spec: AgentSpec = SPEC) -> dict[str, Any]:
    return {"agent": spec.to_json()}


def result(item: int, number: int, **changes: Any) -> Result:
    case = PLAN.case(item, number)
    fields: dict[str, Any] = {
        "case": case.id, "task": case.task.id, "seed": case.seed, "perturbations": (), "status": "finished", "success": True, "score": 1 / 3,
        "normalised": None, "steps": 7, "ended": "success", "metrics": {"distance": 0.1}, "error": None, "digest": "00ff",
        "protocol": PLAN.items[item].protocol, "timing": {"agent_s": 0.25, "worker": "here"},
    }  # fmt: skip
    return Result(**{**fields, **changes})


def trace(item: int, number: int, actions: list[Any]) -> Trace:
    case = PLAN.case(item, number)
    return Trace(case.id, case.task.id, case.seed, "go to 1 2", encode_actions(actions), "00ff")


def open_run(path: Path, plan: Plan = PLAN) -> RunDirectory:
    return RunDirectory(path, describe(), plan)


def fill(path: Path, cases: list[tuple[int, int]]) -> None:
    directory = open_run(path)
    for place in cases:
        directory.append(result(*place), trace(*place, [1, 2]), 0.0)
    directory.close(finished=False)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with four of its six cases."""
    path = tmp_path_factory.mktemp("whole")
    fill(path, CASES[:4])
    return path


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def copied(whole: Path, folder: Path, episodes: bytes) -> Path:
    (folder / "run.json").write_bytes((whole / "run.json").read_bytes())
    (folder / "episodes.jsonl").write_bytes(episodes)
    return folder


def test_results_come_back_as_they_were(tmp_path: Path) -> None:
    directory = open_run(tmp_path)
    odd = {
        "success": None,
        "score": -1e-300,
        "normalised": 2.5,
        "metrics": {"a b": 1e300},
        "error": "ü\n\u2028 'x'",
        "perturbations": (),
    }
    stored = [
        result(*CASES[0]),
        result(*CASES[1], **odd),
        result(*CASES[2], status="error", success=None, score=None, ended="error"),
    ]
    for each in stored:
        directory.append(each, None, 0.0)
    directory.close(finished=False)
    lines = list(read_lines(tmp_path))
    assert lines == [{**dataclasses.asdict(each), "perturbations": []} for each in stored]
    assert [
        Result(**{**line, "perturbations": tuple(line["perturbations"])}) for line in lines
    ] == stored
    assert (tmp_path / "episodes.jsonl").read_bytes().count(b"\n") == 3


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_no_file_holds_what_is_no_number(tmp_path: Path, score: float) -> None:
    directory = open_run(tmp_path)
    with pytest.raises(ValueError, match="JSON compliant"):
        directory.append(result(*CASES[0], score=score), None, 0.0)
    directory.close(finished=False)
    assert (tmp_path / "episodes.jsonl").read_bytes() == b""


def test_what_is_done_and_what_is_missing(tmp_path: Path) -> None:
    directory = open_run(tmp_path)
    assert directory.missing() == 6
    directory.append(result(0, 1), None, 0.0)
    directory.append(result(1, 2, status="error", success=None), None, 0.0)
    directory.append(result(1, 0, status="agent_error", success=False), None, 0.0)
    for again in (False, True):
        assert [place for place in CASES if directory.done(*place)] == [(0, 1), (1, 0)], (
            "a case that ended in error is still missing"
        )
        assert directory.missing() == 4
        assert directory.counts == {"finished": 1, "agent_error": 1, "successes": 1}
        directory.close(finished=False)
        if not again:
            directory = open_run(tmp_path)


def test_every_offset_at_which_a_file_can_tear(whole: Path, tmp_path: Path) -> None:
    content = (whole / "episodes.jsonl").read_bytes()
    ends = [place + 1 for place, byte in enumerate(content) if byte == 10]
    assert len(ends) == 4
    last = ends[-2]  # every offset of the last line, and a few of the others
    for offset in [
        0,
        1,
        ends[0] - 1,
        ends[0],
        ends[0] + 1,
        ends[1],
        *range(last - 2, len(content) + 1),
    ]:
        path = copied(whole, tmp_path, content[:offset])
        kept = sum(end <= offset for end in ends)
        assert len(list(read_lines(path))) == kept, "a reader leaves the torn line out"
        assert (path / "episodes.jsonl").read_bytes() == content[:offset], "and changes nothing"
        directory = open_run(path)
        assert [place for place in CASES if directory.done(*place)] == CASES[:kept]
        for place in CASES[kept:]:
            directory.append(result(*place), None, 0.0)
        directory.close(finished=True)
        assert (
            (path / "episodes.jsonl")
            .read_bytes()
            .startswith(content[: ends[kept - 1] if kept else 0])
        )
        assert [line["case"] for line in read_lines(path)] == [
            PLAN.case(*place).id for place in CASES
        ]


@few
@given(
    tail=st.binary(max_size=200_000).map(lambda text: text.replace(b"\n", b"")),
    kept=st.integers(0, 4),
)
def test_whatever_stands_behind_the_last_line_is_cut(whole: Path, tail: bytes, kept: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        lines = b"".join((whole / "episodes.jsonl").read_bytes().splitlines(keepends=True)[:kept])
        path = copied(whole, Path(name), lines + tail)
        directory = open_run(path)
        assert directory.missing() == 6 - kept
        directory.close(finished=False)
        assert (path / "episodes.jsonl").read_bytes() == lines


@pytest.mark.parametrize("line", [b"{torn", b"\xff\xfe", b"\x00\x00"])
def test_a_damaged_line_is_named(whole: Path, tmp_path: Path, line: bytes) -> None:
    lines = (whole / "episodes.jsonl").read_bytes().splitlines(keepends=True)
    path = copied(whole, tmp_path, lines[0] + line + b"\n" + lines[1])
    for reader in (lambda: list(read_lines(path)), lambda: open_run(path)):
        with pytest.raises(UserError, match=r"episodes\.jsonl, line 2 is not JSON"):
            reader()
    assert (path / "episodes.jsonl").read_bytes().count(b"\n") == 3, "nothing was cut"


@pytest.mark.parametrize("line", ["5", "null", "{}", '{"task": "toys/goal@1"}', None])
def test_a_line_that_is_no_episode_is_named(whole: Path, tmp_path: Path, line: str | None) -> None:
    lines = (whole / "episodes.jsonl").read_text().splitlines()
    strange = lines[1].replace('"finished"', '"odd"') if line is None else line
    path = copied(whole, tmp_path, "\n".join([lines[0], strange, lines[2], ""]).encode())
    with pytest.raises(UserError, match=r"episodes\.jsonl, line 2"):
        open_run(path)


@pytest.mark.parametrize(
    "content", ['{"schema": 1}', '{"schema": 1, "agent": {}, "plan": {"hash": "x"}}']
)
def test_a_run_json_that_lacks_its_parts_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(UserError, match=r"run\.json"):
        open_run(tmp_path)


def test_lines_of_another_plan_count_for_nothing(whole: Path, tmp_path: Path) -> None:
    line = json.loads((whole / "episodes.jsonl").read_text().splitlines()[0])
    strange = [
        {**line, "seed": 77},
        {**line, "task": "toys/other@1"},
        {**line, "perturbations": ["noise:1"]},
    ]
    path = copied(whole, tmp_path, b"".join(json.dumps(each).encode() + b"\n" for each in strange))
    directory = open_run(path)
    assert directory.missing() == 6
    directory.close(finished=False)


def test_episodes_without_their_run_are_left_alone(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "episodes.jsonl").write_bytes((whole / "episodes.jsonl").read_bytes())
    with pytest.raises(UserError, match=r"has episodes but no run\.json"):
        open_run(tmp_path)
    assert (tmp_path / "episodes.jsonl").read_bytes() == (whole / "episodes.jsonl").read_bytes()


def test_a_run_that_died_before_it_was_described_starts_again(tmp_path: Path) -> None:
    (tmp_path / "traces").mkdir()
    (tmp_path / "episodes.jsonl").touch()
    (tmp_path / "run.json.new").write_text('{"schema": 1, "pl')
    directory = open_run(tmp_path)
    directory.close(finished=False)
    assert read_run(tmp_path)["plan"]["hash"] == PLAN.hash


def test_when_it_began_and_when_it_was_finished(tmp_path: Path) -> None:
    open_run(tmp_path).close(finished=False)
    first = read_run(tmp_path)
    assert first["finished"] is None
    open_run(tmp_path).close(finished=True)
    second = read_run(tmp_path)
    assert second["finished"] is not None
    open_run(tmp_path).close(finished=True)
    assert read_run(tmp_path) == second == {**first, "finished": second["finished"]}
    assert Plan.from_json(second["plan"]) == PLAN


def test_what_turned_out_not_to_run_is_recorded_once(tmp_path: Path) -> None:
    row = NotRun("toys/goal@1", "navigation", "toys", "no chalk", "buy chalk")
    for _ in range(2):
        directory = open_run(tmp_path)
        directory.not_run((row,))
        directory.close(finished=True)
    assert read_run(tmp_path)["plan"]["not_run"] == json.loads(
        json.dumps([dataclasses.asdict(row)])
    )


def test_a_place_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Choose another place with --out"):
        open_run(tmp_path / "file")
    (tmp_path / "odd" / "episodes.jsonl").mkdir(parents=True)
    with pytest.raises(UserError, match="Choose another place with --out"):
        open_run(tmp_path / "odd")


# Traces


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
    decoded = Trace("c", "t", 0, "", encode_actions(actions), "").decoded()
    assert same(decoded, actions)
    assert [type(spec.validate(action)) for action in decoded] == [
        type(action) for action in actions
    ], "they can be played again"


def test_actions_of_one_number_without_an_axis_come_back() -> None:
    actions = [np.asarray(0.5, np.float32), np.asarray(-0.25, np.float32)]
    assert same(Trace("c", "t", 0, "", encode_actions(actions), "").decoded(), actions)


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
            PLAN.case(1, 1).id,
        ], "the next part is read"


@pytest.mark.parametrize(
    "garbage", [b"\xc1\xc1\xc1", b"\x05", b"\x80", b"\x81\xa1a\x01", b"\x93\x01\x02\x03", b"\xc0"]
)
def test_a_damaged_part_is_named(tmp_path: Path, garbage: bytes) -> None:
    fill(tmp_path, CASES[:2])
    part = tmp_path / "traces" / "part-0000.msgpack"
    part.write_bytes(part.read_bytes() + garbage)
    with pytest.raises(UserError, match=r"part-0000\.msgpack"):
        list(read_traces(tmp_path))


@pytest.mark.parametrize("dtype", ["O", "U4", "M8[s]", "V8"])
def test_objects_are_never_unpacked(dtype: str) -> None:
    with pytest.raises(UserError, match="not one of ours"):
        Trace("c", "t", 0, "", {"dtype": dtype, "shape": [1], "data": b""}, "").decoded()


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
        Trace("c", "t", 0, "", actions, "").decoded()

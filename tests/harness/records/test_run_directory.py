"""The run directory: whatever tears or damages a file, nothing is lost in silence, and nothing is
believed that is not whole."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import toys
from conftest import plan_of, read_lines
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core import Result, UserError
from harness.records.identity import AgentSpec
from harness.records.plan import CaseIndex, NotRun, Plan
from harness.records.results import read_results
from harness.records.run_directory import RunDirectory, StorageFull
from harness.records.run_file import read_run
from harness.records.traces import Trace, encode_actions

SPEC, PLAN = plan_of("GoodAgent", toys.TASKS[:2], 3)
CASES = [CaseIndex(item, 0, episode) for item in range(2) for episode in range(3)]
few = settings(max_examples=60, deadline=None)


def describe(spec: AgentSpec = SPEC) -> dict[str, Any]:
    return {"agent": spec.to_json()}


def result(item: int, episode: int, **changes: Any) -> Result:
    case = PLAN.case(CaseIndex(item, 0, episode))
    fields: dict[str, Any] = {
        "case": case.id,
        "task": case.task.id,
        "seed": case.seed,
        "perturbations": (),
        "status": "finished",
        "success": True,
        "score": 1 / 3,
        "normalised": None,
        "steps": 7,
        "ended": "success",
        "metrics": {"distance": 0.1},
        "error": None,
        "digest": "00ff",
        "protocol": PLAN.items[item].protocol,
        "timing": {"agent_s": 0.25, "worker": "here"},
    }
    return Result(**{**fields, **changes})


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


def open_run(path: Path, plan: Plan = PLAN) -> RunDirectory:
    return RunDirectory(path, describe(), plan)


def result_of(index: CaseIndex, **changes: Any) -> Result:
    return result(index.item, index.episode, **changes)


def fill(path: Path, cases: list[CaseIndex]) -> None:
    directory = open_run(path)
    for index in cases:
        directory.append(result_of(index), trace(index.item, index.episode, [1, 2]), 0.0)
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
        "metrics": {"a b": 1e15},
        "error": "ü\n\u2028 'x'",
        "perturbations": (),
    }
    stored = [
        result_of(CASES[0]),
        result_of(CASES[1], **odd),
        result_of(CASES[2], status="error", success=None, score=None, ended="error"),
    ]
    for each in stored:
        directory.append(each, None, 0.0)
    directory.close(finished=False)
    assert read_lines(tmp_path) == [
        {**dataclasses.asdict(each), "perturbations": []} for each in stored
    ]
    assert list(read_results(tmp_path)) == stored
    assert (tmp_path / "episodes.jsonl").read_bytes().count(b"\n") == 3


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_no_file_holds_what_is_no_number(tmp_path: Path, score: float) -> None:
    directory = open_run(tmp_path)
    with pytest.raises(ValueError, match="JSON compliant"):
        directory.append(result_of(CASES[0], score=score), None, 0.0)
    directory.close(finished=False)
    assert (tmp_path / "episodes.jsonl").read_bytes() == b""


def test_what_is_done_and_what_is_missing(tmp_path: Path) -> None:
    directory = open_run(tmp_path)
    assert directory.missing() == 6
    directory.append(result(0, 1), None, 0.0)
    directory.append(result(1, 2, status="error", success=None), None, 0.0)
    failed = result(1, 0, status="agent_error", success=False, score=None)
    directory.append(failed, None, 0.0)
    for again in (False, True):
        assert [index for index in CASES if directory.done(index)] == [
            CaseIndex(0, 0, 1),
            CaseIndex(1, 0, 0),
        ], "a case that ended in error is still missing"
        assert directory.missing() == 4
        assert directory.counts == {"finished": 1, "agent_error": 1, "successes": 1}
        directory.close(finished=False)
        if not again:
            directory = open_run(tmp_path)


def test_wherever_a_file_can_tear(whole: Path, tmp_path: Path) -> None:
    content = (whole / "episodes.jsonl").read_bytes()
    ends = [place + 1 for place, byte in enumerate(content) if byte == 10]
    assert len(ends) == 4
    last = ends[-2]  # every third offset of the last line, all about its ends, a few others
    for offset in [
        0,
        1,
        ends[0] - 1,
        ends[0],
        ends[0] + 1,
        ends[1],
        *range(last - 2, last + 4),
        *range(last + 4, len(content) - 4, 3),
        *range(len(content) - 4, len(content) + 1),
    ]:
        path = copied(whole, tmp_path, content[:offset])
        kept = sum(end <= offset for end in ends)
        assert len(list(read_results(path))) == kept, "a reader leaves the torn line out"
        assert (path / "episodes.jsonl").read_bytes() == content[:offset], "and changes nothing"
        directory = open_run(path)
        assert [index for index in CASES if directory.done(index)] == CASES[:kept]
        for index in CASES[kept:]:
            directory.append(result_of(index), None, 0.0)
        directory.close(finished=True)
        assert (
            (path / "episodes.jsonl")
            .read_bytes()
            .startswith(content[: ends[kept - 1] if kept else 0])
        )
        assert [each.case for each in read_results(path)] == [
            PLAN.case(index).id for index in CASES
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
    for reader in (lambda: list(read_results(path)), lambda: open_run(path)):
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


@pytest.mark.parametrize(
    "change",
    [{"seed": 77}, {"task": "toys/other@1"}, {"perturbations": ["noise:1"]}],
    ids=str,
)
def test_lines_of_another_plan_are_refused_and_left_alone(
    whole: Path, tmp_path: Path, change: dict[str, Any]
) -> None:
    """As everywhere where results are read: to go on would blend two runs."""
    lines = (whole / "episodes.jsonl").read_text().splitlines()
    strange = json.dumps({**json.loads(lines[0]), **change})
    content = "\n".join([lines[0], strange, lines[1], ""]).encode()
    path = copied(whole, tmp_path, content)
    with pytest.raises(UserError, match=r"episodes\.jsonl, line 2: run\.json does not plan"):
        open_run(path)
    assert (path / "episodes.jsonl").read_bytes() == content


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


def test_a_directory_of_a_run_that_could_play_nothing_takes_another_plan(tmp_path: Path) -> None:
    """The same command works after the remedy of its only task was followed."""
    missing = NotRun("toys/goal@1", "navigation", "toys", "it is not installed", "install it")
    open_run(tmp_path, Plan((), not_run=(missing,))).close(finished=True)
    directory = open_run(tmp_path)
    assert directory.missing() == PLAN.total
    directory.close(finished=False)
    assert read_run(tmp_path)["plan"]["hash"] == PLAN.hash


@pytest.mark.parametrize("name", ["a\0b", "x" * 300, "\udcff" * 300])
def test_a_path_that_cannot_be_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="Choose another place with --out"):
        open_run(tmp_path / name)


def test_two_writers_are_refused_however_often_the_file_is_read(tmp_path: Path) -> None:
    directory = open_run(tmp_path)
    directory.append(result_of(CASES[0]), None, 0.0)
    for _ in range(2):
        assert len(list(read_results(tmp_path))) == 1
        with pytest.raises(UserError, match="being written by another run"):
            open_run(tmp_path)
    directory.close(finished=False)
    open_run(tmp_path).close(finished=False)


def test_a_forked_process_lets_go_and_writes_nothing(tmp_path: Path) -> None:
    directory = open_run(tmp_path)
    directory.append(result_of(CASES[0]), trace(0, 0, [1]), 0.0)
    copy = os.fork()
    if copy == 0:
        try:
            directory.append(result_of(CASES[1]), trace(0, 1, [1]), 0.0)
        except StorageFull:
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1]) == 7
    directory.append(result_of(CASES[2]), trace(0, 2, [1]), 0.0)
    directory.close(finished=False)
    assert [line["case"] for line in read_lines(tmp_path)] == [
        PLAN.case(index).id for index in (CASES[0], CASES[2])
    ]


def test_a_full_disk_leaves_no_part_of_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = open_run(tmp_path)
    directory.append(result_of(CASES[0]), None, 0.0)
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda number, content: write(number, content[:10]))
        with pytest.raises(StorageFull, match="No space left") as full:
            directory.append(result_of(CASES[1]), None, 0.0)
    assert full.value.remedy.startswith("Free some space")
    assert len(read_lines(tmp_path)) == 1
    directory.append(result_of(CASES[1]), None, 0.0)
    directory.close(finished=False)
    assert len(read_lines(tmp_path)) == 2

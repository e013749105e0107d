"""Whatever JSON, bytes or files say: a reader gives what it promises, or refuses it in words."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from resultlines import PLAN, line_of

from harness.core import Result, Task, UserError
from harness.records.plan import CaseIndex, Plan, task_from_json, task_to_json
from harness.records.plan_fields import ITEM, NORMALISER, NOT_RUN, PERTURBATION, REFERENCE, TASK
from harness.records.results import FIELDS, decode_line, result_from_json
from harness.records.safe_files import (
    check_writable,
    files_inside,
    open_inside,
    path_inside,
    read_inside,
    read_regular,
)
from harness.records.safe_json import MOST_DEPTH, parse, shown
from harness.records.stored_run import load_run
from harness.records.traces import Trace, read_part

many = settings(max_examples=300, deadline=None)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.text(st.characters(), max_size=8)
)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)
"""As json.loads can give it: with NaN, infinities and whole numbers of any size."""


def with_changes(document: Any) -> st.SearchStrategy[Any]:
    """The document with other values at some of its places."""

    def change(copy: Any, draw: Callable[..., Any]) -> Any:
        if draw(st.integers(0, 9)) == 0:
            return draw(JSON)
        if isinstance(copy, dict):
            kept = {name: change(each, draw) for name, each in copy.items()}
            if kept and draw(st.integers(0, 19)) == 0:
                kept.pop(draw(st.sampled_from(sorted(kept))))
            return kept
        return [change(each, draw) for each in copy] if isinstance(copy, list) else copy

    @st.composite
    def changed(draw: Callable[..., Any]) -> Any:
        return change(json.loads(json.dumps(document)), draw)

    return changed()


def attempt(read: Callable[[], Any]) -> tuple[Any, str]:
    """(what it read, "") or (None, the words of its refusal, which are never empty)."""
    try:
        return read(), ""
    except (ValueError, UserError) as refused:
        return None, str(refused) or "no words"


@many
@given(JSON | with_changes(line_of(CaseIndex(0, 0, 0))))
def test_a_line_is_a_result_or_is_refused(line: Any) -> None:
    result, words = attempt(lambda: result_from_json(line))
    assert words != "no words"
    assert len(words) < 500
    if words:
        return
    assert isinstance(result, Result)
    assert result.metrics.keys() == line["metrics"].keys()
    json.dumps([getattr(result, name) for name in FIELDS if name != "timing"], allow_nan=False)


@many
@given(JSON | with_changes(PLAN.to_json()))
def test_a_plan_is_a_plan_or_is_refused(fields: Any) -> None:
    plan, words = attempt(lambda: Plan.from_json(fields))
    assert words != "no words"
    if words:
        return
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    assert sum(map(plan.count, range(len(plan.items)))) == plan.total
    for item in plan.items:
        assert isinstance(item.task, Task)


@many
@given(JSON | with_changes(task_to_json(PLAN.items[0].task)))
def test_a_task_is_a_task_or_is_refused(fields: Any) -> None:
    task, words = attempt(lambda: task_from_json(fields))
    assert words != "no words"
    assert words or task_from_json(json.loads(json.dumps(task_to_json(task)))) == task


@many
@given(
    st.text() | st.binary() | JSON.map(json.dumps) | JSON.map(lambda value: json.dumps(value)[1:])
)
def test_a_document_is_json_or_is_refused(content: str | bytes) -> None:
    value, words = attempt(lambda: parse(content))
    assert words != "no words"
    json.dumps(value, allow_nan=False)


@pytest.mark.parametrize("depth", [MOST_DEPTH - 1, MOST_DEPTH, MOST_DEPTH + 1, 500, 10**5])
@pytest.mark.parametrize("brackets", ["[]", "{}"])
def test_depth_is_bounded(depth: int, brackets: str) -> None:
    begin, end = brackets if brackets == "[]" else ('{"a":', "}")
    text = begin * depth + "1" + end * depth
    if depth >= MOST_DEPTH:
        with pytest.raises(ValueError, match="deep"):
            parse(text)
    else:
        parse(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("NaN", "no number"),
        ("[-Infinity]", "no number"),
        ("1e999", "not finite"),
        ("1" * 401, "401 digits"),
        ('{"a": 1, "b": 2, "a": 3}', "'a' twice"),
        ("[" + "0," * 5_000_000 + "0]", "more than"),
        (b"\xff", "decode"),
    ],
    ids=["NaN", "infinite", "too large", "long", "twice", "many", "bytes"],
)
def test_what_is_no_json_of_ours_is_named(text: str | bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse(text)


@given(JSON)
def test_a_wrong_value_is_named_in_a_short_line(value: Any) -> None:
    assert len(shown(value)) <= 80
    assert "\n" not in shown(value)


def test_every_field_of_a_plan_has_a_check() -> None:
    import dataclasses

    from harness.core import Normaliser, Perturbation, Reference
    from harness.records.plan import NotRun, PlanItem

    names = {"env_key": "affinity", "conditions": "arms"}
    for kind, checks in (
        (Task, TASK),
        (Normaliser, NORMALISER),
        (Reference, REFERENCE),
        (Perturbation, PERTURBATION),
        (PlanItem, ITEM),
        (NotRun, NOT_RUN),
    ):
        fields = [names.get(field.name, field.name) for field in dataclasses.fields(kind)]
        assert list(checks) == fields, kind


# Traces

PACKED = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=4)
    | st.binary(max_size=4) | st.floats(),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(["plain", "dtype", "shape", "data", "texts", "ui"]), inner),
    max_leaves=8,
)  # fmt: skip


@many
@given(PACKED)
def test_actions_are_decoded_or_refused(actions: Any) -> None:
    trace = Trace(case="c", task="t", seed=0, instruction="", actions=actions, digest="")
    length, words = attempt(lambda: trace.length)
    assert not words or "damaged" in words
    decoded, others = attempt(trace.decoded)
    assert not others or "damaged" in others
    assert others or len(decoded) == length


@many
@given(st.binary(max_size=60) | PACKED.map(msgpack.packb))
def test_a_part_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    part = tmp_path_factory.getbasetemp() / "wild" / "traces" / "part-0000.msgpack"
    part.parent.mkdir(parents=True, exist_ok=True)
    part.write_bytes(content)
    _, words = attempt(lambda: list(read_part(part)))
    assert not words or "part-0000" in words


@pytest.mark.parametrize("line", [b"[" * 2_000_000, b"x" * 2_000_000])
def test_a_long_line_is_refused_before_it_is_decoded(line: bytes) -> None:
    with pytest.raises(ValueError, match="longer than 1 MiB"):
        decode_line(line)


# Files


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    (tmp_path / "folder" / "file").write_text("text")
    (tmp_path / "linked").symlink_to("folder")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "endless").symlink_to("/dev/zero")
    assert read_inside(tmp_path, "file", 4) == b"text"
    assert read_inside(tmp_path, "folder/file", 4) == b"text"
    assert read_inside(tmp_path / "linked", "file", 4) == b"text", "what the user typed"
    assert read_regular(tmp_path / "link", 4) == b"text", "what the user typed"
    for name, words in (
        ("link", "a symbolic link"),
        ("linked/file", "cannot be read"),
        ("folder", "a directory"),
        ("pipe", "a pipe"),
        ("endless", "a symbolic link"),
        ("file/x", "cannot be read"),
        ("x\0y", "outside"),
        ("../x", "outside"),
        ("folder/../file", "outside"),
        ("/etc/passwd", "outside"),
        ("", "outside"),
        ("x" * 300, "cannot be read"),
    ):
        with pytest.raises(UserError, match=words):
            open_inside(tmp_path, name)
    for name, words in (("pipe", "a pipe"), ("endless", "a device"), ("folder", "a directory")):
        with pytest.raises(UserError, match=words):
            read_regular(tmp_path / name, 4)
    with pytest.raises(UserError, match="larger than 3 bytes"):
        read_inside(tmp_path, "file", 3)
    with pytest.raises(FileNotFoundError):
        open_inside(tmp_path, "none")
    with pytest.raises(FileNotFoundError):
        open_inside(tmp_path / "none", "file")


def test_names_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for name in ("b1", "a1", "c"):
        (tmp_path / "folder" / name).touch()
    assert files_inside(tmp_path, "folder", "[a-z]1") == ["a1", "b1"]
    assert files_inside(tmp_path, "none", ".*") == []
    (tmp_path / "link").symlink_to("folder")
    (tmp_path / "file").touch()
    for name in ("link", "file"):
        with pytest.raises(UserError, match="not a directory"):
            files_inside(tmp_path, name, ".*")


def test_a_link_is_never_written_through(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "file").touch()
    check_writable(tmp_path, ("file", "none"), ("none",))
    for files, folders in ((("link",), ()), ((), ("link",)), ((), ("file",))):
        with pytest.raises(UserError, match="Choose another place"):
            check_writable(tmp_path, files, folders)


@given(st.text(max_size=12))
def test_a_path_stays_inside(name: str) -> None:
    try:
        path = path_inside("folder", name)
    except UserError:
        return
    assert path.parts[0] == "folder"
    assert Path(os.path.normpath(path)).parts[:1] == ("folder",)


def test_run_json_is_read_from_the_directory_itself(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "run.json").write_text("{}")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").symlink_to(tmp_path / "real" / "run.json")
    with pytest.raises(UserError, match="a symbolic link"):
        load_run(tmp_path / "run")

"""A run in an object store: killed, cut off or raced at any moment, nothing is lost or torn."""

from __future__ import annotations

import builtins
import contextlib
import itertools
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
import toys
from conftest import plan_of

from harness.core import Result, UserError
from harness.records import run_lease
from harness.records.object_store import ObjectStore, StoreFault, refuse_read_only
from harness.records.plan import CaseIndex
from harness.records.results import read_results
from harness.records.run_directory import RunDirectory
from harness.records.run_lease import Lease, LeaseLost
from harness.records.run_mirror import Mirror, copy_run
from harness.records.run_pieces import Piece, chain, pieces_of
from harness.records.traces import Trace, encode_actions, read_traces

SPEC, PLAN = plan_of("GoodAgent", toys.TASKS[:2], 3)
CASES = [CaseIndex(item, 0, episode) for item in range(2) for episode in range(3)]
numbers = itertools.count()


def said(_: str) -> None:
    """What a user would read."""


@pytest.fixture
def store() -> Iterator[ObjectStore]:
    url = f"memory://bucket-{next(numbers)}/run"
    yield ObjectStore(url)
    fsspec.filesystem("memory").store.clear()


def lease_of(store: ObjectStore, **options: Any) -> Lease:
    return Lease(store, os.getpid(), said, **options)


def play(folder: Path, cases: list[CaseIndex]) -> None:
    directory = RunDirectory(folder, {"agent": SPEC.to_json()}, PLAN)
    for index in cases:
        if not directory.done(index):
            case = PLAN.case(index)
            actions = encode_actions([1, 2])
            shared = {"case": case.id, "task": case.task.id, "seed": case.seed, "digest": "00ff"}
            trace = Trace(**shared, instruction="go to 1 2", actions=actions)
            fields = {
                **dict.fromkeys(("normalised", "error")),
                "perturbations": (),
                "status": "finished",
                "success": True,
                "score": 1.0,
                "steps": 2,
                "ended": "success",
                "metrics": {},
                "protocol": PLAN.items[index.item].protocol,
                "timing": {},
            }
            directory.append(Result(**shared, **fields), trace, 0.0)
    directory.close(finished=False)


def opened(store: ObjectStore, folder: Path) -> Mirror:
    mirror = Mirror(store, folder, lease_of(store))
    mirror.pull(said)
    return mirror


def cases_of(folder: Path) -> list[str]:
    return [result.case for result in read_results(folder)]


def fetched(store: ObjectStore, folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    assert copy_run(store, folder, whole=True)
    return folder


def test_a_run_goes_on_on_another_machine_where_it_was_cut_off(
    store: ObjectStore, tmp_path: Path
) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    mirror = opened(store, one)
    play(one, CASES[:2])
    mirror.push()
    play(one, CASES[:3])
    with (one / "episodes.jsonl").open("ab") as lines:
        lines.write(b'{"case": "torn')  # killed while a line was written
    mirror.push()
    mirror._lease.release()
    mirror = opened(store, other)
    assert cases_of(other) == cases_of(fetched(store, tmp_path / "copy")) == cases_of(one)
    play(other, CASES)
    mirror.close()
    copy = fetched(store, tmp_path / "copy")
    assert cases_of(copy) == [PLAN.case(index).id for index in CASES]
    assert {each.case for each in read_traces(copy)} == set(cases_of(copy))
    assert not store.sizes("locks").keys() - {"locks/000002.json"}
    assert (copy / "run.json").read_bytes() == (other / "run.json").read_bytes()
    # The same, where the working copy is the one that the store left behind.
    opened(store, one)
    assert cases_of(one) == cases_of(copy)


def test_at_whichever_write_the_store_is_lost_no_line_lacks_its_trace(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    mirror = opened(store, folder)
    written = store.write
    for number in range(len(CASES)):
        play(folder, CASES[: number + 1])
        for lost_at in range(4):
            left = iter(range(lost_at))

            def write(name: str, content: bytes, left: Iterator[int] = left) -> None:
                if next(left, None) is None:
                    raise StoreFault("the connection is lost")
                written(name, content)

            monkeypatch.setattr(store, "write", write)
            with contextlib.suppress(StoreFault):
                mirror.push()
            if not store.sizes("run.json"):
                continue
            copy = fetched(store, tmp_path / "copy")
            assert set(cases_of(copy)) <= {each.case for each in read_traces(copy)}
            assert cases_of(copy) in (cases_of(folder)[:-1], cases_of(folder))
    assert cases_of(fetched(store, tmp_path / "copy")) == cases_of(folder)


def test_what_was_played_here_before_the_run_went_on_elsewhere_is_kept_aside(
    store: ObjectStore, tmp_path: Path
) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    mirror = opened(store, one)
    play(one, CASES[:2])
    mirror.push()
    mirror._lease.release()
    play(one, [*CASES[:2], CASES[4]])  # the connection was lost meanwhile
    mirror = opened(store, other)
    play(other, CASES[:3])
    mirror.close()
    told: list[str] = []
    again = Mirror(store, one, lease_of(store))
    again.pull(told.append)
    assert cases_of(one) == cases_of(other)
    assert "one.aside-1" in told[0]
    assert len(cases_of(tmp_path / "one.aside-1")) == 3


def test_a_run_that_was_copied_to_the_store_goes_on_in_pieces(
    store: ObjectStore, tmp_path: Path
) -> None:
    play(tmp_path / "run", CASES[:2])
    for name in ("run.json", "episodes.jsonl", "traces/part-0000.msgpack"):
        store.write(name, (tmp_path / "run" / name).read_bytes())
    assert len(cases_of(fetched(store, tmp_path / "copy"))) == 2
    mirror = opened(store, tmp_path / "here")
    play(tmp_path / "here", CASES)
    mirror.close()
    assert len(cases_of(fetched(store, tmp_path / "copy"))) == len(CASES)


def test_a_writer_that_was_replaced_changes_nothing(store: ObjectStore, tmp_path: Path) -> None:
    late = opened(store, tmp_path / "late")
    play(tmp_path / "late", CASES[:1])
    late.push()
    late._lease.release()  # as if it had been silent for too long
    mirror = opened(store, tmp_path / "new")
    play(tmp_path / "new", CASES[:2])
    mirror.push()
    play(tmp_path / "late", [CASES[0], CASES[5]])
    with pytest.raises(LeaseLost, match="another writer"):
        late.push()
    # And if it had looked just before it was replaced:
    late._lease.check = lambda: None  # type: ignore[method-assign]
    late.push()
    assert cases_of(fetched(store, tmp_path / "copy")) == cases_of(tmp_path / "new")


def piece(start: int, end: int, lease: int) -> Piece:
    return Piece(file="episodes.jsonl", start=start, end=end, lease=lease, digest="0" * 16)


def test_the_later_writer_counts_and_no_earlier_one_after_it() -> None:
    found = chain(
        [piece(0, 5, 1), piece(5, 20, 1), piece(5, 9, 2), piece(9, 12, 1), piece(9, 11, 3)]
    )
    assert [(each.start, each.end, each.lease) for each in found] == [
        (0, 5, 1), (5, 9, 2), (9, 11, 3),
    ]  # fmt: skip


def test_a_piece_that_was_cut_off_or_named_by_a_stranger_is_none() -> None:
    good = Piece.of("episodes.jsonl", 0, b"{}\n", 1)
    assert pieces_of({good.name: 3}) == {"episodes.jsonl": [good]}
    assert pieces_of({good.name: 2}) == {}
    assert pieces_of({good.name.replace("episodes.jsonl/", "../x/"): 3}) == {}


def test_a_changed_piece_is_refused(store: ObjectStore, tmp_path: Path) -> None:
    mirror = opened(store, tmp_path / "run")
    play(tmp_path / "run", CASES[:1])
    mirror.push()
    (name,) = store.sizes("parts/episodes.jsonl")
    store.write(name, b"x" * store.sizes("parts")[name])
    with pytest.raises(UserError, match="was changed or removed"):
        fetched(store, tmp_path / "copy")


def test_one_writer_at_a_time(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    first = lease_of(store)
    with pytest.raises(UserError, match=r"is being written by another run, on .*process"):
        lease_of(store)
    monkeypatch.setattr(run_lease, "_machine", lambda: "another machine")
    waits: list[float] = []

    def renewed(seconds: float) -> None:
        waits.append(seconds)
        first.renew()

    with pytest.raises(UserError, match="is being written by another run"):
        lease_of(store, sleep=renewed)
    assert len(waits) == 1
    monkeypatch.setattr(run_lease, "LEASE_S", 0.01)
    assert lease_of(store).number == 2  # it was silent for so long
    with pytest.raises(LeaseLost):
        first.renew()


def test_of_two_that_come_at_once_one_is_the_writer(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Lease, "_newest", lambda self: 0)
    lease_of(store)
    with pytest.raises(UserError, match="is being written by another run"):
        lease_of(store)


def test_a_run_that_was_killed_on_this_machine_is_replaced_at_once(store: ObjectStore) -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    Lease(store, child, said)
    assert lease_of(store, sleep=lambda _: pytest.fail("waits")).number == 2


def test_a_lock_of_a_stranger_is_no_fault(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_lease, "LEASE_S", 0.0)
    for content in (b"\xff", b"[1]", json.dumps({"process": "\x1b[2J", "host": 3}).encode()):
        store.write("locks/000001.json", content)
        assert lease_of(store).number == 2
        store.remove("locks/000002.json")


def test_nothing_remains_of_a_run_that_did_not_begin(store: ObjectStore, tmp_path: Path) -> None:
    opened(store, tmp_path / "run").close()
    assert store.sizes("") == {}
    assert not (tmp_path / "run").exists()


def test_faults_are_one_line_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StoreFault, match="Protocol not known: nonsense"):
        ObjectStore("nonsense://user:secret@bucket/run")
    with pytest.raises(StoreFault, match="name a folder, or a bucket"):
        refuse_read_only("github://owner:name@main/run")
    store = ObjectStore("memory://bucket/run")
    for fault, lasting, message in (
        (PermissionError("Forbidden"), True, r"written: the store refused the credentials"),
        (FileNotFoundError("no such bucket"), True, r"no such bucket. Make the bucket"),
        (type("NoCredentialsError", (Exception,), {})("-"), True, "AWS_ACCESS_KEY_ID"),
        (ConnectionResetError("reset"), False, "ConnectionResetError: reset. See that the store"),
    ):

        def fail(*_: object, fault: Exception = fault, **__: object) -> None:
            raise fault

        monkeypatch.setattr(store._files, "pipe_file", fail)
        with pytest.raises(StoreFault, match=message) as told:
            store.write("x", b"")
        assert told.value.lasting is lasting
        assert "\n" not in str(told.value)


def test_a_lacking_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def lacking(name: str, *args: Any, **options: Any) -> Any:
        if name.startswith(("fsspec", "s3fs")):
            raise ImportError("Install s3fs to access S3")
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", lacking)
    with pytest.raises(StoreFault, match=r"needs the package fsspec: pip install"):
        ObjectStore("s3://bucket/run")

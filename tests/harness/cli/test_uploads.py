"""`--out URL`: the process that sends a run to a store, and what it says when it cannot."""

from __future__ import annotations

import importlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

import bench
from harness.cli import upload_process
from harness.cli.locations import run_folder
from harness.cli.uploads import location_of, uploading, working_copy
from harness.core import UserError
from harness.records.object_store import ObjectStore, StoreFault
from harness.records.results import read_results
from harness.records.run_lease import Lease
from harness.records.run_mirror import Mirror

FILE_SYSTEM = """
from fsspec.implementations.local import LocalFileSystem

class ToyStore(LocalFileSystem):
    protocol = ("toystore",)
    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(str(path).removeprefix("toystore://"))
"""


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a place in a file system of fsspec that other processes have too."""
    packages = tmp_path / "packages"
    about = packages / "toystore-1.0.dist-info"
    about.mkdir(parents=True)
    (packages / "toystore.py").write_text(FILE_SYSTEM)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: toystore\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[fsspec.specs]\ntoystore = toystore:ToyStore\n")
    monkeypatch.setenv("PYTHONPATH", str(packages))
    monkeypatch.syspath_prepend(str(packages))
    toys = importlib.import_module("toystore").ToyStore
    fsspec.register_implementation("toystore", toys, clobber=True)
    monkeypatch.chdir(tmp_path)
    return f"toystore://{tmp_path}/bucket/run"


def test_a_run_is_played_here_sent_there_and_goes_on_without_its_working_copy(
    store: str, tmp_path: Path
) -> None:
    played = bench.evaluate("uniform", "gym:CartPole-v1", episodes=3, workers=0, out=store)
    assert played.path == working_copy(store)
    lines = (played.path / "episodes.jsonl").read_bytes()
    copy = run_folder(store)
    assert (copy / "episodes.jsonl").read_bytes() == lines
    assert (copy / "traces" / "part-0000.msgpack").exists()
    shutil.rmtree(played.path)
    again = bench.evaluate("uniform", "gym:CartPole-v1", episodes=3, workers=0, out=store)
    assert (again.path / "episodes.jsonl").read_bytes() == lines
    with pytest.raises(UserError, match="holds another run"):
        bench.evaluate("noop", "gym:CartPole-v1", episodes=3, workers=0, out=store)
    assert sum(1 for _ in read_results(run_folder(store))) == 3


def test_what_cannot_be_written_to_is_one_line(tmp_path: Path) -> None:
    with (
        pytest.raises(UserError, match="cannot be written to: name a folder, or a bucket"),
        uploading("https://example.org/run", tmp_path, print),
    ):
        pass


def test_a_url_that_was_taken_for_a_path_is_one_again() -> None:
    assert location_of(Path("s3://bucket/a/b")) == "s3://bucket/a/b"
    assert location_of(Path("runs/mine")) == "runs/mine"
    assert working_copy("ftp://user:secret@host/a/b").name.startswith("host_a_b-")


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[tuple[ObjectStore, Mirror, Lease]]:
    store = ObjectStore("memory://uploads/run")
    lease = Lease(store, os.getpid(), print)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")
    (tmp_path / "run" / "episodes.jsonl").write_text('{"case": 1}\n')
    yield store, Mirror(store, tmp_path / "run", lease), lease
    fsspec.filesystem("memory").store.clear()


def test_a_lost_connection_is_told_once_and_what_is_left_is_sent_later(
    mirror: tuple[ObjectStore, Mirror, Lease],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    store, sender, lease = mirror
    looks = iter([None, None, None, 1.0])
    waits: list[float] = []
    written, lost = store.write, iter([True, True])

    def write(name: str, content: bytes) -> None:
        if next(lost, False):
            raise StoreFault("the store cannot be written: reset. See that the store is there")
        written(name, content)

    def told(seconds: float) -> float | None:
        waits.append(seconds)
        return next(looks)

    monkeypatch.setattr(store, "write", write)
    monkeypatch.setattr(upload_process, "_told", told)
    assert upload_process._follow(sender, lease) is None
    assert waits == [5.0, 10.0, 20.0, 5.0]
    assert capsys.readouterr().err.splitlines() == [
        "the store cannot be written: reset; the run goes on, and its results are sent later",
        "the store takes results again",
    ]
    assert store.sizes("parts")
    assert b'"released": true' in (store.read("locks/000001.json", 1000) or b"")


def test_where_the_store_stays_away_it_says_why(
    mirror: tuple[ObjectStore, Mirror, Lease], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, sender, lease = mirror
    sender.push()
    (sender._folder / "episodes.jsonl").write_text('{"case": 1}\n{"case": 2}\n')

    def write(name: str, content: bytes) -> None:
        raise StoreFault("the store cannot be written: reset")

    monkeypatch.setattr(store, "write", write)
    assert upload_process._finish(sender, 0.0) == "the store cannot be written: reset"
    monkeypatch.undo()
    lease.release()
    assert Lease(store, os.getpid(), print).number == 2
    monkeypatch.setattr(upload_process, "_told", lambda seconds: 0.0)
    assert "has another writer by now" in str(upload_process._follow(sender, lease))

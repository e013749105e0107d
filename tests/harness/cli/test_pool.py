"""A pool keeps processes and environments between runs, and changes no result."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT, Said, bench_there, results_of

from harness.core import UserError
from harness.play import pool_files
from harness.play.pool_files import PoolRecord, Surroundings
from harness.play.ray_pool import _runs

AGENT = """
import os
from harness.core import Agent

class Random(Agent):
    def act(self, turns):
        print("process", os.getpid(), flush=True)
        return [turn.brief.action.sample(turn.rng) for turn in turns]
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a pool of this test's own; what is left of the pool ends with the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield pool_files.folder()
    assert bench_there("pool", "stop", cwd=tmp_path).code == 0


def processes(run: Path) -> set[str]:
    return {line for path in run.glob("log/worker-*.txt") for line in path.read_text().split("\n")}


def leftovers(pids: set[str]) -> set[str]:
    return {pid for pid in pids if pid.isdigit() and _runs(int(pid))}


@pytest.mark.slow
def test_runs_on_a_pool_share_processes_and_have_the_results_of_runs_without(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text(AGENT)

    def play(out: str, seed: int, workers: int = 1) -> Said:
        words = ("run", "--agent", "mine:Random", "--suite", "babyai", "--tasks", "*/GoToObj")
        more = ("--episodes", 4, "--seed", seed, "--workers", workers, "--out", out)
        said = bench_there(*words, *more, cwd=tmp_path)
        assert said.code == 0, said.err
        return said

    for seed in (0, 1):
        play(f"alone{seed}", seed, workers=0)
    said = bench_there("pool", "start", "--workers", 1, cwd=tmp_path)
    assert said.out == f"a pool of 1 worker; runs in {tmp_path} use it\n", said.err
    assert bench_there("pool", "start", cwd=tmp_path).code == 2, "there is one already"
    assert "playing on the pool\n" in play("first", 0).err
    assert "playing on the pool, 1 worker of it warm\n" in play("second", 1).err
    assert results_of(tmp_path / "first") == results_of(tmp_path / "alone0")
    assert results_of(tmp_path / "second") == results_of(tmp_path / "alone1")
    warm = processes(tmp_path / "first")
    assert processes(tmp_path / "second") == warm

    (tmp_path / "mine.py").write_text(AGENT.replace("process", "another"))
    assert "its workers start afresh" in play("changed", 1).err
    assert not processes(tmp_path / "changed") & warm - {""}
    assert results_of(tmp_path / "changed") == results_of(tmp_path / "alone1")

    monkeypatch.setenv("MUJOCO_GL", "another")
    status = bench_there("pool", "status", cwd=tmp_path).out
    assert "a run from here does not use it: environment variables differ, such as MUJOCO" in status
    record = pool_files.read()
    assert record is not None
    assert record.token not in status
    ended = bench_there("pool", "stop", cwd=tmp_path)
    assert ended.out == "the pool has ended\n", ended.err
    assert bench_there("pool", "status", cwd=tmp_path).out.startswith("no pool;")
    assert not leftovers({str(record.pid), *" ".join(warm).split()}), "a process stays"
    assert not (cache / "pool.json").exists()


def test_a_pool_of_other_surroundings_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Surroundings.here()
    monkeypatch.setenv("SHLVL", "7")
    assert here.difference(Surroundings.here()) is None
    for field, words in (
        ("python", "it runs on"),
        ("versions", "it runs on"),
        ("code", "code of bench"),
        ("folder", "started in"),
    ):
        other = dataclasses.replace(here, **{field: "other"})
        assert words in str(here.difference(other)) + str(other.difference(here))
    monkeypatch.setenv("OMP_PLACES", "cores")
    assert "OMP_PLACES" in str(here.difference(Surroundings.here()))
    assert "cores" not in str(Surroundings.here())


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        ("{}", 0o600, "is no record of a pool"),
        ("[" * 100_000, 0o600, "is no record of a pool"),
        ("{}", 0o644, "is not this user's alone"),
    ],
)
def test_a_record_that_others_wrote_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, mode: int, words: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert pool_files.read() is None
    place = pool_files.folder()
    place.mkdir(mode=0o700, parents=True)
    (place / "pool.json").write_text(content)
    (place / "pool.json").chmod(mode)
    assert pool_files.read() is None, "nobody holds the lock, so there is no pool"
    monkeypatch.setattr(pool_files, "_locked", lambda _: True)
    with pytest.raises(UserError, match=words):
        pool_files.read()


def test_a_record_is_read_as_it_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    record = PoolRecord(2, "127.0.0.1:1", "secret", 2, 0.0, 60.0, Surroundings.here())
    with pool_files.held(pool_files.ALIVE) as ours:
        assert ours
        pool_files.write(record)
        monkeypatch.setattr(pool_files, "_locked", lambda _: True)
        assert pool_files.read() == record
    assert os.stat(pool_files.folder()).st_mode & 0o77 == 0
    assert str(ROOT) not in record.surroundings.code

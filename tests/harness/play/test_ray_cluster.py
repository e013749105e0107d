"""The cluster that a run starts: its token, its folder, what stays of it; clusters of others."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import ROOT

from harness.core import UserError
from harness.play import ray_cluster, ray_token
from harness.play.ray_cluster import Cluster, _private_folder, _Watch
from harness.play.ray_token import for_a_new_cluster, for_the_cluster_at
from harness.play.stopped import Stopped

LIFE = """
import json, os, signal, stat, subprocess, sys, tempfile
import psutil, ray
from harness.play.ray_cluster import started
from processes import command_of, listens_at

class Actor:
    def token(self):
        # A process that outlives a worker, as a browser would; it ignores a hangup.
        subprocess.Popen(["sleep", "600"], start_new_session=True)
        return [os.environ[name] for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "OMP_NUM_THREADS")]

def once():
    said = []
    before = {name: os.environ.get(name) for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN")}
    with started(1, said.append) as cluster:
        asked = ray.remote(Actor).options(num_cpus=1, **cluster.options).remote()
        mode, token, threads = ray.get(asked.token.remote())
        cluster.check()
        processes = [each for each in psutil.Process().children(recursive=True)
            if each.status() != "zombie"]
        lines = [" ".join(command_of(each)) for each in processes]
        place = ray._private.worker._global_node.get_temp_dir_path()
        folder = os.path.dirname(place)
        facts = {
            "mode": mode, "token": token, "said": said, "folder": folder, "threads": threads,
            "pythons": sorted(line.split(".")[0].strip() for line in lines
                if line.startswith("ray::")),
            "extra": [line for line in lines if "monitor.py" in line or "dashboard.py" in line],
            "shown": any(token in line for line in lines),
            "private": stat.S_IMODE(os.stat(folder).st_mode),
            "doors": sorted(set().union(*map(listens_at, [psutil.Process(), *processes]))),
        }
    left = [each for each in processes if each.is_running() and each.status() != "zombie"]
    psutil.wait_procs(left, timeout=5)
    return facts | {
        "left": [each.name() for each in left if each.is_running()],
        "restored": before == {name: os.environ.get(name) for name in before},
        "files": os.path.exists(folder),
    }

print(json.dumps([once() for _ in range(int(sys.argv[1]))]))
"""


def lives(times: int, folder: Path, **variables: str) -> list[dict[str, Any]]:
    """What is found out about clusters that one process starts one after another."""
    quiet = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    said = subprocess.run(
        [sys.executable, "-c", LIFE, str(times)],
        cwd=folder,
        env=quiet | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"} | variables,
        stdout=subprocess.PIPE,
        text=True,
        timeout=200,
        check=True,
    )
    found: list[dict[str, Any]] = json.loads(said.stdout.splitlines()[-1])
    return found


def test_each_cluster_has_a_token_of_its_own_no_idle_process_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    memory = set(os.listdir("/dev/shm"))
    facts = lives(2, tmp_path, RAY_AUTH_MODE="disabled")
    for each in facts:
        assert each["mode"] == "token"
        assert len(bytes.fromhex(each["token"])) == 32
        assert not each["shown"], "the token is on a command line"
        assert len(each["said"]) == 1
        assert "RAY_AUTH_MODE=disabled is not heeded" in each["said"][0]
        assert set(each["doors"]) <= {"127.0.0.1", "::ffff:127.0.0.1"}
        assert each["private"] == stat.S_IRWXU
        assert each["restored"]
        assert each["threads"] == "1"
        assert each["pythons"] == ["ray::Actor"]
        assert not each["extra"]
        assert each["left"] == []
        assert not each["files"]
    assert facts[0]["token"] != facts[1]["token"]
    assert not {name for name in set(os.listdir("/dev/shm")) - memory if "plasma" in name}


ASKS = """
import os, psutil, ray
from harness.play.ray_cluster import started
from processes import command_of

class Actor:
    def variable(self):
        return os.environ.get("MINE")

def pythons():
    lines = (" ".join(command_of(each)) for each in psutil.Process().children(recursive=True))
    return sorted(line.split(".")[0].strip() for line in lines if line.startswith("ray::"))

with started(1, print):
    options = {"num_cpus": 0, "runtime_env": {"env_vars": {"MINE": "yes"}}}
    asked = ray.remote(Actor).options(**options).remote()
    print(ray.get(asked.variable.remote(), timeout=60), *pythons())
"""


def test_who_asks_for_an_environment_gets_one(tmp_path: Path) -> None:
    """An agent may use Ray for itself: the agent of Ray's that makes environments comes then."""
    quiet = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    said = subprocess.run(
        [sys.executable, "-c", ASKS],
        cwd=tmp_path,
        env=quiet | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"},
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
        check=True,
    )
    assert said.stdout.splitlines()[-1] == "yes ray::Actor ray::IDLE ray::RuntimeEnvAgent"


@pytest.mark.slow
def test_the_tests_own_token_and_a_long_temporary_folder(tmp_path: Path) -> None:
    """A user's token stays; sockets need a short path, so a long folder is not used."""
    deep = tmp_path / ("x" * 120)
    deep.mkdir()
    (facts,) = lives(1, tmp_path, RAY_AUTH_TOKEN="a-token-of-mine", TMPDIR=str(deep))
    assert facts["token"] == "a-token-of-mine"
    assert facts["said"] == []
    assert facts["folder"].startswith("/tmp/bench-")
    assert not facts["files"]
    assert facts["left"] == []
    assert list(deep.iterdir()) == []


@pytest.fixture
def no_tokens(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_a_users_setting_is_never_weakened(no_tokens: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    fresh = for_a_new_cluster(said.append)
    assert fresh["RAY_AUTH_MODE"] == "token"
    assert len(bytes.fromhex(fresh["RAY_AUTH_TOKEN"])) == 32
    assert fresh != for_a_new_cluster(said.append)
    for mode in ("token", "TOKEN", None):
        if mode:
            no_tokens.setenv("RAY_AUTH_MODE", mode)
        else:
            no_tokens.delenv("RAY_AUTH_MODE")
        for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
            no_tokens.setenv(name, "mine")
            assert for_a_new_cluster(said.append) == {"RAY_AUTH_MODE": "token"}
            no_tokens.setenv(name, "  ")
            assert "RAY_AUTH_TOKEN" in for_a_new_cluster(said.append), "no token at all"
            no_tokens.delenv(name)
    assert said == []
    for mode in ("disabled", "", "whatever"):
        no_tokens.setenv("RAY_AUTH_MODE", mode)
        assert len(for_a_new_cluster(said.append)["RAY_AUTH_TOKEN"]) == 64
        assert f"RAY_AUTH_MODE={mode} is not heeded" in said.pop()


def test_a_cluster_of_others_asks_for_its_token(
    ray_here: None, no_tokens: pytest.MonkeyPatch
) -> None:
    import ray

    head = ray._private.worker._global_node.gcs_address
    said: list[str] = []
    with pytest.raises(UserError, match=r"asks for a token.*set RAY_AUTH_MODE=token"):
        for_the_cluster_at(head, "here", said.append)
    no_tokens.setenv("RAY_AUTH_TOKEN", "0" * 64)
    with pytest.raises(UserError, match="asks for a token"):
        for_the_cluster_at(head, "here", said.append)
    no_tokens.setenv("RAY_AUTH_MODE", "disabled")
    with pytest.raises(UserError, match="asks for a token"):
        for_the_cluster_at(head, "here", said.append)
    assert said == []


def test_the_right_token_joins_a_cluster_of_others(ray_here: None) -> None:
    import ray

    head = ray._private.worker._global_node.gcs_address
    assert for_the_cluster_at(head, "here", pytest.fail) == {"RAY_AUTH_MODE": "token"}


def test_a_cluster_without_a_token_gets_a_warning(no_tokens: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    no_tokens.setattr(ray_token, "_takes", lambda head, mode: True)
    assert for_the_cluster_at("h:1", "h:1", said.append) == {"RAY_AUTH_MODE": "disabled"}
    assert len(said) == 1
    assert "asks for no token" in said[0]
    assert "\n" not in said[0]
    no_tokens.setenv("RAY_AUTH_MODE", "token")
    with pytest.raises(UserError, match="asks for no token, and RAY_AUTH_MODE=token is set"):
        for_the_cluster_at("h:1", "h:1", said.append)


def test_nobody_knows_of_a_head_that_does_not_answer(no_tokens: pytest.MonkeyPatch) -> None:
    no_tokens.setattr(ray_token, "_takes", lambda head, mode: None)
    assert for_the_cluster_at("h:1", "h:1", pytest.fail) == {}


@pytest.mark.parametrize("length", [1, 22, 26, 27, 90, 200])
def test_the_folder_is_short_and_goes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, length: int
) -> None:
    place = Path("/tmp") / f"{os.getpid():x}".ljust(max(1, length - 5), "x")[: max(1, length - 5)]
    place.mkdir(exist_ok=True)
    monkeypatch.setattr("tempfile.tempdir", str(place))
    try:
        with _private_folder() as folder:
            folder.mkdir()
            sockets = folder / "session_2026-01-01_00-00-00_000000_4194304" / "sockets"
            assert len(str(sockets / "plasma_store")) <= 107
            assert stat.S_IMODE(folder.parent.stat().st_mode) == stat.S_IRWXU
            if len(str(place)) <= 22:
                assert folder.is_relative_to(place)
            sockets.mkdir(parents=True)
        assert not folder.parent.exists()
    finally:
        place.rmdir()


def test_a_folder_that_cannot_be_made_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    with pytest.raises(UserError, match="TMPDIR"), _private_folder():
        pass


@pytest.mark.parametrize(
    ("code", "words"), [(-9, "SIGKILL"), (0, "exit code 0"), (-200, "exit code -200")]
)
def test_a_process_of_ray_that_ended_stops_the_run(code: int, words: str) -> None:
    alive, dead = SimpleNamespace(poll=lambda: None), SimpleNamespace(poll=lambda: code)
    Cluster({"raylet": alive}).check()
    with pytest.raises(Stopped, match=rf"Ray's raylet ended unexpectedly \({words}\)"):
        Cluster({"gcs_server": alive, "raylet": dead}).check()


def test_what_ray_raises_when_it_is_gone_is_told_as_that() -> None:
    polls = iter([None, None, -9])
    cluster = Cluster({"raylet": SimpleNamespace(poll=lambda: next(polls))})
    with pytest.raises(Stopped), cluster.watched():
        raise ConnectionError("a page of words")


def test_other_faults_stay_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_cluster, "ENDING_S", 0.0)
    with pytest.raises(ConnectionError, match="mine"), Cluster({}).watched():
        raise ConnectionError("mine")
    with pytest.raises(UserError), Cluster({}).watched():
        raise UserError("wrong")


def wait_until_lost(watch: _Watch) -> str:
    until = time.monotonic() + 30
    while watch.lost is None:
        assert time.monotonic() < until
        time.sleep(0.01)
    return watch.lost


@pytest.mark.parametrize("dies", ["head", "raylet"])
def test_a_cluster_of_others_that_goes_is_noticed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, dies: str
) -> None:
    monkeypatch.setattr(ray_cluster, "LOOK_S", 0.02)
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as head, socket.socket(socket.AF_UNIX) as raylet:
        raylet.bind("raylet")
        raylet.listen(1000)
        watch = _Watch(f"127.0.0.1:{head.getsockname()[1]}", "raylet")
        cluster = Cluster({}, watch)
        time.sleep(0.2)
        cluster.check()
        (head if dies == "head" else raylet).close()
        assert dies in wait_until_lost(watch)
        with pytest.raises(Stopped, match="the Ray cluster is gone"):
            cluster.check()
        watch.close()


def test_ray_that_does_not_start_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its token: the Ray of these tests, in this process, would take it for its own."""

    def dies(**_: object) -> None:
        raise Exception("The current node timed out\nduring startup.")

    monkeypatch.setattr(ray_cluster, "environment", lambda _: contextlib.nullcontext())
    monkeypatch.setattr(ray_cluster, "token_mode", lambda: True)
    monkeypatch.setattr(ray_cluster.ray, "init", dies)
    monkeypatch.setattr(ray_cluster.ray, "shutdown", lambda: None)
    words = r"did not start .*timed out during startup"
    with pytest.raises(Stopped, match=words), ray_cluster.started(1, lambda _: None):
        pass

"""Runs that are logged to real trackers: an MLflow server over SQLite, wandb offline, Trackio.

Their packages take 1.2 GB, so they have an interpreter of their own; see `make test-heavy`.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, results_of, wait_for_lines
from trackerpython import PYTHON

from leaderboards.report import load_report
from leaderboards.trackers.figures import figures_of
from leaderboards.trackers.mlflow_tracker import allowed

pytestmark = pytest.mark.heavy
START_S = 180.0
WORDS = ("run", "--agent", "toys:GoodAgent", "--workers", "0", "--suite")


def bench(folder: Path, *words: str, **environment: str) -> subprocess.Popen[str]:
    """The command line in the interpreter of the trackers."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    return subprocess.Popen(
        [PYTHON, "-m", "bench", *words],
        cwd=folder,
        env=own | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """(exit code, stderr)."""
    _, err = process.communicate(timeout=300)
    return process.returncode, err


class Server:
    """MLflow's server, asked by its REST API."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        self._process = subprocess.Popen(
            [
                PYTHON, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port),
                "--workers", "1", "--backend-store-uri", f"sqlite:///{folder}/runs.db",
                "--artifacts-destination", str(folder / "artefacts"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        until = time.monotonic() + START_S
        while not self._answers():
            assert self._process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.5)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.address}/health", timeout=5):
                return True
        except OSError:
            return False

    def ask(self, path: str, **body: Any) -> Any:
        method = "POST" if body else "GET"
        request = urllib.request.Request(
            f"{self.address}/api/2.0/mlflow/{path}",
            json.dumps(body).encode() if body else None,
            {"Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def runs(self) -> list[Any]:
        found = self.ask("experiments/get-by-name?experiment_name=bench")
        number = found["experiment"]["experiment_id"]
        return list(self.ask("runs/search", experiment_ids=[number], max_results=10)["runs"])

    def close(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    found = Server(tmp_path)
    yield found
    found.close()


def test_mlflow_has_the_run_live_and_at_its_end(server: Server, tmp_path: Path) -> None:
    slow = ("run", "--agent", "toys:RandomAgent", "--workers", "0", "--suite", "toysuite:SLOW")
    words = (*slow, "--episodes", "40", "--out", "run", "--log")
    place = f"mlflow:{server.address}"
    process = bench(tmp_path, *words, place)
    wait_for_lines(tmp_path / "run", 10, process)
    until = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < until:
        try:
            if "metrics" in server.runs()[0]["data"]:
                break
        except (urllib.error.HTTPError, KeyError, IndexError):
            time.sleep(0.2)
    assert process.poll() is None, "the figures were there before the run ended"
    process.send_signal(signal.SIGINT)
    code, err = ended(process)
    assert code == 130
    assert "logged to mlflow: experiment bench, run " in err
    (run,) = server.runs()
    assert run["info"]["status"] == "KILLED"

    code, err = ended(bench(tmp_path, *words, place))
    assert code == 0
    (run,) = server.runs()
    name = run["info"]["run_id"]
    assert f"logged to mlflow: experiment bench, run {name}\n" in err
    assert (run["info"]["status"], run["info"]["run_name"]) == ("FINISHED", "run")
    told = {each["key"]: each["value"] for each in run["data"]["metrics"]}
    wanted = figures_of(load_report(tmp_path / "run"))
    assert {key: told[key] for key in map(allowed, wanted)} == pytest.approx(
        {allowed(key): value for key, value in wanted.items()}
    )
    parameters = {each["key"]: each["value"] for each in run["data"]["params"]}
    assert parameters["agent"] == "toys:RandomAgent"
    assert (parameters["cases"], parameters["seed"]) == ("120", "0")
    path = f"metrics/get-history?run_id={name}&metric_key=overall/success_rate"
    steps = [int(each.get("step", 0)) for each in server.ask(path)["metrics"]]
    assert steps == sorted(steps)
    assert len(set(steps)) > 1
    assert steps[-1] == 120
    files = {each["path"] for each in server.ask(f"artifacts/list?run_id={name}")["files"]}
    assert files >= {"run.json", "episodes.jsonl", "report.json", "report.md", "report.csv"}
    assert files & {"report.html", "report.html.txt"}


def test_a_server_that_is_down_changes_nothing(tmp_path: Path) -> None:
    words = (*WORDS, "toysuite:SHORT", "--out")
    assert ended(bench(tmp_path, *words, "plain"))[0] == 0
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        place = f"mlflow:http://127.0.0.1:{taken.getsockname()[1]}"
        code, err = ended(
            bench(tmp_path, *words, "run", "--log", place, MLFLOW_HTTP_REQUEST_MAX_RETRIES="1")
        )
    assert code == 0
    told = [each for each in err.splitlines() if "mlflow" in each]
    assert len(told) == 1
    assert told[0].startswith("mlflow: not logged: MlflowException: ")
    assert told[0].endswith("; no result depends on it, and the same command logs it later")
    one, other = (
        [(each["case"], each["digest"], each["score"]) for each in results_of(tmp_path / name)]
        for name in ("plain", "run")
    )
    assert one == other


def test_wandb_offline(tmp_path: Path) -> None:
    words = (*WORDS, "toysuite:SHORT", "--out", "run", "--log", "wandb:mine")
    code, err = ended(bench(tmp_path, *words, WANDB_MODE="offline"))
    assert code == 0
    (folder,) = (tmp_path / "wandb").glob("offline-run-*")
    assert f"logged to wandb: {folder} (offline: `wandb sync` sends it)\n" in err
    (file,) = folder.glob("*.wandb")
    content = file.read_bytes()
    assert b"task/toys/far@1/success_rate" in content
    assert json.loads((tmp_path / "run/trackers/wandb.json").read_text())["place"] == "mine"
    # Without a key and not offline.
    code, err = ended(bench(tmp_path, *WORDS, "toysuite:SHORT", "--out", "b", "--log", "wandb"))
    assert code == 0
    assert "wandb: not logged: UsageError: " in err


def test_trackio_keeps_a_run_in_its_database(tmp_path: Path) -> None:
    words = (*WORDS, "toysuite:SHORT", "--out", "run", "--log", "trackio")
    store = {"TRACKIO_DIR": str(tmp_path / "store")}
    for _ in range(2):  # the same command goes on with the same run
        code, err = ended(bench(tmp_path, *words, **store))
        assert code == 0
        assert "logged to trackio: project bench, run run-" in err
    script = (
        "import json, trackio\n"
        "from trackio.sqlite_storage import SQLiteStorage\n"
        "(run,) = trackio.Api().runs('bench')\n"
        "logs = SQLiteStorage.get_logs('bench', run.name)\n"
        "print(json.dumps([run.name, logs, run.config]))\n"
    )
    done = subprocess.run(
        [PYTHON, "-c", script],
        env={**os.environ, **store},
        capture_output=True,
        text=True,
        check=True,
    )
    name, logs, config = json.loads(done.stdout.splitlines()[-1])
    assert name == json.loads((tmp_path / "run/trackers/trackio.json").read_text())["run"]
    for figure, value in figures_of(load_report(tmp_path / "run")).items():
        assert (logs[-1]["step"], logs[-1][figure]) == (6, value)
    assert config["agent"] == "toys:GoodAgent"

"""A run on a real S3 server (moto's): killed, cut off and gone on elsewhere, nothing is lost."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[3] / ".bench" / "interpreters" / "objectstore"
PYTHON = HOME / "bin" / "python"
COMMAND = ("run", "--agent", "uniform", "--suite", "gym:CartPole-v1", "--workers", "0")
pytestmark = pytest.mark.heavy


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """What a process needs in order to write to `s3://bucket`."""
    if not PYTHON.exists():
        pytest.fail(f"{HOME} is not there: make test-heavy makes it")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    (packages,) = HOME.glob("lib/python*/site-packages")
    found = {
        **os.environ,
        "PYTHONPATH": str(packages),
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    server = subprocess.Popen(
        [HOME / "bin" / "moto_server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    make = "import boto3; boto3.client('s3').create_bucket(Bucket='bucket')"
    try:
        until = time.monotonic() + 120
        while subprocess.run([PYTHON, "-c", make], env=found, capture_output=True).returncode:
            assert time.monotonic() < until
        yield found
    finally:
        server.kill()
        server.wait()


def bench(environment: dict[str, str], folder: Path, *words: str) -> tuple[int, str]:
    program = Path(sys.executable).with_name("bench")
    done = subprocess.run(
        [program, *words], env=environment, cwd=folder, capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr


def test_a_killed_run_goes_on_elsewhere_and_is_verified(
    environment: dict[str, str], tmp_path: Path
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    words = (*COMMAND, "--episodes", "3000", "--out", "s3://bucket/runs/a")
    program = Path(sys.executable).with_name("bench")
    playing = subprocess.Popen([program, *words], env=environment, cwd=here)
    until = time.monotonic() + 240
    while time.monotonic() < until:
        lines = list(here.glob("runs/*/episodes.jsonl"))
        if lines and lines[0].stat().st_size > 100_000:
            break
        time.sleep(0.2)
    code, said = bench(environment, there, *words)
    assert (code, "is being written by another run" in said) == (2, True), said
    playing.send_signal(signal.SIGKILL)
    playing.wait()
    code, said = bench(environment, there, *words)
    assert code == 0, said
    assert "uploaded to s3://bucket/runs/a" in said
    code, said = bench(environment, there, "verify", "s3://bucket/runs/a", "--sample", "50")
    assert (code, "3000 lines of 3000 cases checked" in said) == (0, True), said


@pytest.mark.parametrize(
    ("changes", "out", "message"),
    [
        ({}, "s3://nowhere/run", "The specified bucket does not exist. Make the bucket"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "s3://bucket/run",
         "no credentials were found. Set those of the store"),
        ({"PYTHONPATH": ""}, "s3://bucket/run", "needs another package: Install s3fs"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "s3://bucket/run",
         "Could not connect to the endpoint URL"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_one_line(
    environment: dict[str, str], tmp_path: Path, changes: dict[str, str], out: str, message: str
) -> None:
    code, said = bench({**environment, **changes}, tmp_path, *COMMAND, "--out", out)
    assert (code, message in said, said.count("\n")) == (2, True, 1), said

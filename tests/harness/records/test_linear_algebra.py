"""Which kernels numpy multiplies with, and what a verification says where they are others."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from conftest import ROOT

from harness.records import linear_algebra
from harness.records.identity import machine
from harness.records.linear_algebra import VARIABLE, kernels, kernels_of, other_kernels


@pytest.mark.skipif(not kernels(), reason="numpy does not bring OpenBLAS here")
@pytest.mark.parametrize("chosen", ["Haswell", "Nehalem"])
def test_the_kernels_are_those_that_were_chosen(chosen: str) -> None:
    code = "from harness.records.linear_algebra import kernels; print(kernels())"
    environment = {**os.environ, "OPENBLAS_CORETYPE": chosen}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.stdout == f"OpenBLAS {chosen}\n"


def test_a_run_says_its_kernels() -> None:
    assert machine()["linear algebra"] == kernels()


@pytest.mark.parametrize(
    ("recorded", "words"),
    [
        ({"linear algebra": "OpenBLAS Here"}, ""),
        ({"linear algebra": "OpenBLAS Zen"}, "does not have those of the run"),
        ({}, "does not say which it had"),
        (None, "does not say which it had"),
        ({"linear algebra": 3}, "does not say which it had"),
        ({"linear algebra": "OpenBLAS $(rm -r /)"}, ""),
    ],
)
def test_a_difference_has_its_likely_cause(
    monkeypatch: pytest.MonkeyPatch, recorded: object, words: str
) -> None:
    monkeypatch.setattr(linear_algebra, "kernels", lambda: "OpenBLAS Here")
    said = other_kernels(recorded)
    assert words in said
    assert bool(said) == bool(words)


MULTIPLIED = """
import os, sys
import numpy as np
from harness.records.linear_algebra import kernels, kernels_of
a = np.random.default_rng(0).random((300, 300))
product = lambda: hash((a @ a).tobytes())
before = kernels(), product(), os.environ.get("OPENBLAS_CORETYPE")
with kernels_of({"linear algebra": "OpenBLAS " + sys.argv[1]}):
    print(kernels(), os.environ.get("OPENBLAS_CORETYPE"), product())
print(before == (kernels(), product(), os.environ.get("OPENBLAS_CORETYPE")))
"""


def multiplied(there: str, run: str) -> list[str]:
    """What a process with some kernels says while it replays a run with others."""
    environment = {**os.environ, VARIABLE: there, "PYTHONHASHSEED": "0"}
    command = [sys.executable, "-c", MULTIPLIED, run]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


@pytest.mark.skipif(
    not kernels() or not linear_algebra._has("Haswell"), reason="not a processor of this kind"
)
def test_a_replay_multiplies_with_the_kernels_of_the_run() -> None:
    switched, own = multiplied("Nehalem", "Haswell"), multiplied("Haswell", "Haswell")
    assert switched == own  # also every bit of the product
    assert switched[:3] == ["OpenBLAS", "Haswell", "Haswell"]
    assert switched[-1] == "True"


@pytest.mark.skipif(not kernels(), reason="numpy does not bring OpenBLAS here")
def test_kernels_that_the_processor_lacks_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    before = kernels()
    monkeypatch.setitem(linear_algebra._NEEDED, "Zen", frozenset({"a part that is not there"}))
    for recorded in ("OpenBLAS Zen", "OpenBLAS Nonsense", "OpenBLAS $(rm -r /)", 3):
        with kernels_of({"linear algebra": recorded}):
            assert kernels() == before

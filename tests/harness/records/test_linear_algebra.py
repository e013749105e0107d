"""Which kernels numpy multiplies with, and what a verification says where they are others."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from conftest import ROOT

from harness.records import linear_algebra
from harness.records.identity import machine
from harness.records.linear_algebra import kernels, other_kernels


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
        ({"linear algebra": "OpenBLAS Zen"}, "OPENBLAS_CORETYPE=Zen before the command"),
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

"""LIBERO's files of initial states, as a package and a checkout have them; hostile ones, too."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tinylibero import STATES, npz, saved

from adapters.libero import initial_states
from harness.core import UserError


class Evil:
    def __reduce__(self) -> Any:
        return os.mkdir, ("harm",)


@pytest.mark.parametrize("protocol", [2, 4])
def test_initial_states_are_read(protocol: int) -> None:
    assert (initial_states(saved(pickle.dumps(STATES, protocol))) == STATES).all()


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"PK",
        saved(b""),
        saved(pickle.dumps([1])),
        saved(pickle.dumps(STATES)[:-30]),
        saved(pickle.dumps(np.zeros(3))),
        saved(pickle.dumps(STATES[:0])),
    ],
)
def test_a_file_that_holds_no_table_is_refused(file: bytes) -> None:
    with pytest.raises(UserError, match="initial states"):
        initial_states(file)


def test_a_pickled_call_is_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"it holds \w+\.mkdir"):
        initial_states(saved(pickle.dumps(Evil(), 2)))
    assert os.listdir(tmp_path) == []


def npy(header: str, content: bytes) -> bytes:
    """An archive with one array whose header is this text."""
    text = header.encode().ljust(117) + b"\n"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        head = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text
        archive.writestr("states.npy", head + content)
    return out.getvalue()


HEAD = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }"


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_initial_states_of_the_package_are_read(kind: type) -> None:
    for states in (STATES.astype(kind), np.asfortranarray(STATES.astype(kind))):
        found = initial_states(npz(states))
        assert found.dtype == np.float64
        assert (found == STATES).all()


@pytest.mark.parametrize(
    "file",
    [
        npz(STATES.astype(int)),
        npz(np.array([[1.0, np.nan]])),
        npz(STATES[0]),
        npz(STATES, "others"),
        npz(np.array([["a"]], object)),
        npy(HEAD % ("<f8", "(1000000, 1000000, 1000000)"), b""),
        npy(HEAD % ("<f8", "(2, 2)"), bytes(24)),
        npy(HEAD % ("<f8", "(-2, -2)"), bytes(32)),
        npy(HEAD % ("|O", "(1, 1)"), bytes(8)),
        npy("[" * 50, b""),
        npz(STATES)[:-30],
    ],
)
def test_an_archive_that_holds_no_table_is_refused(file: bytes) -> None:
    with pytest.raises(UserError, match="initial states"):
        initial_states(file)


def test_an_archive_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.libero.starts.LARGEST", 10_000)
    assert len(initial_states(npz(np.zeros((10, 10))))) == 10
    with pytest.raises(UserError, match="more than 10000 bytes"):
        initial_states(npz(np.zeros((100, 100))))

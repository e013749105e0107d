"""Files of initial states: NPZ archives in the package, torch's archives of pickles in a checkout.

Neither is trusted: sizes are bounded, and nothing but arrays of numbers is built from them.
"""

from __future__ import annotations

import io
import math
import pickle
import tokenize
import zipfile
from typing import Any

import numpy as np

from harness.core import UserError

__all__ = ["initial_states"]

LARGEST = 64 * 2**20
"""Bytes of an archive and of the part that is read. The benchmark's largest file has 100 kB."""


def initial_states(file: bytes) -> np.ndarray:
    """The array of a .pruned_init or .pruned_init.npz file, float64 (states, N).

    A row is MuJoCo's flattened state: time (s), positions, velocities. A .pruned_init file is a
    pickle in a zip archive, as torch.save writes it. Only arrays are unpickled, because an
    unrestricted pickle can run any code. Raises UserError on anything else.
    """
    try:
        found = _array_of(file)
    except (
        zipfile.BadZipFile,
        pickle.UnpicklingError,
        NotImplementedError,  # an archive with a way of packing that zipfile does not know
        RuntimeError,  # an encrypted archive
        ValueError,
        EOFError,
        MemoryError,  # an array that a pickle says is larger than any memory
        TypeError,
        AttributeError,
    ) as fault:
        raise UserError(f"the initial states of a LIBERO task cannot be read: {fault}") from None
    if (
        not isinstance(found, np.ndarray)
        or found.ndim != 2
        or found.dtype.kind != "f"
        or not len(found)
        or not np.isfinite(found).all()
    ):
        raise UserError("the initial states of a LIBERO task are no table of finite numbers")
    return found.astype(np.float64)


def _array_of(file: bytes) -> Any:
    if len(file) > LARGEST:
        raise ValueError(f"the file has more than {LARGEST} bytes")
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        names = archive.namelist()
        if names == ["states.npy"]:
            return _npy(_part(archive, names[0]))
        (name,) = [name for name in names if name.endswith("/data.pkl")]
        return _ArrayOnly(io.BytesIO(_part(archive, name))).load()


def _npy(content: bytes) -> np.ndarray:
    """An array in numpy's format, whose header must agree with what follows it.

    numpy would allocate what a header says before it reads on.
    """
    stream = io.BytesIO(content)
    numpys: Any = np.lib.format
    if numpys.read_magic(stream) != (1, 0):
        raise ValueError("it is of another version of numpy's format than 1.0")
    try:
        shape, fortran, kind = numpys.read_array_header_1_0(stream)
    except (tokenize.TokenError, SyntaxError, RecursionError) as fault:
        raise ValueError(f"its header cannot be read: {fault}") from None
    rest = content[stream.tell() :]
    if kind.kind != "f" or math.prod(shape) * kind.itemsize != len(rest):
        raise ValueError(f"its header says {shape} of {kind}, and {len(rest)} bytes follow")
    return np.frombuffer(rest, kind).reshape(shape, order="F" if fortran else "C")


def _part(archive: zipfile.ZipFile, name: str) -> bytes:
    """A part's bytes, counted while they are unpacked: what the archive says of it may be wrong."""
    with archive.open(name) as packed:
        found = packed.read(LARGEST + 1)
    if len(found) > LARGEST:
        raise ValueError(f"{name} has more than {LARGEST} bytes")
    return found


class _ArrayOnly(pickle.Unpickler):
    """Builds numpy arrays, and refuses every other global."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("_codecs", "encode"):
            return _latin1
        if (module, name) in (
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
        ):
            return np.array([0]).__reduce__()[0]
        if (module, name) in (("numpy", "ndarray"), ("numpy", "dtype")):
            return getattr(np, name)
        raise pickle.UnpicklingError(f"it holds {module}.{name}")


def _latin1(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it is encoded as {encoding}")
    return text.encode("latin1")

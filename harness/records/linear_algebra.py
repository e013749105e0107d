"""Which kernels numpy multiplies with: they follow the processor, and round differently.

OpenBLAS chooses its kernels when it is loaded. A simulator that computes a reward with them, as
Meta-World does, gives another last digit on another kind of processor, and so another digest.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

__all__ = ["kernels", "kernels_of", "other_kernels"]

VARIABLE = "OPENBLAS_CORETYPE"
"""Chooses the kernels of a process, in its environment when OpenBLAS is loaded."""
_BEFORE = "OpenBLAS "
_NAMES = ("openblas_get_corename64_", "scipy_openblas_get_corename64_", "openblas_get_corename")
_AVX512 = frozenset({"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"})
_NEEDED = {
    "Haswell": frozenset({"avx2", "fma"}),
    "Zen": frozenset({"avx2", "fma"}),
    "SkylakeX": _AVX512,
    "Cooperlake": _AVX512 | {"avx512_bf16"},
}
"""What a processor must have for these kernels: with others it would end the process."""


@functools.lru_cache(1)
def _openblas() -> ctypes.CDLL | None:
    """numpy's own OpenBLAS, if it brings one."""
    folder = Path(np.__file__).parents[1] / "numpy.libs"
    files = sorted(folder.glob("*openblas*"))
    return ctypes.CDLL(str(files[0])) if files else None


def kernels() -> str:
    """`OpenBLAS Haswell`; empty where numpy does not bring OpenBLAS."""
    library = _openblas()
    for name in _NAMES:
        if library is not None and hasattr(library, name):
            ask = getattr(library, name)
            ask.restype = ctypes.c_char_p
            return f"{_BEFORE}{ask().decode()}"
    return ""


@contextlib.contextmanager
def kernels_of(recorded: object) -> Iterator[None]:
    """Multiply with the kernels of a run meanwhile, where this processor has them.

    Processes that are started meanwhile do so too. Nothing else in this process may multiply
    while they change. recorded: what the run says of its machine.
    """
    here, chosen = kernels(), _chosen(recorded)
    if not here or not chosen or f"{_BEFORE}{chosen}" == here or not _has(chosen):
        yield
        return
    set_before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = chosen
    _choose_again()
    try:
        yield
    finally:
        os.environ[VARIABLE] = here.removeprefix(_BEFORE)
        _choose_again()
        if set_before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = set_before


def _choose_again() -> None:
    """Let OpenBLAS choose as when it is loaded.

    These two are what it runs then. They are not documented: who calls this asks `kernels` for
    what came of it.
    """
    library = _openblas()
    if library is None or not hasattr(library, "gotoblas_dynamic_quit"):
        return
    library.gotoblas_dynamic_quit()
    library.gotoblas_dynamic_init()


def _has(chosen: str) -> bool:
    """Whether this processor has what these kernels need."""
    if chosen not in _NEEDED:
        return False
    try:
        words = Path("/proc/cpuinfo").read_text().split()
    except OSError:  # not Linux: nothing is known of the processor
        return False
    return set(words) >= _NEEDED[chosen]


def _said(recorded: object) -> str:
    """What a run says of its kernels; empty where it says nothing of OpenBLAS."""
    said = recorded.get("linear algebra") if isinstance(recorded, dict) else None
    return said if isinstance(said, str) and said.startswith(_BEFORE) else ""


def _chosen(recorded: object) -> str:
    """The kernels of a run; empty if it does not say them, or not as a word."""
    chosen = _said(recorded).removeprefix(_BEFORE)
    return chosen if chosen.isalnum() else ""


def other_kernels(recorded: object) -> str:
    """Why a replay's last digits may differ here: a sentence; empty if the kernels are those.

    recorded: what the run says of its machine.
    """
    here, before = kernels(), _said(recorded)
    if not here or before == here:
        return ""
    if not before:
        return (
            f"numpy's kernels are {here} here, and the run does not say which it had: on another "
            f"kind of processor last digits may differ. {VARIABLE}=SkylakeX, Haswell or Zen before "
            "the command chooses others"
        )
    if not _chosen(recorded):
        return ""
    return (
        f"numpy's kernels are {here} here and were {before} in the run: last digits may differ. "
        "This processor does not have those of the run, or bench does not know it"
    )

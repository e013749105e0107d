"""Which kernels numpy multiplies with: they follow the processor, and round differently.

OpenBLAS chooses its kernels when it is loaded. A simulator that computes a reward with them, as
Meta-World does, gives another last digit on another kind of processor, and so another digest.
"""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path

import numpy as np

__all__ = ["kernels", "other_kernels"]

VARIABLE = "OPENBLAS_CORETYPE"
"""Chooses the kernels of a process, in its environment before numpy is loaded."""
_NAMES = ("openblas_get_corename64_", "scipy_openblas_get_corename64_", "openblas_get_corename")


@functools.lru_cache(1)
def kernels() -> str:
    """`OpenBLAS Haswell`; empty where numpy does not bring OpenBLAS."""
    for file in sorted((Path(np.__file__).parents[1] / "numpy.libs").glob("*openblas*")):
        library = ctypes.CDLL(str(file))
        for name in _NAMES:
            if hasattr(library, name):
                ask = getattr(library, name)
                ask.restype = ctypes.c_char_p
                return f"OpenBLAS {ask().decode()}"
    return ""


def other_kernels(recorded: object) -> str:
    """Why a replay's last digits may differ here: a sentence; empty if the kernels are those.

    recorded: what the run says of its machine.
    """
    here = kernels()
    before = recorded.get("linear algebra") if isinstance(recorded, dict) else None
    if not here or before == here:
        return ""
    if not isinstance(before, str) or not before.startswith("OpenBLAS "):
        return (
            f"numpy's kernels are {here} here, and the run does not say which it had: on another "
            f"kind of processor last digits may differ. {VARIABLE}=SkylakeX, Haswell or Zen before "
            "the command chooses others"
        )
    chosen = before.removeprefix("OpenBLAS ")
    if not chosen.isalnum():
        return ""
    return (
        f"numpy's kernels are {here} here and were {before} in the run: last digits may differ. "
        f"{VARIABLE}={chosen} before the command plays with those of the run, where the processor "
        "has them"
    )

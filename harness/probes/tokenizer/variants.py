"""Which codecs are compared, by name."""

from __future__ import annotations

import fnmatch
import functools
from collections.abc import Sequence
from dataclasses import dataclass

from harness.core import UserError

__all__ = ["CONTINUOUS", "STANDARD", "Variant", "variants_named"]

CONTINUOUS = "continuous"
UNIFORM = (16, 32, 64, 128, 256, 512, 1024)
CODES = (16, 32, 64, 128, 256, 512, 1024, 2048)
CODEBOOKS = (1, 2, 3, 4, 5, 6)
STANDARD = (
    "uniform-*,vq-16,vq-128,vq-512,vq-2048,rvq-2x16,rvq-2x128,rvq-2x512,rvq-4x16,rvq-4x128,"
    "rvq-6x16,rvq-6x128"
)
"""What is compared unless the user says otherwise."""


@dataclass(frozen=True)
class Variant:
    """One codec: its kind, and how large it is."""

    kind: str
    """`uniform`, `vq`, `rvq`, or the name of one that is handed in."""
    codebooks: int = 0
    codes: int = 0

    def __str__(self) -> str:
        if self.kind == "rvq":
            return f"rvq-{self.codebooks}x{self.codes}"
        return f"{self.kind}-{self.codes}" if self.codes else self.kind

    @property
    def family(self) -> str:
        """Among which a knee is sought: one codebook is the smallest residual one."""
        return "rvq" if self.kind == "vq" else self.kind


@functools.cache
def _every() -> dict[str, Variant]:
    """All that can be named."""
    found = [Variant("uniform", 0, codes) for codes in UNIFORM]
    for codebooks in CODEBOOKS:
        kind = "vq" if codebooks == 1 else "rvq"
        found += [Variant(kind, codebooks, codes) for codes in CODES]
    return {str(each): each for each in found}


def variants_named(text: str) -> Sequence[Variant]:
    """The variants of names and globs, separated by commas. Raises UserError for an unknown one."""
    chosen: dict[str, Variant] = {}
    for word in filter(None, (part.strip() for part in text.split(","))):
        named = fnmatch.filter(_every(), word)
        if not named:
            raise UserError(
                f"--variants {word}: there is no such codec; write uniform-K, vq-K or rvq-QxK with "
                f"K one of {', '.join(map(str, CODES))} (uniform: 16 to 1024) and Q from 2 to 6, "
                "or a glob such as 'rvq-2x*'"
            )
        chosen |= {name: _every()[name] for name in named}
    if not chosen:
        raise UserError("--variants names no codec: write uniform-256, 'rvq-*' or the like")
    return tuple(chosen.values())

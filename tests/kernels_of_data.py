"""Makes numpy multiply with the kernels with which tests/data was written, where it can.

Import it before numpy. Other kernels round the last digits of some rewards otherwise, and the
digests of these episodes with them.
"""

import os
import sys
from pathlib import Path

__all__ = ["AVAILABLE"]

_NEEDED = {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}
_CHOSEN = "SkylakeX"

AVAILABLE = set(Path("/proc/cpuinfo").read_text().split()) >= _NEEDED and (
    "numpy" not in sys.modules or os.environ.get("OPENBLAS_CORETYPE") == _CHOSEN
)
"""Whether this processor has them, and numpy can still take them."""

if AVAILABLE:
    os.environ["OPENBLAS_CORETYPE"] = _CHOSEN

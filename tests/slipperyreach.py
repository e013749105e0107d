"""Meta-World's shortest task with the fault of slipperypush.py: for many runs of a probe."""

from __future__ import annotations

from slipperypush import slippery

from harness.core import Suite

SUITES = (Suite("slipperyreach", "reach, with a planted fault", (slippery("reach-v3", 80),), 10),)

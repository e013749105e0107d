"""Suites of toys for the command line: `--suite toysuite:SLOW`, say."""

import toys

from harness.core import Suite

QUICK = Suite("toys", "a point in a square", toys.SUITE_TASKS, 4)
SLOW = Suite("slow-toys", "a slow point in a square", tuple(toys.toy_task(name, slow_s=0.01) for name in ("a", "b", "c")), 12)

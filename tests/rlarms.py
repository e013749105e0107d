"""A suite of two domains for `bench probe rl-robustness`."""

import toys

from harness.core import Suite

SUITE = Suite(
    "two-domains",
    "a point in a square",
    (toys.toy_task("played"), toys.toy_task("other", domain="games", marker="elsewhere")),
    6,
)
SCORED = Suite("scored", "no success", (toys.toy_task("survive", success=None, max_steps=9),), 2)

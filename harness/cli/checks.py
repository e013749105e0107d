"""The contracts as tests, for callers whose bench.toml names families of simulators."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from harness import testing
from harness.cli.names import know_families

__all__ = ["check_adapter", "check_agent"]

Parameters = ParamSpec("Parameters")
Returned = TypeVar("Returned")


def _knowing_families(check: Callable[Parameters, Returned]) -> Callable[Parameters, Returned]:
    @functools.wraps(check)
    def called(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Returned:
        know_families()
        return check(*args, **kwargs)

    return called


check_adapter = _knowing_families(testing.check_adapter)
check_agent = _knowing_families(testing.check_agent)

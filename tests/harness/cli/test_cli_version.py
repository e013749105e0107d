"""`bench --version`."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable

from conftest import Said


def test_the_version_is_that_of_the_distribution(bench_here: Callable[..., Said]) -> None:
    said = bench_here("--version")
    version = importlib.metadata.version("generalist-bench")
    assert (said.code, said.out, said.err) == (0, f"bench {version}\n", "")


def test_help_and_no_command_still_say_what_there_is(bench_here: Callable[..., Said]) -> None:
    for arguments in ((), ("--help",)):
        said = bench_here(*arguments)
        assert "Try: bench run --agent oracle --suite smoke" in said.out + said.err
        assert "doctor" in said.out + said.err

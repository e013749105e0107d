"""`--profile-check off` is an argument of the agent: the run records it."""

from __future__ import annotations

import pytest

from harness.cli.names import agent_named
from harness.core import UserError


def test_it_becomes_an_argument_of_an_agent_that_has_a_profile() -> None:
    arguments = {"profile": "openpi-libero"}
    on = agent_named("profiled:Profiled", arguments)
    off = agent_named("profiled:Profiled", arguments, "off")
    assert on.args == arguments
    assert off.args == {**arguments, "profile_check": "off"}
    assert on.fingerprint() != off.fingerprint()


def test_an_agent_without_a_profile_refuses_it() -> None:
    with pytest.raises(UserError, match="--profile-check off: the agent uniform has no profile"):
        agent_named("uniform", {}, "off")


def test_what_is_wrong_without_it_is_told_first() -> None:
    with pytest.raises(UserError, match="there is no agent 'uniforn'"):
        agent_named("uniforn", {}, "off")
